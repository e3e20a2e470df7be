"""Verbs on an instance that a living process runs, that a dead one left, that is over, and that never was."""

import contextlib
import json
import os
import signal

from mapflow_process import ProcessTest, main, message, wait_for, workflow

STEPS = "  - { id: held, type: wait, signal: go }\n" + message("after", value=1)
INBOX = """
id: asking
version: "1.0"
agents: { boss: { human: {} } }
steps:
  - { id: ask, type: message, destination: boss, action: approve, data: { amount: 3 } }
"""
SUSPENDING = workflow('  - { id: shaky, type: message, destination: worker, action: do, on_error: suspend,\n'
                      '      data: { fail_until: "ready" } }\n' + message("after", value=1), name="shaky")


class Verbs(ProcessTest):
    def setUp(self):
        super().setUp()
        self.write("flow.yaml", workflow(STEPS))

    def run_in_background(self, file="flow.yaml", instance="i"):
        process = self.start("run", file, "--id", instance)
        wait_for(lambda: self.mapflow("show", instance).returncode == 0, "the instance")
        return process

    def left_by_the_dead(self, file="flow.yaml", instance="i"):
        process = self.run_in_background(file, instance)
        process.kill()
        process.communicate()

    def state(self, instance="i"):
        return self.document(self.expect(self.mapflow("show", instance, "--json"), 0))["state"]

    def carried_out(self, *words, rests=True):
        """The one document of a verb that succeeds; its effect is there when it returns. rests: it goes no further by itself."""
        document = self.document(self.expect(self.mapflow(*words, "--json"), 0))
        self.assertLessEqual({"instance_id", "workflow", "version", "state", "done", "runner"}, set(document))
        if rests:
            self.assertEqual(document["state"], self.state(document["instance_id"]))
        return document

    def refused(self, *words, code=2, says=""):
        result = self.expect(self.mapflow(*words, "--json"), code)
        error = self.document(result)["error"]
        self.assertIn(says, error["message"])
        self.assertIn(error["message"], result.stderr)
        return error

    def test_an_instance_that_a_living_process_runs(self):
        process = self.run_in_background()
        self.assertEqual(self.carried_out("pause", "i", "--reason", "lunch")["state"], "paused")
        self.assertEqual(self.carried_out("pause", "i")["state"], "paused")  # the same again is fine
        self.carried_out("update", "i", "-i", "limit=5", "-i", "customer.name=ann")
        document = self.carried_out("resume", "i")
        self.assertEqual(document["state"], "running")
        self.assertTrue(document["runner"])
        self.refused("update", "i", "--budget", "tokens=lots", says="tokens=lots")
        self.refused("update", "i", "-i", "limit=6", says="running")
        self.refused("retry", "i", "held", says="waiting")
        self.refused("retry", "i", "nothing", says="nothing")
        self.carried_out("signal", "i", "go", '{"by": "ann"}', rests=False)
        out, err = process.communicate()
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("command.received", out)
        result = self.document(self.expect(self.mapflow("result", "i", "--json"), 0))
        self.assertEqual(result["results"]["held"], {"by": "ann"})
        self.assertEqual(result["variables"], {"limit": 5, "customer": {"name": "ann"}})

    def test_an_instance_that_a_dead_process_left(self):
        self.left_by_the_dead()
        self.assertEqual(self.carried_out("pause", "i")["state"], "paused")
        document = self.carried_out("resume", "i")
        self.assertEqual((document["state"], document["runner"]), ("running", None))
        said = self.expect(self.mapflow("signal", "i", "go", "1"), 0)
        self.assertIn("mapflow run", said.stderr, "it is said how it goes on")
        self.assertEqual(self.calls(), [], "a verb runs nothing")
        self.expect(self.mapflow("run", "flow.yaml", "--id", "i"), 0)
        self.assertEqual(len(self.calls()), 1)

    def test_an_instance_that_a_dead_process_left_can_be_ended(self):
        for verb, instance in (("cancel", "i"), ("terminate", "j")):
            self.left_by_the_dead(instance=instance)
            self.assertEqual(self.carried_out(verb, instance, "--reason", "enough")["state"], "cancelled")
        self.assertEqual(self.calls(), [])
        self.expect(self.mapflow("store", "verify"), 0)

    def test_an_instance_that_is_over(self):
        self.write("done.yaml", workflow(message("a", value=1), name="done"))
        self.expect(self.mapflow("run", "done.yaml", "--id", "i"), 0)
        for words in (["pause", "i"], ["resume", "i"], ["cancel", "i"], ["terminate", "i"], ["signal", "i", "go"], ["skip", "i", "a"]):
            error = self.refused(*words, says="completed")
            self.assertEqual(error["code"], "invalid_state")

    def test_an_instance_that_never_was(self):
        self.expect(self.mapflow("start", "flow.yaml"), 0)
        for words in (["pause"], ["resume"], ["cancel"], ["terminate"], ["signal", "go"], ["retry"], ["skip", "a"], ["update", "-i", "a=1"],
                      ["show"], ["history"], ["result"], ["watch"]):
            error = self.refused(words[0], "ghost", *words[1:], says="ghost")
            self.assertEqual(error["code"], "not_found")
        self.refused("inbox", "answer", "ghost/a#1", "yes")

    def test_a_store_that_is_not_there(self):
        for words in (["pause", "i"], ["inbox"], ["result", "i"], ["watch", "i"], ["signal", "i", "go"]):
            self.assertEqual(self.refused(*words, "--store", "sqlite:nowhere.db", code=3)["code"], "unavailable")

    def test_a_suspended_step_is_retried_or_skipped(self):
        self.write("shaky.yaml", SUSPENDING)
        for instance, words, results in (("i", ["retry", "i", "shaky"], {"shaky": {"echo": None, "secret_length": 0}}),
                                         ("j", ["skip", "j", "shaky", "-i", "x=1"], {"shaky": {"x": 1}})):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.path("ready"))
            self.expect(self.mapflow("run", "shaky.yaml", "--id", instance), 1)
            self.expect(self.mapflow("result", instance), 1)
            self.assertEqual(self.carried_out(*words)["state"], "running")
            self.write("ready", "")
            result = self.document(self.expect(self.mapflow("run", "shaky.yaml", "--id", instance, "--json"), 0))
            self.assertEqual(result["results"]["shaky"], results["shaky"])

    def test_an_instance_that_failed_is_taken_back(self):
        self.write("bad.yaml", workflow(message("a", value=1) + message("b", fail_until="ready") + message("c", value=3), name="bad"))
        self.expect(self.mapflow("run", "bad.yaml", "--id", "i"), 1)
        self.assertEqual(self.carried_out("retry", "i")["state"], "running")
        self.refused("rewind", "i", "nowhere", says="nowhere")
        self.refused("rewind", "i", "--before", "a", "nowhere", says="where")
        self.write("ready", "")
        self.expect(self.mapflow("run", "bad.yaml", "--id", "i"), 0)
        self.assertEqual(self.carried_out("rewind", "i", "--before", "b")["state"], "running")
        self.expect(self.mapflow("run", "bad.yaml", "--id", "i"), 0)
        paths = [call["path"] for call in self.calls()]
        self.assertEqual((paths.count("a"), paths.count("c")), (1, 2))

    def test_rerun_is_another_instance_like_the_first(self):
        self.write("flow.yaml", workflow(message("a", value="{{ n }}")))
        self.expect(self.mapflow("run", "flow.yaml", "--id", "i", "-i", "n=7"), 0)
        self.assertEqual(self.carried_out("rerun", "i", "--new-id", "j")["state"], "running")
        result = self.document(self.expect(self.mapflow("run", "flow.yaml", "--id", "j", "--json"), 0))
        self.assertEqual(result["results"]["a"]["echo"], 7)
        self.refused("rerun", "ghost", says="ghost")

    def test_sent_twice_under_one_key_is_carried_out_once(self):
        self.left_by_the_dead()
        self.carried_out("pause", "i")
        for _ in range(2):
            self.carried_out("signal", "i", "other", "1", "--key", "once")
        received = [event for event in self.history("i") if event["type"] == "signal.received"]
        self.assertEqual(len(received), 1)

    def test_a_message_to_a_person_is_listed_and_answered(self):
        self.write("asking.yaml", INBOX)
        process = self.run_in_background("asking.yaml")
        waiting = wait_for(lambda: self.document(self.mapflow("inbox", "--json")), "the message")
        self.assertEqual(waiting[0]["token"], "i/ask#1")
        self.assertEqual(waiting[0]["data"], {"amount": 3})
        self.assertIn("approve", self.expect(self.mapflow("inbox", "list"), 0).stdout)
        self.refused("inbox", "answer", "i/other#1", "yes")
        self.carried_out("inbox", "answer", "i/ask#1", "-i", "approved=true")
        process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.document(self.mapflow("result", "i", "--json"))["results"]["ask"], {"approved": True})
        self.assertEqual(self.document(self.mapflow("inbox", "--json")), [])


class Following(ProcessTest):
    def setUp(self):
        super().setUp()
        self.write("flow.yaml", workflow(STEPS))
        self.run_ = self.start("run", "flow.yaml", "--id", "i")
        wait_for(lambda: self.mapflow("show", "i").returncode == 0, "the instance")

    def test_watch_tells_everything_until_the_end(self):
        watch = self.start("watch", "i")
        watch_json = self.start("watch", "i", "--json")
        late = self.start("watch", "i", "--json", "--from-now")
        self.assertIn("workflow.started", watch_json.stdout.readline())
        self.expect(self.mapflow("signal", "i", "go"), 0)
        text, _ = watch.communicate()
        lines = [json.loads(line) for line in watch_json.stdout]  # communicate() would miss what readline() has read ahead
        watch_json.communicate()
        self.assertEqual((watch.returncode, watch_json.returncode), (0, 0))
        self.assertIn("step.completed", text)
        self.assertIn("completed in", text)
        self.assertEqual([line["seq"] for line in lines], list(range(2, len(lines) + 2)))
        self.assertEqual(lines[-1]["type"], "workflow.completed")
        self.assertEqual({line["instance_id"] for line in lines}, {"i"})
        self.assertNotIn("workflow.started", late.communicate()[0])

    def test_result_waits_when_asked_to(self):
        error = self.document(self.expect(self.mapflow("result", "i", "--json"), 2))["error"]
        self.assertIn("running", error["message"])
        self.assertEqual(self.document(self.expect(self.mapflow("result", "i", "--wait", "--timeout", "0.1", "--json"), 2))["error"]["code"],
                         "timeout")
        waiting = self.start("result", "i", "--wait", "--json")
        self.expect(self.mapflow("cancel", "i"), 0)
        document = json.loads(waiting.communicate()[0])
        self.assertEqual((waiting.returncode, document["state"]), (1, "cancelled"))

    def test_ctrl_c_ends_the_watching_and_not_the_instance(self):
        watch = self.start("watch", "i", "--json")
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        watch.communicate()
        self.assertEqual(watch.returncode, 130)
        self.assertEqual(self.document(self.mapflow("show", "i", "--json"))["state"], "running")


class Starting(ProcessTest):
    def test_start_accepts_and_runs_nothing(self):
        self.write("flow.yaml", workflow(message("a", value=1)))
        document = self.document(self.expect(self.mapflow("start", "flow.yaml", "--id", "i", "-i", "n=1", "--tag", "blue", "--json"), 0))
        self.assertEqual((document["instance_id"], document["runner"]), ("i", None))
        self.assertEqual(self.calls(), [])
        self.expect(self.mapflow("start", "flow.yaml", "--id", "i", "-i", "n=1"), 0)
        conflict = self.expect(self.mapflow("start", "flow.yaml", "--id", "i", "-i", "n=2", "--json"), 2)
        self.assertEqual(self.document(conflict)["error"]["code"], "conflict")
        rows = self.document(self.mapflow("list", "--tag", "blue", "--json"))
        self.assertEqual([row["instance_id"] for row in rows], ["i"])
        self.expect(self.mapflow("run", "flow.yaml", "--id", "i"), 0)  # a process of its own may take it up
        self.assertEqual(len(self.calls()), 1)

    def test_what_is_wrong_is_refused_before_anything_is_accepted(self):
        self.write("bad.yaml", workflow("  - { id: a, type: message, destination: wroker, action: do }\n"))
        self.assertIn("wroker", self.expect(self.mapflow("start", "bad.yaml"), 2).stderr)
        self.write("flow.yaml", workflow(message("a", value=1)) + "variables_schema: { type: object, required: [n] }\n")
        self.assertIn("'n'", self.expect(self.mapflow("start", "flow.yaml"), 2).stderr)
        self.assertEqual(self.document(self.expect(self.mapflow("list", "--json"), 0)), [])


if __name__ == "__main__":
    main()
