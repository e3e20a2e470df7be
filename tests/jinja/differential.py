#!/usr/bin/env python3
"""Renders random templates with Python's Jinja2 and with ours, and compares.

    differential.py PROGRAM [--count N] [--seed S] [--failures N] [--only SEED]

PROGRAM is jinja-conformance. Case number i of a run has the seed S+i, and nothing else decides what it is. Both must give
the same text, or both must fail. What docs/jinja.md lists as different is left out and counted. The last line is
"N equal, N different, N left out". Exit status: 0 when none is different; 77 when Python's Jinja2 is not installed.
"""
import argparse
import copy
import json
import re
import resource
import subprocess
import sys
import threading
import warnings

try:
    import jinja2
    import jinja2.sandbox
except ImportError:
    print("Python's Jinja2 is not installed")
    sys.exit(77)

from grammar import Grammar

CHUNK = 500
MEMORY_BYTES = 2 << 30  # Jinja2 has no limits: a template may pad a text to any width

# Functions, generators and the like have no text that two runs print alike: see "Differences to Jinja2" in docs/jinja.md.
# The second half is such a text backwards.
UNPRINTABLE = re.compile(r"(<|&lt;)(generator|function|built-in|bound|class|method|list_|reversed|map|filter|zip|Loop)(?![a-z]).*|"
                         r" at 0x[0-9a-f]+|\b[0-9a-f]+x0 ta ", re.IGNORECASE)


def environment(case):
    options = case["options"]
    return jinja2.sandbox.SandboxedEnvironment(
        trim_blocks=options["trim_blocks"], lstrip_blocks=options["lstrip_blocks"],
        keep_trailing_newline=options["keep_trailing_newline"], autoescape=options["autoescape"],
        undefined=jinja2.StrictUndefined if case["undefined"] == "strict" else jinja2.Undefined,
        extensions=["jinja2.ext." + name for name in case["extensions"]], loader=jinja2.DictLoader(case["templates"]))


class FoldingFailed(Exception):
    """Jinja2 evaluated a constant while it compiled, and that raised."""


def rendered(case):
    """What Python makes of it: a text, or an exception."""
    try:
        template = environment(case).from_string(case["template"])
    except jinja2.TemplateSyntaxError as error:
        return error
    except Exception as error:  # noqa: BLE001
        return FoldingFailed(repr(error))
    try:
        return template.render(copy.deepcopy(case["context"]))
    except Exception as error:  # noqa: BLE001: whatever a template can raise
        return error


def answers(program, cases):
    """Ours, one for each case; None for those behind a crash."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)  # ours keeps its own limits, and sanitizers map far more
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, unlimited))
    feed = threading.Thread(target=lambda: (process.stdin.writelines(json.dumps(case) + "\n" for case in cases),
                                            process.stdin.close()))
    feed.start()
    made = [json.loads(line) for line in process.stdout]
    feed.join()
    process.wait()
    return made + [None] * (len(cases) - len(made))


def left_out(python, ours):
    """Why this result is not compared, or nothing."""
    if isinstance(python, FoldingFailed) and ours and "output" in ours:
        return "a constant that fails stands where it is never used"
    if isinstance(python, str) and UNPRINTABLE.search(python):
        return "prints what has no text of its own"
    if isinstance(python, RecursionError):
        return "recursion"
    if isinstance(python, RuntimeError) and "changed size during iteration" in str(python):
        return "changes the dict that it walks"
    if isinstance(python, str) and re.search(r"[\ud800-\udfff]", python):
        return "half of a surrogate pair"
    return None


def compare(python, ours):
    if ours is None:
        return "no answer"
    if isinstance(python, Exception):
        return None if "error" in ours else "must fail"
    if "error" in ours:
        return "must not fail"
    return None if ours["output"] == python else "differs"


def show(case, python, ours, verdict):
    print(f"--- {case['id']}: {verdict}\ntemplate: {case['template']!r}\ntemplates: {case['templates']!r}\n"
          f"options: {case['options']} undefined: {case['undefined']}\ncontext: {json.dumps(case['context'])}\n"
          f"python: {type(python).__name__ if isinstance(python, Exception) else 'text'} {str(python)!r}\nours:   "
          f"{json.dumps(ours)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failures", type=int, default=10, help="how many differences to print")
    parser.add_argument("--only", type=int, help="one seed, and what both make of it")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.RLIM_INFINITY))
    seeds = [options.only] if options.only is not None else range(options.seed, options.seed + options.count)
    equal = different = 0
    skipped = {}
    failing = 0
    for first in range(0, len(seeds), CHUNK):
        cases = [{"id": str(seed), **Grammar(seed).template()} for seed in seeds[first:first + CHUNK]]
        ours = answers(options.program, cases)
        for case, answer in zip(cases, ours):
            python = rendered(case)
            failing += isinstance(python, Exception)
            reason = left_out(python, answer)
            if reason:
                skipped[reason] = skipped.get(reason, 0) + 1
                continue
            verdict = compare(python, answer)
            equal += verdict is None
            different += verdict is not None
            if options.only is not None or verdict and different <= options.failures:
                show(case, python, answer, verdict or "equal")
    for reason, count in sorted(skipped.items()):
        print(f"left out: {count} ({reason})")
    print(f"{failing} fail in both or one")
    print(f"{equal} equal, {different} different, {sum(skipped.values())} left out")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
