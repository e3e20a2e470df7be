"""Pages whose blocks are files and commands: a shell session that anybody can repeat.

    ```yaml order.yaml                              a block with a file's name is that file
    ```console                                      commands behind "$ ", and what they print
    $ mapflow validate slip.yaml   # exit status 2  the status is 0 unless it says otherwise; then errors are printed as well
    $ mapflow serve &                               runs until the page ends; what follows is asked again until it is as printed

The commands of a page run one after the other in one folder. Times, ids that the engine makes up, and what "…" stands for are
not compared; "*" alone stands for anything.
"""

import os
import re
import shlex
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from examples import MAPFLOW, SECONDS

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATUS = re.compile(r" +# exit status (\d+)$")
# What differs from run to run: spans, times of day, moments, and the ids of instances that got none.
CHANGING = [(re.compile(r"\d+ ms"), "N ms"), (re.compile(r"\b\d+\.\d+s\b"), "N s"), (re.compile(r"\b\d\d:\d\d:\d\d\.\d{3}\b"), "TIME"),
            (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "MOMENT"), (re.compile(r"\b01[0-9a-hjkmnp-tv-z]{24}\b"), "ID")]


def sessions(text):
    """The commands of a console block, each with what it must print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def words_of(command):
    words = shlex.split(command)
    if words[0] == "mapflow":
        words[0] = MAPFLOW
    return words


def run(command, folder, **more):
    return subprocess.run(words_of(command), cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, NO_COLOR="1", **more))


def same(printed, expected):
    """Whether a text is as the page says, but for what differs from run to run."""
    if expected == "*\n":
        return True
    pattern = ".*".join(re.escape(part) for part in settled(expected).split("…"))
    return re.fullmatch(pattern, settled(printed), re.DOTALL) is not None


def settled(text):
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return text


class Session:
    """One folder, and what runs in it."""

    def __init__(self, test, folder):
        self.test, self.folder, self.background = test, Path(folder), []

    def begin(self, command):
        process = subprocess.Popen(words_of(command), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.background.append(process)

    def end(self):
        for process in self.background:
            process.terminate()
        for process in self.background:
            process.wait(SECONDS)

    def check(self, command, expected):
        status = STATUS.search(command)
        wanted = int(status.group(1)) if status else 0
        pause = threading.Event()
        deadline = time.monotonic() + (SECONDS / 2 if self.background else 0)
        while True:
            done = run(STATUS.sub("", command), self.folder)
            printed = done.stdout + (done.stderr if wanted else "")
            if done.returncode == wanted and same(printed, expected):
                return
            if time.monotonic() >= deadline:
                break
            pause.wait(0.1)
        self.test.assertEqual(done.returncode, wanted, done.stdout + done.stderr)
        self.test.assertEqual(settled(printed), settled(expected), done.stderr)


def check_page(test, page):
    """Fails the test where a command of the page prints something else. How many commands there were."""
    commands = 0
    with tempfile.TemporaryDirectory() as folder:
        session = Session(test, folder)
        try:
            for language, name, text in BLOCK.findall(page):
                if name:
                    (session.folder / name).write_text(text, encoding="utf-8")
                for command, printed in sessions(text) if language == "console" else ():
                    commands += 1
                    with test.subTest(command=command):
                        if command.endswith(" &"):
                            session.begin(command.removesuffix(" &"))
                        else:
                            session.check(command, printed)
        finally:
            session.end()
    return commands
