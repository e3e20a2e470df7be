#!/usr/bin/env python3
"""Serving nodes that are killed with SIGKILL every few seconds, and what becomes of the workflows they run.

    soak.py [--minutes M] [--nodes N] [--seed S] [--keep FOLDER]

Random workflows (plans.py) with compensations, retries, waits and sub-workflows run on one SQLite store. Their agents are
processes that write down what they did (agent.py). People start, signal, pause and cancel instances meanwhile. In the end everything must have
come to its end, and checker.py holds the agents' log against the journal. Prints one JSON document; exit status 1 when
something is wrong. The same seed makes the same workflows; what happens to them is up to the machine.
tests/chaos does the same to nodes on servers, and more to both.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import fleet

STORE = "sqlite:soak.db"
KILL_EVERY = (1.0, 4.0)      # seconds


def storm(nodes, people, folder, seconds, chance):
    """Instances come, nodes go."""
    ends = time.monotonic() + seconds
    next_kill = time.monotonic() + chance.uniform(*KILL_EVERY)
    while time.monotonic() < ends:
        if time.monotonic() >= next_kill:
            which = chance.randrange(len(nodes.running))
            nodes.kill(which)
            nodes.boot(which)
            next_kill = time.monotonic() + chance.uniform(*KILL_EVERY)
        fleet.crowd(people, folder)


def soak(path, options):
    """The whole story, as a document."""
    chance = random.Random(options.seed)
    folder = fleet.Folder(path, STORE)
    people = fleet.People(folder, fleet.make_plans(folder, options.seed), chance)
    nodes = fleet.Nodes(folder, [fleet.Here()] * options.nodes)
    try:
        storm(nodes, people, folder, options.minutes * 60, chance)
        fleet.calm(people, nodes, folder)
        nodes.end()
    finally:
        nodes.abandon()
    return {"seed": options.seed, "minutes": options.minutes, **fleet.report(folder, people, nodes, fleet.verify(folder))}


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
        return fleet.print_report(soak(path.resolve(), options))


if __name__ == "__main__":
    sys.exit(main())
