"""Holds what the agents wrote down against what the journal says: nothing lost, nothing applied twice, nothing left undone.

The agents' log knows what really happened outside. The journal knows what the engine made of it.
"""

import collections

ENDS = {"completed", "failed", "cancelled", "compensated", "timed_out"}


def group(lines):
    """The agents' lines by instance."""
    by_instance = collections.defaultdict(list)
    for line in lines:
        by_instance[line["instance_id"]].append(line)
    return by_instance


class Instance:
    """One instance: its document, its journal, and what agents did for it."""

    def __init__(self, document, events, effects, plan):
        self.document, self.events, self.effects, self.plan = document, events, effects, plan
        self.undoable = plan.undoable[document["workflow"]]
        self.done = [event for event in events if event["type"] == "step.completed" and "/compensate" not in event["path"]]

    def check(self, cancelled):
        """What is wrong, a line each."""
        wrong = self.end(cancelled) + self.applied() + self.compensated()
        if self.document["state"] == "completed" and "parent_id" not in self.document:
            wrong += self.complete()
        return [f"{self.document['instance_id']}: {line}" for line in wrong]

    def end(self, cancelled):
        state = self.document["state"]
        if state not in ENDS:
            return [f"lost: it is {state}"]
        if "parent_id" in self.document:
            return []
        may = {"completed"} if self.plan.completes else {"failed", "compensated"}
        if cancelled:
            may |= {"cancelled", "compensated"}
        return [] if state in may else [f"it ended {state} ({self.document.get('reason')}), not {' or '.join(sorted(may))}"]

    def complete(self):
        """Every step completed as often as the plan says."""
        own = {step for step in self.plan.counts if step in self.steps_of_main()}
        seen = collections.Counter(event["step"] for event in self.done)
        wrong = []
        for step in sorted(own):
            least, most = self.plan.counts[step]
            if not least <= seen[step] <= most:
                wrong.append(f"step {step} completed {seen[step]} times, not {least} to {most}")
        tallied = sum(1 for step in self.plan.definitions[0]["steps"] if step["type"] == "transform")
        if self.document["variables"]["tally"] != tallied:
            wrong.append(f"variables were set {self.document['variables']['tally']} times, not {tallied}")
        return wrong

    def steps_of_main(self):
        found = set()

        def walk(node):
            if isinstance(node, list):
                for each in node:
                    walk(each)
            elif isinstance(node, dict):
                if "type" in node and "id" in node:
                    found.add(node["id"])
                for each in node.values():
                    walk(each)

        walk(self.plan.definitions[0]["steps"])
        return found

    def applied(self):
        """A step completes once, with an answer that an agent gave to this very call."""
        wrong = []
        for path, times in collections.Counter(event["path"] for event in self.done).items():
            if times != 1:
                wrong.append(f"applied twice: {path} completed {times} times")
        keys, tokens = collections.defaultdict(set), collections.defaultdict(set)
        for line in self.effects:
            keys[line["path"]].add(line["idempotency_key"])
            if not line["failed"]:
                tokens[line["path"]].add(line["token"])
        for path, several in keys.items():
            if len(several) != 1:
                wrong.append(f"{path} was called under several keys: {sorted(several)}")
        for event in self.events:
            result = event.get("result")
            if event["type"] == "step.completed" and event.get("kind") == "message" and result["token"] not in tokens[event["path"]]:
                wrong.append(f"{event['path']} has an answer that no agent gave: {result}")
        if [event["seq"] for event in self.events] != list(range(1, len(self.events) + 1)):
            wrong.append("the journal has a gap")
        return wrong

    def compensated(self):
        """What is to be undone was undone, once, with the answer it had, in its order; and nothing else was."""
        due = {event["path"]: event["result"]["token"] for event in self.done if event["step"] in self.undoable}
        strategy = self.plan.definitions[0 if self.document["workflow"] == self.plan.workflow else 1]["compensation_strategy"]
        ended = self.document["state"]
        undoing = ended == "compensated"
        wrong = []
        if due and strategy != "none" and ended in ("failed", "cancelled", "timed_out"):
            wrong.append(f"it ended {ended}, though something was to be undone")
        begun = [event["path"] for event in self.events if event["type"] == "step.compensating" and event["path"] in due]
        journal = collections.Counter(event["path"] for event in self.events if event["type"] == "step.compensated")
        outside = collections.defaultdict(list)
        for line in self.effects:
            if line["action"] == "undo" and not line["failed"]:
                outside[line["path"].removesuffix("/compensate")].append(line)
        for path, token in due.items():
            if not undoing:
                continue
            if journal[path] != 1:
                wrong.append(f"compensation {'missed' if journal[path] == 0 else 'doubled'}: {path}, {journal[path]} times in the journal")
            if not outside[path]:
                wrong.append(f"compensation missed: no agent undid {path}")
            if len({line["idempotency_key"] for line in outside[path]}) > 1:
                wrong.append(f"compensation doubled: {path} was undone under several keys")
            if any(line["undoes"] != token for line in outside[path]):
                wrong.append(f"{path} was undone with another answer than its own")
        for path in outside:
            if not undoing or path not in due:
                wrong.append(f"{path} was undone, and should not have been")
        completion = [event["path"] for event in self.done if event["path"] in due]
        if undoing and strategy == "backward" and begun != completion[::-1]:
            wrong.append(f"undone in the order {begun}, completed in the order {completion}")
        if undoing and strategy == "forward" and begun != completion:
            wrong.append(f"undone in the order {begun}, completed in the order {completion}")
        return wrong


def check_child(child, parent):
    """A child that completed is undone with its parent."""
    if parent.document["state"] != "compensated" or parent.plan.strategy == "none":
        return []
    due = [event["path"] for event in child.done if event["step"] in child.undoable]
    if due and child.document["state"] != "compensated":
        return [f"{child.document['instance_id']}: compensation missed: its parent was undone, and it is {child.document['state']}"]
    return []
