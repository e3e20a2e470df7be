"""What the soak and the chaos share: a store, serving nodes on it, people who ask things of them, and the judgement in the end."""

import collections
import concurrent.futures
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import checker
import plans

MAPFLOW = os.path.abspath(os.environ.get("MAPFLOW_PROGRAM", "build/release/mapflow"))
AGENT = Path(__file__).resolve().parent / "agent.py"
PLANS = 24
AT_ONCE = 40                 # instances under way
HANDS = 6                    # calls of the program at a time
PATIENCE = 180               # seconds for everything to come to its end, once nothing is thrown any more
UNFINISHED = ("pending", "running", "paused", "suspended", "compensating")
STORE_FAILED = 3             # exit status


class Here:
    """This machine, as a place where a process runs."""

    address = "127.0.0.1"

    def command(self, words):
        return list(words)


class Folder:
    """Where the definitions and the agents' log are, and the program called there on the store."""

    def __init__(self, path, store):
        self.path, self.store = path, store
        self.log = path / "effects.jsonl"

    def mapflow(self, *words):
        command = [MAPFLOW, *words, "--store", self.store]
        try:
            return subprocess.run(command, cwd=self.path, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=120)
        except subprocess.TimeoutExpired as late:
            return subprocess.CompletedProcess(command, -1, "", f"no answer within {late.timeout:.0f} s")

    def json(self, *words):
        done = self.mapflow(*words, "--json")
        if done.returncode != 0:
            raise RuntimeError(f"mapflow {' '.join(words)}: exit {done.returncode}: {done.stderr[-2000:]}")
        return json.loads(done.stdout)

    def effects(self):
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()] if self.log.exists() else []

    def unfinished(self):
        """How many instances are under way; the list may lag by a second. None when the store does not say."""
        count = 0
        for state in UNFINISHED:
            listed = self.mapflow("list", "--state", state, "--limit", "500", "--json")
            if listed.returncode != 0:
                return None
            count += len(json.loads(listed.stdout))
        return count


class Node:
    """One life of a serving node."""

    def __init__(self, folder, name, place, log):
        self.name, self.place, self.log = name, place, log
        remote = [] if place.address == Here.address else ["--allow-remote"]
        words = [MAPFLOW, "serve", "--store", folder.store, "--node", name, "--listen", f"{place.address}:0", *remote]
        with open(log, "wb") as err:
            self.process = subprocess.Popen(place.command(words), cwd=folder.path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)

    def said(self):
        return self.log.read_text(errors="replace")

    def began(self):
        """Whether it ever served."""
        return "answers on http://" in self.said()


class Nodes:
    """Serving nodes, each in its place. `name_for(place's number)` names the next life there; else each has a name of its own."""

    def __init__(self, folder, places, name_for=None):
        self.folder, self.places = folder, places
        self.name_for = name_for or (lambda which: f"n{self.lives}")
        self.lives, self.kills, self.refused, self.problems = 0, 0, 0, []
        self.running = [None] * len(places)
        for which in range(len(places)):
            self.boot(which)

    def boot(self, which):
        self.lives += 1
        self.running[which] = Node(self.folder, self.name_for(which), self.places[which], self.folder.path / f"node_{self.lives}.err")

    def kill(self, which):
        """Its end without a word; what it was."""
        node = self.running[which]
        self.look(which)
        node.process.kill()
        node.process.wait()
        self.kills += 1
        return node

    def look(self, which):
        """A node may only end by itself when it never began to serve because the store was away."""
        node = self.running[which]
        if node.process.poll() is None:
            return
        if node.process.returncode == STORE_FAILED and not node.began():
            self.refused += 1
        else:
            self.problems.append(f"node {node.name} ended by itself with {node.process.returncode}: {node.said()[-2000:]}")
        self.boot(which)  # as whatever watches over it would

    def end(self):
        for which in range(len(self.running)):
            self.look(which)
            self.running[which].process.send_signal(signal.SIGTERM)
        for node in self.running:
            try:
                status = f"exit {node.process.wait(timeout=60)}"
            except subprocess.TimeoutExpired:
                status = "it runs on"
            if status != "exit 0":
                self.problems.append(f"node {node.name} did not hand over: {status}: {node.said()[-2000:]}")

    def abandon(self):
        for node in self.running:
            node.process.kill()
            node.process.wait()


class People:
    """Start instances and ask things of them, several at a time. What was acknowledged is remembered; what nobody
    acknowledged is asked again."""

    def __init__(self, folder, made, chance):
        self.folder, self.plans, self.chance = folder, made, chance
        self.wished = {}                           # instance -> plan
        self.started, self.cancelled = set(), set()
        self.refused, self.problems = [], []
        self.due = []                              # (time, words) of requests to come
        self.hands = concurrent.futures.ThreadPoolExecutor(max_workers=HANDS)

    def start(self, count):
        for _ in range(count):
            name, plan = f"i{len(self.wished)}", self.chance.choice(self.plans)
            self.wished[name] = plan
            self.due.append((0, ("start", f"{plan.workflow}.yaml", "--id", name)))

    def accepted(self, name):
        self.started.add(name)
        now = time.monotonic()
        if self.wished[name].signal:  # early or late, under a key, until it is acknowledged
            self.due.append((now + self.chance.uniform(0, 5), ("signal", name, "go", "1", "--key", f"go-{name}")))
        if self.chance.random() < 0.08:
            self.due.append((now + self.chance.uniform(0, 4), ("cancel", name)))
        elif self.chance.random() < 0.1:
            self.due.append((now + self.chance.uniform(0, 2), ("pause", name)))
            self.due.append((now + self.chance.uniform(2, 4), ("resume", name)))

    def ask(self):
        """Makes the requests whose time has come."""
        now = time.monotonic()
        ready = [request for request in self.due if request[0] <= now]
        self.due = [request for request in self.due if request[0] > now]
        self.cancelled |= {words[1] for _, words in ready if words[0] == "cancel"}
        for (_, words), done in zip(ready, self.hands.map(lambda request: self.folder.mapflow(*request[1]), ready)):
            self.answered(words, done)

    def answered(self, words, done):
        starts = words[0] == "start"
        if done.returncode == -1:
            self.problems.append(f"mapflow {' '.join(words)}: {done.stderr}")
        if done.returncode == 0:
            if starts:
                self.accepted(words[-1])
        elif done.returncode != 2:
            self.refused.append(f"{' '.join(words)}: exit {done.returncode}: {done.stderr[-500:]}")
            self.due.append((time.monotonic() + 1, words))
        elif starts:
            self.problems.append(f"{' '.join(words)}: {done.stderr[-500:]}")
        # Anything else with 2 does not fit the state that the instance has by now.


def make_plans(folder, seed):
    """The workflows, in the folder too."""
    made = plans.make_plans(seed, PLANS, ["python3", "-IS", str(AGENT), str(folder.log)])
    for plan in made:
        (folder.path / f"{plan.workflow}.yaml").write_text(plan.text(), encoding="utf-8")
    return made


def crowd(people, folder):
    """One round of people's work: as many instances as are to be under way, and what is to be asked of them."""
    unfinished = folder.unfinished()
    if unfinished is not None:
        people.start(min(HANDS, max(0, AT_ONCE - unfinished)))
    people.ask()


def calm(people, nodes, folder):
    """Waits until everything has come to its end, or patience has."""
    ends, pause = time.monotonic() + PATIENCE, threading.Event()
    while time.monotonic() < ends and (people.due or folder.unfinished() != 0):
        for which in range(len(nodes.running)):
            nodes.look(which)
        people.ask()
        paused = folder.mapflow("list", "--state", "paused", "--json")
        if paused.returncode == 0:  # a pause that was asked for again may have come after its resume
            people.due += [(0, ("resume", row["instance_id"])) for row in json.loads(paused.stdout)]
        pause.wait(0.5)


def judge(folder, people):
    """What is wrong with what came of it, and the instances."""
    effects = checker.group(folder.effects())
    listed = {row["instance_id"]: row for row in folder.json("list", "--limit", "1000000")}
    wrong = [f"{name}: lost: there is no such instance" for name in people.started if name not in listed]

    def plan_of(name):
        while "parent_id" in listed[name]:
            name = listed[name]["parent_id"]
        return people.wished.get(name)

    def read(name):
        own = effects.pop(name, [])
        try:
            return checker.Instance(folder.json("show", name), folder.json("history", name), own, plan_of(name))
        except RuntimeError as failed:
            wrong.append(f"{name}: lost: it does not read back: {failed}")
            return None

    known = [name for name in listed if plan_of(name)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as readers:
        instances = {name: instance for name, instance in zip(known, readers.map(read, known)) if instance}
    for name, instance in instances.items():
        wrong += instance.check(name in people.cancelled)
        parent = instance.document.get("parent_id")
        if parent in instances:
            wrong += checker.check_child(instance, instances[parent])
    wrong += [f"agents were called for '{name}', which nobody started" for name in effects if name not in listed]
    return wrong, instances


def verify(folder):
    """What is wrong with the store by itself."""
    done = folder.mapflow("store", "verify", "--json")
    return [] if done.returncode == 0 else [f"{folder.store} does not verify: {done.stdout[-2000:]}{done.stderr[-2000:]}"]


def report(folder, people, nodes, of_the_store):
    """The judgement as a document, with how much there was to judge. `of_the_store`: what is wrong with that."""
    wrong, instances = judge(folder, people)
    wrong += nodes.problems + people.problems + of_the_store
    effects = folder.effects()
    return {"kills": nodes.kills, "started": len(people.started), "requests_repeated": len(people.refused), "instances": len(instances),
            "states": dict(collections.Counter(each.document["state"] for each in instances.values())),
            "records": sum(len(each.events) for each in instances.values()),
            "effects": len(effects), "delivered_again": sum(1 for line in effects if line["delivery"] > 1),
            "compensations": sum(1 for line in effects if line["action"] == "undo" and not line["failed"]),
            "problems": wrong, "refusals": people.refused[:5]}


def print_report(document):
    """Prints the document, not all of it when much is wrong; the exit status."""
    wrong = document.pop("problems")
    print(json.dumps({**document, "wrong": len(wrong), "problems": wrong[:50]}, indent=1))
    return 1 if wrong else 0
