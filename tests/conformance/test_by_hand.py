#!/usr/bin/env python3
"""by_hand.json: cases of stream semantics that are told in words, and the tests that cover them.

{case: {"tests": ["FILE NAME", ...], "but": "how leat differs"}} or {case: {"none": "why leat has
nothing of the kind"}}; "page" is how the paragraph on that begins in docs/spark-differences.md.
LEAT_STREAMING_CASES is the file that has the cases.
"""
import json
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from leat_test import main, Skip  # noqa: E402

IN_WORDS = {"scenario", "rule", "generator"}
TABLE = json.loads((ROOT / "tests/conformance/by_hand.json").read_text())


def tests_of(file):
    """Names as `T(name)` of C, which is the list of what runs, and `def test_name()` of Python."""
    text = (ROOT / file).read_text()
    return set(re.findall(r"\bT\((\w+)\)" if file.endswith(".c") else r"^def test_(\w+)\(", text, re.M))


def test_every_test_that_is_named_is_there():
    for case, row in TABLE.items():
        for file, name in (test.split(" ") for test in row.get("tests", [])):
            assert name in tests_of(file), f"{case}: {file} has no test {name}"


def test_every_file_that_is_named_is_run():
    listed = "".join((ROOT / "tests" / p).read_text() for p in ("meson.build", "kafka/meson.build"))
    for file in {test.split(" ")[0] for row in TABLE.values() for test in row.get("tests", [])}:
        stem = pathlib.Path(file).stem.removeprefix("test_")
        assert re.search(rf"'{stem}'|test_{stem}\.", listed), file


def test_every_difference_has_its_paragraph_on_the_page_of_them():
    text = (ROOT / "docs/spark-differences.md").read_text()
    for case, row in TABLE.items():
        assert bool(row.get("tests")) != bool(row.get("none")), case
        assert set(row) <= {"tests", "but", "none", "page"}, case
        assert ("page" in row) == ("but" in row or "none" in row), case
        assert "page" not in row or f"\n**{row['page']}" in text, f"{case}: {row['page']}"


def test_every_case_that_is_told_in_words_has_a_row():
    path = os.environ.get("LEAT_STREAMING_CASES")
    if not path:
        raise Skip("LEAT_STREAMING_CASES does not name a file of cases")
    cases = {c["id"] for c in json.loads(pathlib.Path(path).read_text())["cases"] if c["kind"] in IN_WORDS}
    assert cases and cases == set(TABLE), cases ^ set(TABLE)


main(sys.modules[__name__])
