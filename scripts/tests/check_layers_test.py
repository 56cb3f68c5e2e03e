"""Tests of scripts/check_layers.py on small trees. Run: python3 -m unittest discover -s scripts/tests -p '*_test.py'"""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import check_layers  # noqa: E402


def entry(*deps, reason="because"):
    return {"reason": reason, "deps": list(deps)}


LAYERS = {"low": entry(), "high": entry("low"), "side": entry()}
TREE = {
    "src/low/CMakeLists.txt": "add_module(low SOURCES a.cpp)",
    "src/low/a.cpp": '#include "low/a.hpp"\n#include <vector>\n',
    "src/high/CMakeLists.txt": "add_module(high # upper\n  SOURCES b.cpp DEPS low LIBS x TEST_DEPS side)",
    "src/high/b.cpp": '#include "high/b.hpp"\n#include "low/a.hpp"\n',
    "src/high/tests/b_test.cpp": '#include "side/fake.hpp"\n#include "high/tests/fakes.hpp"\n',
}


class CheckLayers(unittest.TestCase):
    def findings(self, changes=None, layers=None):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in {**TREE, **(changes or {})}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            return check_layers.check(root, layers or LAYERS)

    def expect_one(self, part, changes=None, layers=None):
        findings = self.findings(changes, layers)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(part, findings[0])

    def test_accepts_a_tree_that_follows_and_entries_without_folder(self):
        self.assertEqual(self.findings(), [])

    def test_refuses_an_include_upwards_with_file_and_line(self):
        self.expect_one("src/low/a.cpp:2: includes \"high/b.hpp\"", {"src/low/a.cpp": '\n# include "high/b.hpp"\n'})

    def test_refuses_an_include_upwards_in_angle_brackets(self):
        self.expect_one("src/low/a.cpp:1", {"src/low/a.cpp": "#include <high/b.hpp>\n", "src/high/b.hpp": ""})

    def test_refuses_a_test_dependency_outside_tests(self):
        self.expect_one("src/high/c.cpp:1", {"src/high/c.cpp": '#include "side/fake.hpp"\n'})

    def test_refuses_fakes_outside_tests(self):
        self.expect_one("only tests", {"src/high/c.cpp": '#include "high/tests/fakes.hpp"\n'})

    def test_refuses_includes_that_are_not_written_from_src(self):
        self.expect_one("not written from src/", {"src/low/a.cpp": '#include "a.hpp"\n'})
        self.expect_one("not written from src/", {"src/low/a.cpp": '#include "low/../high/b.hpp"\n'})

    def test_refuses_a_folder_without_entry(self):
        self.expect_one("src/new: has no entry", {"src/new/x.cpp": ""})

    def test_refuses_a_folder_without_add_module(self):
        self.expect_one("no add_module(low", {"src/low/CMakeLists.txt": "add_module(lower SOURCES a.cpp)"})

    def test_refuses_too_many_and_missing_deps(self):
        self.expect_one("DEPS has 'side'", {"src/high/CMakeLists.txt": "add_module(high DEPS low side)",
                                            "src/high/tests/b_test.cpp": ""})
        self.expect_one("DEPS lacks 'low'", {"src/high/CMakeLists.txt": "add_module(high TEST_DEPS side)"})

    def test_takes_a_part_of_a_module_as_that_module(self):
        parts = {"src/side/CMakeLists.txt": "add_module(side SOURCES s.cpp LIBS tcfdl::half)\n"
                                            "add_library(tcfdl::half ALIAS tcfdl_half)",
                 "src/high/CMakeLists.txt": "add_module(high DEPS low LIBS tcfdl::half)"}
        self.expect_one("DEPS has 'side'", {**parts, "src/high/tests/b_test.cpp": ""})
        self.assertEqual(self.findings(parts, {**LAYERS, "high": entry("low", "side")}), [])

    def test_refuses_cycles(self):
        self.expect_one("low -> high -> low", layers={**LAYERS, "low": entry("high")})

    def test_refuses_an_entry_without_reason(self):
        self.expect_one("'side': has no reason", layers={**LAYERS, "side": entry(reason=" ")})

    def test_refuses_unknown_dependencies_and_wrong_forms(self):
        self.expect_one("depends on 'gone'", layers={**LAYERS, "side": entry("gone")})
        self.expect_one("'side': is no", layers={**LAYERS, "side": ["low"]})

    def test_refuses_depth(self):
        self.expect_one("src/low/a/b: deeper than 2", {"src/low/a/b/c.txt": ""})

    def test_refuses_public_headers_that_include_sources(self):
        self.expect_one("include/p/x.hpp:1", {"include/p/x.hpp": '#include "low/a.hpp"\n'})


if __name__ == "__main__":
    unittest.main()
