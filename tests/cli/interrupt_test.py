"""A run that is stopped half way: politely, twice, or by kill -9. It always goes on where it was."""

import collections
import json
import os
import re
import shlex
import signal

from mapflow_process import ProcessTest, main, message, wait_for, workflow


class Interrupted(ProcessTest):
    def setUp(self):
        super().setUp()
        self.gate()
        self.write("flow.yaml", workflow(message("a", value=1) + message("b", gate="gate", value=2) + message("c", value=3)))

    def stop(self, number):
        process = self.start("run", "flow.yaml", "--id", "demo", "-i", "x=1")
        self.wait_for_call("b")
        process.send_signal(number)
        out, err = process.communicate()
        return process.returncode, out + err

    def goes_on(self, *words):
        process = self.start("run", *words, "--json")
        self.wait_for_call("b", 2)
        self.open_gate()
        out, err = process.communicate()
        self.assertEqual(process.returncode, 0, err)
        document = json.loads(out)
        self.assertEqual(document["state"], "completed")
        self.assertEqual({step: value["echo"] for step, value in document["results"].items()}, {"a": 1, "b": 2, "c": 3})
        done = collections.Counter(event["path"] for event in self.history("demo") if event["type"] == "step.completed")
        self.assertEqual(done, {"a": 1, "b": 1, "c": 1})
        calls = collections.Counter(call["path"] for call in self.calls())
        self.assertEqual(calls["a"], 1, "what was done is not done again")
        keys = {call["key"] for call in self.calls() if call["path"] == "b"}
        self.assertEqual(len(keys), 1, "the same execution has the same key")
        attempts = {call["attempt"] for call in self.calls()}
        self.assertEqual(attempts, {1}, "a crash uses up no attempt")

    def test_ctrl_c_leaves_an_instance_and_says_how_to_go_on(self):
        code, text = self.stop(signal.SIGINT)
        self.assertEqual(code, 130, text)
        command = re.search(r"^\s+mapflow (run .*)$", text, re.MULTILINE)
        self.assertTrue(command, text)
        self.assertEqual(self.document(self.mapflow("show", "demo", "--json"))["state"], "running")
        self.goes_on(*shlex.split(command.group(1))[1:])

    def test_sigterm_is_the_same(self):
        code, text = self.stop(signal.SIGTERM)
        self.assertEqual(code, 130, text)
        self.goes_on("flow.yaml", "--id", "demo")

    def test_agents_do_not_outlive_an_interrupted_run(self):
        self.stop(signal.SIGINT)
        pid = self.calls()[-1]["pid"]
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the agent's end")

    def test_kill_nine_loses_nothing(self):
        code, _ = self.stop(signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        self.goes_on("flow.yaml", "--id", "demo", "-i", "x=1")

    def test_kill_nine_again_and_again(self):
        for _ in range(3):
            process = self.start("run", "flow.yaml", "--id", "demo")
            count = len(self.calls())
            wait_for(lambda seen=count: len(self.calls()) > seen, "another call")
            process.kill()
            process.communicate()
        process = self.start("run", "flow.yaml", "--id", "demo", "--json")
        count = len(self.calls())
        wait_for(lambda: len(self.calls()) > count, "the last call of b")
        self.open_gate()
        out, err = process.communicate()
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(json.loads(out)["state"], "completed")
        self.expect(self.mapflow("store", "verify"), 0)

    def test_the_second_signal_ends_the_program_at_once(self):
        process = self.start("run", "flow.yaml", "--id", "demo")
        self.wait_for_call("b")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.communicate()
        self.assertEqual(process.returncode, 130)


if __name__ == "__main__":
    main()
