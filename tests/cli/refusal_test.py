"""Bad usage, bad definitions, bad stores: a clear message, the right exit code, no crash."""

import json
import os
import resource
import shlex
import shutil
import socket
import sqlite3
import subprocess

from mapflow_process import PROGRAM, ProcessTest, main, message, workflow


class Usage(ProcessTest):
    def test_unknown_verbs_and_options_get_a_suggestion(self):
        self.assertIn("did you mean 'history'?", self.expect(self.mapflow("histroy"), 2).stderr)
        self.assertIn("did you mean '--store'?", self.expect(self.mapflow("list", "--stor", "x"), 2).stderr)
        self.assertIn("FILE", self.expect(self.mapflow("run"), 2).stderr)

    def test_help_and_version_go_to_standard_output(self):
        for words in ([], ["--help"], ["run", "--help"], ["store", "--help"], ["bench", "sequential", "--help"], ["--version"], ["version"]):
            result = self.expect(self.mapflow(*words), 0)
            self.assertTrue(result.stdout.strip())
            self.assertEqual(result.stderr, "")
        self.assertIn("version", self.document(self.mapflow("version", "--json")))

    def test_a_json_reader_gets_its_document_also_when_the_usage_is_wrong(self):
        self.assertIn("error", self.document(self.expect(self.mapflow("run", "--json"), 2)))

    def test_bad_inputs(self):
        self.write("flow.yaml", workflow(message("a", value=1)))
        self.write("list.json", "[1]")
        self.write("broken.json", '{"a": ')
        self.expect(self.mapflow("run", "flow.yaml", "-i", "nonsense"), 2)
        self.expect(self.mapflow("run", "flow.yaml", "--input", "missing.json"), 2)
        self.assertIn("not an object", self.expect(self.mapflow("run", "flow.yaml", "--input", "list.json"), 2).stderr)
        self.assertIn("broken.json:1:", self.expect(self.mapflow("run", "flow.yaml", "--input", "broken.json"), 2).stderr)
        self.write("large.json", json.dumps({"a": "x" * 2_000_000}))
        self.expect(self.mapflow("run", "flow.yaml", "--input", "large.json"), 2)
        self.expect(self.mapflow("run", "flow.yaml", "--secrets", "missing"), 2)
        self.expect(self.mapflow("run", "flow.yaml", "--mode", "slow"), 2)
        self.expect(self.mapflow("run", "flow.yaml", "--break", "a"), 2)
        self.assertIn("no step 'b'", self.expect(self.mapflow("run", "flow.yaml", "--mode", "debug", "--break", "b"), 2).stderr)
        self.assertEqual(self.calls(), [])

    def test_an_input_that_does_not_fit_the_schema(self):
        text = workflow(message("a", value=1)) + "variables_schema: { type: object, required: [order_id] }\n"
        self.write("flow.yaml", text)
        result = self.expect(self.mapflow("run", "flow.yaml"), 2)
        self.assertIn("order_id", result.stderr)


class Definitions(ProcessTest):
    def refused(self, text, *expected):
        self.write("flow.yaml", text)
        result = self.expect(self.mapflow("run", "flow.yaml"), 2)
        for part in expected:
            self.assertIn(part, result.stderr)
        checked = self.expect(self.mapflow("validate", "flow.yaml", "--json"), 2)
        document = self.document(checked)
        self.assertFalse(document["ok"])
        self.assertTrue(document["diagnostics"])
        for diagnostic in document["diagnostics"]:
            self.assertEqual(set(diagnostic), {"severity", "code", "file", "line", "column", "message", "hint"})
        self.assertFalse(os.path.exists(self.path("mapflow.db")), "nothing was begun")

    def test_a_missing_file(self):
        self.assertIn("no-such.yaml", self.expect(self.mapflow("run", "no-such.yaml"), 2).stderr)
        self.assertIn("no-such.yaml", self.expect(self.mapflow("validate", "no-such.yaml"), 2).stderr)

    def test_a_folder_instead_of_a_file(self):
        self.expect(self.mapflow("run", "."), 2)

    def test_malformed_yaml(self):
        self.refused("id: x\nsteps: [ {", "flow.yaml:")

    def test_an_unknown_kind(self):
        self.refused("id: x\nsteps:\n  - { id: a, type: mesage }\n", "flow.yaml:3", "did you mean 'message'?")

    def test_an_unknown_agent(self):
        self.refused(workflow("  - { id: a, type: message, destination: wroker, action: do }\n"), "flow.yaml:", "did you mean 'worker'?")

    def test_duplicate_ids(self):
        self.refused(workflow(message("a", value=1) + message("a", value=2)), "flow.yaml:", "'a'")

    def test_all_problems_are_told_at_once(self):
        self.refused("id: x\nsteps:\n  - { id: a, type: mesage }\n  - { id: b, type: wiat }\n", "mesage", "wiat")

    def test_bytes_that_are_not_text(self):
        with open(self.path("flow.yaml"), "wb") as file:
            file.write(b"id: \xff\xfe\n\x00")
        self.expect(self.mapflow("run", "flow.yaml"), 2)

    def test_sound_definitions_validate(self):
        self.write("flow.yaml", workflow(message("a", value=1)))
        self.assertIn("flow.yaml: ok", self.expect(self.mapflow("validate", "flow.yaml"), 0).stdout)
        self.assertEqual(self.document(self.mapflow("validate", "flow.yaml", "--json")), {"ok": True, "diagnostics": []})


class Stores(ProcessTest):
    def setUp(self):
        super().setUp()
        self.write("flow.yaml", workflow(message("a", value=1)))

    def refused(self, store, *expected, **options):
        result = self.expect(self.mapflow("run", "flow.yaml", "--store", store, "--json", **options), 3)
        self.assertIn("error", self.document(result))
        for part in expected:
            self.assertIn(part, result.stderr)
        self.assertEqual(self.calls(), [])

    def test_a_file_that_is_no_database(self):
        self.write("x.db", "this is not a database, but it is long enough to look like one " * 50)
        self.refused("sqlite:x.db", "x.db")
        self.expect(self.mapflow("list", "--store", "sqlite:x.db"), 3)

    def test_a_database_of_another_program(self):
        with sqlite3.connect(self.path("x.db")) as db:
            db.execute("CREATE TABLE t (x)")
        self.refused("sqlite:x.db", "another program")

    def test_a_store_of_a_newer_version(self):
        self.expect(self.mapflow("run", "flow.yaml", "--store", "sqlite:x.db"), 0)
        os.remove(self.path("calls.log"))
        with sqlite3.connect(self.path("x.db")) as db:
            db.execute("INSERT INTO migrations VALUES (9999, 'from the future', '2100-01-01T00:00:00Z')")
        self.refused("sqlite:x.db", "9999")

    def test_a_corrupt_store(self):
        self.expect(self.mapflow("run", "flow.yaml", "--store", "sqlite:x.db", "--id", "x"), 0)
        with sqlite3.connect(self.path("x.db")) as db:
            db.execute("UPDATE instances SET snapshot = zeroblob(length(snapshot))")
            db.execute("DELETE FROM log")
        result = self.expect(self.mapflow("show", "x", "--store", "sqlite:x.db", "--json"), 3)
        self.assertEqual(self.document(result)["error"]["code"], "corrupt")
        verified = self.expect(self.mapflow("store", "verify", "--store", "sqlite:x.db", "--json"), 1)
        self.assertFalse(self.document(verified)["ok"])
        self.assertEqual(self.document(verified)["problems"][0]["where"], "instance x")

    def test_a_folder_that_does_not_exist_or_may_not_be_written(self):
        self.refused("sqlite:no/such/folder/x.db", "no/such/folder")
        os.mkdir(self.path("locked"), 0o555)
        os.chmod(self.folder, 0o755)
        # Root may write everywhere, and somebody else may not be able to reach the program in root's home.
        options = {"user": 65534, "group": 65534, "executable": shutil.copy(PROGRAM, self.folder)} if os.geteuid() == 0 else {}
        self.refused("sqlite:locked/x.db", "locked/x.db", **options)

    def test_a_file_that_may_not_grow(self):
        limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))}
        self.refused("sqlite:x.db", "x.db", **limit)

    def test_standard_streams_that_are_closed_are_not_taken_for_the_store(self):
        command = shlex.join(self.command("run", "flow.yaml", "--store", "sqlite:x.db"))
        closed = subprocess.run(f"{command} <&- >&- 2>&-", shell=True, cwd=self.folder, env=self.environment(), check=False)
        self.assertEqual(closed.returncode, 0)
        self.expect(self.mapflow("store", "verify", "--store", "sqlite:x.db"), 0)

    def test_a_server_that_is_away_is_named_without_the_password_and_what_to_do(self):
        self.write("flow.yaml", workflow(message("a", value=1)))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]  # nobody listens there afterwards
        self.write("tiers.yaml", f"primary: redis://ada:s3cret@127.0.0.1:{port}/0\ncache: \"memory:\"\n")
        for store, name in ((f"postgres://ada:s3cret@127.0.0.1:{port}/db", f"postgres://ada@127.0.0.1:{port}/db"),
                            (f"redis://ada:s3cret@127.0.0.1:{port}/0", f"redis://ada@127.0.0.1:{port}/0"),
                            ("tiered:tiers.yaml", f"redis://ada@127.0.0.1:{port}/0")):
            for words in (["list"], ["show", "x"], ["pause", "x"], ["run", "flow.yaml"], ["start", "flow.yaml", "--timeout", "0"]):
                result = self.expect(self.mapflow(*words, "--json", "--store", store), 3)
                error = self.document(result)["error"]
                self.assertIn(f"{name}: cannot connect", error["message"])
                self.assertIn("look whether the server runs", error["hint"])
                self.assertNotIn("s3cret", result.stdout + result.stderr)

    def test_an_unknown_kind_of_store_is_bad_usage(self):
        self.assertIn("sqlite:PATH", self.expect(self.mapflow("run", "flow.yaml", "--store", "oracle:x"), 2).stderr)

    def test_looking_into_a_store_that_is_not_there_makes_none(self):
        for words in (["list"], ["show", "x"], ["history", "x"], ["store", "verify"]):
            self.expect(self.mapflow(*words), 3)
        self.assertFalse(os.path.exists(self.path("mapflow.db")))

    def test_an_instance_that_is_not_there(self):
        self.expect(self.mapflow("run", "flow.yaml"), 0)
        result = self.expect(self.mapflow("show", "nobody", "--json"), 2)
        self.assertEqual(json.loads(result.stdout)["error"]["code"], "not_found")


if __name__ == "__main__":
    main()
