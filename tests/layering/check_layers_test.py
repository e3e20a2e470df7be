#!/usr/bin/env python3
"""Shows that check_layers.py catches what it is there to catch, on small trees made for the purpose."""

import tempfile
import unittest
from pathlib import Path

import check_layers

CMAKE = """# the layers
mapflow_library(base LIBRARIES fmt::fmt)
mapflow_library(value FOLDERS base)
mapflow_library(kernel FOLDERS value LIBRARIES fmt::fmt)
mapflow_library(steps FOLDERS kernel)
mapflow_library(persistence FOLDERS base LIBRARIES SQLite::SQLite3)
mapflow_library(engine FOLDERS kernel persistence)
mapflow_library(agents FOLDERS base IMPLEMENTS engine/agent.h)
"""


class LayersTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("src/CMakeLists.txt", CMAKE)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def findings(self):
        return [str(finding) for finding in check_layers.check_tree(self.root)]

    def assert_one(self, *parts):
        findings = self.findings()
        self.assertEqual(len(findings), 1, findings)
        for part in parts:
            self.assertIn(part, findings[0])

    def assert_clean(self):
        self.assertEqual(self.findings(), [])

    def test_a_tidy_tree_has_no_findings(self):
        self.write("src/kernel/machine.cpp", '#include <vector>\n#include <fmt/format.h>\n#include "base/error.h"\n'
                                             '#include "value/value.h"\n// std::cout << "only a comment"\n')
        self.write("src/persistence/sqlite.cpp", '#include <sqlite3.h>\n#include "persistence/sqlite.h"\n')
        self.write("src/engine/shard.cpp", '#include <thread>\n#include "persistence/store.h"\n')
        self.write("src/agents/exec.cpp", '#include "engine/agent.h"\n')
        self.assert_clean()

    def test_an_include_against_the_order(self):
        self.write("src/value/value.cpp", '#include <string>\n\n#include "kernel/state.h"\n')
        self.assert_one("src/value/value.cpp:3:", "'value' may not include 'kernel'")

    def test_an_include_of_a_folder_that_is_not_named(self):
        self.write("src/persistence/store.h", '#include "value/value.h"\n')
        self.assert_one("src/persistence/store.h:1:", "'persistence' may not include 'value'")

    def test_folders_come_along_with_those_that_name_them(self):
        self.write("src/steps/loop.cpp", '#include "base/error.h"\n')
        self.assert_clean()

    def test_implementing_one_header_opens_no_other(self):
        self.write("src/agents/http.cpp", '#include "engine/engine.h"\n')
        self.assert_one("src/agents/http.cpp:1:", "'agents' may not include 'engine'")

    def test_a_list_that_points_downwards(self):
        self.write("src/CMakeLists.txt", "mapflow_library(base FOLDERS value)\nmapflow_library(value)\n")
        self.assert_one("src/CMakeLists.txt:1:", "'base' names 'value'")

    def test_a_folder_that_nobody_listed(self):
        self.write("src/misc/helpers.h", "")
        self.assert_one("src/misc/helpers.h:1:", "not listed")

    def test_the_kernel_and_the_steps_are_pure(self):
        for folder in ("kernel", "steps"):
            for line in ("#include <thread>", "#include <mutex>", "#include <random>", "#include <iostream>",
                         "#include <fmt/ostream.h>", "auto t = std::chrono::system_clock::now();",
                         "auto t = steady_clock::now();", 'fmt::print("x");', 'std::cerr << "x";',
                         '#include "persistence/store.h"'):
                with self.subTest(folder=folder, line=line):
                    if "fmt" in line and folder == "steps":
                        continue  # has no fmt at all: a finding of its own
                    self.write(f"src/{folder}/a.cpp", f"\n{line}\n")
                    self.assert_one(f"src/{folder}/a.cpp:2:")
            (self.root / f"src/{folder}/a.cpp").unlink()

    def test_a_library_outside_its_wrapper(self):
        self.write("src/engine/peek.cpp", "#include <sqlite3.h>\n")
        self.assert_one("src/engine/peek.cpp:1:", "SQLite::SQLite3", "wrapped by persistence")

    def test_the_json_library_stays_in_value(self):
        self.write("src/value/json.cpp", "#include <rapidjson/reader.h>\n")
        self.assert_clean()
        self.write("src/kernel/codec.cpp", "#include <rapidjson/reader.h>\n")
        self.assert_one("src/kernel/codec.cpp:1:", "value/json.h")

    def test_a_concrete_backend_outside_persistence(self):
        self.write("src/engine/engine.cpp", '#include "persistence/sqlite.h"\n')
        self.assert_one("src/engine/engine.cpp:1:", "concrete backend")

    def test_sleeping_in_tests(self):
        self.write("tests/engine/timer_test.cpp", "\nstd::this_thread::sleep_for(10ms);\n")
        self.assert_one("tests/engine/timer_test.cpp:2:", "sleep_for")

    def test_a_long_file(self):
        self.write("src/base/big.cpp", "\n" * 501)
        self.assert_one("src/base/big.cpp:501:", "501 lines, 500 allowed")

    def test_a_generated_file_may_be_long(self):
        self.write("src/base/tables.cpp", "// Written by make_tables.py; not to be edited.\n" + "\n" * 600)
        self.assert_clean()

    def test_the_ratchet_lets_a_long_file_be_but_not_grow(self):
        self.write(check_layers.LONG_FILES, "# why\nsrc/base/big.cpp 510\n")
        self.write("src/base/big.cpp", "\n" * 510)
        self.assert_clean()
        self.write("src/base/big.cpp", "\n" * 511)
        self.assert_one("src/base/big.cpp:511:", "511 lines, 510 allowed")

    def test_the_ratchet_forgets_files_that_became_short(self):
        self.write(check_layers.LONG_FILES, "# why\nsrc/base/big.cpp 510\n")
        self.write("src/base/big.cpp", "\n" * 400)
        self.assert_one(f"{check_layers.LONG_FILES}:2:", "remove the entry")


if __name__ == "__main__":
    unittest.main()
