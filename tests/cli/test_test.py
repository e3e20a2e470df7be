#!/usr/bin/env python3
"""`mapflow test`: what it prints, writes and exits with, and that it plays again when a file changes."""

import signal
import xml.etree.ElementTree as ElementTree

from mapflow_process import ProcessTest, main, wait_for

FLOW = """
id: flow
agents: { a: { http: { url: "http://127.0.0.1:1/" } } }
steps: [ { id: ask, type: message, destination: a, action: b } ]
"""
GOOD = "tests: [ { name: good, agents: { a: { reply: 1 } }, expect: { results: { ask: 1 } } } ]\n"
BAD = GOOD.replace("{ ask: 1 }", "{ ask: 2 }")


class Test(ProcessTest):
    def setUp(self):
        super().setUp()
        self.write("flow.yaml", FLOW)

    def test_the_exit_status_tells_passed_failed_and_broken(self):
        self.write("flow.test.yaml", GOOD)
        self.assertIn("all passed", self.expect(self.mapflow("test"), 0).stdout)
        self.write("flow.test.yaml", BAD)
        self.assertIn("results.ask: 1 instead of 2", self.expect(self.mapflow("test", "flow.test.yaml"), 1).stdout)
        self.write("flow.test.yaml", GOOD.replace("reply", "repply"))
        self.assertIn("did you mean 'reply'?", self.expect(self.mapflow("test", "."), 2).stderr)
        self.write("flow.test.yaml", GOOD)
        self.write("flow.yaml", FLOW.replace("destination", "destinatoin"))
        self.assertIn("flow.yaml:4:", self.expect(self.mapflow("test"), 2).stderr)
        self.assertIn("cannot read", self.expect(self.mapflow("test", "nothing.yaml"), 2).stderr)
        self.expect(self.mapflow("test", "--json", "nothing.yaml"), 2)

    def test_a_folder_without_tests_is_no_success(self):
        self.assertIn("there are no tests here", self.expect(self.mapflow("test"), 2).stderr)

    def test_json_is_one_document(self):
        self.write("flow.test.yaml", GOOD)
        self.write("more.test.yaml", "workflow: flow.yaml\n" + BAD)
        done = self.expect(self.mapflow("test", "--json"), 1)
        document = self.document(done)
        self.assertFalse(document["ok"])
        self.assertEqual([(test["file"], test["passed"]) for test in document["tests"]],
                         [("flow.test.yaml", True), ("more.test.yaml", False)])
        self.assertEqual(document["coverage"]["steps"], {"reached": 1, "all": 1})

    def test_too_little_coverage_is_a_failure_that_says_what_is_missing(self):
        self.write("flow.yaml", FLOW.replace(" ]", ", { id: rarely, type: transform, when: results.ask > 1, transformations: { x: 1 } } ]"))
        self.write("flow.test.yaml", GOOD)
        self.assertNotIn("not reached", self.expect(self.mapflow("test", "--min-coverage", "66"), 0).stdout)
        done = self.expect(self.mapflow("test", "--min-coverage", "67"), 1)
        self.assertIn("too little is covered: 66 % of the steps and branches were reached, and --min-coverage asks for 67 %", done.stdout)
        self.assertIn("not reached: flow.yaml:4:65: step 'rarely'", done.stdout)
        document = self.document(self.expect(self.mapflow("test", "--min-coverage", "67", "--json"), 1))
        self.assertEqual((document["ok"], document["coverage"]["percent"]), (False, 66))
        self.expect(self.mapflow("test", "--min-coverage", "101"), 2)

    def test_reports_for_machines(self):
        self.write("flow.test.yaml", BAD)
        done = self.expect(self.mapflow("test", "--tap", "--junit", "out.xml"), 1)
        self.assertEqual(done.stdout.splitlines()[:3], ["TAP version 14", "1..1", "not ok 1 - flow.test.yaml: good"])
        self.assertIn("FAILED good", done.stderr)
        suites = ElementTree.parse(self.path("out.xml")).getroot()
        self.assertEqual(suites.attrib, {"tests": "1", "failures": "1"})
        self.assertIn("instead of 2", suites.find("testsuite/testcase/failure").text)
        self.expect(self.mapflow("test", "--junit", "no/such/folder.xml"), 2)

    def test_a_failure_under_a_seed_can_be_played_again(self):
        self.write("flow.test.yaml", BAD.replace("expect:", "faults: { kills: 2, seeds: 5 }, expect:"))
        done = self.expect(self.mapflow("test"), 1)
        self.assertIn("again: mapflow test flow.test.yaml --seed 1", done.stdout)
        self.assertIn("--seed 4", self.expect(self.mapflow("test", "--seed", "4"), 1).stdout)

    def test_watching_plays_again_when_the_workflow_or_the_test_changes(self):
        self.write("flow.test.yaml", GOOD)
        with open(self.path("out"), "w", encoding="utf-8") as out:
            watching = self.start("test", "--watch", stdout=out, stderr=out)

            def rounds(text):
                with open(self.path("out"), encoding="utf-8") as seen:
                    return seen.read().count(text)

            wait_for(lambda: rounds("waiting for a file") == 1, "the first round")
            self.write("flow.test.yaml", BAD)
            wait_for(lambda: rounds("instead of 2") >= 1 and rounds("waiting for a file") >= 2, "a round with the new test")
            self.write("flow.yaml", FLOW.replace("destination: a", "destination: b"))
            wait_for(lambda: rounds("unknown agent 'b'") >= 1, "a round with the new workflow")
            watching.send_signal(signal.SIGINT)
            self.assertEqual(watching.wait(30), 130)


if __name__ == "__main__":
    main()
