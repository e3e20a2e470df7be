#!/usr/bin/env python3
"""docs/pattern_library.md: its commands print what the page says, and it lists every pattern as it is."""

import json
import unittest

from console import check_page, run
from examples import ROOT

PAGE = ROOT / "docs" / "pattern_library.md"


class PatternLibrary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = PAGE.read_text(encoding="utf-8")

    def test_the_commands_print_what_the_page_says(self):
        self.assertGreater(check_page(self, self.page), 3)

    def test_every_pattern_has_its_line(self):
        for pattern in json.loads(run("mapflow patterns --json", ".").stdout):
            names = ", ".join(f"`{each['name']}`" for each in pattern["parameters"][1:])
            with self.subTest(pattern=pattern["name"]):
                link = f"[`{pattern['name']}`](../src/patterns/library/{pattern['name']})"
                self.assertIn(f"| {link} | {pattern['summary']} | {names} |", self.page)


if __name__ == "__main__":
    unittest.main()
