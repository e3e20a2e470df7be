"""Pages whose blocks are files and commands: a shell session that anybody can repeat.

    ```yaml order.yaml        a block with a file's name is that file
    ```console                commands behind "$ ", and what they print

Each section of the page (## …) sees the files of the sections before it. Times are not compared.
"""

import os
import re
import shlex
import subprocess

from examples import MAPFLOW, SECONDS

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMES = re.compile(r"\d+ ms")


def blocks(page):
    return BLOCK.findall(page)


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


def without_times(text):
    return TIMES.sub("N ms", text)
