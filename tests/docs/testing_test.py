#!/usr/bin/env python3
"""docs/testing.md: its files and commands do what the page says."""

import re
import unittest

from console import check_page
from examples import ROOT

PAGE = ROOT / "docs" / "testing.md"
SOURCES = ROOT / "src" / "testing"


class Testing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = PAGE.read_text(encoding="utf-8")

    def test_the_examples_do_what_the_page_says(self):
        self.assertGreater(check_page(self, self.page), 2)

    def test_every_key_has_its_place_on_the_page(self):
        for source in sorted(SOURCES.glob("*reader.cpp")) + [SOURCES / "test_file.cpp"]:
            for table in re.findall(r"k(?:Keys|Verbs|AnswerKeys|ErrorKeys|Ways)\{([^}]*)\}", source.read_text(encoding="utf-8")):
                for key in re.findall(r'"(\w+)"', table):
                    with self.subTest(key=key):
                        self.assertRegex(self.page, rf"\b{key}\b")


if __name__ == "__main__":
    unittest.main()
