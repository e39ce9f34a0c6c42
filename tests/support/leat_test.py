"""What Python tests share: a program is a module with functions test_*, whose names are sentences.

A test that cannot run raises Skip with the reason. Ends with `N passed, N failed, N skipped`.
LEAT_TEST=part_of_a_name runs some of them.
"""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LEAT_BUILD", ROOT / "b-test"))
LEAT = str(BUILD / "leat")


class Skip(Exception):
    pass


def leat(*words, cwd=None, env=None, timeout=60, text=None):
    """Run leat to its end: (exit code, stdout, stderr)."""
    done = subprocess.run([LEAT, *map(str, words)], cwd=cwd or ROOT, timeout=timeout, input=text,
                          env={**os.environ, **(env or {})}, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def wait_for(what, condition, seconds=120):
    """Until condition() is true; fails by name after so long."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def write(folder, name, text):
    path = pathlib.Path(folder) / name
    path.write_text(text)
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def folder():
    return tempfile.TemporaryDirectory(prefix="leat-test-")


def main(module):
    wanted = os.environ.get("LEAT_TEST", "")
    passed = failed = skipped = 0
    for name, test in list(vars(module).items()):
        if not name.startswith("test_") or not callable(test) or wanted not in name:
            continue
        try:
            test()
            passed += 1
        except Skip as why:
            skipped += 1
            print(f"skipped {name}: {why}", flush=True)
        except Exception:  # noqa: BLE001 - any failure is the test's
            failed += 1
            print(f"{name}:\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)
