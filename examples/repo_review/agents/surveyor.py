#!/usr/bin/env python3
"""The surveyor: measures one part of the repository, file by file. It counts; what the counts are worth others say."""

import re

import repository
from envelope import serve

FILES = 1500           # of one part; the rest is only counted
FILE_BYTES = 1 << 20
PART_BYTES = 24 << 20
LONG_LINE = 120
DEEP = 24              # columns of indentation at which code gets hard to follow

SLASHES, HASH, DASHES, MARKUP = (b"//", b"/*", b"*"), (b"#",), (b"--",), (b"<!--",)
CODE = {
    **dict.fromkeys("c cc cpp cxx h hh hpp java js jsx mjs ts tsx go rs swift kt scala cs php dart proto zig".split(), SLASHES),
    **dict.fromkeys("py sh bash bats zsh fish rb pl r jl cmake mk makefile dockerfile nix tf".split(), HASH),
    **dict.fromkeys("sql lua hs elm ada".split(), DASHES),
    **dict.fromkeys("html vue svelte".split(), MARKUP),
}
SCRIPT = re.compile(rb"#!.*(sh|python[0-9.]*|perl|ruby)\b")
MARKER = re.compile(rb"\b(TODO|FIXME|XXX|HACK)\b")
CONFLICT = re.compile(rb"^(<{7}|>{7}) ", re.MULTILINE)
TEST = re.compile(rb"(?i)(^|/)(tests?|spec|__tests__)/|(^|[/_.-])(test|spec)s?[_.-]|_test\.|Test\.java$")


def measure(data, _request):
    repo, folder, deep = data["repo"], repository.path_of(data["key"]), data["deep"]
    files = [file for file in repository.tracked_files(repo, folder) if deep or b"/" not in file.path[len(folder):]]
    total = {"files": len(files), "measured": 0, "lines": 0, "code": 0, "comments": 0, "blank": 0, "binary": 0,
             "tests": 0, "markers": 0, "conflicts": 0, "long_lines": 0, "deep_lines": 0, "not_utf8": 0}
    longest, budget = [], PART_BYTES
    for file in files:
        total["tests"] += repository.extension(file.path) in CODE and bool(TEST.search(file.path))
        if total["measured"] >= FILES or budget <= 0:
            continue
        content = repository.read(repo, file.path, FILE_BYTES)
        budget -= len(content)
        total["measured"] += 1
        if repository.is_binary(content):
            total["binary"] += 1
            continue
        comment = CODE.get(repository.extension(file.path)) or (HASH if SCRIPT.match(content[:100]) else None)
        lines = measure_text(content, comment, total)
        if comment:
            longest.append((lines, file.path))
    longest.sort(key=lambda entry: (-entry[0], entry[1]))
    return {"name": data["name"], **total,
            "longest": [{"file": repository.name(path), "lines": lines} for lines, path in longest[:3]]}


def measure_text(content, comment, total):
    """Adds one file to the totals; `comment` is how its comments begin, None when it is no code. Gives its lines."""
    lines = content.splitlines()
    total["lines"] += len(lines)
    total["markers"] += len(MARKER.findall(content)) if comment else 0
    total["conflicts"] += len(CONFLICT.findall(content))
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        total["not_utf8"] += error.start < len(content) - 4  # a character cut in two by the size limit is no fault
    if comment is None:
        return len(lines)
    for line in lines:
        stripped = line.strip()
        if not stripped:
            total["blank"] += 1
        elif stripped.startswith(comment):
            total["comments"] += 1
        else:
            total["code"] += 1
            total["long_lines"] += len(line) > LONG_LINE
            total["deep_lines"] += len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip()) >= DEEP
    return len(lines)


if __name__ == "__main__":
    serve({"measure": measure})
