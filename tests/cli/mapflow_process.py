"""What the whole-process tests share: a folder per test, the program, agents that can be held back, deadlines."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = os.environ.get("MAPFLOW_PROGRAM", "mapflow")
DEADLINE_SECONDS = float(os.environ.get("MAPFLOW_TEST_DEADLINE", "120"))

# An agent that writes down every call, and holds those whose data names a gate until the gate's file is written to.
AGENT = """
import json, os, sys
envelope = json.load(sys.stdin)
data = envelope.get("data") or {}
with open("calls.log", "a") as log:
    log.write(json.dumps({"path": envelope["path"], "key": envelope["idempotency_key"], "attempt": envelope["attempt"],
                          "delivery": envelope["delivery"], "pid": os.getpid()}) + "\\n")
if "gate" in data:
    with open(data["gate"]) as gate:
        gate.read()
if "fail_until" in data and not os.path.exists(data["fail_until"]):
    print(json.dumps({"error": {"code": "not_yet", "message": "the file is not there", "retryable": data.get("retryable", False)}}))
    sys.exit(1)
if "say" in data:
    print(data["say"], file=sys.stderr)
answer = {"echo": data.get("value"), "secret_length": len(data.get("secret", ""))}
if "usage" in data:
    answer["usage"] = data["usage"]
json.dump(answer, sys.stdout)
"""

HEADER = """
id: {id}
version: "1.0"
agents:
  worker: {{ exec: {{ command: ["python3", "agent.py"] }} }}
steps:
"""


def workflow(steps, name="flow"):
    return HEADER.format(id=name) + steps


def message(step, **data):
    return f"  - {{ id: {step}, type: message, destination: worker, action: do, data: {json.dumps(data)} }}\n"


def wait_for(condition, what):
    """Polls until the condition gives something true; fails the test after the deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {DEADLINE_SECONDS} s in vain for {what}")
        pause.wait(0.01)


def hear_signals():
    """What a shell gives a program in the foreground, also when these tests run under nohup or in the background."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mapflow-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.write("agent.py", AGENT)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def command(self, *words):
        return [PROGRAM, *words]

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAPFLOW_SECRET_")}
        kept["HOME"] = self.folder
        kept.update(more)
        return kept

    def mapflow(self, *words, stdin="", env=None, **options):
        """Runs the program to its end."""
        return subprocess.run(self.command(*words), cwd=self.folder, input=stdin, capture_output=True, text=True,
                              timeout=DEADLINE_SECONDS, env=env or self.environment(), check=False, **options)

    def start(self, *words, **options):
        """Starts the program and leaves it running; it is gone when the test is over."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("preexec_fn", hear_signals)
        process = subprocess.Popen(self.command(*words), cwd=self.folder, text=True, env=self.environment(), **options)

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()

        self.addCleanup(end)
        return process

    def expect(self, result, code):
        self.assertEqual(result.returncode, code, f"stdout: {result.stdout}\nstderr: {result.stderr}")
        return result

    def document(self, result):
        """The one JSON document that standard output must be."""
        return json.loads(result.stdout)

    def gate(self, name="gate"):
        os.mkfifo(self.path(name))
        return name

    def open_gate(self, name="gate"):
        """Lets one held call go."""
        with open(self.path(name), "w", encoding="utf-8"):
            pass

    def calls(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.path("calls.log"), encoding="utf-8") as log:
                return [json.loads(line) for line in log if line.endswith("\n")]
        return []

    def wait_for_call(self, path, count=1):
        return wait_for(lambda: [call for call in self.calls() if call["path"] == path][count - 1:], f"call {count} of {path}")

    def history(self, instance, *words):
        return self.document(self.expect(self.mapflow("history", instance, "--json", *words), 0))


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]], verbosity=1)
