#!/usr/bin/env python3
"""The checker of exactly once finds what is wrong: each test spoils a right output in one way."""
import datetime
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
from checker import Checker, Truth  # noqa: E402
from leat_test import main  # noqa: E402
from ledger import PARTITIONS, START_MS, Entries  # noqa: E402

SEED, WRITTEN = 5, 700
SINKS = ["copies", "balances", "windows"]


def text(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).isoformat()


def right_output():
    """[(sink, record)], as a run of the pipeline without any fault would write it."""
    out, counts, sums = [], {}, {}
    producers = [Entries(SEED, p) for p in range(PARTITIONS)]
    for i in range(WRITTEN):
        for entries in producers:
            seq, account, amount, _ = entries.next()
            n = counts[account] = counts.get(account, 0) + 1
            total = sums[account] = sums.get(account, 0) + amount
            r = {"p": entries.p, "seq": seq, "account": account, "amount": amount, "batch": i // 100}
            out += [("copies", r), ("balances", {**r, "n": n, "total": total})]
    for (account, start), (n, total) in sorted(Truth(SEED, WRITTEN, START_MS).windows().items()):
        out.append(("windows", {"account": account, "window_start": text(start),
                                "window_end": text(start + 4000), "n": n, "total": total}))
    return out


def kinds(output, written=WRITTEN):
    checker = Checker(SINKS)
    for sink, record in output:
        checker.add(sink, record)
    return set(checker.finish(SEED, written, START_MS).count)


def places(output, sink):
    return [i for i, (s, _) in enumerate(output) if s == sink]


def test_a_right_output_passes():
    assert kinds(right_output()) == set()


def test_one_lost_record_is_found():
    for sink in ("copies", "balances"):
        output = right_output()
        del output[places(output, sink)[1234]]
        assert {"lost", "sum wrong"} & kinds(output) and "half a batch" in kinds(output), sink


def test_one_doubled_record_is_found():
    for sink in ("copies", "balances"):
        output = right_output()
        output.insert(2000, output[places(output, sink)[500]])
        assert {"doubled", "misordered"} <= kinds(output), sink


def test_two_records_of_an_account_in_the_wrong_order_are_found():
    output = right_output()
    mine = [i for i in places(output, "copies")
            if (output[i][1]["p"], output[i][1]["account"]) == (1, "a03")]
    output[mine[0]], output[mine[1]] = output[mine[1]], output[mine[0]]
    assert kinds(output) == {"misordered"}


def test_state_that_has_forgotten_or_repeated_a_record_is_found():
    output = right_output()
    at = places(output, "balances")[777]
    output[at] = "balances", {**output[at][1], "n": output[at][1]["n"] + 1}
    assert "state wrong" in kinds(output)


def test_a_wrong_amount_is_found():
    output = right_output()
    output[0] = "copies", {**output[0][1], "amount": output[0][1]["amount"] + 1}
    assert kinds(output) == {"sum wrong"}


def test_a_window_that_is_lost_doubled_or_wrong_is_found():
    output = right_output()
    at = places(output, "windows")[7]
    assert kinds(output[:at] + output[at + 1:]) == {"window lost"}
    assert "window doubled" in kinds(output + [output[at]])
    wrong = {**output[at][1], "total": output[at][1]["total"] + 1}
    assert kinds(output[:at] + [("windows", wrong)] + output[at + 1:]) == {"window wrong"}


def test_records_that_nobody_wrote_are_found():
    assert "invented" in kinds(right_output(), WRITTEN - 1)


def test_half_a_batch_is_found():
    output = right_output()
    output = [(s, {**r, "batch": 99} if s == "copies" and r["batch"] == 3 else r) for s, r in output]
    assert kinds(output) == {"half a batch"}


main(sys.modules[__name__])
