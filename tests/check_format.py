#!/usr/bin/env python3
"""Every C file of the tree looks as .clang-format says: check_format.py SOURCE_ROOT.

The form depends on the version, so it is pinned; without clang-format-14 the test is skipped.
`clang-format-14 -i FILE` puts a file right.
"""
import pathlib
import re
import shutil
import subprocess
import sys

FOLDERS = ["engine", "connectors", "sinks", "config", "tests"]
TOOL = "clang-format-14"


def wrong_ones(files):
    told = subprocess.run([TOOL, "--dry-run", "-style=file", *map(str, files)],
                          capture_output=True, text=True).stderr
    return sorted(set(re.findall(r"^(.+?):\d+:\d+: (?:warning|error):", told, re.M)))


def main(root):
    if not shutil.which(TOOL):
        print(f"{TOOL} is not installed")
        return 77
    files = sorted(p for f in FOLDERS for p in (pathlib.Path(root) / f).rglob("*.[ch]"))
    wrong = wrong_ones(files)
    for path in wrong:
        print(f"not formatted: {path}")
    print(f"{int(not wrong)} passed, {int(bool(wrong))} failed, 0 skipped")
    return 1 if wrong else 0


sys.exit(main(sys.argv[1]))
