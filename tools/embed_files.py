#!/usr/bin/env python3
"""Makes the files of a folder a part of the program: writes a C++ source with all of them.

    embed_files.py FOLDER OUT      OUT defines `patterns::embedded_files()` as src/patterns/embedded.h declares it

A source that would not change is left alone, so that nothing is compiled anew.
"""

import sys
from pathlib import Path

HEAD = """// Made by tools/embed_files.py of src/patterns/library; not to be edited.
#include "patterns/embedded.h"

namespace mapflow::patterns {

namespace {

constexpr EmbeddedFile kFiles[] = {
"""
TAIL = """};

}  // namespace

std::span<const EmbeddedFile> embedded_files() { return kFiles; }

}  // namespace mapflow::patterns
"""
MARK = "embedded"  # of the raw literals


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    text = HEAD
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_text(encoding="utf-8")
        if f"){MARK}\"" in content:
            sys.exit(f"{path}: contains the mark of the literals")
        text += f'    {{"{path.relative_to(folder).as_posix()}", R"{MARK}({content}){MARK}"}},\n'
    text += TAIL
    if not out.exists() or out.read_text(encoding="utf-8") != text:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
