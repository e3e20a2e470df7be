#!/usr/bin/env python3
"""Serving nodes on a real database, everything that may happen to both, and what becomes of the workflows.

    chaos.py --store postgres|redis-cluster|tiered [--minutes M] [--nodes N] [--seed S] [--keep FOLDER]

As tests/soak, whose workflows, agents, people and checker these are. Nodes are killed, stopped for longer than their leases run, and
cut off from the database; the database is crashed, killed in parts and cut off itself (databases.py), at the same time. In the end
nothing may be lost, doubled or written by who had lost the right to (watch.py). As root each node and each server
is a machine of its own on a network of the test's own (network.py); otherwise no cable is pulled. Prints one JSON document and a closing
line; exit status 1 when something is wrong. The same seed makes the same workflows and the same order of harm.
"""

import argparse
import collections
import concurrent.futures
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "soak"))

import databases
import fleet
import network
from watch import Watch, times

DATABASES = {"postgres": databases.Postgres, "redis-cluster": databases.RedisCluster, "tiered": databases.Tiered}
STOPPED = (1, 12)            # seconds; a lease runs for 5
NODE_REST = (2, 6)           # seconds between two harms of nodes
DATABASE_REST = (5, 15)


class Harm:
    """Does one of several things at a time, at random moments, each as often as the others, and puts it right again."""

    def __init__(self, things, rest, chance, over):
        self.things, self.rest, self.chance, self.over = things, rest, chance, over
        self.done = collections.Counter()
        self.times = []              # (from, to)

    def run(self):
        deck = []
        while not self.over.wait(self.chance.uniform(*self.rest)):
            deck = deck or self.chance.sample(sorted(self.things), len(self.things))
            name = deck.pop()
            begun = time.monotonic()
            self.things[name]()
            self.times.append((begun, time.monotonic()))
            self.done[name] += 1


class NodeHarm:
    """What happens to one node at a time."""

    def __init__(self, nodes, watch, chance):
        self.nodes, self.watch, self.chance = nodes, watch, chance

    def things(self, cables):
        return {"node_killed": self.kill, "node_stopped": self.stop, **({"node_cut": self.cut} if cables else {})}

    def one(self):
        for which in range(len(self.nodes.running)):
            self.nodes.look(which)
        return self.chance.randrange(len(self.nodes.running))

    def kill(self):
        which = self.one()
        self.watch.died(self.nodes.kill(which).name)
        network.lasts(self.chance.choice([0, self.chance.uniform(0, 8)]))
        self.nodes.boot(which)

    def stop(self):
        node = self.nodes.running[self.one()]
        node.process.send_signal(signal.SIGSTOP)
        network.lasts(self.chance.uniform(*STOPPED))
        node.process.send_signal(signal.SIGCONT)

    def cut(self):
        place = self.nodes.places[self.one()]
        place.pull()
        network.lasts(self.chance.uniform(*STOPPED))
        place.plug()


def storm(harms, people, folder, seconds, over):
    """Instances come, and everything goes."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        running = [threads.submit(harm.run) for harm in harms]
        try:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                fleet.crowd(people, folder)
                for failed in (each for each in running if each.done()):
                    failed.result()  # raises
        finally:
            over.set()
    for each in running:
        each.result()


def chaos(path, options):
    """The whole story, as a document."""
    chances = [random.Random(f"{options.seed} {part}") for part in range(4)]
    net = network.Network()
    database = DATABASES[options.store](net, path / "database", chances[0])
    folder = fleet.Folder(path, database.url)
    people = fleet.People(folder, fleet.make_plans(folder, options.seed), chances[1])
    # Two names for each place: one that comes back is itself again or somebody else.
    nodes = fleet.Nodes(folder, [net.machine() for _ in range(options.nodes)], lambda which: f"n{which}{chances[2].choice('ab')}")
    watch, over, closed = Watch(database.look), threading.Event(), threading.Event()
    watcher = threading.Thread(target=watch.run, args=(closed,))
    watcher.start()
    node_harm = Harm(NodeHarm(nodes, watch, chances[2]).things(net.cables), NODE_REST, chances[2], over)
    database_harm = Harm(database.hurts, DATABASE_REST, chances[3], over)
    try:
        storm([node_harm, database_harm], people, folder, options.minutes * 60, over)
        fleet.calm(people, nodes, folder)
        nodes.end()
        closed.set()
        watcher.join()
        databases.until(watch.look, "the last look into the store")
        outcome = fleet.report(folder, people, nodes, database.verify(folder))
    finally:
        closed.set()
        nodes.abandon()
        database.end()
    outcome["problems"] += watch.problems
    if not (people.started and watch.entries and node_harm.done and database_harm.done):
        outcome["problems"].append("too little happened to say anything")
    fenced = sum(log.read_text(errors="replace").count(": fenced: ") for log in path.glob("node_*.err"))
    return {"store": options.store, "seed": options.seed, "minutes": options.minutes, "nodes": options.nodes,
            "harm": {**node_harm.done, **database_harm.done}, "boots_without_store": nodes.refused,
            "late_commits_refused": fenced, "log_entries_checked": watch.entries, "log_entries_unseen": watch.unseen,
            "looks": watch.looks, "looks_without_database": watch.away,
            "takeover_seconds": {"lease": times(watch.taken), "first_commit": times(watch.committed),
                                 "first_commit_database_well": times(watch.committed, database_harm.times)},
            **outcome}


def closing_line(document):
    wrong = document["problems"]
    kinds = {name: sum(1 for line in wrong if name in line) for name in ("lost", "twice", "stale", "compensation")}
    takeover, undisturbed = (document["takeover_seconds"][name] for name in ("first_commit", "first_commit_database_well"))
    return (f"chaos on {document['store']}: {document['instances']} instances, {sum(document['harm'].values())} harms; "
            f"{kinds['lost']} lost, {kinds['twice']} applied twice, {kinds['stale']} stale commits, {kinds['compensation']} compensations wrong, "
            f"{len(wrong)} problems; {document['late_commits_refused']} late commits refused; takeover p50 {takeover['p50']} s, p99 {takeover['p99']} s "
            f"of {takeover['count']}, with the database well p50 {undisturbed['p50']} s, p99 {undisturbed['p99']} s of {undisturbed['count']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", choices=sorted(DATABASES), required=True)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--keep", type=Path, help="an empty folder for the servers' files and the logs")
    options = parser.parse_args()
    network.enter()
    with tempfile.TemporaryDirectory(prefix="mapflow-chaos-") as temporary:
        path = (options.keep or Path(temporary)).resolve()
        path.mkdir(parents=True, exist_ok=True)
        os.chmod(path, 0o755)  # the servers run as another user
        document = chaos(path, options)
    line = closing_line(document)
    status = fleet.print_report(document)
    print(line)
    return status


if __name__ == "__main__":
    sys.exit(main())
