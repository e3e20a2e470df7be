#!/usr/bin/env python3
"""The scout: finds the repository and says what is in it, in parts small enough to hand to one analyst each."""

import collections
import os

import repository
from envelope import Problem, serve

PARTS = 24          # analysts at work, at most
LARGEST_FILES = 5
EXTENSIONS = 60


def inventory(data, _request):
    root = find_repository(data.get("repo"))
    files = repository.tracked_files(root)
    head = repository.git(root, "log", "-1", "--format=%H%x00%cI").decode().strip().split("\0") \
        if repository.has_commits(root) else ["", ""]
    branch = repository.git(root, "symbolic-ref", "--quiet", "--short", "HEAD", accept=(0, 1)).decode(errors="replace")
    parts = split(files)
    by_extension = collections.defaultdict(lambda: [0, 0])
    for file in files:
        count = by_extension[repository.extension(file.path)]
        count[0] += 1
        count[1] += file.size
    common = sorted(by_extension.items(), key=lambda item: -item[1][1])[:EXTENSIONS]
    largest = sorted(files, key=lambda file: -file.size)[:LARGEST_FILES]
    return {
        "repo": root,
        "name": repository.name(os.fsencode(os.path.basename(root) or "/")),
        "report": os.path.abspath(os.path.join(callers_folder(), data.get("report") or "repo_review.md")),
        "commit": head[0],
        "committed_at": head[1],
        "branch": branch.strip(),
        "files": len(files),
        "bytes": sum(file.size for file in files),
        "extensions": [{"extension": e, "files": c, "bytes": b} for e, (c, b) in common],
        "largest": [{"file": repository.name(file.path), "bytes": file.size} for file in largest],
        "documents": {kind: any(is_document(file.path, kind) for file in files)
                      for kind in ("readme", "contributing", "changelog", "security")},
        "parts": [{"key": repository.key(part.folder), "name": part.label(), "deep": part.deep,
                   "files": len(part.files), "bytes": part.size()} for part in parts[:PARTS]],
        "parts_left_out": max(0, len(parts) - PARTS),
    }


def callers_folder():
    """Where the person stands who started the review; agents themselves start in the definition's folder."""
    try:
        return os.readlink(f"/proc/{os.getppid()}/cwd")
    except OSError:
        return os.environ.get("PWD") or os.getcwd()


def find_repository(wanted):
    start = os.path.join(callers_folder(), os.path.expanduser(wanted)) if wanted else os.getcwd()
    if not os.path.isdir(start):
        raise Problem("invalid_input", f"there is no folder {start}")
    if repository.git(start, "rev-parse", "--is-inside-work-tree").strip() != b"true":
        raise Problem("invalid_input", f"{start} is a bare repository: there are no files to review")
    try:
        return repository.git(start, "rev-parse", "--show-toplevel").rstrip(b"\n").decode()
    except UnicodeDecodeError as error:
        raise Problem("invalid_input", "the repository's own path is not UTF-8; please move it") from error


def is_document(path, kind):
    return path.lower().split(b"/")[-1].startswith(kind.encode()) and path.count(b"/") <= 1


class Part:
    """A folder with everything below it (deep), or only the files that lie in it."""

    def __init__(self, folder, files, deep):
        self.folder, self.files, self.deep = folder, files, deep

    def size(self):
        return sum(file.size for file in self.files)

    def label(self):
        shown = repository.name(self.folder.rstrip(b"/")) or "(top)"
        return shown if self.deep or not self.folder else f"{shown} (own files)"

    def children(self):
        own, below = [], collections.defaultdict(list)
        for file in self.files:
            first, slash, _ = file.path[len(self.folder):].partition(b"/")
            (below[first] if slash else own).append(file)
        parts = [Part(self.folder + first + b"/", files, True) for first, files in below.items()]
        return parts + ([Part(self.folder, own, False)] if own else [])


def split(files):
    """Splits the largest folder into its parts, again and again, as long as they are few enough. Largest first."""
    if not files:
        return []
    parts, whole = [], [Part(b"", files, True)]  # whole: those that may yet be split
    while whole:
        whole.sort(key=Part.size)
        part = whole.pop()
        children = part.children()
        leaf = not any(child.deep for child in children)
        top = not part.folder  # always split: a repository of many folders still gets its largest ones looked at
        if not leaf and (top or len(parts) + len(whole) + len(children) <= PARTS):
            whole.extend(child for child in children if child.deep)
            parts.extend(child for child in children if not child.deep)
        else:
            parts.append(part)
    return sorted(parts, key=lambda part: -part.size())


if __name__ == "__main__":
    serve({"inventory": inventory})
