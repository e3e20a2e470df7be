#!/usr/bin/env python3
"""`mapflow patterns` and `mapflow new`: every pattern makes a project whose test passes and which runs at once."""

import json
import os
import subprocess

from mapflow_process import PROGRAM, ProcessTest, main, wait_for

NARROW = ("quorum", "crawl", "retry")  # their tests are about these very values
ALL = json.loads(subprocess.run([PROGRAM, "patterns", "--json"], capture_output=True, check=True).stdout)


class Patterns(ProcessTest):
    def test_each_pattern_is_made_tested_and_run(self):
        for pattern in ALL:
            with self.subTest(pattern=pattern["name"]):
                folder = self.path(pattern["name"])
                self.expect(self.mapflow("new", pattern["name"], folder), 0)
                tested = self.expect(self.mapflow("test", folder, "--json"), 0)
                self.assertEqual(tested.stderr, tested.stderr.replace("warning", ""))
                self.assertEqual(self.document(tested)["coverage"]["missed"], [])
                run = self.mapflow("run", os.path.join(folder, "workflow.yaml"), "--json", "--store", "memory:", *pattern["run"])
                self.assertEqual(self.document(self.expect(run, 0))["state"], "completed")

    def test_the_literal_three_commands_in_an_empty_folder(self):
        for words in (["new", "etl"], ["test"], ["run"]):
            self.expect(self.mapflow(*words), 0)

    def test_parameters_change_the_project_and_its_test_still_passes(self):
        for pattern in ALL:
            with self.subTest(pattern=pattern["name"]):
                other = {"id": "mine", "count": "4", "number": "0.9", "duration": "5d"}
                settings = [word for each in pattern["parameters"] for word in ("--set", f"{each['name']}={other[each['type']]}")]
                self.expect(self.mapflow("new", pattern["name"], "other_" + pattern["name"], *settings), 0)
                if pattern["name"] not in NARROW:
                    self.expect(self.mapflow("test", "other_" + pattern["name"]), 0)

    def test_nothing_is_overwritten(self):
        self.write("README.md", "mine")
        refused = self.expect(self.mapflow("new", "saga"), 2)
        self.assertIn("is there already, and nothing was written", refused.stderr)
        self.assertFalse(os.path.exists(self.path("workflow.yaml")))

    def test_slips_are_told(self):
        self.assertIn("did you mean 'saga'?", self.expect(self.mapflow("new", "sage", "x"), 2).stderr)
        self.assertIn("did you mean 'attempts'?", self.expect(self.mapflow("new", "saga", "x", "--set", "attempt=1"), 2).stderr)
        self.assertIn("NAME=VALUE", self.expect(self.mapflow("new", "saga", "x", "--set", "attempts"), 2).stderr)

    def test_the_list_and_a_pattern(self):
        listed = self.expect(self.mapflow("patterns"), 0).stdout
        for pattern in ALL:
            self.assertIn(pattern["name"], listed)
        self.assertIn("attempts", self.expect(self.mapflow("patterns", "saga"), 0).stdout)
        self.assertEqual(json.loads(self.mapflow("patterns", "saga", "--json").stdout)["name"], "saga")

    def test_a_person_may_answer_the_approval(self):
        self.expect(self.mapflow("new", "approval", "asked"), 0)
        running = self.start("run", "asked/workflow.yaml", "--id", "a-1")
        inbox = self.wait_for_inbox()
        self.expect(self.mapflow("inbox", "answer", inbox[0]["token"], "-i", "approved=true"), 0)
        out, _ = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 0, out)
        self.assertIn("act/grant", out)

    def wait_for_inbox(self):
        def waiting():
            done = self.mapflow("inbox", "--json")
            return json.loads(done.stdout) if done.returncode == 0 else None

        return wait_for(waiting, "a message in the inbox")


if __name__ == "__main__":
    main()
