#!/usr/bin/env python3
"""Renders the templates of cases.json with Python's Jinja2 and with ours, and prints how long each takes.

    compare.py PROGRAM [--seconds N]

PROGRAM is bench-jinja. Both compile once and render many times, in processor time on one core, and the best of ten
rounds counts; both must give the same text. The last column is how many times as fast ours is.
"""
import argparse
import json
import os
import subprocess
import sys
import time

import jinja2

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.json")
ROUNDS = 10


def expanded(given):
    """See the function of this name in bench_jinja.cpp."""
    if not isinstance(given, dict):
        return given
    if "of" in given and "repeat" in given:
        return [given["of"]] * given["repeat"]
    if "of" in given and "cycle" in given:
        return [given["of"][i % len(given["of"])] for i in range(given["cycle"])]
    return {name: expanded(member) for name, member in given.items()}


def nanoseconds(seconds, run):
    begin, calls = time.process_time(), 0
    while time.process_time() - begin < seconds / ROUNDS / 4:
        for _ in range(4):
            run()
        calls += 4
    calls *= 4
    best = 1e9
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(calls):
            run()
        best = min(best, (time.process_time() - start) / calls)
    return best * 1e9


def python(case, expression, seconds):
    environment = jinja2.Environment(loader=jinja2.DictLoader(case.get("templates", {})))
    data = expanded(case["data"])
    if expression:
        compiled = environment.compile_expression(case["source"])
        return compiled(data), nanoseconds(seconds, lambda: compiled(data))
    template = environment.from_string(case["source"])
    return template.render(data), nanoseconds(seconds, lambda: template.render(data))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=1.0, help="on each case, with each of the two")
    options = parser.parse_args()
    lines = subprocess.run([options.program, CASES, str(options.seconds)], check=True, capture_output=True, text=True,
                           encoding="utf-8").stdout.splitlines()
    ours = {line["name"]: line for line in map(json.loads, lines)}
    with open(CASES, encoding="utf-8") as file:
        cases = json.load(file)
    print(f"Jinja2 {jinja2.__version__} on Python {sys.version.split()[0]}")
    print(f"{'':24}{'Jinja2':>14}{'mapflow':>14}{'ratio':>9}")
    for kind in ("templates", "expressions"):
        for case in cases[kind]:
            output, took = python(case, kind == "expressions", options.seconds)
            mine = ours[case["name"]]
            if output != mine["output"]:
                sys.exit(f"{case['name']}: the texts differ\n{output!r}\n{mine['output']!r}")
            unit, scale = ("µs", 1e3) if kind == "templates" else ("ns", 1)
            print(f"{case['name']:24}{took / scale:11.1f} {unit}{mine['ns'] / scale:11.1f} {unit}{took / mine['ns']:8.1f}x")


if __name__ == "__main__":
    main()
