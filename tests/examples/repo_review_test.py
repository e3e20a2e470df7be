#!/usr/bin/env python3
"""examples/repo_review: reviews real repositories, tame and strange ones, and says so when it cannot."""

import concurrent.futures
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from program import EXAMPLES, ROOT, completed_paths, mapflow

WORKFLOW = EXAMPLES / "repo_review" / "workflow.yaml"
SECTIONS = ["# Review of", "## What to do first", "## Parts", "## Hot spots", "## Secrets", "## Licences",
            "## How the points come about"]


class RepoReview(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.repo = self.folder / "repo"
        self.repo.mkdir()

    def git(self, *arguments):
        subprocess.run(["git", "-c", "user.name=Ann", "-c", "user.email=ann@localhost", "-c", "commit.gpgsign=false",
                        *arguments], cwd=self.repo, check=True, capture_output=True)

    def write(self, name, content):
        path = os.path.join(os.fsencode(self.repo), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "more")

    def review(self, *more, repo=None, store="memory:"):
        return mapflow("run", WORKFLOW, "--store", store, "--json", "-i", f"repo={repo or self.repo}",
                       "-i", "report=review.md", *more, cwd=self.folder)

    def report(self):
        return (self.folder / "review.md").read_text(encoding="utf-8")

    def test_reviews_the_repository_it_lies_in(self):
        if not (ROOT / ".git").exists():
            self.skipTest("the sources are no Git checkout")
        done = mapflow("run", WORKFLOW, "--store", "sqlite:x.db", "--id", "demo", "--json", cwd=self.folder)
        self.assertEqual(done.exit, 0, done)
        report = (self.folder / "repo_review.md").read_text(encoding="utf-8")
        self.assertEqual([section for section in SECTIONS if section not in report], [])
        self.assertIn("C++", report)
        self.assertIn("`LICENSE`: Apache-2.0", report)
        history = mapflow("history", "demo", "--store", "sqlite:x.db", "--json", cwd=self.folder).json
        paths = completed_paths(history)
        self.assertEqual(len(paths), len(set(paths)))
        self.assertGreaterEqual(len([path for path in paths if path.endswith("/judge")]), 2)

    def test_tells_what_is_wrong_with_a_small_one(self):
        self.git("init", "-q")
        self.write("app/main.py", b"x = 1  # TODO\n" * 700)
        self.write("app/settings.py", b'key = "' + b"AKIA" + b'ABCDEFGHIJKLMNOP"\n')
        self.commit()
        self.write("app/main.py", b"y = 2\n" * 700)
        self.commit()
        done = self.review()
        self.assertEqual(done.exit, 0, done)
        report = self.report()
        for expected in ("there is no licence", "no README", "app/main.py has 700 lines", "AWS access key",
                         "`app/settings.py:1`", "| `app/main.py` | 2 | 1 |"):
            self.assertIn(expected.lower(), report.lower())
        self.assertNotIn("ABCDEFGHIJKLMNOP", report)

    def test_strange_names_do_no_harm(self):
        self.git("init", "-q")
        for name in ("we ird/a\nb.py", "we ird/$(touch hurt).sh", "p|pe/`x`.md", b"latin\xe9/\xff.c", "-n", "a'b\"c.js"):
            self.write(name, b"x = 1\n")
        os.symlink("/etc/passwd", self.repo / "link")
        self.commit()
        done = self.review()
        self.assertEqual(done.exit, 0, done)
        self.assertIn("6 files", self.report())
        self.assertFalse((self.folder / "hurt").exists() or (self.repo / "hurt").exists())

    def test_an_empty_repository(self):
        self.git("init", "-q")
        done = self.review()
        self.assertEqual(done.exit, 0, done)
        self.assertIn("There are no tracked files", self.report())

    def test_a_folder_without_a_repository_is_an_error_that_says_so(self):
        done = self.review()
        self.assertEqual(done.exit, 1, done)
        self.assertEqual(done.json["state"], "failed")
        self.assertEqual(done.json["errors"][0]["code"], "invalid_input")
        self.assertIn("not a git repository", done.json["errors"][0]["message"])

    def test_a_flaky_judge_is_asked_again_and_in_the_end_comes_in_person(self):
        self.git("init", "-q")
        self.write("app/main.py", b"x = 1\n")
        self.commit()
        done = self.review("-i", "flaky=1", "--id", "flaky", store="sqlite:x.db")
        self.assertEqual(done.exit, 0, done)
        history = mapflow("history", "flaky", "--store", "sqlite:x.db", "--json", cwd=self.folder).json
        retries = [event for event in history if event["type"] == "step.retrying"]
        self.assertEqual(len(retries), 3)
        self.assertTrue(any(path.endswith("judge_in_person") for path in completed_paths(history)))

    def test_two_at_once_each_have_their_own_office(self):
        self.git("init", "-q")
        self.write("app/main.py", b"x = 1\n")
        self.commit()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            reviews = list(pool.map(lambda name: self.review("-i", f"report={name}.md"), ("one", "two")))
        for done in reviews:
            self.assertEqual(done.exit, 0, done)
            self.assertEqual(done.json["errors"], [])
        self.assertEqual(len({done.json["variables"]["office"]["url"] for done in reviews}), 2)

    def test_a_report_that_cannot_be_written_ends_in_an_error_and_sends_the_team_home(self):
        self.git("init", "-q")
        (self.folder / "file").write_text("in the way")
        done = self.review("-i", "report=file/review.md")
        self.assertEqual(done.exit, 1, done)
        self.assertEqual(done.json["state"], "compensated")
        self.assertIn("cannot write the report", done.json["errors"][0]["message"])


if __name__ == "__main__":
    unittest.main()
