"""A real service for end-to-end tests, run by a script of tests/broker: one process, all of it in one
folder, started by the first test that asks for it and stopped at exit.

Where it cannot be had tests are skipped, or fail when LEAT_REQUIRE_BROKERS is set; not those of Hadoop,
whose hundred jars a mirror may lack.
"""
import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile

from leat_test import ROOT, Skip

CANNOT_BE_HAD = 77


class Service:
    script = None  # of tests/broker
    optional = False  # skipped where it cannot be had, whatever is required

    def __init__(self, *words):
        self.words = words  # for `start`
        self.folder = None
        self.is_up = False

    def missing(self):
        """What the tests need beside the script's service and have not, in words."""
        return None

    def start(self):
        if self.folder:
            return self
        self.folder = tempfile.mkdtemp(prefix=f"leat-{self.script}-")
        atexit.register(self.end)
        if self.missing():
            self.skip(self.missing())
        done = self.call("start", *self.words, seconds=400)
        if done.returncode == CANNOT_BE_HAD:
            self.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        self.is_up = True
        return self

    def up(self):
        """Started, and again if an earlier test failed while it was down."""
        self.start()
        if not self.is_up:
            self.restart()
        return self

    def skip(self, why):
        self.end()
        if os.environ.get("LEAT_REQUIRE_BROKERS") and not self.optional:
            raise AssertionError(f"{self.script} is required here: {why}")
        raise Skip(why)

    def end(self):
        if self.folder:
            self.call("kill")
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def call(self, verb, *words, seconds=120):
        return subprocess.run([ROOT / "tests/broker" / self.script, verb, self.folder, *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)

    def verb(self, verb, *words):
        done = self.call(verb, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kill(self):
        self.verb("kill")
        self.is_up = False

    def restart(self):
        self.verb("restart")
        self.is_up = True

    def file(self, name):
        self.start()
        return str(pathlib.Path(self.folder) / name)

    @property
    def address(self):
        return pathlib.Path(self.file("address")).read_text().strip()
