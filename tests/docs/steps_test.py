#!/usr/bin/env python3
"""docs/steps.md: its examples run as they stand, its tables are what the step kinds say, and nothing is left out.

    steps_test.py            checks
    steps_test.py --write    writes the tables of fields anew

Each ```yaml block is a whole definition; the ```json expect block behind it is what its finished instance must hold
(examples.py says how), one for each of its runs.
"""

import json
import re
import sys
import tempfile
import unittest
from pathlib import Path

from examples import ROOT, canonical, check, program, read_cases

PAGE = ROOT / "docs" / "steps.md"
BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^<!-- fields of (\w+) -->\n(?:\|.*\n)*", re.MULTILINE)
ON_ERROR = {"fail", "continue", "suspend", "steps"}


class Example:
    def __init__(self, section, text):
        self.section, self.text, self.expected = section, text, []
        self.name = re.search(r"^id: *(\S+)", text, re.MULTILINE).group(1)


def read_page(page):
    """The examples, each with what is expected of it."""
    examples = []
    for section in re.split(r"^## ", page, flags=re.MULTILINE):
        title = section.split("\n", 1)[0].strip()
        for language, word, text in BLOCK.findall(section):
            if language == "yaml":
                examples.append(Example(title, text))
            elif language == "json" and word == "expect":
                examples[-1].expected.append(json.loads(text))
    return examples


def table(kind, fields):
    """The fields of a kind as its schema has them."""
    rows = [f"<!-- fields of {kind} -->", "| field | meaning | default |", "|---|---|---|"]
    for name, field in fields.items():
        default = "required" if field["required"] else "" if field["default"] is None else f"`{json.dumps(field['default']).strip(chr(34))}`"
        choices = ", ".join(f"`{choice}`" for choice in field["choices"])
        doc = field["doc"] + (f" {choices}." if choices else "")
        rows.append(f"| `{name}` | {doc.replace('|', chr(92) + '|')} | {default} |")
    return "\n".join(rows) + "\n"


def steps_in(document):
    """Every step in a canonical definition, wherever it stands."""
    if isinstance(document, list):
        for each in document:
            yield from steps_in(each)
    elif isinstance(document, dict):
        if isinstance(document.get("type"), str):
            yield document
        for name, each in document.items():
            if name not in ("data", "input", "expect", "variables_schema", "$places"):
                yield from steps_in(each)


class Steps(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = PAGE.read_text(encoding="utf-8")
        cls.examples = read_page(cls.page)
        cls.fields = json.loads(program("fields").stdout)
        cls.steps, unsound = [], []
        for example in cls.examples:
            try:
                cls.steps += [(example.section, step) for step in steps_in(canonical(example.text))]
            except AssertionError as wrong:
                unsound.append(str(wrong))
        if unsound:
            raise AssertionError("\n".join(unsound))

    def test_every_example_does_what_the_page_says(self):
        names = [example.name for example in self.examples]
        self.assertEqual(len(names), len(set(names)), "two examples have the same id")
        for example in self.examples:
            cases, handlers = read_cases(example.text)
            self.assertEqual(len(cases), len(example.expected), f"{example.name}: one expectation for each run")
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"{example.name}.yaml"
                path.write_text(example.text, encoding="utf-8")
                for case, expected in zip(cases, example.expected):
                    case.expected = expected
                    with self.subTest(example=example.name, run=case.arguments):
                        check(self, path, case, handlers)

    def test_the_tables_are_what_the_kinds_say(self):
        tables = {found.group(1): found.group(0) for found in TABLE.finditer(self.page)}
        for kind, fields in self.fields["kinds"].items():
            with self.subTest(kind=kind):
                self.assertEqual(tables.get(kind), table(kind, fields), "run this test with --write")

    def test_every_field_of_every_kind_has_an_example_in_its_section(self):
        for kind, fields in self.fields["kinds"].items():
            own = [step for section, step in self.steps if section == kind and step["type"] == kind]
            for name, field in fields.items():
                used = {json.dumps(step[name]).strip('"') for step in own if name in step}
                with self.subTest(kind=kind, field=name):
                    self.assertTrue(used, "no example")
                    missing = set(field["choices"]) - used - {field["default"]}
                    self.assertFalse(missing, "choices without an example")

    def test_every_common_field_has_an_example(self):
        steps = [step for _, step in self.steps]
        used = {name for step in steps for name in step}
        self.assertFalse(set(self.fields["common"]) - used)
        retries = [step["retry"] for step in steps if isinstance(step.get("retry"), dict)]
        self.assertFalse(set(self.fields["retry"]) - {name for retry in retries for name in retry})
        written = re.findall(r"on_error: *(\w+)?", "".join(example.text for example in self.examples))
        self.assertFalse(ON_ERROR - {word or "steps" for word in written})

    def test_the_code_is_what_runs(self):
        source = (Path(__file__).parent / "program.cpp").read_text(encoding="utf-8")
        running = re.findall(r"// docs/steps.md: \w+\n(.*?)  // end\n", source, re.DOTALL)
        shown = [text for language, _, text in BLOCK.findall(self.page) if language == "cpp"]
        self.assertEqual([re.sub(r"^  ", "", text, flags=re.MULTILINE) for text in running], shown)


def write():
    fields = json.loads(program("fields").stdout)["kinds"]
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda found: table(found.group(1), fields[found.group(1)]), page), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        unittest.main()
