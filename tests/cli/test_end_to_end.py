#!/usr/bin/env python3
"""A whole job with several threads: generated records, windows, files. Runs under sanitizers, too."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, leat, main, write  # noqa: E402

RECORDS = 60000
PIPELINE = f"""leat: 1
name: end-to-end
batch: {{ every: 50ms, max_records: 5000 }}
sources:
  numbers:
    generate:
      count: {RECORDS}
      key: string(i % 100)
      value:
        n: i
        city: |
          ["Paris", "Lyon", "Lille", "Nice"][i % 4]
        tags: |
          ["a", "b"]
    time: fromMillis(n * 10)
  lines:
    files: {{ path: "in/*.jsonl" }}
    format: json
    time: fromMillis(n * 10)
streams:
  both:
    from: [numbers, lines]
    ops:
      - filter: n % 2 == 0
      - set: {{ m: n * 2, label: 'city + "!"' }}
  per_city:
    from: both
    ops:
      - key_by: city
      - window: {{ size: 10s, slide: 5s }}
      - aggregate: {{ c: count(), s: sum(n), m: max(m), f: first(label) }}
  words:
    from: both
    ops:
      - flat_map: tags
      - count_by_value
sinks:
  windows: {{ from: per_city, files: {{ path: "windows/{{file}}.jsonl" }}, format: json }}
  copy: {{ from: both, files: {{ path: "copy/{{file}}.jsonl.gz" }}, format: json }}
  words_out: {{ from: words, null: {{}} }}
"""


def test_four_threads_see_every_record_in_both_its_windows_and_end_by_themselves():
    with folder() as d:
        file = write(d, "f.yaml", PIPELINE)
        (pathlib.Path(d) / "in").mkdir()
        for part in range(4):
            write(d, f"in/{part}.jsonl", "".join(
                f'{{"n":{n},"city":"Paris","tags":["c"]}}\n' for n in range(part, 4000, 4)))
        code, out, err = leat("run", "--threads", 4, "--until", "caught_up", file, cwd=d,
                              timeout=150)
        assert code == 0, err
        windows = [json.loads(line) for path in pathlib.Path(d, "windows").iterdir()
                   for line in path.read_text().splitlines()]
        expected = sum(n for n in range(0, RECORDS, 2)) + sum(n for n in range(0, 4000, 2))
        assert sum(w["c"] for w in windows) == 2 * (RECORDS // 2 + 2000), (
            sum(w["c"] for w in windows), err)
        assert sum(w["s"] for w in windows) == 2 * expected
        assert not out and len({(w["city"], w["window_start"]) for w in windows}) == len(windows)


main(sys.modules[__name__])
