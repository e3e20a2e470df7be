"""Serving nodes: they run what is in a store, share it, survive each other's deaths, and tell how they are."""

import json
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from mapflow_process import ProcessTest, main, message, wait_for, workflow

GATED = message("a", value=1) + message("b", gate="gate", value=2) + message("c", value=3)


class ServeTest(ProcessTest):
    def serve(self, *words):
        """A node that is ready, and its address."""
        process = self.start("serve", "--listen", "127.0.0.1:0", *words)
        lines = []
        while True:
            line = process.stderr.readline()
            self.assertTrue(line, "it ended: " + "".join(lines))
            lines.append(line)
            found = re.search(r"answers on (http://\S+/)", line)
            if found:
                return process, found.group(1)

    def get(self, address, path):
        try:
            with urllib.request.urlopen(address + path, timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def result(self, instance, code=0):
        return self.document(self.expect(self.mapflow("result", instance, "--wait", "--json"), code))

    def metric(self, address, series):
        status, text = self.get(address, "metrics")
        self.assertEqual(status, 200)
        found = re.search("^" + re.escape(series) + r" (\S+)$", text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def end(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        _, err = process.communicate()
        return process.returncode, err


class OneNode(ServeTest):
    def test_it_runs_what_was_started_before_and_after(self):
        self.write("flow.yaml", workflow(message("a", value="{{ n }}")))
        self.expect(self.mapflow("start", "flow.yaml", "--id", "before", "-i", "n=1"), 0)
        node, _ = self.serve("--node", "one")
        self.expect(self.mapflow("start", "flow.yaml", "--id", "after", "-i", "n=2"), 0)
        self.assertEqual(self.result("before")["results"]["a"]["echo"], 1)
        self.assertEqual(self.result("after")["results"]["a"]["echo"], 2)
        self.assertEqual(self.end(node)[0], 0)

    def test_it_tells_how_it_is(self):
        node, address = self.serve("--node", "one")
        self.assertEqual(json.loads(self.get(address, "healthz")[1]), {"status": "ok", "node": "one"})
        self.assertEqual(self.get(address, "readyz")[0], 200)
        self.assertIn("version", json.loads(self.get(address, "version")[1]))
        self.assertEqual(self.get(address, "nothing")[0], 404)
        self.assertEqual(self.end(node, signal.SIGINT)[0], 0)
        with self.assertRaises(OSError):
            self.get(address, "healthz")

    def test_it_counts(self):
        self.write("flow.yaml", workflow(message("a", value=1)))
        self.write("bad.yaml", workflow('  - { id: b, type: message, destination: worker, action: do, retry: { max_attempts: 2, initial_delay: 10ms },\n'
                                        '      data: { fail_until: never, retryable: true } }\n', name="bad"))
        node, address = self.serve()
        self.expect(self.mapflow("start", "flow.yaml", "--id", "i"), 0)
        self.expect(self.mapflow("start", "bad.yaml", "--id", "j"), 0)
        self.result("i")
        self.result("j", code=1)
        wait_for(lambda: self.metric(address, 'mapflow_workflows_total{workflow="bad",outcome="failed"}') == 1, "the count")
        for series, value in (('mapflow_workflows_total{workflow="flow",outcome="completed"}', 1),
                              ('mapflow_workflow_duration_seconds_count{workflow="flow"}', 1),
                              ('mapflow_steps_total{kind="message",outcome="completed"}', 1),
                              ('mapflow_steps_total{kind="message",outcome="failed"}', 1),
                              ('mapflow_step_duration_seconds_count{kind="message"}', 2),
                              ('mapflow_step_retries_total', 1),
                              ('mapflow_agent_requests_total{agent="worker",outcome="ok"}', 1),
                              ('mapflow_agent_requests_total{agent="worker",outcome="not_yet"}', 2)):
            self.assertEqual(self.metric(address, series), value, series)
        for series in ("mapflow_store_commit_seconds_count", "mapflow_store_batch_records_count", "mapflow_lease_transfers_total",
                       "mapflow_recovery_seconds_count"):
            self.assertGreater(self.metric(address, series), 0, series)
        self.end(node)

    def test_it_tells_what_it_holds_and_what_waits(self):
        self.gate()
        self.write("flow.yaml", workflow(message("b", gate="gate")).replace("worker: {", "worker: { max_concurrent: 1,"))
        self.write("wait.yaml", workflow("  - { id: held, type: wait, signal: go }\n", name="wait"))
        node, address = self.serve()
        for name in ("i", "j"):
            self.expect(self.mapflow("start", "flow.yaml", "--id", name), 0)
        self.expect(self.mapflow("start", "wait.yaml", "--id", "k"), 0)
        self.expect(self.mapflow("pause", "k"), 0)
        wait_for(lambda: self.metric(address, 'mapflow_queue_depth{queue="agents"}') == 1, "one call to wait for the other")
        self.assertEqual(self.metric(address, 'mapflow_instances{state="running"}'), 2)
        self.assertEqual(self.metric(address, 'mapflow_instances{state="paused"}'), 1)
        self.assertGreaterEqual(self.metric(address, 'mapflow_rate_limited_total{agent="worker"}'), 1)
        for call in (1, 2):
            self.wait_for_call("b", call)
            self.open_gate()
        wait_for(lambda: self.metric(address, 'mapflow_instances{state="running"}') == 0, "them to be over")
        _, page = self.get(address, "metrics")
        for series in ("instances{state=\"pending\"}", "instances{state=\"suspended\"}", "instances{state=\"compensating\"}",
                       *(f"queue_depth{{queue=\"{queue}\"}}" for queue in ("letters", "inputs", "turns", "agents", "handlers", "events"))):
            self.assertIn(f"mapflow_{series} 0\n", page)
        self.end(node)

    def test_it_counts_the_tokens_that_agents_say_they_used(self):
        self.write("flow.yaml", workflow(message("a", usage={"input_tokens": 120, "output_tokens": 30}) + message("b", value=1)))
        node, address = self.serve()
        for name in ("i", "j"):
            self.expect(self.mapflow("start", "flow.yaml", "--id", name), 0)
            self.result(name)
        wait_for(lambda: self.metric(address, 'mapflow_tokens_total{agent="worker",direction="output"}') == 60, "the count")
        self.assertEqual(self.metric(address, 'mapflow_tokens_total{agent="worker",direction="input"}'), 240)
        self.end(node)

    def test_verbs_reach_what_it_runs(self):
        self.write("flow.yaml", workflow("  - { id: held, type: wait, signal: go }\n"))
        node, _ = self.serve("--node", "one")
        self.expect(self.mapflow("start", "flow.yaml", "--id", "i"), 0)
        document = self.document(self.expect(self.mapflow("pause", "i", "--json"), 0))
        self.assertEqual((document["state"], document["runner"]), ("paused", None if document["runner"] is None else "one"))
        self.expect(self.mapflow("resume", "i"), 0)
        self.expect(self.mapflow("signal", "i", "go", "7"), 0)
        self.assertEqual(self.result("i")["results"]["held"], 7)
        self.end(node)

    def test_it_takes_over_what_a_dead_run_left(self):
        self.gate()
        self.write("flow.yaml", workflow(GATED))
        run = self.start("run", "flow.yaml", "--id", "i")
        self.wait_for_call("b")
        run.kill()
        run.communicate()
        node, _ = self.serve()
        self.wait_for_call("b", 2)
        self.open_gate()
        self.assertEqual(self.result("i")["state"], "completed")
        self.assertEqual(len([call for call in self.calls() if call["path"] == "a"]), 1)
        self.end(node)

    def test_what_it_refuses(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        node, _ = self.serve("--node", "one")
        for words, code, says in ((["--listen", "0.0.0.0:0"], 2, "--allow-remote"), (["--listen", "nonsense"], 2, "nonsense"),
                                  (["--listen", f"127.0.0.1:{taken.getsockname()[1]}"], 3, "cannot listen"),
                                  (["--node", "a/b"], 2, "a/b"), (["--node", "one"], 2, "runs already"),
                                  (["--store", "memory:"], 2, "memory"), (["--workflows", "missing.yaml"], 2, "missing.yaml"),
                                  (["--store", "sqlite:/nowhere/x.db"], 3, "/nowhere")):
            result = self.expect(self.mapflow("serve", *([] if "--listen" in words else ["--listen", "127.0.0.1:0"]), *words), code)
            self.assertIn(says, result.stderr)
        self.end(node)


class AwayServer(ServeTest):
    def setUp(self):
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.store = f"redis://127.0.0.1:{self.port}/0"
        self.write("flow.yaml", workflow(message("a", value=1)))

    def start_server(self):
        server = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder],
                                  stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

    def wait_until_it_waits(self, process):
        self.assertIn("trying again for", process.stderr.readline())

    def test_a_node_and_a_start_wait_for_it(self):
        node = self.start("serve", "--listen", "127.0.0.1:0", "--store", self.store)
        starter = self.start("start", "flow.yaml", "--id", "i", "--store", self.store)
        for process in (node, starter):
            self.wait_until_it_waits(process)
        self.start_server()
        self.assertEqual((starter.communicate(timeout=60), starter.returncode)[1], 0)
        self.expect(self.mapflow("result", "i", "--wait", "--store", self.store), 0)
        self.assertEqual(self.end(node)[0], 0)

    def test_they_do_not_wait_for_ever_and_can_be_stopped(self):
        result = self.expect(self.mapflow("start", "flow.yaml", "--timeout", "1", "--store", self.store), 3)
        self.assertIn("look whether the server runs", result.stderr)
        node = self.start("serve", "--listen", "127.0.0.1:0", "--store", self.store)
        self.wait_until_it_waits(node)
        self.assertEqual(self.end(node)[0], 0)


class Fleet(ServeTest):
    COUNT = 12

    def start_many(self):
        for number in range(self.COUNT):
            self.expect(self.mapflow("start", "flow.yaml", "--id", f"i{number}"), 0)

    def check_all(self):
        for number in range(self.COUNT):
            self.assertEqual(self.result(f"i{number}")["state"], "completed")
            done = [event["path"] for event in self.history(f"i{number}") if event["type"] == "step.completed"]
            self.assertEqual(sorted(done), ["a", "b"], "each step is completed once")
        self.expect(self.mapflow("store", "verify"), 0)

    def test_two_nodes_share_and_one_survives_the_death_of_the_other(self):
        self.write("flow.yaml", workflow(message("a", value=1) + message("b", fail_until="ready", retryable=True).replace(
            ", data", ", retry: { strategy: linear, initial_delay: 50ms, max_delay: 100ms, max_attempts: 100000 }, data")))
        one, _ = self.serve("--node", "one")
        two, _ = self.serve("--node", "two")
        self.start_many()
        wait_for(lambda: len({call["path"] for call in self.calls()}) == 2, "both steps to be called")
        one.kill()
        one.communicate()
        self.write("ready", "")
        self.check_all()
        self.assertEqual(self.end(two)[0], 0)

    def test_a_node_that_is_asked_to_end_hands_over(self):
        self.write("flow.yaml", workflow("  - { id: a, type: wait, signal: go }\n" + message("b", value=2)))
        one, _ = self.serve("--node", "one")
        self.start_many()
        two, _ = self.serve("--node", "two")
        self.assertEqual(self.end(one)[0], 0)
        for number in range(self.COUNT):
            self.expect(self.mapflow("signal", f"i{number}", "go"), 0)
        self.check_all()
        self.assertEqual(self.end(two)[0], 0)


if __name__ == "__main__":
    main()
