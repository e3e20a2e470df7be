#!/usr/bin/env python3
"""Collects the public headers: mapflow.h and every header that it includes, directly or by way of others.

    public_headers.py SRC OUT      writes OUT/mapflow/…; headers of SRC/mapflow go to its top, others into their folders

Includes are rewritten to <mapflow/…>, so that programs need one include path and no name of ours can shadow one of
theirs. Files that did not change are left alone; files that are no longer public are removed.
"""

import re
import sys
from pathlib import Path

UMBRELLA = "mapflow/mapflow.h"
INCLUDE = re.compile(r'^(\s*#\s*include\s*)"([^"]+)"', re.MULTILINE)


def public_name(header):
    return header if header.startswith("mapflow/") else f"mapflow/{header}"


def closure(src):
    """All headers reachable from the umbrella, with their texts."""
    texts, waiting = {}, [UMBRELLA]
    while waiting:
        header = waiting.pop()
        if header in texts:
            continue
        texts[header] = (src / header).read_text(encoding="utf-8")
        waiting.extend(included for _, included in INCLUDE.findall(texts[header]))
    return texts


def main():
    src, out = Path(sys.argv[1]), Path(sys.argv[2])
    written = set()
    for header, text in sorted(closure(src).items()):
        text = INCLUDE.sub(lambda found: f"{found[1]}<{public_name(found[2])}>", text)
        path = out / public_name(header)
        written.add(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in out.rglob("*.h"):
        if path not in written:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
