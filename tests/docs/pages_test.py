#!/usr/bin/env python3
"""Every page of docs/: the sessions print what the page says, definitions are sound, and no block is left untried.

Not tried are the settings of a tiered store, which name machines, and the questions to PostgreSQL.
"""

import json
import re
import sqlite3
import tempfile
import unittest
from pathlib import Path

from console import BLOCK, check_page, run
from examples import ROOT

DOCS = ROOT / "docs"
# Tried by a test of its own, here or beside.
ELSEWHERE = {"steps.md", "testing.md", "pattern_library.md", "diagnostics.md"}
# What a part of a definition lacks to be a whole one.
NAMED = "id: part\n"
AGENTS = "agents: { bank: { human: {} } }\n"
STEPS = "steps: [ { id: nap, type: wait, duration: 1s } ]\n"
# A step around one field.
STEP = """id: part
variables: { order: 1, total: 4, price: 2, count: 2 }
agents: { a: { human: {} } }
steps:
  - { id: one, type: %s,
      %s
    }
"""
# What templates of docs/jinja.md see.
DATA = """{"results": {"search": {"text": "{\\"hits\\": [{\\"score\\": 0.9, \\"url\\": \\"a\\"}, {\\"score\\": 0.1, \\"url\\": \\"b\\"}]}"}},
 "defaults": {"gift": false, "copies": 1}, "order": {"options": {"gift": true}, "created_at": "2030-01-01T00:00:00Z"},
 "document": {"text": "tea for two"}}"""


def pages():
    return sorted(page for page in DOCS.rglob("*.md"))


def languages(page):
    return {language for language, _, _ in BLOCK.findall(page.read_text(encoding="utf-8"))}


class Pages(unittest.TestCase):
    def test_sessions_print_what_the_page_says(self):
        for name in ("tutorial.md", "howto.md"):
            with self.subTest(page=name):
                self.assertGreater(check_page(self, (DOCS / name).read_text(encoding="utf-8")), 10)

    def test_definitions_are_sound(self):
        for page in [*pages(), ROOT / "README.md"]:
            if page.name in ELSEWHERE or "console" in languages(page):
                continue
            for language, _, text in BLOCK.findall(page.read_text(encoding="utf-8")):
                if language == "yaml" and not text.startswith("primary:"):
                    with self.subTest(page=page.name, begins=text.splitlines()[0]):
                        self.sound(text)

    def sound(self, text):
        if not re.search(r"^id:", text, re.MULTILINE):
            text = NAMED + ("" if "agents:" in text else AGENTS) + text
        if not re.search(r"^steps:", text, re.MULTILINE):
            text += STEPS
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "part.yaml").write_text(text, encoding="utf-8")
            done = run("mapflow validate part.yaml", folder)
            self.assertEqual((done.returncode, done.stderr), (0, ""), text)

    def test_what_diagnostics_calls_wrong_is_and_what_it_calls_right_is_not(self):
        tried = 0
        for section in re.split(r"^### ", (DOCS / "diagnostics.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            code = section[:6]
            for _, _, text in BLOCK.findall(section):
                if text.startswith("agents:"):
                    self.sound(text)
                    continue
                for number, line in enumerate(text.splitlines()):
                    tried += 1
                    with self.subTest(code=code, line=line):
                        kind = "message, destination: a" if line.startswith("data:") else "wait"
                        self.assertEqual(code in self.codes(STEP % (kind, line)), number == 0)
        self.assertGreater(tried, 5)

    def codes(self, text):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "part.yaml").write_text(text, encoding="utf-8")
            return {found["code"] for found in json.loads(run("mapflow validate part.yaml --json", folder).stdout)["diagnostics"]}

    def test_templates_render(self):
        shown = [text for language, _, text in BLOCK.findall((DOCS / "jinja.md").read_text(encoding="utf-8")) if language == "jinja"]
        self.assertTrue(shown)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "data.json").write_text(DATA, encoding="utf-8")
            (Path(folder) / "template").write_text("".join(shown), encoding="utf-8")
            done = run("mapflow jinja render template --data data.json", folder)
            self.assertEqual(done.stdout.splitlines(), ["a", "{'gift': True, 'copies': 1}", "15 January 2030", "tea for two"], done.stderr)

    def test_each_page_of_sessions_has_a_test(self):
        with_sessions = {page.name for page in pages() if "console" in languages(page)}
        self.assertEqual(with_sessions, {"tutorial.md", "howto.md", "testing.md", "pattern_library.md"})

    def test_questions_to_a_store_are_answered(self):
        for_sqlite = next(text for language, _, text in BLOCK.findall((DOCS / "persistence.md").read_text(encoding="utf-8")) if language == "sql")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "nap.yaml").write_text("id: nap\nsteps: [ { id: rest, type: wait, signal: up } ]\n", encoding="utf-8")
            run("mapflow start nap.yaml --id nap-1", folder)
            store = sqlite3.connect(Path(folder) / "mapflow.db")
            answers = [store.execute(question).fetchall() for question in for_sqlite.split(";")[:-1]]
            store.close()
        self.assertEqual(answers, [[("nap", "running", 1)], [], []])


if __name__ == "__main__":
    unittest.main()
