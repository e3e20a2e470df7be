#!/usr/bin/env python3
"""docs/patterns.md and examples/patterns: every pattern of the catalogue has its line, and every claim runs."""

import re
import unittest

from examples import ROOT, canonical, check, read_cases

PAGE = ROOT / "docs" / "patterns.md"
FOLDER = ROOT / "examples" / "patterns"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| (supported|combination|not supported) \| ([^|]*) \|", re.MULTILINE)

# N. Russell, A.H.M. ter Hofstede, W.M.P. van der Aalst, N. Mulyar: Workflow Control-Flow Patterns: A Revised View, 2006.
NAMES = """Sequence; Parallel Split; Synchronization; Exclusive Choice; Simple Merge; Multi-Choice; Structured Synchronizing Merge;
Multi-Merge; Structured Discriminator; Arbitrary Cycles; Implicit Termination; Multiple Instances without Synchronization;
Multiple Instances with a Priori Design-Time Knowledge; Multiple Instances with a Priori Run-Time Knowledge;
Multiple Instances without a Priori Run-Time Knowledge; Deferred Choice; Interleaved Parallel Routing; Milestone; Cancel Task;
Cancel Case; Structured Loop; Recursion; Transient Trigger; Persistent Trigger; Cancel Region; Cancel Multiple Instance Task;
Complete Multiple Instance Task; Blocking Discriminator; Cancelling Discriminator; Structured Partial Join; Blocking Partial Join;
Cancelling Partial Join; Generalized AND-Join; Static Partial Join for Multiple Instances;
Cancelling Partial Join for Multiple Instances; Dynamic Partial Join for Multiple Instances; Acyclic Synchronizing Merge;
General Synchronizing Merge; Critical Section; Interleaved Routing; Thread Merge; Thread Split; Explicit Termination"""


class Patterns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = {int(number): row for number, *row in ROW.findall(PAGE.read_text(encoding="utf-8"))}
        cls.files = {int(path.name[3:5]): path for path in sorted(FOLDER.glob("wcp*.yaml"))}

    def test_every_pattern_has_its_line(self):
        names = [" ".join(name.split()) for name in NAMES.split(";")]
        self.assertEqual([self.rows[i + 1][0] for i in range(len(self.rows))], names)

    def test_what_is_claimed_is_there_and_nothing_else(self):
        claimed = {number for number, row in self.rows.items() if row[1] != "not supported"}
        self.assertEqual(claimed, set(self.files))
        self.assertGreaterEqual(len(claimed), 35)
        for number in claimed:
            self.assertIn(f"(../examples/patterns/{self.files[number].name})", self.rows[number][2])

    def test_every_definition_does_what_it_says(self):
        for path in self.files.values():
            text = path.read_text(encoding="utf-8")
            cases, handlers = read_cases(text)
            with self.subTest(pattern=path.name, run="validate"):
                canonical(text)
            for case in cases:
                with self.subTest(pattern=path.name, run=case.arguments or case.actions):
                    check(self, path, case, handlers)


if __name__ == "__main__":
    unittest.main()
