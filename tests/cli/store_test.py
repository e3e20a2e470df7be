"""store stats, migrate, export, import, and composite stores from a file."""

import os

from mapflow_process import ProcessTest, main, message, workflow


class Tools(ProcessTest):
    def run_one(self, store, name="a"):
        self.write("flow.yaml", workflow(message("one", value=1) + message("two", value=2)))
        self.expect(self.mapflow("run", "flow.yaml", "--id", name, "--store", store), 0)

    def test_a_store_is_exported_and_imported_and_everything_is_as_it_was(self):
        self.run_one("sqlite:first.db")
        shown = self.document(self.expect(self.mapflow("show", "a", "--store", "sqlite:first.db", "--json"), 0))
        history = self.document(self.expect(self.mapflow("history", "a", "--store", "sqlite:first.db", "--json"), 0))
        out = self.document(self.expect(self.mapflow("store", "export", "all.mapflow", "--store", "sqlite:first.db", "--json"), 0))
        self.assertEqual(out["instances"], 1)
        self.assertEqual(os.stat(self.path("all.mapflow")).st_mode & 0o077, 0)
        back = self.document(self.expect(self.mapflow("store", "import", "all.mapflow", "--store", "sqlite:second.db", "--json"), 0))
        self.assertEqual({k: back[k] for k in ("instances", "definitions", "log_entries", "commands")},
                         {k: out[k] for k in ("instances", "definitions", "log_entries", "commands")})
        self.assertEqual(self.document(self.expect(self.mapflow("show", "a", "--store", "sqlite:second.db", "--json"), 0)), shown)
        self.assertEqual(self.document(self.expect(self.mapflow("history", "a", "--store", "sqlite:second.db", "--json"), 0)), history)
        self.expect(self.mapflow("store", "verify", "--store", "sqlite:second.db"), 0)

    def test_what_cannot_be_exported_or_imported_is_refused(self):
        self.run_one("sqlite:first.db")
        self.expect(self.mapflow("store", "export", "all.mapflow", "--store", "sqlite:first.db"), 0)
        self.assertIn("already", self.expect(self.mapflow("store", "export", "all.mapflow", "--store", "sqlite:first.db"), 2).stderr)
        self.assertIn("in use", self.expect(self.mapflow("store", "import", "all.mapflow", "--store", "sqlite:first.db"), 2).stderr)
        self.write("other", "no export")
        self.assertIn("not an exported store", self.expect(self.mapflow("store", "import", "other", "--store", "sqlite:n.db"), 3).stderr)
        self.assertIn("no store", self.expect(self.mapflow("store", "export", "x", "--store", "sqlite:none.db"), 3).stderr)
        self.assertEqual([name for name in os.listdir(self.path(".")) if name.endswith(".part")], [])

    def test_stats_count(self):
        self.run_one("sqlite:first.db")
        document = self.document(self.expect(self.mapflow("store", "stats", "--store", "sqlite:first.db", "--json"), 0))
        self.assertEqual((document["instances"], document["unfinished"], document["states"]), (1, 0, {"completed": 1}))
        self.assertEqual(document["tiers"], [])
        self.assertIn("up to date", self.expect(self.mapflow("store", "migrate", "--store", "sqlite:first.db"), 0).stdout)

    def test_a_composite_store_backs_up_and_says_how_its_tiers_are(self):
        self.write("tiers.yaml", "primary: sqlite:p.db\ncache: memory:\nbackup: sqlite:b.db\narchive: sqlite:a.db\nretention: 1ms\n")
        self.run_one("tiered:tiers.yaml")
        document = self.document(self.expect(self.mapflow("store", "stats", "--store", "tiered:tiers.yaml", "--json"), 0))
        self.assertEqual([tier["role"] for tier in document["tiers"]], ["primary", "backup", "cache", "archive"])
        self.assertEqual([tier["trouble"] for tier in document["tiers"]], ["", "", "", ""])
        self.assertEqual(document["tiers"][1]["behind"], 0)
        shown = self.document(self.expect(self.mapflow("show", "a", "--store", "tiered:tiers.yaml", "--json"), 0))
        self.assertEqual(shown["state"], "completed")
        self.expect(self.mapflow("store", "verify", "--store", "sqlite:b.db"), 0)

    def test_what_is_over_for_long_enough_is_dropped_for_good(self):
        self.run_one("sqlite:first.db")
        kept = self.document(self.expect(self.mapflow("store", "gc", "--older-than", "1h", "--store", "sqlite:first.db", "--json"), 0))
        self.assertEqual(kept["instances"], 0)
        self.assertGreater(kept["log_entries"], 0)
        self.expect(self.mapflow("show", "a", "--store", "sqlite:first.db"), 0)
        self.assertIn("dropped 1 instance", self.expect(self.mapflow("store", "gc", "--older-than", "0s", "--store", "sqlite:first.db"), 0).stdout)
        self.assertEqual(self.expect(self.mapflow("list", "--store", "sqlite:first.db"), 0).stdout, "")
        self.assertIn("older-than", self.expect(self.mapflow("store", "gc", "--store", "sqlite:first.db"), 2).stderr)

    def test_what_is_over_moves_into_the_archive_when_it_is_told_to(self):
        self.write("tiers.yaml", "primary: sqlite:p.db\narchive: sqlite:a.db\nretention: 30d\n")
        self.run_one("tiered:tiers.yaml")
        self.assertIn("moved 0 instances", self.expect(self.mapflow("store", "archive", "--store", "tiered:tiers.yaml"), 0).stdout)
        moved = self.document(self.expect(self.mapflow("store", "archive", "--older-than", "0s", "--store", "tiered:tiers.yaml", "--json"), 0))
        self.assertEqual(moved["instances"], 1)
        self.assertEqual(self.expect(self.mapflow("list", "--store", "sqlite:p.db"), 0).stdout, "")
        self.expect(self.mapflow("show", "a", "--store", "tiered:tiers.yaml"), 0)
        self.assertIn("has no archive", self.mapflow("store", "archive", "--store", "sqlite:p.db").stderr)

    def test_an_encrypted_store_is_run_verified_and_exported_and_nothing_of_it_can_be_read(self):
        self.write("keys", "k1 " + "1f" * 32 + "\n")
        self.write("flow.yaml", workflow(message("one", value="Ada Lovelace") + message("two", value="Ada Lovelace")))
        store = "encrypted:keys:sqlite:first.db"
        self.expect(self.mapflow("run", "flow.yaml", "--id", "a", "--store", store), 0)
        with open(self.path("first.db"), "rb") as file:
            self.assertNotIn(b"Ada", file.read())
        for words in (["list"], ["show", "a"], ["pause", "a"], ["start", "flow.yaml"], ["run", "flow.yaml"], ["serve"], ["store", "verify"]):
            refused = self.expect(self.mapflow(*words, "--store", "sqlite:first.db"), 3)
            self.assertIn("what is in this store is encrypted, and no keys are named", refused.stderr)
            self.assertIn("--store encrypted:KEYS:sqlite:first.db", refused.stderr)
        self.expect(self.mapflow("store", "verify", "--store", store), 0)
        self.expect(self.mapflow("store", "export", "all", "--store", store), 0)
        self.expect(self.mapflow("store", "import", "all", "--store", "encrypted:keys:sqlite:second.db"), 0)
        self.write("keys", "k2 " + "2e" * 32 + "\n")
        refused = self.mapflow("show", "a", "--store", "encrypted:keys:sqlite:second.db")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("no key 'k1'", refused.stderr)
        self.assertNotIn("2e2e", refused.stderr)

    def test_a_bad_configuration_is_told_with_its_line(self):
        self.write("tiers.yaml", "primary: sqlite:p.db\nbakup: sqlite:b.db\n")
        self.assertIn("tiers.yaml:2: unknown key 'bakup'", self.expect(self.mapflow("list", "--store", "tiered:tiers.yaml"), 2).stderr)


if __name__ == "__main__":
    main()
