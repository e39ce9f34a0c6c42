"""What the tests of laws share: leat is measured from outside, never asked for its own counters.

Instructions are counted by valgrind's callgrind, allocations by count_malloc.so, system calls by
strace, memory by the kernel. None of these depends on how fast or busy the machine is.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import BUILD, LEAT, Skip, folder, main, wait_for, write  # noqa: E402,F401

COUNT_MALLOC = BUILD / "tests" / "count_malloc.so"


def needs(program):
    if not shutil.which(program):
        raise Skip(f"{program} is not installed")


def run(words, d, env=None, seconds=300):
    done = subprocess.run(list(map(str, words)), cwd=d, capture_output=True, text=True,
                          timeout=seconds, env={**os.environ, **(env or {})})
    assert done.returncode == 0, f"{words}: exit {done.returncode}:\n{done.stderr[-3000:]}"
    return done


def pipeline(d, text, name="law"):
    """The file of a pipeline that needs nothing but its folder."""
    return write(d, name + ".yaml", f"leat: 1\nname: {name}\ncheckpoint: {{ dir: {d}/state-{name} }}\n"
                 + text)


def allocations(d, file, *words):
    """How often leat calls malloc and its relatives while it runs the pipeline to its end."""
    told = pathlib.Path(d) / "allocations"
    run([LEAT, "run", *words, file], d,
        {"LD_PRELOAD": str(COUNT_MALLOC), "COUNT_MALLOC": str(told)})
    return int(told.read_text().split()[0])


def instructions(d, file, *words):
    """How many instructions all threads of leat execute while it runs the pipeline to its end."""
    needs("valgrind")
    out = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", LEAT, "run",
               *words, file], d).stderr
    return int(re.search(r"Collected : (\d+)", out).group(1))


def system_calls(d, file, *words):
    """How many system calls all threads of leat make while it runs the pipeline to its end."""
    needs("strace")
    told = pathlib.Path(d) / "calls"
    run(["strace", "-f", "-c", "-o", told, LEAT, "run", *words, file], d)
    return {line.split()[-1]: int(line.split()[3]) for line in told.read_text().splitlines()
            if re.match(r"^ +[\d.]+ ", line)}
