"""One job of the exactly-once tests: a ledger that is written beforehand, a crash, a checker.

    case = Case(BROKER, "torn")                      topics, a pipeline file, a ledger of RECORDS each
    case.crash("log.torn@3")                         runs until it is killed there
    case.finish()                                    runs to the end of what there is
    case.check()                                     nothing lost, nothing doubled, ...
"""
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "exactly_once"), str(TESTS / "support")]
import job  # noqa: E402
from checker import Checker  # noqa: E402
from kafka_test import Leat  # noqa: E402
from leat_test import leat, wait_for  # noqa: E402
from ledger import PARTITIONS, START_MS, TopicLedger  # noqa: E402
from reader import Topics, contents, final_files, hidden_files  # noqa: E402

RECORDS = 250  # of each producer
SEED = 11
BRANCHES = ["copies", "balances", "windows"]


class Case:
    """Leaving the block takes its folder away."""

    def __init__(self, broker, name, to=("topics", "files"), rdkafka="", more="", max_records=100,
                 branches=BRANCHES):
        self.broker, self.name, self.to, self.branches = broker, name, to, list(branches)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="leat-case-"))
        self.places = {branch: [] for branch in self.branches}
        self.topics = {}
        for branch in self.branches:
            if "topics" in to:
                self.topics[branch] = broker.topic(f"{name}.{branch}", 2)
                self.places[branch].append(job.kafka(self.topics[branch]))
            if "files" in to:
                self.places[branch].append(job.files(self.dir / "out" / branch / (
                    "{p}" if branch == "copies" else "all")))
        self.source = broker.topic(f"{name}.ledger", PARTITIONS)
        self.settings = {"rdkafka": rdkafka, "more": more,
                         "batch": f"every: 20ms, max_records: {max_records}"}
        self.file = self.write_job("state")
        self.ledger = TopicLedger(broker.address, self.source, False, SEED, 0)
        self.write_records(RECORDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def write_job(self, state, **changes):
        """The pipeline file, with its state directory under that name."""
        file = job.write_job(self.dir, self.name, job.kafka_source(self.source), self.places,
                             self.broker.address, **{**self.settings, **changes})
        text = file.read_text().replace(f"{self.dir}/state-{self.name}", f"{self.dir}/{state}")
        file = self.dir / f"{state}.yaml"
        file.write_text(text)
        return file

    def write_records(self, count):
        self.ledger.write(count)
        self.ledger.flush()

    @property
    def written(self):
        return self.ledger.entries[0].seq

    def start(self, failpoint="", *words, file=None):
        return Leat("run", file or self.file, *words, env={"LEAT_FAILPOINT": failpoint})

    def crash(self, failpoint, *words):
        """Until it is killed there; what it said."""
        with self.start(failpoint, *words) as run:
            code = run.wait(60)
            assert code == -signal.SIGKILL, f"it ended with {code}:\n{run.log}"
            assert f"failpoint {failpoint.split('@')[0]} reached" in run.log, run.log
            return run.log

    def freeze(self, failpoint, file=None):
        """A leat that has stopped there, as by SIGSTOP. To be used in a `with`."""
        run = self.start(f"{failpoint}:stop", file=file)
        run.wait_log(f"failpoint {failpoint.split('@')[0]} reached", 60)
        wait_for("the process to stand still", lambda: state_of(run) == "T")
        return run

    def work(self, *words):
        """Until it has committed all there is, then SIGTERM: windows stay open. What it said."""
        with self.start("", *words) as run:
            def done():
                assert run.process.poll() is None, f"it ended with {run.process.returncode}:\n{run.log}"
                return self.is_done()
            wait_for("all to be committed", done, 60)
            assert run.stop(30) == 0, run.log
            return run.log

    def finish(self, *words):
        """To the end, which closes all windows: records that come later are late. What it said."""
        code, _, err = leat("run", self.file, "--until", "caught_up", *words, timeout=120)
        assert code == 0, f"it ended with {code}:\n{err}"
        return err

    def refuse(self, *words):
        """It ends with 1 before it has done anything; what it said."""
        before = self.offsets()
        code, _, err = leat("run", self.file, "--until", "caught_up", *words, timeout=120)
        assert code == 1, f"it ended with {code}:\n{err}"
        assert self.offsets() == before, "it has moved positions"
        return err

    def is_done(self):
        """All that was written is committed as read."""
        return all(self.offsets().get(p, (0,))[0] >= self.written for p in range(PARTITIONS))

    def offsets(self):
        """{partition: (offset, metadata)} as committed; what is pending is not seen."""
        return self.broker.committed(self.name, self.source, PARTITIONS)

    def marker(self):
        """(epoch, N) that the other side has, the greatest of its partitions; None without any."""
        marks = [m.split("/") for _, m in self.offsets().values() if m.startswith("leat/")]
        return max(((epoch, int(n)) for _, epoch, _, n in marks), key=lambda m: m[1], default=None)

    def committed(self):
        """The last batch that the other side knows; 0: none. A new job's marker begins with 0."""
        return (self.marker() or (None, 0))[1]

    def visible(self, isolation="read_committed"):
        """How many records readers see in all topics."""
        reader = Topics(self.broker.address, self.topics, isolation)
        reader.read_to_end()
        reader.close()
        return sum(reader.count.values())

    def aborted(self):
        """How many records were written that nobody who reads committed ones sees."""
        return self.visible("read_uncommitted") - self.visible()

    def check(self, ends=True):
        """`ends`: all that was written is also committed as read."""
        told = SEED, self.written, START_MS
        if "topics" in self.to:
            reader = Topics(self.broker.address, self.topics, "read_committed", Checker(self.topics))
            reader.read_to_end()
            reader.close()
            findings = reader.checker.finish(*told)
            assert not findings.count, f"in topics: {findings}"
        if "files" in self.to:
            checker = Checker(self.branches)
            for branch in self.branches:
                for path in final_files(self.dir / "out" / branch):
                    for line in contents(path).splitlines():
                        checker.add(branch, json.loads(line))
            findings = checker.finish(*told)
            assert not findings.count, f"in files: {findings}"
            left = hidden_files(self.dir / "out")
            assert not left, f"temporary files are left: {left}"
        at = {p: offset for p, (offset, _) in self.offsets().items()}
        assert not ends or at == {p: self.written for p in range(PARTITIONS)}, at


def state_of(run):
    return pathlib.Path(f"/proc/{run.process.pid}/stat").read_text().rsplit(") ", 1)[1][0]


def copy_state(case, name):
    """A backup of the state directory, as of now."""
    to = case.dir / name
    shutil.copytree(case.dir / "state", to)
    return to


def put_back(case, name):
    shutil.rmtree(case.dir / "state")
    os.rename(case.dir / name, case.dir / "state")
