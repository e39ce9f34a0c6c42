"""The checker: fed with what leat wrote, record by record, it says what is wrong with it.

It knows the ledger's seed and computes everything again by itself; of leat it knows what a user knows,
the names of the fields in its output. Memory is a byte per record and a counter per account and window.
"""
import collections
import datetime

from ledger import PARTITIONS, STEP_MS, Entries

WINDOW_MS, SLIDE_MS = 4000, 1000


class Findings:
    """What is wrong: how often each kind, and the first of each in words."""

    def __init__(self):
        self.count = collections.Counter()
        self.first = {}

    def add(self, kind, words, many=1):
        self.count[kind] += many
        self.first.setdefault(kind, words)

    def __str__(self):
        return "; ".join(f"{kind}: {many}, such as {self.first[kind]}"
                         for kind, many in self.count.items()) or "nothing"


class Seen:
    """Each (p, seq) once."""

    def __init__(self, name, findings):
        self.name, self.findings = name, findings
        self.marks = [bytearray() for _ in range(PARTITIONS)]
        self.records = 0

    def add(self, p, seq):
        marks = self.marks[p]
        if seq >= len(marks):
            marks.extend(bytes(max(seq + 1 - len(marks), 4096)))
        if marks[seq]:
            self.findings.add("doubled", f"{self.name} {p}/{seq}")
        marks[seq] = min(marks[seq] + 1, 255)
        self.records += 1

    def finish(self, written):
        for p, marks in enumerate(self.marks):
            lost = marks[:written].count(0) + max(written - len(marks), 0)
            if lost:
                first = marks.find(0, 0, written)
                first = len(marks) if first < 0 else first
                self.findings.add("lost", f"{self.name} {p}/{first}", lost)
            unknown = len(marks[written:]) - marks[written:].count(0)
            if unknown:
                self.findings.add("invented", f"{self.name} of {p}, beyond {written}", unknown)


class Copies:
    """The pass-through branch: each record once, those of a producer and account in their order."""

    def __init__(self, findings):
        self.findings = findings
        self.seen = Seen("copy", findings)
        self.last = {}
        self.sums = collections.Counter()

    def add(self, r):
        p, seq, account = r["p"], r["seq"], r["account"]
        self.seen.add(p, seq)
        if self.last.get((p, account), -1) >= seq:
            self.findings.add("misordered", f"copy {p}/{seq} after {self.last[p, account]}")
        self.last[p, account] = seq
        self.sums[account] += r["amount"]

    def finish(self, truth):
        self.seen.finish(truth.written)
        for account, total in truth.sums.items():
            if self.sums[account] != total:
                self.findings.add("sum wrong", f"copies of {account}: {self.sums[account]}, not {total}")


class Balances:
    """The branch with state: the n-th record of an account says n and the sum of the first n."""

    def __init__(self, findings):
        self.findings = findings
        self.seen = Seen("balance", findings)
        self.counts, self.sums = collections.Counter(), collections.Counter()
        self.last = {}

    def add(self, r):
        account = r["account"]
        p, seq = r["p"], r["seq"]
        self.seen.add(p, seq)
        if self.last.get((p, account), -1) >= seq:
            self.findings.add("misordered", f"balance {p}/{seq} after {self.last[p, account]}")
        self.last[p, account] = seq
        self.counts[account] += 1
        self.sums[account] += r["amount"]
        if (r["n"], r["total"]) != (self.counts[account], self.sums[account]):
            self.findings.add("state wrong", f"{account} at {p}/{seq} has n {r['n']}, total {r['total']},"
                              f" not {self.counts[account]}, {self.sums[account]}")
            self.counts[account], self.sums[account] = r["n"], r["total"]

    def finish(self, truth):
        self.seen.finish(truth.written)
        for account, total in truth.sums.items():
            if self.sums[account] != total:
                self.findings.add("sum wrong", f"balance of {account}: {self.sums[account]}, not {total}")


class Windows:
    """Each window of each account once, with its number of records and their sum."""

    def __init__(self, findings):
        self.findings = findings
        self.found = {}
        self.end = {}
        self.millis = {}

    def at(self, text):
        if text not in self.millis:
            when = datetime.datetime.fromisoformat(text)
            self.millis[text] = round(when.timestamp() * 1000)
        return self.millis[text]

    def add(self, r):
        name = r["account"], self.at(r["window_start"])
        if self.at(r["window_end"]) - name[1] != WINDOW_MS:
            self.findings.add("window wrong", f"{name} ends at {r['window_end']}")
        if name in self.found:
            self.findings.add("window doubled", f"{name}")
        if self.end.get(r["account"], 0) > name[1]:
            self.findings.add("window misordered", f"{name}")
        self.end[r["account"]] = name[1]
        self.found[name] = r["n"], r["total"]

    def finish(self, truth):
        expected = truth.windows()
        for name, value in expected.items():
            if name not in self.found:
                self.findings.add("window lost", f"{name} with n, total {value}")
            elif self.found[name] != value:
                self.findings.add("window wrong", f"{name} has n, total {self.found[name]}, not {value}")
        for name in self.found.keys() - expected.keys():
            self.findings.add("window invented", f"{name}")


class Batches:
    """All of a batch or nothing: what two sinks show of one batch are the same records."""

    def __init__(self, findings):
        self.findings = findings
        self.parts = collections.Counter()

    def add(self, sink, r):
        # A sum that stands for a set: it is nothing once both sinks have shown the same.
        sign = 1 if sink == "copies" else -1
        self.parts[r["batch"]] += sign * (1 << 60 | hash((r["p"], r["seq"])) & (1 << 60) - 1)

    def finish(self):
        for batch, rest in self.parts.items():
            if rest:
                self.findings.add("half a batch", f"batch {batch}")


class Truth:
    """What the first `written` records of each producer come to."""

    def __init__(self, seed, written, start_ms):
        self.written = written
        self.sums = collections.Counter()
        self.panes = {}
        for p in range(PARTITIONS):
            entries = Entries(seed, p, start_ms)
            for _ in range(written):
                _, account, amount, time_ms = entries.next()
                self.sums[account] += amount
                pane = self.panes.setdefault((account, time_ms // SLIDE_MS), [0, 0])
                pane[0] += 1
                pane[1] += amount

    def windows(self):
        """(account, start in ms): (n, total)"""
        found = {}
        for (account, pane), (n, total) in self.panes.items():
            for back in range(WINDOW_MS // SLIDE_MS):
                window = found.setdefault((account, (pane - back) * SLIDE_MS), [0, 0])
                window[0] += n
                window[1] += total
        return {name: tuple(value) for name, value in found.items()}


class Checker:
    """Everything together. add() takes the sink ("copies", "balances" or "windows") and a record."""

    def __init__(self, sinks, batches=True):
        self.findings = Findings()
        self.checks = {name: {"copies": Copies, "balances": Balances, "windows": Windows}[name](
            self.findings) for name in sinks}
        self.batches = Batches(self.findings) if batches and "balances" in sinks else None
        self.records = collections.Counter()

    def add(self, sink, record):
        self.records[sink] += 1
        self.checks[sink].add(record)
        if self.batches and sink != "windows":
            self.batches.add(sink, record)

    def finish(self, seed, written, start_ms):
        truth = Truth(seed, written, start_ms)
        for check in self.checks.values():
            check.finish(truth)
        if self.batches:
            self.batches.finish()
        return self.findings


assert SLIDE_MS % STEP_MS == 0
