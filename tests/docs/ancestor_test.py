#!/usr/bin/env python3
"""Definitions in the spellings of the engine's Python ancestor run as they are: those of tests/docs/ancestor."""

import unittest
from pathlib import Path

from examples import check, read_cases

FOLDER = Path(__file__).parent / "ancestor"


class Ancestor(unittest.TestCase):
    def test_each_definition_runs_unmodified(self):
        paths = sorted(FOLDER.glob("*.yaml"))
        self.assertTrue(paths)
        for path in paths:
            cases, handlers = read_cases(path.read_text(encoding="utf-8"))
            for case in cases:
                with self.subTest(definition=path.name, run=case.arguments):
                    check(self, path, case, handlers)


if __name__ == "__main__":
    unittest.main()
