"""Pages whose blocks are files and commands: a shell session that anybody can repeat.

    ```yaml order.yaml        a block with a file's name is that file
    ```console                commands behind "$ ", and what they print

Each section of the page (## …) sees the files of the sections before it. Times are not compared.
"""

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from examples import MAPFLOW, SECONDS

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMES = re.compile(r"\d+ ms")


def sessions(text):
    """The commands of a console block, each with what it must print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def run(command, folder, **more):
    words = shlex.split(command)
    if words[0] == "mapflow":
        words[0] = MAPFLOW
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, NO_COLOR="1", **more))


def check_page(test, page):
    """Fails the test where a command of the page prints something else; "*" stands for anything. How many commands there were."""
    commands = 0
    with tempfile.TemporaryDirectory() as folder:
        for language, name, text in BLOCK.findall(page):
            if name:
                (Path(folder) / name).write_text(text, encoding="utf-8")
            for command, printed in sessions(text) if language == "console" else ():
                commands += 1
                with test.subTest(command=command):
                    done = run(command, folder)
                    test.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                    if printed != "*\n":
                        test.assertEqual(without_times(done.stdout), without_times(printed), done.stderr)
    return commands


def without_times(text):
    return TIMES.sub("N ms", text)
