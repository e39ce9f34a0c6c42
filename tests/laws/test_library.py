#!/usr/bin/env python3
"""What a word costs that a program of the C library counts, beside the pipeline file that does the same."""
import random
import re
import sys

from laws import BUILD, folder, instructions, main, needs, pipeline, run

PROGRAM = BUILD / "tests" / "word_count"
COUNT = """
batch: { trigger: caught_up, every: 10s }
sources:
  in: { files: { path: in.txt }, format: text }
streams:
  out:
    from: in
    ops:
      - flat_map: this.split(" ")
      - map_to_pair: { key: this, value: 1 }
      - reduce_by_key: a + b
sinks:
  sink: { from: out, null: {} }
"""
WORDS = 10  # of a line


def lines(d, count):
    rng = random.Random(1)
    with open(f"{d}/in.txt", "w") as f:
        for _ in range(count):
            f.write(" ".join(f"word{rng.randrange(1000)}" for _ in range(WORDS)) + "\n")


def of_library(d, count):
    needs("valgrind")
    done = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", PROGRAM, f"{d}/in.txt"], d)
    assert int(done.stdout) == count * WORDS, done.stdout
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def of_file(d, _):
    return instructions(d, pipeline(d, COUNT), "--until", "caught_up", "--threads", 1)


def per_word(cost):
    def total(count):
        with folder() as d:
            lines(d, count)
            return cost(d, count)
    return (total(12000) - total(4000)) / 8000 / WORDS


def test_a_word_that_a_c_program_counts_costs_at_most_a_tenth_more_than_in_a_pipeline_file():
    library, file = per_word(of_library), per_word(of_file)
    print(f"{library:.0f} instructions a word through the library, {file:.0f} in a pipeline file")
    assert library <= 1.1 * file


main(sys.modules[__name__])
