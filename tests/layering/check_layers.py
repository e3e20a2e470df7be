#!/usr/bin/env python3
"""Checks what a compiler cannot: that the tree keeps to its own architecture.

    check_layers.py [ROOT]     prints `file:line: what is wrong, and what to do`; exit status 1 if anything is

The folders, their order and what each may include are read from src/CMakeLists.txt, so there is one list of them.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

# Which CMake library brings which headers. A folder may include them only if src/CMakeLists.txt gives it the library:
# that is how "each library is wrapped in one place" is kept.
LIBRARY_HEADERS = {
    "fmt/": "fmt::fmt",
    "re2/": "PkgConfig::re2",
    "openssl/": "OpenSSL::Crypto",
    "boost/": "Boost::headers",
    "libfyaml": "PkgConfig::fyaml",
    "sqlite3": "SQLite::SQLite3",
    "zstd": "PkgConfig::zstd",
    "hiredis/": "PkgConfig::hiredis",
    "curl/": "CURL::libcurl",
    "CLI/": "CLI11::CLI11",
    "histedit": "PkgConfig::edit",
}
JSON_LIBRARY, JSON_FOLDER = "rapidjson/", "value"

# The kernel and the step kinds are pure: the same arguments give the same commit.
PURE_FOLDERS = ("kernel", "steps")
IMPURE_HEADERS = re.compile(
    r"(thread|mutex|shared_mutex|condition_variable|future|latch|barrier|semaphore|stop_token|atomic|random|iostream|"
    r"ostream|istream|fstream|sstream|syncstream|cstdio|ctime|filesystem|csignal|unistd\.h|sys/.*|pthread\.h|"
    r"fmt/(ostream|os|chrono|std)\.h)")
IMPURE_CALLS = re.compile(
    r"(\b(?:system|steady|high_resolution|utc)_clock\b(?:\s*::\s*now)?|\bstd::(?:rand|time|getenv|printf|puts|cout|cerr)\b|"
    r"\bfmt::print(?:ln)?\b|\bthread_local\b)")

BACKEND = re.compile(r"persistence/(memory|sqlite|postgres|redis|composite|tier)\w*\.h")

SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|time\.sleep)\s*\(")

LONG_FILE = 500
LONG_FILES = "tests/layering/long_files.txt"
GENERATED = re.compile(rb"not to be edited")  # in the first line
SOURCE_FOLDERS = ("src", "sim", "bench", "fuzz", "tests", "tools", "examples", "sdk", "include")
SOURCE_SUFFIXES = {".h", ".cpp", ".py", ".sh"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


class Finding(NamedTuple):
    file: str
    line: int
    text: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.text}"


class Folder(NamedTuple):
    name: str
    may_include: frozenset  # itself, the folders it names, and what those may include
    implements: frozenset   # single headers of other folders: interfaces that it implements
    libraries: frozenset


def read_folders(cmake_text, file="src/CMakeLists.txt"):
    """The folders of src/ in the order of the layers, and what is wrong with the list itself."""
    folders, findings = {}, []
    text = re.sub(r"#.*", "", cmake_text)
    for call in re.finditer(r"mapflow_library\(\s*(\w+)([^)]*)\)", text):
        line = text.count("\n", 0, call.start()) + 1
        name, words = call.group(1), call.group(2).split()
        lists = {"FOLDERS": [], "IMPLEMENTS": [], "LIBRARIES": []}
        target = None
        for word in words:
            if word in lists:
                target = lists[word]
            elif target is not None:
                target.append(word)
        may_include = {name}
        for other in lists["FOLDERS"]:
            if other not in folders:
                findings.append(Finding(file, line, f"'{name}' names '{other}', which is not listed above it: "
                                                    "dependencies point upwards only"))
                continue
            may_include |= folders[other].may_include
        folders[name] = Folder(name, frozenset(may_include), frozenset(lists["IMPLEMENTS"]),
                               frozenset(lists["LIBRARIES"]))
    return folders, findings


def code_lines(path):
    """The lines of a C++ file with comments taken out, numbered from 1. Enough for includes and calls."""
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if inside:
            end = line.find("*/")
            if end < 0:
                continue
            line, inside = line[end + 2:], False
        line = re.sub(r"/\*.*?\*/", "", line)
        if "//" in line and not INCLUDE.match(line):
            line = re.sub(r'(?<!:)//.*', "", line)
        start = line.find("/*")
        if start >= 0:
            line, inside = line[:start], True
        yield number, line


def check_source(path, name, folder, folders):
    """One file of src/<folder>/."""
    for number, line in code_lines(path):
        def found(text):
            return Finding(name, number, text)

        include = INCLUDE.match(line)
        if include:
            own, system = include.groups()
            header = own or system
            first = header.split("/")[0]
            allowed = first in folder.may_include or header in folder.implements
            if own and first in folders and not allowed:
                yield found(f"'{folder.name}' may not include '{first}' (\"{header}\"). Move the code to a folder below "
                            f"both, or let the caller hand in what is needed; src/CMakeLists.txt is the list of layers")
            if header.startswith(JSON_LIBRARY) and folder.name != JSON_FOLDER:
                yield found(f"only src/{JSON_FOLDER} may include the JSON library; use value/json.h")
            for prefix, library in LIBRARY_HEADERS.items():
                if header.startswith(prefix) and library not in folder.libraries:
                    users = ", ".join(f.name for f in folders.values() if library in f.libraries) or "no folder"
                    yield found(f"<{header}> belongs to {library}, which is wrapped by {users}. Use that folder's "
                                f"interface, or give '{folder.name}' the library in src/CMakeLists.txt and say why")
            if folder.name in PURE_FOLDERS and system and IMPURE_HEADERS.fullmatch(header):
                yield found(f"'{folder.name}' is pure: no <{header}>. Time, chance and I/O come in as arguments")
            if own and BACKEND.match(header) and folder.name != "persistence":
                yield found(f"\"{header}\" is a concrete backend. Open it by URL with persistence/store.h")
            continue
        if folder.name in PURE_FOLDERS:
            call = IMPURE_CALLS.search(line)
            if call:
                yield found(f"'{folder.name}' is pure: no {call.group(0)}. Time, chance and I/O come in as arguments")


def source_files(root, tops=SOURCE_FOLDERS):
    for top in tops:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SOURCE_SUFFIXES and path.is_file() and "__pycache__" not in path.parts:
                yield path, path.relative_to(root).as_posix()


def check_tests(root):
    """Tests and the simulator wait for conditions or use the virtual clock."""
    for path, name in source_files(root, ("tests", "sim")):
        if name.startswith("tests/layering/"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            call = SLEEP.search(line)
            if call:
                yield Finding(name, number, f"no {call.group(1)} in tests: wait for a condition with a deadline, or use "
                                            "the virtual clock")


def read_long_files(path):
    """The ratchet: files that are longer than they should be, each with the length it may not pass."""
    limits = {}
    if path.exists():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            line = line.split("#")[0].split()
            if line:
                limits[line[0]] = (int(line[1]), number)
    return limits


def check_lengths(root):
    limits = read_long_files(root / LONG_FILES)
    seen = set()
    for path, name in source_files(root):
        lines = path.read_bytes().splitlines()
        length = len(lines)
        if length <= LONG_FILE or GENERATED.search(lines[0]):
            continue
        seen.add(name)
        limit, _ = limits.get(name, (LONG_FILE, 0))
        if length > limit:
            yield Finding(name, limit + 1, f"{length} lines, {limit} allowed. Is it still one idea? Split it"
                          + (f"; {LONG_FILES} only ever shrinks" if name in limits else ""))
    for name, (_, number) in limits.items():
        if name not in seen:
            yield Finding(LONG_FILES, number, f"'{name}' is no longer over {LONG_FILE} lines: remove the entry")


def check_tree(root):
    root = Path(root)
    cmake = root / "src" / "CMakeLists.txt"
    folders, findings = read_folders(cmake.read_text(encoding="utf-8"))
    if not folders:
        findings.append(Finding("src/CMakeLists.txt", 1, "lists no mapflow_library()"))
    for path, name in source_files(root, ("src",)):
        parts = name.split("/")
        if path.suffix not in (".h", ".cpp") or len(parts) < 3:
            continue
        if parts[1] not in folders:
            findings.append(Finding(name, 1, f"src/{parts[1]} is not listed in src/CMakeLists.txt"))
            continue
        findings.extend(check_source(path, name, folders[parts[1]], folders))
    findings.extend(check_tests(root))
    findings.extend(check_lengths(root))
    return findings


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    findings = check_tree(root)
    for finding in findings:
        print(finding)
    print(f"layering: {len(findings)} problem{'' if len(findings) == 1 else 's'}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
