"""Looking into a Git repository: safely, whatever its files are called and however many there are.

Paths are bytes, as Git has them. Two texts stand for one in JSON: its *key*, from which the path can be had back, and
its *name*, for people.
"""

import os
import subprocess
import urllib.parse
from typing import NamedTuple

from envelope import Problem

REGULAR_MODES = (b"100644", b"100755")


class File(NamedTuple):
    path: bytes
    size: int


def git(repo, *arguments, accept=(0,)):
    """Runs git in the repository and gives its output as bytes. Settings of the user and pagers stay out of it."""
    environment = dict(os.environ, LC_ALL="C", GIT_OPTIONAL_LOCKS="0", GIT_TERMINAL_PROMPT="0")
    command = ["git", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "--no-pager", *arguments]
    try:
        done = subprocess.run(command, cwd=repo, env=environment, stdin=subprocess.DEVNULL, capture_output=True)
    except FileNotFoundError as missing:
        raise Problem("invalid_input", f"cannot run git in {repo}: {missing}") from missing
    except NotADirectoryError as wrong:
        raise Problem("invalid_input", f"{repo} is not a folder") from wrong
    if done.returncode not in accept:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Problem("invalid_input", f"git {arguments[0]} failed in {repo}: {said[0]}")
    return done.stdout


def has_commits(repo):
    return bool(git(repo, "rev-parse", "--quiet", "--verify", "HEAD", accept=(0, 1)))


def tracked_files(repo, folder=b""):
    """The regular files that Git tracks and that are there: no links (they may lead anywhere), no submodules."""
    scope = [b"--", b":(top,literal)" + folder] if folder else []
    found = {}
    for entry in git(repo, "ls-files", "-z", "--stage", *scope).split(b"\0"):
        if not entry:
            continue
        about, path = entry.split(b"\t", 1)
        if about.split(b" ")[0] not in REGULAR_MODES or path in found:
            continue
        try:
            status = os.lstat(os.path.join(os.fsencode(repo), path))
        except OSError:
            continue  # removed, or not readable: not part of what there is to review
        found[path] = status.st_size
    return [File(path, size) for path, size in sorted(found.items())]


def read(repo, path, most):
    """The first `most` bytes of a file; nothing when it cannot be read or has become something else meanwhile."""
    try:
        descriptor = os.open(os.path.join(os.fsencode(repo), path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(most)
    except OSError:
        return b""


def is_binary(content):
    return b"\0" in content[:8000]


def key(path):
    return urllib.parse.quote_from_bytes(path)


def path_of(key_text):
    return urllib.parse.unquote_to_bytes(key_text)


def name(path):
    """The path for people: what is not printable, or no UTF-8, is escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def extension(path):
    base = path.rsplit(b"/", 1)[-1]
    if base == b"CMakeLists.txt":
        return "cmake"
    stem, dot, suffix = base.rpartition(b".")
    return name(suffix.lower()) if dot and stem and len(suffix) <= 12 else name(base.lower())[:40]
