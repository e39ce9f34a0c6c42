#!/usr/bin/env python3
"""What work costs, in instructions: rows in a straight line, slides by what is new and expired."""
import sys

from laws import folder, instructions, main, pipeline

STATELESS = """
sources:
  in: { files: { path: in.jsonl }, format: json }
streams:
  out:
    from: in
    ops:
      - filter: n % 3 != 1
      - map: { city: city, m: n * 2 + 1 }
sinks:
  sink: { from: out, null: {} }
"""
WINDOWED = """
sources:
  in:
    files: { path: in.jsonl }
    format: json
    time: fromMillis(t)
streams:
  out:
    from: in
    ops:
      - key_by: city
      - window: { size: SIZEs, slide: 1s }
      - aggregate: { c: count(), s: AGGREGATE }
sinks:
  sink: { from: out, null: {} }
"""
KEYS = 8  # each occurs twice in every second, so that every slide has the same keys


def rows(d, count):
    with open(f"{d}/in.jsonl", "w") as f:
        for i in range(count):
            f.write('{"n":%d,"t":%d,"city":"city %d"}\n'
                    % (i % 97, i * 1000 // (2 * KEYS), i % KEYS))


def cost(text, count):
    with folder() as d:
        rows(d, count)
        return instructions(d, pipeline(d, text), "--until", "caught_up", "--threads", 1)


def per_slide(slides, aggregate):
    """Of a long stream against a shorter one: start and end, where windows are partly filled, fall
    out of the difference."""
    text = WINDOWED.replace("SIZE", str(slides)).replace("AGGREGATE", aggregate)
    short, long = (cost(text, n * 2 * KEYS) for n in (1500, 3000))
    print(f"{aggregate} over {slides} slides: {(long - short) / 1500:.0f} instructions per slide")
    return (long - short) / 1500


def same_for_any_size(aggregate):
    few, many = per_slide(10, aggregate), per_slide(1000, aggregate)
    assert abs(many - few) < 0.2 * few


def test_twice_the_records_are_twice_the_instructions():
    nothing, once, twice = (cost(STATELESS, n) for n in (0, 100000, 200000))
    print(f"start {nothing}, then {(once - nothing) / 1e5:.0f} and {(twice - once) / 1e5:.0f} each")
    assert abs((twice - nothing) - 2 * (once - nothing)) < 0.1 * 2 * (once - nothing)


def test_a_slide_with_an_inverse_costs_the_same_in_a_window_of_10_and_of_1000_slides():
    same_for_any_size("sum(n)")


def test_a_slide_without_an_inverse_costs_the_same_in_a_window_of_10_and_of_1000_slides():
    same_for_any_size("max(n)")


main(sys.modules[__name__])
