"""The mapflow program, as these tests call it. Its path is in the environment variable MAPFLOW_PROGRAM."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
MAPFLOW = os.path.abspath(os.environ.get("MAPFLOW_PROGRAM", ROOT / "build/release/mapflow"))
SECONDS = 300  # nothing here takes nearly as long; it only keeps a hang from hanging the tests


class Done:
    """What one call came to."""

    def __init__(self, process):
        self.exit, self.out, self.err = process.returncode, process.stdout, process.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit {self.exit}\n--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-4000:]}"


def environment(**more):
    """The caller's environment, with nothing in it that would change what a child prints."""
    return dict(os.environ, NO_COLOR="1", PYTHONDONTWRITEBYTECODE="1", **more)


def mapflow(*arguments, cwd, **more):
    return Done(subprocess.run([MAPFLOW, *map(str, arguments)], cwd=cwd, env=environment(**more), text=True,
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS))


def completed_paths(history):
    """The paths of all step.completed events, in order, repeated when an event is."""
    return [event["path"] for event in history if event["type"] == "step.completed"]
