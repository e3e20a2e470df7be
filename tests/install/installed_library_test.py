"""The library as strangers get it: installed to a folder, found by CMake and pkg-config, the examples built and run."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ["MAPFLOW_BUILD"])
SOURCE = Path(os.environ["MAPFLOW_SOURCE"])
FLAGS = os.environ.get("MAPFLOW_FLAGS", "")
CXX = os.environ.get("CXX", "c++")

# What each program prints; further lines are its own affair.
EXAMPLES = {
    "embedding": ["Please pay 42 euros."],
    "order_processing": ["state:  completed", 'result: {"pack":"box 7","label":"Ann, Hill 3"}'],
    "step_kind": ["completed: knocked 3 times"],
    "store": ["completed, y is 2", "audited memory:: every commit was counted"],
    "events": ["step.completed listen", "workflow.completed", "2 doors are open"],
}

# Around the code of docs/cpp.md: what it leaves to the reader's imagination.
PROGRAM = """#include <mapflow/mapflow.h>

#include <iostream>
using namespace std::chrono_literals;
using mapflow::branch;

int main() {
%s
  if (%s) return 0;
  std::cerr << %s.error().to_string() << "\\n";
  return 1;
}
"""
ORDERS = "id: order_processing\nsteps: [ { id: price, type: custom, handler: price, input: { count: '{{ items | length }}' } } ]\n"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class InstalledLibrary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.top = Path(cls.folder.name)
        cls.prefix = cls.top / "installed"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.library = next(cls.prefix.rglob("libmapflow.so"))

    def test_the_examples_build_with_cmake_and_run(self):
        built = self.top / "examples"
        run("cmake", "-S", SOURCE / "examples" / "cpp", "-B", built, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_CXX_COMPILER={CXX}", f"-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror {FLAGS}", "-DCMAKE_BUILD_TYPE=Debug")
        run("cmake", "--build", built, "-j", "2")
        for name, lines in EXAMPLES.items():
            with self.subTest(name):
                arguments = [str(self.top / "orders.db")] if name == "order_processing" else []
                printed = run(built / name, *arguments, timeout=120, cwd=self.top).splitlines()
                for line in lines:
                    self.assertIn(line, printed)

    def test_pkg_config_says_how_to_compile(self):
        environment = dict(os.environ, PKG_CONFIG_PATH=str(self.library.parent / "pkgconfig"))
        flags = run("pkg-config", "--cflags", "--libs", "mapflow", env=environment).split()
        program = self.top / "version.cpp"
        program.write_text("#include <mapflow/version.h>\n#include <iostream>\nint main() { std::cout << mapflow::version(); }\n")
        run(CXX, *FLAGS.split(), program, "-o", self.top / "version", *flags)
        printed = run(self.top / "version", env=dict(os.environ, LD_LIBRARY_PATH=str(self.library.parent)))
        self.assertEqual(printed, run("pkg-config", "--modversion", "mapflow", env=environment).strip())

    def test_the_code_of_the_page_about_it_does_what_it_says(self):
        page = (SOURCE / "docs" / "cpp.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```cpp\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        self.assertGreater(len(blocks), 2)
        (self.top / "orders.yaml").write_text(ORDERS, encoding="utf-8")
        environment = dict(os.environ, PKG_CONFIG_PATH=str(self.library.parent / "pkgconfig"))
        flags = run("pkg-config", "--cflags", "--libs", "mapflow", env=environment).split()
        for number, block in enumerate(blocks):
            with self.subTest(begins=block.splitlines()[0]):
                last = re.findall(r"^auto (\w+) =", block, re.MULTILINE)[-1]
                source, program = self.top / f"page_{number}.cpp", self.top / f"page_{number}"
                source.write_text(PROGRAM % (block, last, last), encoding="utf-8")
                run(CXX, "-std=c++23", *FLAGS.split(), source, "-o", program, *flags)
                run(program, cwd=self.top, env=dict(os.environ, LD_LIBRARY_PATH=str(self.library.parent)), timeout=120)

    def test_headers_include_only_each_other_and_the_standard_library(self):
        headers = sorted((self.prefix / "include" / "mapflow").rglob("*.h"))
        self.assertGreater(len(headers), 20)
        for header in headers:
            for included in re.findall(r'^\s*#\s*include\s*([<"].+[>"])', header.read_text(encoding="utf-8"), re.MULTILINE):
                if included.startswith("<mapflow/"):
                    self.assertTrue((self.prefix / "include" / included[1:-1]).is_file(), f"{header}: {included}")
                else:
                    self.assertRegex(included, r"^<[a-z_]+>$", f"{header} includes {included}")

    def test_only_the_public_interface_is_exported(self):
        symbols = run("nm", "-DC", "--defined-only", self.library)
        foreign = [line for line in symbols.splitlines() if "mapflow::" not in line]
        self.assertEqual(foreign, [], "symbols of others")
        for internal in ("mapflow::engine::Node", "mapflow::kernel::Machine", "mapflow::persistence::Sqlite", "fmt::v"):
            self.assertNotIn(internal + "::", symbols)
        self.assertIn("mapflow::Engine::start", symbols)


if __name__ == "__main__":
    unittest.main()
