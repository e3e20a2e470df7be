#!/usr/bin/env python3
"""docs/testing.md: its files and commands do what the page says."""

import re
import tempfile
import unittest
from pathlib import Path

from console import blocks, run, sessions, without_times
from examples import ROOT

PAGE = ROOT / "docs" / "testing.md"
SOURCES = ROOT / "src" / "testing"


class Testing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = PAGE.read_text(encoding="utf-8")

    def test_the_examples_do_what_the_page_says(self):
        commands = 0
        with tempfile.TemporaryDirectory() as folder:
            for language, name, text in blocks(self.page):
                if name:
                    (Path(folder) / name).write_text(text, encoding="utf-8")
                for command, printed in sessions(text) if language == "console" else ():
                    with self.subTest(command=command):
                        done = run(command, folder)
                        self.assertEqual(without_times(done.stdout), without_times(printed), done.stderr)
                        commands += 1
        self.assertGreater(commands, 2)

    def test_every_key_has_its_place_on_the_page(self):
        for source in sorted(SOURCES.glob("*reader.cpp")) + [SOURCES / "test_file.cpp"]:
            for table in re.findall(r"k(?:Keys|Verbs|AnswerKeys|ErrorKeys|Ways)\{([^}]*)\}", source.read_text(encoding="utf-8")):
                for key in re.findall(r'"(\w+)"', table):
                    with self.subTest(key=key):
                        self.assertRegex(self.page, rf"\b{key}\b")


if __name__ == "__main__":
    unittest.main()
