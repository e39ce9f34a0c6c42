#!/usr/bin/env python3
"""What state costs, in instructions: what is touched, what is due, and nothing for what is there."""
import pathlib
import re
import statistics
import sys

from laws import BUILD, Skip, folder, instructions, main, needs, pipeline, run

COST = BUILD / "tests" / "state_cost"
MILLIONS = 10000000


def counted(what, keys, d):
    """The instructions of each part: one, or one per batch."""
    needs("valgrind")
    if not COST.exists():
        raise Skip("the headers of valgrind are not installed")
    run(["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=out", COST, what,
         keys], d)
    parts = sorted(pathlib.Path(d).glob("out.*"), key=lambda p: int(p.suffix[1:])) \
        or [pathlib.Path(d) / "out"]
    return [int(re.search(r"^totals: (\d+)", p.read_text(), re.M).group(1)) for p in parts]


def cost(what, keys):
    with folder() as d:
        total = sum(counted(what, keys, d))
        print(f"{what} with {keys} keys: {total} instructions")
        return total


def test_touching_1000_keys_costs_the_same_among_10_thousand_and_10_million():
    few, many = cost("touch", 10000), cost("touch", MILLIONS)
    assert many <= 1.3 * few


def test_1000_keys_that_time_out_cost_the_same_among_10_thousand_and_a_million():
    few, many = cost("expire", 10000), cost("expire", 1000000)
    assert many <= 1.3 * few


def test_no_batch_pays_for_the_growth_of_the_table():
    with folder() as d:
        batches = counted("grow", 600000, d)
    median = statistics.median(batches)
    print(f"{len(batches)} batches of 1,000 new keys: median {median}, worst {max(batches)}")
    assert len(batches) == 600
    assert max(batches) <= 3 * median


def test_reading_an_image_is_no_insertion_of_its_keys():
    read, insert = cost("read", 200000), cost("insert", 200000)
    assert read <= 0.5 * insert


TOUCHED = """
batch: { every: 1s, max_records: 1000 }
sources:
  in:
    generate:
      count: COUNT
      value: { k: "i < KEYS ? i : i * 7919 % KEYS", n: i }
streams:
  out:
    from: in
    ops:
      - key_by: k
      - OPERATOR
sinks:
  sink: { from: out, null: {} }
"""


MAP = """map_with_state:
          init: { n: 0, sum: 0 }
          update: { n: state.n + 1, sum: state.sum + n }
          emit: state.sum
          timeout: 1h"""
UPDATE = """update_state_by_key: { update: "values.map(v, v.n).sum() + default(state, 0)" }"""


def per_record(operator, keys):
    """Of records that come when every key has its state."""
    def total(more):
        with folder() as d:
            text = TOUCHED.replace("OPERATOR", operator).replace("KEYS", str(keys)).replace("COUNT", str(keys + more))
            return instructions(d, pipeline(d, text), "--until", "caught_up", "--threads", 1)
    cost = (total(40000) - total(20000)) / 20000
    print(f"{operator.split(':')[0]} with {keys} keys: {cost:.0f} instructions a record")
    return cost


def test_a_record_costs_map_with_state_the_same_with_2_thousand_and_100_thousand_keys():
    few, many = per_record(MAP, 2000), per_record(MAP, 100000)
    assert many <= 1.3 * few


def test_a_record_costs_update_state_by_key_the_same_with_20_thousand_and_80_thousand_keys():
    few, many = per_record(UPDATE, 20000), per_record(UPDATE, 80000)  # one of a key in a batch
    assert many <= 1.3 * few


main(sys.modules[__name__])
