#!/usr/bin/env python3
"""Memory is flat over 10,000 batches: they need no more than those before them.

Records that wait for a machine which pauses may take one more huge page (2 MiB), once. A leak grows in
every stretch, so one stretch without growth is proof, and a second and third are run only for that page.
"""
import re
import signal
import subprocess
import sys

from laws import LEAT, folder, main, pipeline

MANY_BATCHES = """
batch: { every: 1ms, max_records: 100 }
sources:
  in:
    generate:
      rate: 50000/s
      value: { n: i, city: string(i % 50) }
      time: fromMillis(i)
streams:
  per_city:
    from: in
    ops:
      - filter: n % 7 != 1
      - key_by: city
      - window: { size: 1s, slide: 100ms }
      - aggregate: { c: count(), s: sum(n), m: max(n) }
  batches:
    from: in
    ops:
      - map: meta.batch
      - distinct
sinks:
  nowhere: { from: per_city, null: {} }
  shown: { from: batches, console: {} }
"""
SLACK_KIB = 1024
STRETCHES = [2000, 12000, 22000, 32000]


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1))


def read_until(lines, batch):
    for line in lines:
        if int(line) >= batch:
            return
    raise AssertionError(f"ended before batch {batch}")


def test_10000_batches_need_no_memory_that_the_ones_before_did_not():
    with folder() as d:
        job = subprocess.Popen([LEAT, "run", "--threads", "2", pipeline(d, MANY_BATCHES)], cwd=d,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            sizes = []
            for batch in STRETCHES:  # by the first the log has had its snapshots
                read_until(job.stdout, batch)
                sizes.append(resident_kib(job.pid))
                if len(sizes) > 1 and sizes[-1] - sizes[-2] < SLACK_KIB:
                    break
            job.send_signal(signal.SIGTERM)
            _, err = job.communicate(timeout=60)
        finally:
            job.kill()
        print(f"KiB at batches {STRETCHES[:len(sizes)]}: {sizes}")
        assert job.returncode == 0, err
        assert sizes[-1] - sizes[-2] < SLACK_KIB


main(sys.modules[__name__])
