"""A real Kafka for Python tests: the script beside this file, as a context manager.

    with broker.Kafka("message.max.bytes=10000") as kafka:
        kafka.address ...  kafka.kill()  kafka.restart()

Where it cannot be had, Unavailable is raised with the reason: skip the test, or fail it when
required() is true.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile

SCRIPT = pathlib.Path(__file__).resolve().parent / "kafka"
SECONDS = 400
SKIP_CODE = 77


class Unavailable(Exception):
    """No broker; the text says why."""


def required():
    return os.environ.get("LEAT_REQUIRE_BROKERS") == "1"


class Kafka:
    def __init__(self, *arguments):
        self.arguments = arguments
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="leat-kafka-"))
        self.address = None

    def _run(self, verb, *rest):
        command = [SCRIPT, verb, self.directory, *rest]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode == SKIP_CODE:
            raise Unavailable(done.stderr.strip())
        if done.returncode != 0:
            raise RuntimeError(f"{verb}: {done.stderr.strip()}")
        return done.stdout.strip()

    def __enter__(self):
        try:
            self.address = self._run("start", *self.arguments)
        except Exception:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_):
        self._run("kill")
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def secure_address(self):
        return (self.directory / "secure_address").read_text().strip()

    @property
    def ca(self):
        return self.directory / "ca.crt"

    def stop(self):
        self._run("stop")

    def kill(self):
        self._run("kill")

    def restart(self):
        self._run("restart")

    def acl(self, *arguments):
        self._run("acl", *arguments)
