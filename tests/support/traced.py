"""leat under strace."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from leat_test import LEAT, Skip


@contextlib.contextmanager
def traced(options, file):
    """A job; ended as by SIGTERM at the end of the block, which strace would keep."""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    with subprocess.Popen(["strace", "-f", *options, LEAT, "run", file], stderr=subprocess.DEVNULL,
                          cwd=file.parent) as run:
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                children = pathlib.Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text()
                for child in children.split():
                    os.kill(int(child), signal.SIGTERM)
