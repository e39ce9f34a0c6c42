"""A file system so small that a test can fill it."""
import pathlib
import subprocess

from leat_test import Skip


class SmallDisk:
    """1 MiB of memory as a file system. Skips where this may not be mounted."""

    def __init__(self, dir):
        self.path = pathlib.Path(dir, "disk")

    def __enter__(self):
        self.path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "leat-test", self.path],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise Skip(f"no file system can be mounted: {done.stderr.strip()}")
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=False)
