#!/usr/bin/env python3
"""Runs conformance cases through jinja-conformance and compares the answers.

    run_conformance.py PROGRAM CASES.jsonl [--failures N] [--group PREFIX]

Prints the counts of each group and the first failures; the last line is "N passed, N failed". A case that ends the
program, or is not answered within the deadline, has failed; the program is started again for the rest.
"""
import argparse
import collections
import json
import subprocess
import sys
import threading

DEADLINE_SECONDS = 20


class Program:
    """One run of the program under test, asked one case at a time."""

    def __init__(self, path):
        self.path = path
        self.process = None

    def ask(self, line):
        """The answer to a case, or None when the program ended or kept silent."""
        if self.process is None:
            self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL)
        timer = threading.Timer(DEADLINE_SECONDS, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        finally:
            timer.cancel()
        if answer:
            return json.loads(answer)
        self.process.wait()
        self.process = None
        return None

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def same(a, b):
    """Equal with types: 2, 2.0, "2" and true are four values; objects without regard to order."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if type(a) is not type(b):
        return False
    return a == b and (not isinstance(a, float) or str(a) == str(b)) or a != a and b != b


def passed(case, answer):
    expected = case["expected"]
    if answer is None:
        return False
    if isinstance(expected, dict) and set(expected) == {"error"}:
        return answer.get("error") == expected["error"]
    if case["kind"] == "template":
        return answer.get("output") == expected
    return "value" in answer and same(answer["value"], expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("cases")
    parser.add_argument("--failures", type=int, default=20, help="how many failures to print")
    parser.add_argument("--group", default="", help="only groups that start with this")
    options = parser.parse_args()
    program = Program(options.program)
    counts = collections.OrderedDict()
    shown = 0
    for line in open(options.cases, encoding="utf-8"):
        case = json.loads(line)
        if not case["group"].startswith(options.group):
            continue
        asked = {key: value for key, value in case.items() if key not in ("expected", "python_error")}
        answer = program.ask(json.dumps(asked))
        good = passed(case, answer)
        count = counts.setdefault(case["group"], [0, 0])
        count[0 if good else 1] += 1
        if not good and shown < options.failures:
            shown += 1
            print(f"FAILED {case['id']} ({case['kind']})\n  template: {case['template']!r}\n"
                  f"  context:  {json.dumps(case['context'])}\n  expected: {json.dumps(case['expected'])} "
                  f"{case.get('python_error', '')}\n  answer:   {json.dumps(answer)}")
    program.close()
    for group, (good, bad) in counts.items():
        print(f"{group:32} {good:5} passed {bad:5} failed")
    good = sum(count[0] for count in counts.values())
    bad = sum(count[1] for count in counts.values())
    print(f"{good} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
