#!/usr/bin/env python3
"""What joins cost: instructions by rows and matches, memory by what waits, and no more than allowed."""
import re
import subprocess
import sys

from laws import LEAT, folder, instructions, main, pipeline

# The times of the two sides are half a step apart, so nothing is within a tenth of it.
JOIN = """
memory: 64MiB
sources:
  a: { generate: { count: COUNT, value: { k: "KEY", ts: "i * 1000" } }, time: TIME }
  b: { generate: { count: COUNT, value: { k: "KEY", ts: "OTHER_TIME" } }, time: TIME }
streams:
  right: { from: b, ops: [ { key_by: k } ] }
  out:
    from: a
    ops:
      - key_by: k
      - HOW
sinks:
  sink: { from: out, null: {} }
"""
WITHIN = "full_outer_join: { with: right, as: [a, b], within: 100ms }"
WINDOW = "window: { size: 10s }\n      - join: { with: right, as: [a, b] }"


def cost(how, key, other_time, count):
    time = "{ at: fromMillis(ts), lateness: 3h }"  # nothing is late, in whatever order rows come
    text = JOIN.replace("TIME }", time + " }").replace("HOW", how).replace("KEY", key).replace("OTHER_TIME", other_time)
    with folder() as d:
        return instructions(d, pipeline(d, text.replace("COUNT", str(count))), "--until", "caught_up",
                            "--threads", 1)


def twice_the_rows_are_twice_the_work(how, key, other_time):
    nothing, once, twice = (cost(how, key, other_time, n) for n in (1, 4000, 8000))
    print(f"start {nothing}, then {(once - nothing) / 8000:.0f} and {(twice - once) / 8000:.0f} a row")
    assert twice - nothing <= 2.4 * (once - nothing)


def test_rows_of_other_keys_cost_a_join_within_a_time_their_own_work():
    twice_the_rows_are_twice_the_work(WITHIN, "i * 2 + (i % 2)", "i * 1000")


def test_rows_of_one_key_that_are_not_near_cost_a_join_within_a_time_their_own_work():
    twice_the_rows_are_twice_the_work(WITHIN, "1", "i * 1000 + 500")


def test_rows_that_come_in_the_opposite_order_cost_their_own_work():
    twice_the_rows_are_twice_the_work(WITHIN, "1", "COUNT * 1000 - i * 1000 + 500")


def test_rows_of_other_keys_cost_a_join_in_a_window_their_own_work():
    twice_the_rows_are_twice_the_work(WINDOW, "i * 2 + (i % 2)", "i * 1000")


WAITING = """
memory: MEMORY
batch: { max_records: 1000 }
sources:
  a: { generate: { count: COUNT, value: { k: i, text: "'a text of some length, which is kept'" } },
       time: fromMillis(k) }
  b: { generate: { count: 1, value: { k: -1 } }, time: fromMillis(0) }
streams:
  right: { from: b, ops: [ { key_by: k } ] }
  out:
    from: a
    ops:
      - key_by: k
      - join: { with: right, as: [a, b], within: 1d }
sinks:
  sink: { from: out, null: {} }
"""


def run_waiting(d, memory, count):
    """Its exit code, what it said, and its greatest resident memory in KiB."""
    file = pipeline(d, WAITING.replace("MEMORY", memory).replace("COUNT", str(count)))
    done = subprocess.run([sys.executable, "-c", """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
""", LEAT, "run", file, "--until", "caught_up", "--threads", "1"], cwd=d, capture_output=True, text=True,
                          timeout=300)
    return done.returncode, done.stderr, int(re.search(r"peak (\d+)", done.stdout).group(1))


def test_what_waits_in_a_join_is_counted_as_memory_and_ends_the_job_with_a_word_when_it_is_too_much():
    with folder() as d:
        code, said, few = run_waiting(d, "256MiB", 1000)
        assert code == 0, said
    with folder() as d:
        code, said, many = run_waiting(d, "64MiB", 1000000)
    print(f"exit code {code}, {many - few} KiB more than for 1,000 rows: {said.splitlines()[-3:]}")
    assert code == 1
    assert re.search(r"streams\.out\.ops\[1\]\.join: \d+ keys in state partition \d+: "
                     r"the \d+ MiB of memory are used up", said), said
    assert many - few < 2 * 64 * 1024


main(sys.modules[__name__])
