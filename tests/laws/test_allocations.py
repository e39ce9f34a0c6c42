#!/usr/bin/env python3
"""Memory is taken per batch and block, never per record: calls of malloc are counted."""
import sys

from laws import allocations, folder, main, pipeline

STATELESS = """
batch: { every: 10s }
sources:
  in: { files: { path: in.jsonl }, format: json }
streams:
  out:
    from: in
    ops:
      - filter: n % 3 != 1
      - map: { city: city, m: n * 2 + size(tags), name: name + "!" }
sinks:
  sink: { from: out, null: {} }
"""
KEYED = """
batch: { every: 10s }
sources:
  in:
    files: { path: in.jsonl }
    format: json
    time: fromMillis(n * 10)
streams:
  out:
    from: in
    ops:
      - key_by: city
      - window: { size: 10s, slide: 1s }
      - aggregate: { c: count(), s: sum(n), m: max(n) }
sinks:
  sink: { from: out, null: {} }
"""


def rows(d, count):
    with open(f"{d}/in.jsonl", "w") as f:
        for i in range(count):
            f.write('{"n":%d,"city":"city %d","tags":["a","b","c"],"name":"a name of some length"}\n'
                    % (i, i % 100))


def growth(text, records):
    """How many more allocations so many more records cost."""
    with folder() as d:
        file = pipeline(d, text)
        rows(d, records)
        few = allocations(d, file, "--until", "caught_up", "--threads", 2)
        rows(d, 2 * records)
        many = allocations(d, file, "--until", "caught_up", "--threads", 2)
        print(f"{records} records: {few} allocations; twice as many: {many}")
        return many - few


def test_records_of_a_stateless_pipeline_cost_no_allocation():
    assert growth(STATELESS, 100000) < 100


def test_records_of_a_windowed_pipeline_cost_no_allocation():
    assert growth(KEYED, 100000) < 1000


if __name__ == "__main__":
    main(sys.modules[__name__])
