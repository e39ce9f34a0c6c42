#!/usr/bin/env python3
"""The demo needs nothing, shows results within seconds and ends when it is told to."""
import json
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import LEAT, folder, main  # noqa: E402


def demo(d, *words):
    return subprocess.Popen([LEAT, "demo", *words], cwd=d, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def test_results_come_within_seconds_and_it_ends_by_itself():
    with folder() as d:
        begun = time.monotonic()
        job = demo(d, "--for", "15s")
        try:
            row = json.loads(job.stdout.readline())
            first = time.monotonic() - begun
            _, err = job.communicate(timeout=30)
        finally:
            job.kill()
        assert {"city", "window_start", "window_end", "orders", "revenue"} <= row.keys(), row
        assert first < 12, f"the first result came after {first:.0f} s"
        assert job.returncode == 0, err
        assert not list(pathlib.Path(d).iterdir()), "it left something behind"


def test_ctrl_c_ends_it_cleanly():
    with folder() as d:
        job = demo(d)
        try:
            assert job.stdout.readline()
            job.send_signal(signal.SIGINT)
            _, err = job.communicate(timeout=60)
        finally:
            job.kill()
        assert job.returncode == 0, err
        assert not list(pathlib.Path(d).iterdir()), "it left something behind"


main(sys.modules[__name__])
