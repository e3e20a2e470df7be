"""show, history, list, store verify, jinja and bench: what they print."""

import os
import subprocess

from mapflow_process import PROGRAM, ProcessTest, main, message, workflow


class Look(ProcessTest):
    def setUp(self):
        super().setUp()
        self.write("flow.yaml", workflow(message("a", value="treasure") + message("b", fail_until="never")))
        self.expect(self.mapflow("run", "flow.yaml", "--id", "one", "-i", "n=1"), 1)
        self.write("good.yaml", workflow(message("a", value=1), name="good"))
        self.expect(self.mapflow("run", "good.yaml", "--id", "two"), 0)

    def test_show(self):
        document = self.document(self.expect(self.mapflow("show", "one", "--json"), 0))
        self.assertEqual(document["state"], "failed")
        self.assertEqual(set(document["progress"]), {"completed", "total", "fraction"})
        self.assertEqual([step["path"] for step in document["steps"]], ["a", "b"])
        for step in document["steps"]:
            self.assertLessEqual({"path", "id", "type", "state", "attempt", "started_at", "ended_at"}, set(step))
        self.assertEqual(document["steps"][1]["error"]["code"], "not_yet")
        text = self.expect(self.mapflow("show", "one"), 0).stdout
        for part in ("failed", "treasure", "not_yet", "STEP"):
            self.assertIn(part, text)

    def test_history_is_a_bare_list_in_order(self):
        events = self.history("one")
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        self.assertEqual(events[0]["type"], "workflow.started")
        self.assertEqual(events[-1]["type"], "workflow.failed")
        text = self.expect(self.mapflow("history", "one"), 0).stdout
        self.assertEqual(len(text.splitlines()), len(events))
        self.assertIn("treasure", text)

    def test_replay_does_again_what_was_done(self):
        records = len(self.history("one"))
        self.assertIn(f"{records} of {records} records", self.expect(self.mapflow("replay", "one"), 0).stdout)
        document = self.document(self.expect(self.mapflow("replay", "one", "flow.yaml", "--json"), 0))
        self.assertEqual(document, {"instance_id": "one", "records": records, "same": records, "difference": None})

    def test_replay_tells_where_a_definition_goes_another_way(self):
        self.write("next.yaml", workflow(message("a", value="treasure") + message("c", value=1)))
        document = self.document(self.expect(self.mapflow("replay", "one", "next.yaml", "--json"), 1))
        difference = document["difference"]
        self.assertEqual((difference["recorded"]["path"], difference["now"]["path"]), ("b", "c"))
        self.assertIn("outcome of 'a'", difference["told"])
        text = self.expect(self.mapflow("replay", "one", "next.yaml"), 1).stdout
        for part in ("recorded", "now", f"record {difference['seq']}"):
            self.assertIn(part, text)
        self.assertIn("no instance", self.expect(self.mapflow("replay", "nobody"), 2).stderr)

    def test_list_filters(self):
        rows = self.document(self.expect(self.mapflow("list", "--json"), 0))
        self.assertEqual([row["instance_id"] for row in rows], ["two", "one"])
        self.assertEqual([row["state"] for row in rows], ["completed", "failed"])
        for words, expected in ((["--workflow", "good"], ["two"]), (["--state", "failed"], ["one"]), (["--text", "tw"], ["two"]),
                                (["--limit", "1"], ["two"]), (["--tag", "none"], [])):
            found = self.document(self.expect(self.mapflow("list", "--json", *words), 0))
            self.assertEqual([row["instance_id"] for row in found], expected, words)
        self.assertIn("completed", self.expect(self.mapflow("list"), 0).stdout)
        self.assertIn("running", self.expect(self.mapflow("list", "--state", "runing"), 2).stderr)

    def test_verify_finds_a_sound_store_sound(self):
        document = self.document(self.expect(self.mapflow("store", "verify", "--json"), 0))
        self.assertTrue(document["ok"])
        self.assertEqual(document["instances"], 2)
        self.assertEqual(document["problems"], [])
        self.assertGreaterEqual(document["records"], len(self.history("one")))

    def test_a_reader_that_wants_one_line_gets_one_line(self):
        line = subprocess.run(f"'{PROGRAM}' history one | head -n 1; exit ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash",
                              cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertIn("workflow.started", line.stdout)
        self.assertEqual(line.returncode, 0)
        self.assertEqual(line.stderr, "")


class Jinja(ProcessTest):
    def test_eval(self):
        self.write("data.json", '{"order": {"items": [1, 2, 3]}}')
        result = self.expect(self.mapflow("jinja", "eval", "order.items | sum * 2", "--data", "data.json"), 0)
        self.assertEqual(result.stdout.strip(), "12")
        piped = self.expect(self.mapflow("jinja", "eval", "x + 1", "--data", "-", stdin='{"x": 1}'), 0)
        self.assertEqual(piped.stdout.strip(), "2")

    def test_render(self):
        self.write("mail.j2", "Dear {{ name | title }},\n{% for x in items %}- {{ x }}\n{% endfor %}")
        self.write("data.json", '{"name": "ann", "items": ["pen", "ink"]}')
        result = self.expect(self.mapflow("jinja", "render", "mail.j2", "--data", "data.json"), 0)
        self.assertEqual(result.stdout, "Dear Ann,\n- pen\n- ink\n")

    def test_errors_have_a_place(self):
        self.write("bad.j2", "fine\n{{ nmae }}\n")
        result = self.expect(self.mapflow("jinja", "render", "bad.j2"), 1)
        self.assertIn("bad.j2:2:4", result.stderr)
        self.assertIn("nmae", result.stderr)
        self.expect(self.mapflow("jinja", "render", "bad.j2", "--lenient"), 0)
        self.expect(self.mapflow("jinja", "eval", "1 +"), 1)
        self.expect(self.mapflow("jinja", "render", "missing.j2"), 2)

    def test_a_script_of_lines(self):
        result = self.expect(self.mapflow("jinja", stdin=":set x = 20\nx * 2\n{{ x }} pens\n"), 0)
        self.assertEqual(result.stdout, "40\n20 pens\n")
        self.expect(self.mapflow("jinja", stdin="1 +\n"), 1)


class Bench(ProcessTest):
    KEYS = {"scenario", "store", "steps", "workflows", "concurrency", "seconds", "steps_per_second", "workflows_per_second",
            "latency_ms", "cpu_seconds_per_1000_steps", "peak_rss_mib"}
    SMALL = ["--steps", "3", "--workflows", "50", "--concurrency", "10"]

    def test_sequential_on_every_embedded_store(self):
        for store in ("memory:", "sqlite:bench.db"):
            document = self.document(self.expect(self.mapflow("bench", "sequential", *self.SMALL, "--store", store, "--json"), 0))
            self.assertLessEqual(self.KEYS, set(document))
            self.assertEqual(set(document["latency_ms"]), {"p50", "p99"})
            self.assertEqual((document["steps"], document["workflows"], document["concurrency"]), (3, 50, 10))
            self.assertGreater(document["steps_per_second"], 0)
        self.assertIn("steps/s", self.expect(self.mapflow("bench", "sequential", *self.SMALL), 0).stdout)

    def test_the_limit_of_the_store(self):
        document = self.document(self.expect(self.mapflow("bench", "store-limit", *self.SMALL, "--store", "sqlite:limit.db", "--json"), 0))
        self.assertGreater(document["ratio"], 0)
        self.assertGreater(document["transactions"], 0)
        self.assertGreater(document["bytes"], 50 * 3 * 20)
        self.assertEqual(document["engine"]["workflows"], 50)
        self.assertFalse(os.path.exists(self.path("limit.db.bare")))
        self.expect(self.mapflow("bench", "store-limit", "--store", "sqlite:limit.db"), 2)  # not over an old one
        self.expect(self.mapflow("bench", "store-limit", "--store", "memory:"), 2)


if __name__ == "__main__":
    main()
