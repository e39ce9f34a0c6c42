#!/usr/bin/env python3
"""A disk that is full: leat pauses, says so, goes on when there is room, and nothing is lost or partial."""
import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import job, to_files  # noqa: E402
from kafka_test import Broker, Leat  # noqa: E402
from leat_test import folder, main, wait_for  # noqa: E402
from small_disk import SmallDisk  # noqa: E402

BROKER = Broker()
RECORDS = 3000


def whole_records(paths):
    return [json.loads(line)["n"] for p in paths for line in p.read_text().splitlines()]


def fill_up(name, roll, state_on_disk):
    BROKER.topic(name)
    BROKER.produce(name, [json.dumps({"n": n, "pad": "p" * 300}) for n in range(RECORDS)])
    with folder() as dir, SmallDisk(dir) as disk:
        (disk / "ballast").write_bytes(b"\0" * 900_000)
        file = job(dir, name.replace(".", "-"), BROKER.address, f"topic: {name}, start: earliest",
                   to_files(f"{disk}/out", roll))
        text = file.read_text().replace("every: 100ms", "every: 50ms, max_records: 200")
        if state_on_disk:
            text = text.replace(f"dir: {dir}/state", f"dir: {disk}/state")
        file.write_text(text)
        done = []

        def take():
            """Moves what is final away, as who reads the files would; how many records there are."""
            for p in [p for p in disk.glob("out/*.jsonl") if not p.name.startswith(".")]:
                done.extend(whole_records([p]))
                shutil.move(p, dir)
            return len(done)

        with Leat("run", file) as run:
            run.wait_log("out")
            wait_for("a full disk to be told", lambda: "room" in run.log or "space" in run.log)
            assert run.process.poll() is None
            before = run.cpu_seconds()
            before_lines = len(run.log.splitlines())
            (disk / "ballast").unlink()
            wait_for("all records", lambda: take() >= RECORDS, 40)
            assert run.cpu_seconds() - before < 5
            assert run.stop() == 0, run.log
            assert len(run.log.splitlines()) - before_lines < 40, run.log
        take()
        assert sorted(done) == list(range(RECORDS)), "nothing is lost, nothing came twice"
        left = [p for p in disk.rglob("*") if p.is_file() and "out" in p.parts]
        assert not left, left


def test_files_of_a_batch_wait_for_room():
    fill_up("full.batch", "", False)


def test_files_that_roll_wait_for_room():
    fill_up("full.roll", "size: 64KiB, idle: 1s", False)  # the last one, too, is final


def test_the_job_log_waits_for_room_too():
    fill_up("full.log", "", True)


main(sys.modules[__name__])
