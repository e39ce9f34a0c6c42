#!/usr/bin/env python3
"""What reading an Avro record costs, in instructions, against the generic values of Avro-C."""
import re
import subprocess
import sys

from laws import BUILD, Skip, main, needs

BENCH = BUILD / "tests" / "bench_avro"


def instructions(who, rounds):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", BENCH, who, str(rounds)],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def per_record(who):
    """What the start costs falls out of the difference."""
    needs("valgrind")
    if not BENCH.exists():
        raise Skip("built without Avro-C (libavro-dev)")
    cost = (instructions(who, 30) - instructions(who, 10)) / 20000
    print(f"{who}: {cost:.0f} instructions per record of ten fields")
    return cost


def test_touched_fields_of_a_record_cost_a_fifteenth_of_avro_cs_generic_values():
    assert per_record("avro-c") >= 15 * per_record("leat")


main(sys.modules[__name__])
