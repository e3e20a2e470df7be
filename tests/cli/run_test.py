"""`mapflow run` from its arguments to its exit code."""

import json
import os
import re
import subprocess

from mapflow_process import AGENT, ProcessTest, main, message, workflow


class Run(ProcessTest):
    def test_a_completed_workflow_exits_zero_and_says_so(self):
        self.write("flow.yaml", workflow(message("a", value=1) + message("b", value="{{ results.a.echo + 1 }}")))
        result = self.expect(self.mapflow("run", "flow.yaml"), 0)
        lines = result.stdout.splitlines()
        self.assertRegex(lines[0], r"^instance \S+$")
        self.assertIn("completed", result.stdout)
        self.assertIn("step.completed", result.stdout)
        self.assertTrue(os.path.exists(self.path("mapflow.db")), "the default store is here")

    def test_json_is_one_document_and_people_read_standard_error(self):
        self.write("flow.yaml", workflow(message("a", value="{{ n }}")))
        result = self.expect(self.mapflow("run", "flow.yaml", "-i", "n=41", "--id", "demo", "--json"), 0)
        document = self.document(result)
        self.assertEqual(document["instance_id"], "demo")
        self.assertEqual(document["workflow"], "flow")
        self.assertEqual(document["version"], "1.0")
        self.assertEqual(document["state"], "completed")
        self.assertEqual(document["results"]["a"]["echo"], 41)
        self.assertEqual(document["variables"]["n"], 41)
        self.assertEqual(document["errors"], [])
        self.assertIn("metrics", document)
        self.assertTrue(result.stderr.startswith("instance demo\n"), result.stderr)

    def test_debugging_stops_before_steps_and_the_command_that_is_printed_goes_on(self):
        self.write("flow.yaml", workflow(message("a", value=1) + message("b", value="{{ results.a.echo + 1 }}") + message("c", value=3)))
        stopped = self.expect(self.mapflow("run", "flow.yaml", "--id", "i", "--mode", "debug", "--break", "b", "--json"), 1)
        self.assertEqual(self.document(stopped)["reason"], "stopped before 'b'")
        self.assertIn("to go on: mapflow run flow.yaml --id i", stopped.stderr)
        self.assertEqual([call["path"] for call in self.calls()], ["a"])
        self.assertEqual(self.document(self.expect(self.mapflow("run", "flow.yaml", "--id", "i", "--json"), 0))["results"]["b"]["echo"], 2)
        history = self.document(self.expect(self.mapflow("history", "i", "--json"), 0))
        read = [event["names"] for event in history if event["type"] == "debug.evaluated" and event["path"] == "b"]
        self.assertEqual(read[0]["results"]["a"]["echo"], 1)

    def test_a_dry_run_calls_nobody_and_tells_what_would_be_done(self):
        self.write("flow.yaml", workflow(message("a", value="{{ n + 1 }}") + message("b", value="{{ results.a.echo }}")))
        plan = self.document(self.expect(self.mapflow("run", "flow.yaml", "--mode", "dry-run", "-i", "n=1", "--json"), 0))
        first, second = plan["steps"]
        self.assertEqual(first["fields"]["data"], {"value": 2})
        self.assertEqual((second["fields"]["data"], second["needs"]), ({"value": "{{ results.a.echo }}"}, ["results.a"]))
        told = self.expect(self.mapflow("run", "flow.yaml", "--mode", "dry-run", "-i", "n=1"), 0).stdout
        self.assertIn('data: {"value":2}', told)
        self.assertIn("results.a", told)
        self.assertEqual(self.calls(), [])
        self.assertFalse(os.path.exists(self.path("mapflow.db")), "a dry run leaves no store")

    def test_inputs_come_from_a_file_from_standard_input_and_from_words(self):
        self.write("flow.yaml", workflow(message("a", value="{{ [x, y] }}")))
        self.write("in.json", json.dumps({"x": 1, "y": 1}))
        from_file = self.mapflow("run", "flow.yaml", "--input", "in.json", "-i", "y=two words", "--json")
        self.assertEqual(self.document(self.expect(from_file, 0))["results"]["a"]["echo"], [1, "two words"])
        from_pipe = self.mapflow("run", "flow.yaml", "--input", "-", "--json", stdin='{"x": [1], "y": {"z": null}}')
        self.assertEqual(self.document(self.expect(from_pipe, 0))["results"]["a"]["echo"], [[1], {"z": None}])

    def test_a_failed_workflow_exits_one_with_its_error(self):
        self.write("flow.yaml", workflow(message("a", fail_until="never")))
        result = self.expect(self.mapflow("run", "flow.yaml", "--json"), 1)
        document = self.document(result)
        self.assertEqual(document["state"], "failed")
        self.assertEqual(document["errors"][0]["code"], "not_yet")
        self.assertIn("not_yet: the file is not there", result.stderr)

    def test_a_finished_instance_tells_its_outcome_again_without_running(self):
        self.write("flow.yaml", workflow(message("a", value="{{ n }}")))
        first = self.document(self.expect(self.mapflow("run", "flow.yaml", "-i", "n=1", "--id", "x", "--json"), 0))
        for words in (["-i", "n=1"], []):
            again = self.document(self.expect(self.mapflow("run", "flow.yaml", *words, "--id", "x", "--json"), 0))
            self.assertEqual(again["results"], first["results"])
        self.assertEqual(len(self.calls()), 1)

    def test_an_id_that_exists_with_another_input_is_refused(self):
        self.write("flow.yaml", workflow(message("a", value="{{ n }}")))
        self.expect(self.mapflow("run", "flow.yaml", "-i", "n=1", "--id", "x"), 0)
        result = self.expect(self.mapflow("run", "flow.yaml", "-i", "n=2", "--id", "x", "--json"), 2)
        self.assertEqual(self.document(result)["error"]["code"], "conflict")

    def test_an_id_of_another_workflow_is_refused(self):
        self.write("flow.yaml", workflow(message("a", value=1)))
        self.write("other.yaml", workflow(message("a", value=1), name="other"))
        self.expect(self.mapflow("run", "flow.yaml", "--id", "x"), 0)
        self.expect(self.mapflow("run", "other.yaml", "--id", "x"), 2)

    def test_a_suspended_workflow_exits_one_and_goes_on_when_run_again(self):
        step = "  - { id: a, type: message, destination: worker, action: do, on_error: suspend, data: { fail_until: fixed, value: 7 } }\n"
        self.write("flow.yaml", workflow(step))
        result = self.expect(self.mapflow("run", "flow.yaml", "--id", "x"), 1)
        self.assertIn("suspended", result.stdout)
        self.assertIn("mapflow run flow.yaml --id x", result.stdout)
        self.write("fixed", "")
        again = self.document(self.expect(self.mapflow("run", "flow.yaml", "--id", "x", "--json"), 0))
        self.assertEqual(again["results"]["a"]["echo"], 7)

    def test_a_memory_store_runs_and_leaves_nothing(self):
        self.write("flow.yaml", workflow(message("a", value=1)))
        self.expect(self.mapflow("run", "flow.yaml", "--store", "memory:"), 0)
        self.assertEqual([name for name in os.listdir(self.folder) if ".db" in name], [])

    def test_two_runs_on_one_file_at_once_both_complete(self):
        gate = self.gate()
        self.write("flow.yaml", workflow(message("a", gate=gate) + message("b", value=1)))
        self.write("quick.yaml", workflow(message("c", value=2), name="quick"))
        first = self.start("run", "flow.yaml", "--id", "one", "--json")
        self.wait_for_call("a")
        self.expect(self.mapflow("run", "quick.yaml", "--id", "two"), 0)  # while the first one runs
        self.open_gate(gate)
        out, err = first.communicate()
        self.assertEqual(first.returncode, 0, err)
        self.assertEqual(json.loads(out)["state"], "completed")

    def test_an_instance_that_another_process_runs_is_left_to_it(self):
        gate = self.gate()
        self.write("flow.yaml", workflow(message("a", gate=gate)))
        first = self.start("run", "flow.yaml", "--id", "one")
        self.wait_for_call("a")
        second = self.expect(self.mapflow("run", "flow.yaml", "--id", "one", "--json"), 2)
        self.assertEqual(self.document(second)["error"]["code"], "conflict")
        self.open_gate(gate)
        first.communicate()
        self.assertEqual(first.returncode, 0)
        self.assertEqual(len(self.calls()), 1)

    def test_secrets_reach_the_agent_and_nobody_else(self):
        self.write("flow.yaml", workflow(message("a", secret="{{ secrets.api_key }}") + message("b", secret="{{ secrets.other }}")))
        self.write(".env", "OTHER='hunter-two'\n")
        env = self.environment(MAPFLOW_SECRET_API_KEY="hunter-1")
        result = self.mapflow("run", "flow.yaml", "--secrets", ".env", "--id", "x", "--json", env=env)
        document = self.document(self.expect(result, 0))
        self.assertEqual(document["results"]["a"]["secret_length"], len("hunter-1"))
        self.assertEqual(document["results"]["b"]["secret_length"], len("hunter-two"))
        shown = self.mapflow("show", "x", "--json").stdout + self.mapflow("history", "x", "--json").stdout
        self.assertNotIn("hunter", result.stdout + result.stderr + shown)
        for name in os.listdir(self.folder):
            if name.startswith("mapflow.db"):
                with open(self.path(name), "rb") as file:
                    self.assertNotIn(b"hunter", file.read())

    def test_what_an_agent_says_is_shown_and_cannot_steer_the_terminal(self):
        self.write("flow.yaml", workflow(message("a", say="one \x1b[31mline")))
        result = self.expect(self.mapflow("run", "flow.yaml"), 0)
        self.assertIn("worker: one [31mline", result.stdout)

    def test_watch_tells_what_the_steps_gave(self):
        self.write("flow.yaml", workflow(message("a", value="treasure")))
        self.assertNotRegex(self.expect(self.mapflow("run", "flow.yaml"), 0).stdout, r"step\.completed.*treasure")
        self.assertRegex(self.expect(self.mapflow("run", "flow.yaml", "--watch"), 0).stdout, r"step\.completed.*treasure")

    def test_a_reader_that_goes_away_does_not_stop_the_workflow(self):
        self.write("flow.yaml", workflow("".join(message(f"s{i}", value=i) for i in range(5))))
        process = self.start("run", "flow.yaml", "--id", "x")
        process.stdout.close()
        process.stdout = None
        process.stderr.read()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.document(self.mapflow("show", "x", "--json"))["state"], "completed")

    def test_definitions_beside_the_main_one_are_read(self):
        self.write("flow.yaml", workflow(message("a", value=1)))
        os.mkdir(self.path("more"))
        self.write("more/broken.yaml", "id: broken\nsteps: [ { id: x, type: nonsense } ]\n")
        result = self.expect(self.mapflow("run", "flow.yaml", "--with", "more"), 2)
        self.assertIn("broken.yaml", result.stderr)

    def test_exec_agents_run_in_the_folder_of_the_definition(self):
        os.mkdir(self.path("sub"))
        self.write("sub/agent.py", AGENT)
        self.write("sub/flow.yaml", workflow(message("a", value=1)))
        self.expect(self.mapflow("run", "sub/flow.yaml"), 0)
        self.assertTrue(os.path.exists(self.path("sub/calls.log")))

    def test_the_id_is_printed_before_anything_runs(self):
        gate = self.gate()
        self.write("flow.yaml", workflow(message("a", gate=gate)))
        process = self.start("run", "flow.yaml", stderr=subprocess.STDOUT)
        match = re.match(r"instance (\S+)", process.stdout.readline())
        self.assertTrue(match)
        self.wait_for_call("a")
        self.open_gate(gate)
        process.communicate()
        self.assertEqual(self.document(self.mapflow("show", match.group(1), "--json"))["state"], "completed")


if __name__ == "__main__":
    main()
