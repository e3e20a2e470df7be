#!/usr/bin/env python3
"""Serving nodes that are killed with SIGKILL every few seconds, and what becomes of the workflows they run.

    soak.py [--minutes M] [--nodes N] [--seed S] [--keep FOLDER]

Random workflows (plans.py) with compensations, retries, waits and sub-workflows run on one SQLite store. Their agents are
processes that write down what they did (agent.py). People start, signal, pause and cancel instances meanwhile. In the end everything must have
come to its end, and checker.py holds the agents' log against the journal. Prints one JSON document; exit status 1 when
something is wrong. The same seed makes the same workflows; what happens to them is up to the machine.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import checker
import plans

MAPFLOW = os.path.abspath(os.environ.get("MAPFLOW_PROGRAM", "build/release/mapflow"))
AGENT = Path(__file__).resolve().parent / "agent.py"
STORE = "sqlite:soak.db"
PLANS = 24
AT_ONCE = 40                 # instances under way
HANDS = 6                    # calls of the program at a time
KILL_EVERY = (1.0, 4.0)      # seconds
PATIENCE = 180               # seconds for everything to come to its end, once nobody is killed any more


class Folder:
    """A store, and the program called on it."""

    def __init__(self, path):
        self.path = path
        self.log = path / "effects.jsonl"

    def mapflow(self, *words):
        return subprocess.run([MAPFLOW, *words, "--store", STORE], cwd=self.path, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, timeout=120)

    def json(self, *words):
        done = self.mapflow(*words, "--json")
        if done.returncode != 0:
            raise RuntimeError(f"mapflow {' '.join(words)}: exit {done.returncode}: {done.stderr[-2000:]}")
        return json.loads(done.stdout)

    def effects(self):
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()] if self.log.exists() else []

    def unfinished(self):
        """How many instances are under way; the list may lag by a second."""
        if not (self.path / "soak.db").exists():
            return 0
        states = ("pending", "running", "paused", "suspended", "compensating")
        return sum(len(self.json("list", "--state", state, "--limit", "500")) for state in states)


class Nodes:
    """Serving nodes. Each life has a name of its own."""

    def __init__(self, folder, count):
        self.folder, self.lives, self.kills, self.problems = folder, 0, 0, []
        self.running = [self.boot() for _ in range(count)]

    def boot(self):
        self.lives += 1
        with open(self.folder.path / f"node_{self.lives}.err", "wb") as err:
            return self.lives, subprocess.Popen([MAPFLOW, "serve", "--store", STORE, "--node", f"n{self.lives}", "--listen", "127.0.0.1:0"],
                                                cwd=self.folder.path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)

    def kill(self, which):
        life, process = self.running[which]
        self.look(life, process)
        process.kill()
        process.wait()
        self.kills += 1
        self.running[which] = self.boot()

    def look(self, life, process):
        if process.poll() is not None:
            said = (self.folder.path / f"node_{life}.err").read_text(errors="replace")[-2000:]
            self.problems.append(f"node n{life} ended by itself with {process.returncode}: {said}")

    def end(self):
        for life, process in self.running:
            self.look(life, process)
            process.send_signal(signal.SIGTERM)
        for life, process in self.running:
            if process.wait(timeout=60) != 0:
                self.problems.append(f"node n{life} did not hand over: exit {process.returncode}")

    def abandon(self):
        for _, process in self.running:
            process.kill()
            process.wait()


class People:
    """Start instances and ask things of them, several at a time. What was acknowledged is remembered."""

    def __init__(self, folder, made, chance):
        self.folder, self.plans, self.chance = folder, made, chance
        self.attempts = 0
        self.started, self.cancelled, self.refused = {}, set(), []
        self.due = []            # (time, words) of requests to come
        self.hands = concurrent.futures.ThreadPoolExecutor(max_workers=HANDS)

    def start(self, count):
        wishes = [(f"i{self.attempts + i}", self.chance.choice(self.plans)) for i in range(count)]
        self.attempts += count
        calls = self.hands.map(lambda wish: self.folder.mapflow("start", f"{wish[1].workflow}.yaml", "--id", wish[0]), wishes)
        for (name, plan), done in zip(wishes, calls):
            if done.returncode == 0:
                self.accepted(name, plan)
            else:
                self.refused.append(f"start {name}: exit {done.returncode}: {done.stderr[-500:]}")

    def accepted(self, name, plan):
        self.started[name] = plan
        now = time.monotonic()
        if plan.signal:  # early or late, under a key, until it is acknowledged
            self.due.append((now + self.chance.uniform(0, 5), ("signal", name, "go", "1", "--key", f"go-{name}")))
        if self.chance.random() < 0.08:
            self.due.append((now + self.chance.uniform(0, 4), ("cancel", name)))
        elif self.chance.random() < 0.1:
            self.due.append((now + self.chance.uniform(0, 2), ("pause", name)))
            self.due.append((now + self.chance.uniform(2, 4), ("resume", name)))

    def ask(self):
        """Makes the requests whose time has come. One that nobody acknowledged is made again."""
        now = time.monotonic()
        ready = [request for request in self.due if request[0] <= now]
        self.due = [request for request in self.due if request[0] > now]
        self.cancelled |= {words[1] for _, words in ready if words[0] == "cancel"}
        for (_, words), done in zip(ready, self.hands.map(lambda request: self.folder.mapflow(*request[1]), ready)):
            over = done.returncode == 2  # it does not fit the state
            if done.returncode != 0 and not over:
                self.due.append((now + 1, words))


def storm(nodes, people, folder, seconds, chance):
    """Instances come, nodes go."""
    ends = time.monotonic() + seconds
    next_kill = time.monotonic() + chance.uniform(*KILL_EVERY)
    while time.monotonic() < ends:
        if time.monotonic() >= next_kill:
            nodes.kill(chance.randrange(len(nodes.running)))
            next_kill = time.monotonic() + chance.uniform(*KILL_EVERY)
        people.start(min(HANDS, max(0, AT_ONCE - folder.unfinished())))
        people.ask()


def calm(people, folder):
    """Waits until everything has come to its end, or patience has."""
    ends, pause = time.monotonic() + PATIENCE, threading.Event()
    while time.monotonic() < ends and (people.due or folder.unfinished() > 0):
        people.ask()
        for row in folder.json("list", "--state", "paused"):  # a pause that was asked for again may have come after its resume
            people.due.append((0, ("resume", row["instance_id"])))
        pause.wait(0.5)


def judge(folder, people):
    """What is wrong with what came of it, and the instances."""
    effects = checker.group(folder.effects())
    listed = {row["instance_id"]: row for row in folder.json("list", "--limit", "1000000")}
    wrong = [f"{name}: lost: there is no such instance" for name in people.started if name not in listed]

    def plan_of(name):
        while "parent_id" in listed[name]:
            name = listed[name]["parent_id"]
        return people.started.get(name)

    def read(name):
        return checker.Instance(folder.json("show", name), folder.json("history", name), effects.pop(name, []), plan_of(name))

    known = [name for name in listed if plan_of(name)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as readers:
        instances = dict(zip(known, readers.map(read, known)))
    for name, instance in instances.items():
        wrong += instance.check(name in people.cancelled)
        parent = instance.document.get("parent_id")
        if parent in instances:
            wrong += checker.check_child(instance, instances[parent])
    wrong += [f"agents were called for '{name}', which nobody started" for name in effects if name not in listed]
    verified = folder.mapflow("store", "verify", "--json")
    if verified.returncode != 0:
        wrong.append(f"the store does not verify: {verified.stdout[-2000:]}{verified.stderr[-2000:]}")
    return wrong, instances


def soak(path, options):
    """The whole story, as a document."""
    chance = random.Random(options.seed)
    folder = Folder(path)
    made = plans.make_plans(options.seed, PLANS, ["python3", "-IS", str(AGENT), str(folder.log)])
    for plan in made:
        (path / f"{plan.workflow}.yaml").write_text(plan.text(), encoding="utf-8")
    nodes, people = Nodes(folder, options.nodes), People(folder, made, chance)
    try:
        storm(nodes, people, folder, options.minutes * 60, chance)
        calm(people, folder)
        nodes.end()
    finally:
        nodes.abandon()
    wrong, instances = judge(folder, people)
    wrong += nodes.problems
    effects = folder.effects()
    return {"seed": options.seed, "minutes": options.minutes, "kills": nodes.kills,
            "started": len(people.started), "starts_refused": len(people.refused), "instances": len(instances),
            "states": dict(collections.Counter(each.document["state"] for each in instances.values())),
            "records": sum(len(each.events) for each in instances.values()),
            "effects": len(effects), "delivered_again": sum(1 for line in effects if line["delivery"] > 1),
            "compensations": sum(1 for line in effects if line["action"] == "undo" and not line["failed"]),
            "wrong": len(wrong), "problems": wrong[:50], "refusals": people.refused[:5]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--keep", type=Path, help="an empty folder for the store and the logs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mapflow-soak-") as temporary:
        path = options.keep or Path(temporary)
        path.mkdir(parents=True, exist_ok=True)
        outcome = soak(path.resolve(), options)
    print(json.dumps(outcome, indent=1))
    return 1 if outcome["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
