"""Random workflows of which one can say beforehand what must come of them.

A plan is a definition (with that of its sub-workflow, if it has one) and what is known of its end: whether it completes or
fails, and how often each of its steps completes when it completes. What can be undone is said by the steps themselves.
"""

import dataclasses
import json
import random

RETRY = {"strategy": "exponential", "max_attempts": 4, "initial_delay": "20ms", "max_delay": "200ms", "jitter": 0.5}


@dataclasses.dataclass
class Plan:
    """One workflow."""

    workflow: str
    definitions: list                # documents; the first is the main one
    completes: bool
    strategy: str
    counts: dict                     # by step id: (least, most) completions when it completes
    undoable: dict                   # by workflow: ids of steps with a compensation
    signal: bool                     # it waits for the signal `go`

    def text(self):
        """The definitions as a file: JSON is YAML."""
        return "---\n".join(json.dumps(document, indent=1) + "\n" for document in self.definitions)


class Maker:
    """Makes one plan. Ids are unique over the main workflow and its child."""

    def __init__(self, chance, agent):
        self.chance, self.agent = chance, agent
        self.ids, self.counts, self.undoable = 0, {}, set()
        self.tally = 0

    def plan(self, name):
        chance = self.chance
        completes = chance.random() < 0.6
        strategy = chance.choices(["backward", "forward", "parallel", "none"], [5, 2, 2, 1])[0]
        child = None
        if chance.random() < 0.4:
            child = self.definition(f"{name}_child", chance.choice(["backward", "forward"]), self.block(1, chance.randint(1, 3), (1, 1)))
        undoable = {f"{name}_child": self.undoable}
        self.undoable = set()
        steps = self.block(0, chance.randint(2, 5), (1, 1))
        if child:
            steps.insert(chance.randint(0, len(steps)), self.named("subworkflow", (1, 1), workflow_id=child["id"]))
        signal = chance.random() < 0.3
        if signal:
            steps.insert(chance.randint(0, len(steps)), self.named("wait", (1, 1), signal="go"))
        for _ in range(chance.randint(1, 3)):
            self.tally += 1
            steps.insert(chance.randint(0, len(steps)), self.named("transform", (1, 1), transformations={"tally": "{{ tally + 1 }}"}))
        if not completes:
            steps.insert(chance.randint(1, len(steps)), self.broken())
        undoable[name] = self.undoable
        main = self.definition(name, strategy, steps)
        main["variables"] = {"tally": 0}
        return Plan(name, [main] + ([child] if child else []), completes, strategy, self.counts, undoable, signal)

    def definition(self, name, strategy, steps):
        return {"id": name, "version": "1", "compensation_strategy": strategy,
                "agents": {"worker": {"exec": {"command": self.agent}, "max_concurrent": 8}}, "steps": steps}

    def named(self, kind, times, **fields):
        self.ids += 1
        step = f"{kind[0]}{self.ids}"
        self.counts[step] = times
        return {"id": step, "type": kind, **fields}

    def block(self, depth, length, times):
        return [self.step(depth, times) for _ in range(length)]

    def step(self, depth, times):
        chance = self.chance
        kind = "message" if depth >= 2 else chance.choices(["message", "parallel", "loop", "conditional", "sequence", "wait"], [8, 2, 3, 1, 1, 1])[0]
        return getattr(self, kind)(depth, times)

    def message(self, _depth, times):
        chance = self.chance
        step = self.named("message", times, destination="worker", action="do", retry=RETRY,
                          data={"fails": chance.choice([0, 0, 0, 1, 2]), "takes": round(chance.uniform(0, 0.05), 3)})
        if chance.random() < 0.7:
            self.undoable.add(step["id"])
            step["compensate"] = {"type": "message", "destination": "worker", "action": "undo", "retry": RETRY,
                                  "data": {"fails": chance.choice([0, 0, 1]), "undoes": "{{ original.result.token }}"}}
        return step

    def broken(self):
        """Where the workflow fails; perhaps beside others, so that they are cut off."""
        step = self.named("message", (0, 0), destination="worker", action="do", retry=RETRY, data={"fails": -1})
        if self.chance.random() < 0.5:
            return step
        return self.named("parallel", (0, 0), steps=[{"bad": [step]}, {"good": self.block(1, 2, (0, 1))}])

    def wait(self, _depth, times):
        return self.named("wait", times, duration=f"{self.chance.randint(1, 1500)}ms")

    def sequence(self, depth, times):
        return self.named("sequence", times, steps=self.block(depth + 1, 2, times))

    def conditional(self, depth, times):
        return self.named("conditional", times, condition="tally is defined or true", if_true=self.block(depth + 1, 2, times))

    def parallel(self, depth, times):
        chance = self.chance
        branches = chance.randint(2, 4)
        enough = chance.random() < 0.25
        inner = (0, times[1]) if enough else times
        step = self.named("parallel", times, steps=[{f"b{i}": self.block(depth + 1, chance.randint(1, 2), inner)} for i in range(branches)])
        if enough:
            step["wait_strategy"] = chance.choice(["any", "majority", chance.randint(1, branches)])
        if chance.random() < 0.3:
            step["max_concurrent"] = chance.randint(1, 3)
        return step

    def loop(self, depth, times):
        chance = self.chance
        rounds = chance.randint(1, 5)
        body = self.block(depth + 1, chance.randint(1, 2), (times[0] * rounds, times[1] * rounds))
        return self.named("loop", times, items=rounds, max_concurrent=chance.randint(1, 4), body=body)


def make_plans(seed, count, agent):
    """Plans are what `seed` says."""
    chance = random.Random(seed)
    return [Maker(chance, agent).plan(f"soak_{number}") for number in range(count)]
