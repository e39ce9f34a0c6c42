"""A `leat run` that goes on: its log is waited for, and so is what its pipelines write."""
import contextlib
import pathlib
import re
import signal
import subprocess

from leat_test import BUILD, LEAT, Skip, folder, wait_for, write

STEADY = """leat: 1
name: NAME
batch: { every: 20ms }
sources:
  in: { generate: { rate: 1000/s } }
sinks:
  out: { from: in, files: { path: "out/NAME-{file}.txt" }, format: text }
"""


class Run:
    """A `leat run` whose log can be waited for."""

    def __init__(self, d, *words):
        self.log = pathlib.Path(d) / "stderr"
        self.file = open(self.log, "w")
        self.job = subprocess.Popen([LEAT, "run", *map(str, words)], cwd=d, stderr=self.file,
                                    stdout=subprocess.DEVNULL)

    def said(self):
        return self.log.read_text()

    def wait(self, text, times=1):
        def found():
            assert self.job.poll() is None or len(re.findall(text, self.said())) >= times, self.said()
            return len(re.findall(text, self.said())) >= times
        try:
            wait_for(text, found)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.said()}") from None

    def reload(self, expect):
        times = len(re.findall("reloaded: ", self.said())) + 1
        self.job.send_signal(signal.SIGHUP)
        self.wait("reloaded: ", times)
        assert expect in re.findall("reloaded: .*", self.said())[times - 1], self.said()

    def stop(self):
        self.job.send_signal(signal.SIGTERM)
        return self.job.wait(timeout=120)


@contextlib.contextmanager
def running(d, *words):
    run = Run(d, *words)
    try:
        yield run
    finally:
        run.job.kill()
        run.job.wait()
        run.file.close()


@contextlib.contextmanager
def serving(d, *words):
    """One that `/metrics` and the like can be asked of: the process."""
    if not (BUILD / "engine/modules/endpoint.so").exists():
        raise Skip("leat was built without libmicrohttpd")
    with running(d, *words) as run:
        yield run.job


@contextlib.contextmanager
def watching(*names, path="all", once=()):
    """The folder and the run of `leat run --watch` with pipelines of these names, the first of which writes; it ends
    well, and those of `once` have written every number once."""
    with folder() as d:
        make(d, *names)
        with running(d, "--watch", path) as run:
            grows(d, names[0])
            yield d, run
            assert run.stop() == 0, run.said()
        for name in once:
            once_each(d, name)


def steady(name):
    return STEADY.replace("NAME", name)


def written(d, name):
    """All lines of a pipeline's final files, in order."""
    files = [p for p in pathlib.Path(d).glob(f"out/{name}-*.txt") if not p.name.startswith(".")]
    return sorted(int(line) for p in files for line in p.read_text().splitlines())


def grows(d, name):
    before = len(written(d, name))
    wait_for(f"{name} to go on", lambda: len(written(d, name)) > before)


def make(d, *names):
    (pathlib.Path(d) / "all").mkdir(exist_ok=True)
    for name in names:
        write(d, f"all/{name}.yaml", steady(name))


def replace(d, name, text):
    """As a whole: nobody sees a part of it."""
    write(d, "half-written", text).rename(pathlib.Path(d) / name)


def once_each(d, name):
    lines = written(d, name)
    assert lines == list(range(len(lines))), f"{name}: not every number once"
