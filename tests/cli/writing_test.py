"""fmt, schema, graph: what is made of definitions rather than done with them."""

import json
import os
import stat
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from mapflow_process import ProcessTest, main

OLD = """# orders
workflow_id: orders
steps:
  - { step_id: rest, type: wait, until_condition: "{{ ready }}" }   # a while
"""
NEW = """# orders
id: orders
steps:
  - { id: rest, type: wait, condition: ready }   # a while
"""
PICTURE = """id: shop
steps:
  - { id: first, type: transform, transformations: { x: 1 } }
  - id: way
    type: conditional
    condition: x > 1
    if_true: [ { id: big, type: transform, transformations: { size: big } } ]
    if_false: [ { id: small, type: transform, transformations: { size: small } } ]
  - { id: each, type: loop, items: 3, body: [ { id: inner, type: transform, transformations: { y: 1 } } ] }
"""


class Format(ProcessTest):
    def file(self, name):
        return Path(self.path(name))

    def test_files_are_rewritten_in_place_and_keep_their_mode(self):
        self.write("old.yaml", OLD)
        os.chmod(self.file("old.yaml"), 0o640)
        self.assertIn("old.yaml: rewritten", self.expect(self.mapflow("fmt", "old.yaml"), 0).stdout)
        self.assertEqual((self.file("old.yaml")).read_text(), NEW)
        self.assertEqual(stat.S_IMODE(os.stat(self.file("old.yaml")).st_mode), 0o640)
        self.assertEqual(self.expect(self.mapflow("fmt", "old.yaml"), 0).stdout, "")
        self.assertEqual([name for name in os.listdir(self.path(".")) if "mapflow-fmt" in name], [])

    def test_check_changes_nothing(self):
        self.write("old.yaml", OLD)
        self.write("new.yaml", NEW)
        result = self.expect(self.mapflow("fmt", "--check", "old.yaml", "new.yaml"), 1)
        self.assertIn("old.yaml", result.stdout)
        self.assertNotIn("new.yaml", result.stdout)
        self.assertEqual((self.file("old.yaml")).read_text(), OLD)
        self.expect(self.mapflow("fmt", "--check", "new.yaml"), 0)

    def test_standard_output(self):
        self.write("old.yaml", OLD)
        self.assertEqual(self.expect(self.mapflow("fmt", "--stdout", "old.yaml"), 0).stdout, NEW)
        self.assertEqual((self.file("old.yaml")).read_text(), OLD)

    def test_what_is_broken_is_told_and_left_alone_and_the_others_are_done(self):
        self.write("bad.yaml", "id: x\nsteps: [ { type: wait, colour: red } ]\n")
        self.write("old.yaml", OLD)
        result = self.expect(self.mapflow("fmt", "bad.yaml", "old.yaml"), 2)
        self.assertIn("bad.yaml:2:", result.stderr)
        self.assertEqual((self.file("old.yaml")).read_text(), NEW)
        self.expect(self.mapflow("fmt", "missing.yaml"), 2)


class JsonSchema(ProcessTest):
    def test_it_is_a_schema_by_its_own_metaschema(self):
        schema = json.loads(self.expect(self.mapflow("schema"), 0).stdout)
        import jsonschema
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        self.assertTrue(validator.is_valid({"id": "x", "steps": [{"type": "wait", "duration": "1s"}]}))
        self.assertFalse(validator.is_valid({"id": "x", "steps": [{"type": "wait", "colour": "red"}]}))


class Graph(ProcessTest):
    def setUp(self):
        super().setUp()
        self.write("shop.yaml", PICTURE)

    def graph(self, *words):
        return self.expect(self.mapflow("graph", *words), 0).stdout

    def test_of_a_definition(self):
        self.assertTrue(self.graph("shop.yaml").startswith("flowchart TD"))
        self.assertTrue(self.graph("shop.yaml", "--as", "dot").startswith("digraph"))
        picture = ElementTree.fromstring(self.graph("shop.yaml", "--as", "svg"))
        shown = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
        self.assertLessEqual({"shop", "first", "way", "big", "small", "each", "inner", "then", "else"}, shown)

    def test_of_an_instance(self):
        self.expect(self.mapflow("run", "shop.yaml", "--id", "A", "--store", "sqlite:s.db"), 0)
        picture = self.graph("--instance", "A", "--store", "sqlite:s.db", "--as", "svg")
        titles = {title.text for title in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}title")}
        self.assertLessEqual({"first (completed)", "small (completed)", "big"}, titles)
        self.assertIn("×3", picture)
        self.assertIn(" completed\n", self.graph("--instance", "A", "--store", "sqlite:s.db"))

    def test_refusals(self):
        self.expect(self.mapflow("graph"), 2)
        self.expect(self.mapflow("graph", "shop.yaml", "--as", "png"), 2)
        self.expect(self.mapflow("graph", "missing.yaml"), 2)
        self.expect(self.mapflow("graph", "--instance", "A", "--store", "sqlite:none.db"), 3)


if __name__ == "__main__":
    main()
