#!/usr/bin/env python3
"""Memory is flat over 10,000 batches: what 2,000 need is enough for 12,000."""
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


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1))


def read_until(lines, batch):
    for line in lines:
        if int(line) >= batch:
            return
    raise AssertionError(f"ended before batch {batch}")


def test_memory_does_not_grow_between_batch_2000_and_batch_12000():
    with folder() as d:
        job = subprocess.Popen([LEAT, "run", "--threads", "2", pipeline(d, MANY_BATCHES)], cwd=d,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            read_until(job.stdout, 2000)  # by then the log has had its first snapshots
            early = resident_kib(job.pid)
            read_until(job.stdout, 12000)
            late = resident_kib(job.pid)
            job.send_signal(signal.SIGTERM)
            _, err = job.communicate(timeout=10)
        finally:
            job.kill()
        print(f"batch 2,000: {early} KiB, batch 12,000: {late} KiB")
        assert job.returncode == 0, err
        assert late - early < SLACK_KIB


main(sys.modules[__name__])
