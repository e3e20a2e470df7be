#!/usr/bin/env python3
"""The documentation builds as a site, and what is broken in it is told."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from examples import ROOT


class Site(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def lay_out(self, pages):
        """The pages laid out for MkDocs: exit status, problems."""
        for name, text in pages.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", ROOT / "tools" / "docs_site.py", self.folder, self.folder / "out"],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stderr.splitlines()

    def test_the_whole_builds_without_a_warning(self):
        done = subprocess.run([ROOT / "tools" / "build_docs.sh", self.folder], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        for page in ("index", "tutorial", "design/kernel", "api/annotated", "source/src/patterns/library/saga"):
            self.assertTrue((self.folder / "site" / f"{page}.html").is_file(), page)

    def test_every_page_is_in_the_navigation(self):
        navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
        for page in (ROOT / "docs").rglob("*.md"):
            self.assertIn(f"{page.relative_to(ROOT / 'docs')}", navigation)

    def test_links_that_lead_nowhere_are_told_with_their_place(self):
        status, problems = self.lay_out({"docs/a.md": "# A\n\n[b](b.md#two-words) [c](c.md)\n[own](#nothing) [up](../../etc)\n", "docs/b.md": "# Two words\n"})
        self.assertEqual(status, 1)
        self.assertEqual(problems, ["docs/a.md:3: there is no c.md", "docs/a.md:4: no heading #nothing on docs/a.md", "docs/a.md:4: there is no ../../etc"])

    def test_sources_become_pages_and_files_of_blocks_titles(self):
        page = "# A\n\n[s](../src/s.py) `[code](no.md)`\n\n```yaml a.yaml\n# no heading\n```\n```json expect\n{}\n```\n"
        self.assertEqual(self.lay_out({"docs/in/a.md": page.replace("../", "../../"), "src/s.py": "print('```')\n"}), (0, []))
        laid_out = (self.folder / "out/in/a.md").read_text(encoding="utf-8")
        self.assertIn("[s](../source/src/s.py.md) `[code](no.md)`", laid_out)
        self.assertIn('```yaml title="a.yaml"\n', laid_out)
        self.assertIn("```json\n", laid_out)
        self.assertIn("````python\nprint('```')\n````", (self.folder / "out/source/src/s.py.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
