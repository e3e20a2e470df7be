#!/usr/bin/env python3
"""The watch over the store notices what it is there for."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "soak"))

import databases
from watch import Watch, percentile, times


class Story(unittest.TestCase):
    """What looks into a store with one partition see."""

    def setUp(self):
        self.watch = Watch(None)
        self.end = 0

    def look(self, epoch, node, written=1, new=(), server="", now=0.0):
        """`new`: the epochs of the entries that came since."""
        entries = [(0, self.end + number, each) for number, each in enumerate(new, 1)]
        self.end += len(new)
        self.watch.take(databases.Look({0: (epoch, node, written, self.end, server)}, entries), now)

    def test_nothing_wrong(self):
        self.look(1, "a", new=[1, 1])
        self.look(2, "b", written=0)
        self.look(2, "b", new=[2])
        self.assertEqual((self.watch.problems, self.watch.entries, self.watch.unseen), ([], 3, 0))

    def test_a_commit_after_its_epoch_was_over(self):
        self.look(1, "a", new=[1])
        self.look(2, "b", written=0)
        self.look(2, "b", new=[1])
        self.assertIn("stale: entry 2 of partition 0 was committed under epoch 1 after epoch 2 began", self.watch.problems)

    def test_a_log_along_which_the_epoch_falls(self):
        self.look(2, "b", new=[1, 2, 1])
        self.assertEqual(self.watch.problems, ["stale: along the log of partition 0 the epoch falls to 1 at entry 3"])

    def test_an_epoch_that_falls(self):
        self.look(2, "b")
        self.look(1, "a")
        self.assertEqual(self.watch.problems, ["partition 0: the epoch fell from 2 to 1"])

    def test_entries_that_were_gone_before_the_look(self):
        self.look(1, "a", new=[1])
        self.end += 2
        self.look(1, "a", new=[1])
        self.assertEqual(self.watch.unseen, 2)

    def test_another_server_is_read_from_the_start_of_its_log(self):
        self.look(1, "a", new=[1, 1], server="x")
        self.look(1, "a", server="y")
        self.assertEqual(self.watch.ends, {})
        self.end = 0
        self.look(2, "b", new=[2, 1], server="y")
        self.assertEqual(self.watch.problems, ["stale: along the log of partition 0 the epoch falls to 1 at entry 2"])

    def test_how_long_a_takeover_takes(self):
        self.look(1, "a")
        self.watch.deaths.append((10.0, "a", {0: 1}, set()))
        self.look(1, "a", now=12.0)
        self.look(2, "b", written=0, now=15.0)
        self.look(2, "b", now=15.5)
        self.look(3, "c", now=20.0)
        self.assertEqual((self.watch.taken, self.watch.committed), ([(10.0, 5.0)], [(10.0, 5.5)]))

    def test_who_comes_back_itself_is_not_taken_over(self):
        self.look(1, "a")
        self.watch.deaths.append((10.0, "a", {0: 1}, set()))
        self.look(2, "a", now=12.0)
        self.look(3, "b", now=15.0)
        self.assertEqual((self.watch.taken, self.watch.committed), ([], []))

    def test_takeovers_while_the_database_was_away_can_be_left_out(self):
        takeovers = [(0, 5), (10, 6), (20, 7)]
        self.assertEqual(times(takeovers), {"count": 3, "p50": 6, "p99": 7, "longest": 7})
        self.assertEqual(times(takeovers, [(16, 20)]), {"count": 1, "p50": 5, "p99": 5, "longest": 5})

    def test_percentiles_are_values_that_were_measured(self):
        self.assertEqual([percentile([3, 1, 2, 4], share) for share in (50, 99)], [2, 4])
        self.assertIsNone(percentile([], 50))


if __name__ == "__main__":
    unittest.main()
