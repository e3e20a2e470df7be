#!/usr/bin/env python3
"""The soak's checker notices what it is there for."""

import copy
import unittest

import checker
import plans

DEFINITION = {"id": "w", "compensation_strategy": "backward", "steps": [
    {"id": "a", "type": "message"}, {"id": "t", "type": "transform"}, {"id": "b", "type": "message"}]}


def plan(completes):
    return plans.Plan("w", [DEFINITION], completes, "backward", {"a": (1, 1), "t": (1, 1), "b": (1, 1)}, {"w": {"a", "b"}}, False)


def call(step, action="do", token="T"):
    path = step + ("/compensate" if action == "undo" else "")
    return {"instance_id": "i", "idempotency_key": f"i/{path}#1", "path": path, "step": step, "action": action, "attempt": 1,
            "delivery": 1, "token": token + path, "failed": False, "undoes": token + step if action == "undo" else None}


def numbered(events):
    return [{"seq": seq, **event} for seq, event in enumerate(events, 1)]


def completed(step):
    return {"type": "step.completed", "path": step, "step": step, "kind": "message", "result": {"token": "T" + step}}


class Case:
    """An instance that came to a lawful end; tests take something away or add something."""

    def __init__(self, state):
        undone = state == "compensated"
        self.completes = not undone
        self.document = {"instance_id": "i", "workflow": "w", "state": state, "variables": {"tally": 1}}
        self.events = [completed("a"), {"type": "step.completed", "path": "t", "step": "t", "kind": "transform", "result": {}}, completed("b")]
        self.effects = [call("a"), call("b")]
        if undone:
            for step in ("b", "a"):
                self.events += [{"type": kind, "path": step, "step": step} for kind in ("step.compensating", "step.compensated")]
                self.effects.append(call(step, "undo"))

    def wrong(self, cancelled=False):
        instance = checker.Instance(self.document, numbered(copy.deepcopy(self.events)), self.effects, plan(self.completes))
        return " | ".join(instance.check(cancelled))


class Notices(unittest.TestCase):
    def test_nothing_wrong(self):
        self.assertEqual(Case("completed").wrong(), "")
        self.assertEqual(Case("compensated").wrong(), "")

    def test_a_lost_instance(self):
        case = Case("completed")
        case.document["state"] = "running"
        self.assertIn("lost", case.wrong())

    def test_another_end_than_foreseen(self):
        case = Case("completed")
        case.completes = False
        self.assertIn("it ended completed", case.wrong())

    def test_a_result_applied_twice(self):
        case = Case("completed")
        case.events.append(completed("a"))
        self.assertIn("applied twice: a", case.wrong())
        case = Case("completed")
        case.document["variables"]["tally"] = 2
        self.assertIn("variables were set 2 times", case.wrong())

    def test_a_step_that_never_ran(self):
        case = Case("completed")
        del case.events[0]
        self.assertIn("step a completed 0 times", case.wrong())

    def test_an_answer_of_nobody(self):
        case = Case("completed")
        case.effects = case.effects[1:]
        self.assertIn("an answer that no agent gave", case.wrong())

    def test_two_keys_for_one_step(self):
        case = Case("completed")
        case.effects.append({**call("a"), "idempotency_key": "i/a#2"})
        self.assertIn("called under several keys", case.wrong())

    def test_a_missed_compensation(self):
        case = Case("compensated")
        case.effects = [each for each in case.effects if each["path"] != "a/compensate"]
        self.assertIn("no agent undid a", case.wrong())
        case = Case("compensated")
        case.events.pop()
        self.assertIn("compensation missed: a", case.wrong())

    def test_a_doubled_compensation(self):
        case = Case("compensated")
        case.events.append({"type": "step.compensated", "path": "a", "step": "a"})
        self.assertIn("compensation doubled: a", case.wrong())
        case = Case("compensated")
        case.effects.append({**call("a", "undo"), "idempotency_key": "i/a/compensate#2"})
        self.assertIn("a was undone under several keys", case.wrong())

    def test_a_compensation_that_was_not_due(self):
        case = Case("completed")
        case.effects.append(call("a", "undo"))
        self.assertIn("a was undone, and should not have been", case.wrong())

    def test_a_compensation_with_another_answer(self):
        case = Case("compensated")
        case.effects[-1] = {**case.effects[-1], "undoes": "another"}
        self.assertIn("with another answer", case.wrong())

    def test_a_wrong_order(self):
        case = Case("compensated")
        case.events[3:5], case.events[5:7] = case.events[5:7], case.events[3:5]
        self.assertIn("undone in the order", case.wrong())

    def test_a_failed_end_with_something_left_to_undo(self):
        case = Case("compensated")
        case.document["state"] = "failed"
        self.assertIn("though something was to be undone", case.wrong())


if __name__ == "__main__":
    unittest.main()
