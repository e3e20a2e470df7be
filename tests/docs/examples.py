"""Definitions that say how they are to be run and what must come of it.

In the text of a definition, comments at the start of a line:

    # run: -i name=Ann              how `mapflow run` is called; several of them are several runs
    # handlers: price               a program with these handlers runs it (program.cpp)
    # do: signal approval {"by": "Ann"}      what people do meanwhile; the program does it
    # after review: answer {"ok": true}      the same, once the step `review` waits or has ended
    # expect: {"state": "completed"}         what the document of the finished instance must hold

An expectation may go on in further comment lines. What an object does not name may be anything; lists must fit whole;
the text "*" fits everything.
"""

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAPFLOW = os.path.abspath(os.environ.get("MAPFLOW_PROGRAM", ROOT / "build/release/mapflow"))
PROGRAM = os.path.abspath(os.environ.get("MAPFLOW_DOCS_PROGRAM", ROOT / "build/release/docs_program"))
SECONDS = 120


class Case:
    """One run of a definition."""

    def __init__(self, arguments=""):
        self.arguments, self.actions, self.expected = arguments, [], None

    def name(self):
        return f"run: {self.arguments}" if self.arguments else "run"


def read_cases(text):
    """The cases of a definition and whether it needs the program's handlers."""
    cases, handlers, lines = [], False, iter(text.splitlines())
    current = None
    for line in lines:
        if line.startswith("# run:"):
            current = Case(line.removeprefix("# run:").strip())
            cases.append(current)
        elif line.startswith("# handlers:"):
            handlers = True
        elif line.startswith(("# do:", "# after ", "# expect:")):
            if current is None:
                current = Case()
                cases.append(current)
            if line.startswith("# expect:"):
                current.expected = read_json(line.removeprefix("# expect:"), lines)
            else:
                current.actions.append(line.removeprefix("# do: ").removeprefix("# "))
    return cases or [Case()], handlers


def read_json(begun, lines):
    """JSON that goes on in comment lines until it is whole."""
    while True:
        try:
            return json.loads(begun)
        except ValueError:
            begun += next(lines).removeprefix("#")


def program(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)


def run(path, case, handlers=False):
    """Runs a definition file as the case says. The process's outcome, with its document as `.document`."""
    if case.actions or handlers:
        done = program("run", str(path), json.dumps(inputs_of(case.arguments)), *case.actions)
    else:
        done = subprocess.run([MAPFLOW, "run", str(path), "--store", "memory:", "--json", *shlex.split(case.arguments)],
                              capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL)
    try:
        done.document = json.loads(done.stdout)
    except ValueError as wrong:
        raise AssertionError(f"no document:\n{done.stdout}\n{done.stderr}") from wrong
    return done


def inputs_of(arguments):
    inputs, words = {}, shlex.split(arguments)
    for assignment in words[1::2]:
        name, _, value = assignment.partition("=")
        try:
            inputs[name] = json.loads(value)
        except ValueError:
            inputs[name] = value
    return inputs or None


def differences(expected, found, where=""):
    """Where `found` is not as expected, a line each."""
    if expected == "*":
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        lines = []
        for name, value in expected.items():
            at = f"{where}.{name}" if where else name
            lines += differences(value, found[name], at) if name in found else [f"{at}: missing"]
        return lines
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [line for i, pair in enumerate(zip(expected, found)) for line in differences(*pair, f"{where}[{i}]")]
    if expected == found and isinstance(expected, bool) == isinstance(found, bool):
        return []
    return [f"{where}: {json.dumps(found)} instead of {json.dumps(expected)}"]


def check(test, path, case, handlers):
    """Fails the test where the run is not as the case expects."""
    test.assertIsNotNone(case.expected, f"{path}: nothing says what to expect of {case.name()}")
    done = run(path, case, handlers)
    wrong = differences(case.expected, done.document)
    test.assertFalse(wrong, "\n".join(wrong) + f"\n{json.dumps(done.document, indent=1)}\n{done.stderr}")
    completed = done.document.get("state") == "completed"
    test.assertEqual(done.returncode, 0 if completed else 1, done.stderr)


def canonical(text):
    """The definitions of a text in their canonical form; they must give no reason for a warning."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example.yaml"
        path.write_text(text, encoding="utf-8")
        done = program("show", str(path))
        if done.returncode != 0 or done.stderr:
            raise AssertionError(f"{done.stderr}\n{text}")
        return json.loads(done.stdout)
