"""The C library as `meson install` puts it in place, in a folder of its own, and programs built against it.

    lib = installed()              the folder of libleat, installed by the first who asks
    program = built(SOURCE)        linked with what pkg-config says; static=True: with libleat.a in it
"""
import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile

from leat_test import BUILD, wait_for

PLACE = pathlib.Path(tempfile.mkdtemp(prefix="leat-library-"))
atexit.register(shutil.rmtree, PLACE, ignore_errors=True)
TO_MODULES = "-rdynamic"


def installed():
    """The folder that holds the libraries; installs once."""
    if not (PLACE / "done").exists():
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", PLACE,
                        "--tags", "devel,runtime"], check=True, capture_output=True, timeout=120)
        (PLACE / "done").touch()
    pc, = PLACE.rglob("leat.pc")
    return pc.parent.parent


def package(*words):
    lib = installed()
    env = {**os.environ, "PKG_CONFIG_PATH": str(lib / "pkgconfig"),
           "PKG_CONFIG_SYSROOT_DIR": str(PLACE)}
    out = subprocess.run(["pkg-config", *words, "leat"], env=env, check=True, capture_output=True,
                         text=True, timeout=120).stdout.split()
    # The system's own folders are not below the place where leat was installed.
    return [w for w in out if not (w.startswith(f"-L{PLACE}") and not os.path.isdir(w[2:]))]


def built(source, static=False, name=None, without=()):
    """`without`: words of pkg-config that a program forgot."""
    program = PLACE / (name or source.stem + ("-static" if static else ""))
    if not program.exists():
        libs = package("--libs", "--static") if static else package("--libs")
        libs = ["-l:libleat.a" if static and w == "-lleat" else w for w in libs if w not in without]
        done = subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", source, "-o", program,
                               *package("--cflags"), *libs],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    return program


def environment(folder):
    return {**os.environ, "LD_LIBRARY_PATH": str(installed()), "TMPDIR": str(folder)}


class Running:
    """A program of the library under way; its standard error is in `said()`."""

    def __init__(self, program, folder, *words):
        self.log = pathlib.Path(folder) / "log"
        self.file = open(self.log, "w")
        self.process = subprocess.Popen([program, *map(str, words)], env=environment(folder), stdout=self.file,
                                        stderr=self.file, cwd=folder)

    def said(self):
        return self.log.read_text()

    def wait(self, what, condition, seconds=120):
        wait_for(what, lambda: self.process.poll() is not None or condition(), seconds)
        assert self.process.poll() is None, self.said()

    def stop(self, seconds=120):
        """It ends in good order."""
        self.process.terminate()
        assert self.process.wait(seconds) == 0, self.said()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.file.close()
