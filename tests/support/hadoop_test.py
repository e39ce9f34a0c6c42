"""Hadoop's own code for SequenceFiles, in one process for a whole test file.

    pairs, header = read(path)     of this host, or webhdfs://...; what else can be asked: hadoop_peer/Files.java
"""
import atexit
import subprocess
import tempfile

from leat_test import ROOT, Skip

SCRIPT = ROOT / "tests/broker/hadoop"


class Hadoop:
    """One process for all tests: it starts when it is first asked."""

    process = None

    def start(self):
        done = subprocess.run([SCRIPT, "fetch"], capture_output=True, text=True, timeout=400)
        if done.returncode == 77:
            raise Skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([SCRIPT, "files"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, encoding="utf-8")
        atexit.register(self.end)

    def ask(self, *words):
        if not self.process:
            self.start()
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        lines = []
        while not lines or lines[-1].split()[:1] not in (["end"], ["failed"]):
            line = self.process.stdout.readline()
            assert line, self.said()
            lines.append(line.rstrip("\n"))
        assert lines[-1].startswith("end"), (lines, self.said())
        return lines

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[-3000:]

    def end(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait(timeout=60)
            self.process.stdout.close()
            self.errors.close()


HADOOP = Hadoop()


def read(path):
    """Pairs as Hadoop reads them, and what the header says."""
    *rows, end = HADOOP.ask("read", path)

    def value(shown):
        kind, _, text = shown.partition(":")
        return {"hex": bytes.fromhex, "text": lambda t: bytes.fromhex(t).decode()}[kind](text)
    return [tuple(map(value, row.split(" "))) for row in rows], end.split(" ")[1:]
