#!/usr/bin/env python3
"""run.py: what it makes of tests that fail, and of those that are not there."""
import contextlib
import io
import os
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS / "support")]
import run  # noqa: E402
from leat_test import main  # noqa: E402

os.environ.pop("LEAT_SUMMARY", None)  # what fails here is no failure of the run that this is a test of


def sum_of(*commands):
    """(passed, failed, skipped, what was printed, exit code) of a build that lists these."""
    result, said, usual = run.Result(), io.StringIO(), run.listed
    run.listed = lambda build: [(f"t{i}", {"unit"}, {"cmd": list(c)}) for i, c in enumerate(commands)]
    try:
        with contextlib.redirect_stdout(said):
            run.run_build("b-none", {"unit"}, [], result)
            code = run.finish(result)
    finally:
        run.listed = usual
    return result.passed, result.failed, result.skipped, said.getvalue(), code


def test_a_test_that_was_not_built_fails_by_name_and_those_behind_it_run():
    passed, failed, skipped, said, code = sum_of(*[["/nowhere/test"]] * 3, ["true"], ["true"])
    assert (passed, failed, skipped, code) == (2, 3, 0, 1), said
    assert "FAILED  b-none/t0" in said and "ninja -C b-none" in said, said


def test_exit_codes_count_where_a_test_does_not_say_it_itself():
    passed, failed, skipped, said, code = sum_of(["true"], ["false"], ["sh", "-c", "exit 77"],
                                                 ["echo", "3 passed, 0 failed, 1 skipped"])
    assert (passed, failed, skipped, code) == (4, 1, 2, 1), said


main(sys.modules[__name__])
