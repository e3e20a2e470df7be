#!/usr/bin/env python3
"""The licence scanner: which licences the repository says it is under, and whether its files agree."""

import collections
import re

import repository
from envelope import serve

LICENCE_FILE = re.compile(rb"(?i)^(licen[cs]e|copying|unlicense|notice)([-._].*)?$")
TAG = re.compile(rb"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() -]{2,60})")

# The first that fits wins, so the more particular stand first.
KNOWN = [
    ("Apache-2.0", rb"Apache License\s+Version 2\.0"),
    ("AGPL-3.0", rb"GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3"),
    ("LGPL-3.0", rb"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3"),
    ("LGPL-2.1", rb"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1"),
    ("GPL-3.0", rb"GNU GENERAL PUBLIC LICENSE\s+Version 3"),
    ("GPL-2.0", rb"GNU GENERAL PUBLIC LICENSE\s+Version 2"),
    ("MPL-2.0", rb"Mozilla Public License,? [Vv]ersion 2\.0"),
    ("BSL-1.0", rb"Boost Software License - Version 1\.0"),
    ("MIT", rb"Permission is hereby granted, free of charge, to any person obtaining a copy"),
    ("ISC", rb"Permission to use, copy, modify, and(/or)? distribute this software for any purpose"),
    ("BSD-3-Clause", rb"Neither the name of[^.]*may be used to endorse or promote"),
    ("BSD-2-Clause", rb"Redistributions in binary form must reproduce the above copyright"),
    ("Unlicense", rb"This is free and unencumbered software released into the public domain"),
    ("CC0-1.0", rb"CC0 1\.0 Universal"),
]


def scan(data, _request):
    repo = data["repo"]
    files = [file.path for file in repository.tracked_files(repo)]
    found = [{"file": repository.name(path), "licence": recognise(repository.read(repo, path, 64 << 10))}
             for path in files if LICENCE_FILE.match(path.rsplit(b"/", 1)[-1])][:50]
    tags = collections.Counter()
    for line in repository.git(repo, "grep", "-h", "-I", "-o", "-E",
                               "SPDX-License-Identifier:[ \t]*[A-Za-z0-9.+() -]{2,60}", accept=(0, 1)).splitlines():
        tag = TAG.search(line)
        if tag:
            tags[tag.group(1).strip().decode("ascii", "replace")] += 1
    main = [entry["licence"] for entry in found if "/" not in entry["file"] and entry["licence"]]
    return {
        "main": main[0] if main else None,
        "files": found,
        "tags": [{"licence": tag, "files": count} for tag, count in tags.most_common(10)],
        "tagged": sum(tags.values()),
        "others": sorted({entry["licence"] for entry in found if entry["licence"]} - set(main)),
    }


def recognise(content):
    content = b" ".join(content.split())  # the same words are wrapped differently everywhere
    for licence, pattern in KNOWN:
        if re.search(pattern, content):
            return licence
    return None


if __name__ == "__main__":
    serve({"scan": scan})
