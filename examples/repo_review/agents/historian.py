#!/usr/bin/env python3
"""The historian: reads `git log` for the files that change most, and for how many people know the code."""

import collections
import math

import repository
from envelope import serve

COMMITS = 1000    # the most recent ones
HOT_SPOTS = 10
WIDE_COMMIT = 100  # a commit that touches more files is a move or a reformatting, and says nothing about any of them
START = b"\x01\x02commit\x03"  # cannot begin a path that Git prints


def hot_spots(data, _request):
    repo = data["repo"]
    if not repository.has_commits(repo):
        return {"commits": 0, "authors": [], "hot_spots": [], "knowing_half": 0, "since": None}
    sizes = {file.path: file.size for file in repository.tracked_files(repo)}
    changes, people = collections.Counter(), collections.defaultdict(set)
    authors, commits, since = collections.Counter(), 0, None
    log = repository.git(repo, "log", f"--max-count={COMMITS}", "--no-merges", "--no-renames", "--name-only", "-z",
                         "--use-mailmap", f"--format={START.decode()}%aN%x00%cI%x00")
    for commit in log.split(START)[1:]:
        author, date, *paths = commit.split(b"\0")
        author = repository.name(author)
        authors[author] += 1
        commits, since = commits + 1, date.decode()
        paths = {path.lstrip(b"\n") for path in paths} & sizes.keys()
        if len(paths) <= WIDE_COMMIT:
            for path in paths:
                changes[path] += 1
                people[path].add(author)
    heat = {path: count * math.log2(2 + sizes[path]) for path, count in changes.items() if count > 1 and sizes[path]}
    hottest = sorted(heat, key=lambda path: (-heat[path], path))[:HOT_SPOTS]
    return {
        "commits": commits,
        "since": since,
        "authors": [{"name": author, "commits": count} for author, count in authors.most_common(5)],
        "author_count": len(authors),
        "knowing_half": knowing_half(authors),
        "hot_spots": [{"file": repository.name(path), "changes": changes[path], "people": len(people[path]),
                       "bytes": sizes[path]} for path in hottest],
    }


def knowing_half(authors):
    """How few people made half of the commits: if it is one, much depends on that one."""
    half, total = sum(authors.values()) / 2, 0
    for number, (_, count) in enumerate(authors.most_common(), 1):
        total += count
        if total >= half:
            return number
    return 0


if __name__ == "__main__":
    serve({"hot_spots": hot_spots})
