#!/usr/bin/env python3
"""Lays the pages of docs/ out for MkDocs.

    docs_site.py ROOT OUT      writes OUT/…, one page for each of ROOT/docs, and one for each file of the tree they link to

In the tree, pages link to sources and examples beside them, and blocks carry the name of their file; on a site the sources become
pages of their own, and the names titles. Links to pages, files and headings that are not there are told, each with its place; exit
status 1 if there are any.
"""

import os
import re
import shutil
import sys
import unicodedata
from pathlib import Path

LINK = re.compile(r"(\[[^\]]*\]\()([^)\s]+)(\))")
FENCE = re.compile(r"^```(\w+) ([^\n`]+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
OUTSIDE = re.compile(r"[a-z]+:")
LANGUAGES = {".h": "cpp", ".cpp": "cpp", ".py": "python", ".yaml": "yaml", ".yml": "yaml", ".md": "markdown", ".json": "json", ".sh": "sh"}
HEADERS = """# Headers

The reference of the public headers, made of what they say about themselves: [types](api/annotated.html),
[namespaces](api/namespaces.html), [files](api/files.html).
"""
# Lines of definitions are long.
STYLE = ".md-grid { max-width: 84rem; }\n"


def without_code(text):
    """The text with its code blanked out: what looks like a heading or link there is none."""
    return CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def slug_of(title):
    """As Python-Markdown makes the anchor of a heading."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def anchors(text):
    known, out = {}, set()
    for title in HEADING.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)):
        slug = slug_of(re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title))
        known[slug] = known.get(slug, -1) + 1
        out.add(f"{slug}_{known[slug]}" if known[slug] else slug)
    return out


def fence(text):
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)


class Site:
    def __init__(self, root, out):
        self.root, self.docs, self.out = root, root / "docs", out
        self.sources, self.problems = set(), []

    def write(self):
        shutil.rmtree(self.out, ignore_errors=True)
        for page in sorted(self.docs.rglob("*.md")):
            self.put(page.relative_to(self.docs), self.page(page))
        for source in sorted(self.sources):
            self.put(self.place_of(source), self.source_page(source))
        self.put(Path("headers.md"), HEADERS)
        self.put(Path("site.css"), STYLE)

    def put(self, place, text):
        path = self.out / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def page(self, page):
        text = page.read_text(encoding="utf-8")
        bare = without_code(text)

        def linked(found):
            if bare[found.start()] == " ":
                return found[0]
            target = self.target(page, text.count("\n", 0, found.start()) + 1, found[2])
            return f"{found[1]}{target}{found[3]}"

        return FENCE.sub(self.fence_head, LINK.sub(linked, text))

    @staticmethod
    def fence_head(found):
        language, rest = found.groups()
        return f'```{language} title="{rest}"' if "." in rest else f"```{language}"

    def target(self, page, line, link):
        if OUTSIDE.match(link):
            return link
        name, _, anchor = link.partition("#")
        path = Path(os.path.normpath(page.parent / name)) if name else page
        if not path.exists() or self.root not in path.parents:
            self.problems.append(f"{page.relative_to(self.root)}:{line}: there is no {link}")
            return link
        inside = self.docs in path.parents and path.suffix == ".md"
        if not inside:
            self.sources.add(path)
            here = Path("/") / page.relative_to(self.docs)
            return os.path.relpath(Path("/") / self.place_of(path), here.parent)
        if anchor and anchor not in anchors(path.read_text(encoding="utf-8")):
            self.problems.append(f"{page.relative_to(self.root)}:{line}: no heading #{anchor} on {path.relative_to(self.root)}")
        return link

    def place_of(self, path):
        return Path("source") / (str(path.relative_to(self.root)) + ".md")

    def source_page(self, path):
        """A file, or the files of a folder, as they are."""
        files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
        parts = [f"# {path.relative_to(self.root)}\n"]
        for each in files:
            text = each.read_text(encoding="utf-8")
            if path.is_dir():
                parts.append(f"## {each.relative_to(path)}\n")
            parts.append(f"{fence(text)}{LANGUAGES.get(each.suffix, 'text')}\n{text.rstrip()}\n{fence(text)}\n")
        return "\n".join(parts)


def main():
    site = Site(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
    site.write()
    for problem in site.problems:
        print(problem, file=sys.stderr)
    return 1 if site.problems else 0


if __name__ == "__main__":
    sys.exit(main())
