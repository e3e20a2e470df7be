#!/usr/bin/env python3
"""Kills the repository review with SIGKILL at random moments and starts it again, until it is through.

    kill_test.py [--kills 50] [--seed N] [--keep FOLDER]

Checks that the review always completes; that every step completed exactly once in the history, whatever was called
again; that a call made again carries the same idempotency key; and that the store verifies. Once in a while the
server of the specialists is killed too, as if the machine had gone down. The seed chooses the moments.
"""

import argparse
import collections
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from program import EXAMPLES, MAPFLOW, ROOT, SECONDS, completed_paths, environment, mapflow

WORKFLOW = EXAMPLES / "repo_review" / "workflow.yaml"


class Review:
    """Instances of the review on one store, one after the other."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "calls.jsonl"

    def command(self, instance):
        return [MAPFLOW, "run", str(WORKFLOW), "--store", "sqlite:x.db", "--id", instance, "--json",
                "-i", f"repo={ROOT}", "-i", f"report={instance}.md"]

    def run(self, instance, kill_after=None):
        """The exit status, or None when the run was killed."""
        with open(self.folder / f"{instance}.out", "wb") as out, open(self.folder / f"{instance}.err", "ab") as err:
            process = subprocess.Popen(self.command(instance), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=err, env=environment(REPO_REVIEW_LOG=str(self.log)))
            try:
                return process.wait(timeout=kill_after if kill_after is not None else SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                if kill_after is None:
                    raise
                return None

    def explain(self, instance):
        return (self.folder / f"{instance}.err").read_text(errors="replace")[-4000:]

    def calls(self):
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


def kill_office(review, instance):
    """The specialists' server dies with the machine, so the test ends it too. Nobody there: nothing to do."""
    shown = mapflow("show", instance, "--store", "sqlite:x.db", "--json", cwd=review.folder)
    office = shown.json["variables"]["office"]["url"] if shown.exit == 0 else ""
    if not office:
        return
    address = urllib.parse.urlsplit(office)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=2)
    try:
        connection.request("GET", f"{address.path}/health")
        health = json.loads(connection.getresponse().read())
        if health.get("service") == "repo-review-team":
            os.kill(health["pid"], signal.SIGKILL)
    except (OSError, ValueError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def check(review, instance):
    """What is wrong with a finished instance."""
    shown = mapflow("show", instance, "--store", "sqlite:x.db", "--json", cwd=review.folder)
    history = mapflow("history", instance, "--store", "sqlite:x.db", "--json", cwd=review.folder)
    if shown.exit != 0 or history.exit != 0:
        return [f"show or history failed:\n{shown}\n{history}"]
    wrong = []
    if shown.json["state"] != "completed":
        wrong.append(f"state {shown.json['state']}: {shown.json['errors']}")
    events = history.json
    if [event["seq"] for event in events] != sorted({event["seq"] for event in events}):
        wrong.append("history is not in order, or has an event twice")
    completed = collections.Counter(completed_paths(events))
    wrong += [f"{path} completed {count} times" for path, count in completed.items() if count != 1]
    steps = {step["path"] for step in shown.json["steps"] if step["state"] == "completed"}
    if steps != set(completed):
        wrong.append(f"show and history disagree on what completed: {sorted(steps ^ set(completed))}")
    if not (review.folder / f"{instance}.md").read_text(encoding="utf-8").startswith("# Review of"):
        wrong.append("there is no report")
    # What the agents themselves saw of it.
    keys = collections.defaultdict(set)
    for call in review.calls():
        if call["idempotency_key"].startswith(f"{instance}/"):
            keys[call["path"]].add(call["idempotency_key"])
    wrong += [f"{path} was called under several keys: {sorted(several)}" for path, several in keys.items() if len(several) != 1]
    called = {path for path in completed if path.rsplit("/", 1)[-1] in ("inventory", "measure", "report", "leaks")}
    wrong += [f"{path} completed, but no agent was ever called" for path in sorted(called - set(keys))]
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--keep", type=Path, help="an empty folder for the store and the reports")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        review = Review(folder)
        print(f"seed {options.seed}, {options.kills} kills")
        begin = time.monotonic()
        if review.run("warm-up") != 0:
            print(review.explain("warm-up"))
            return 1
        whole = time.monotonic() - begin
        kills, starts, instances, wrong = 0, 0, [], check(review, "warm-up")
        while kills < options.kills and not wrong:
            instance = f"demo-{len(instances) + 1}"
            instances.append(instance)
            status, begun = None, 0
            while status is None:
                # Early moments are as likely as late ones; a run that went on for long is left to end.
                moment = chance.uniform(0, whole) if kills < options.kills and begun < 30 else None
                starts, begun = starts + 1, begun + 1
                begin = time.monotonic()
                status = review.run(instance, moment)
                if status == 0 and begun == 1:
                    whole = min(whole, time.monotonic() - begin)
                if status is None:
                    kills += 1
                    if chance.random() < 0.2:
                        kill_office(review, instance)
            if status != 0:
                wrong = [f"{instance} ended with exit status {status}:\n{review.explain(instance)}"]
            else:
                wrong = [f"{instance}: {problem}" for problem in check(review, instance)]
        verified = mapflow("store", "verify", "--store", "sqlite:x.db", cwd=folder)
        if verified.exit != 0:
            wrong.append(f"store verify: {verified}")
        calls = review.calls()
        distinct = {(call["idempotency_key"], call["attempt"]) for call in calls}
        for problem in wrong:
            print(f"WRONG: {problem}")
        print(f"{kills} kills, {starts} starts, {len(instances)} reviews completed, {len(calls)} calls of agents, "
              f"{len(calls) - len(distinct)} of them repeated after a kill; one whole run takes {whole:.1f} s")
        print("failed" if wrong else "passed: every completed step is recorded once")
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
