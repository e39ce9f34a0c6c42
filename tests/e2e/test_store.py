#!/usr/bin/env python3
"""`store: disk`: what was acknowledged is on the disk before, and in the outputs once, whatever happens."""
import http.client
import pathlib
import re
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Leat  # noqa: E402
from kept_job import by_http, by_socket, lines_of  # noqa: E402
from kills import FULL  # noqa: E402
from line_sender import Senders, can_connect, send_lines  # noqa: E402
from leat_test import folder, free_port, leat, main, wait_for, write  # noqa: E402
from small_disk import SmallDisk  # noqa: E402
from traced import traced  # noqa: E402

KILLS = 20 if FULL else 3


def job(dir, source, every="100ms", state=None, store="disk", delivery="exactly_once"):
    return write(dir, "job.yaml", f"""leat: 1
name: stored
delivery: {delivery}
batch: {{ every: {every} }}
checkpoint: {{ dir: {state or f'{dir}/state'} }}
sources:
  in:
    {source}
    format: text
    store: {store}
sinks:
  out:
    from: in
    files: {{ path: "{dir}/out/{{file}}.txt" }}
    format: text
""")


def files_of(dir, pattern="*.leatblk"):
    return sorted(pathlib.Path(dir, "state/store/in").glob(pattern))


def test_what_was_acknowledged_is_in_the_outputs_once_however_often_leat_is_killed():
    with folder() as dir:
        port = free_port()
        file = job(dir, by_http(port))
        with Senders(port) as senders:
            for kill in range(KILLS):
                with Leat("run", file) as run:
                    senders.wait_more(21 + kill * 37 % 50)
                    run.kill()
        with Leat("run", file) as run:
            senders.stop()
            wanted = set(senders.acknowledged)
            wait_for("all that was acknowledged", lambda: wanted <= set(lines_of(dir)), 40)
            assert run.stop() == 0, run.log
        out = lines_of(dir)
        assert len(out) == len(set(out)), "something came twice, though it was sent once"
        assert wanted <= set(out)
        assert len(files_of(dir)) == 1 and files_of(dir)[0].stat().st_size < 500, "all of it is done"


def whole_call(line, pids):
    """A call of a trace as (name, rest) when it is over."""
    found = re.match(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)", line)
    if not found:
        return None
    pid, name, rest = found.groups()
    if "<unfinished" in line:
        pids[pid] = rest
        return None
    if "resumed>" in line:
        rest = pids.pop(pid, "") + rest
    return name, rest


def test_a_trace_of_system_calls_shows_the_sync_before_every_answer():
    with folder() as dir:
        port = free_port()
        file = job(dir, by_http(port), every="1s")
        trace = pathlib.Path(dir, "trace")
        calls = "trace=write,writev,sendto,sendmsg,fsync,fdatasync"
        with traced(["-y", "-s", "300", "-e", calls, "-o", trace], file):
            wait_for("the port", lambda: can_connect(port), 40)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
            for i in range(20):
                connection.request("POST", "/", f"line-{i}-of-it")
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 204
            connection.close()
        pids, written, synced, answers = {}, None, None, 0
        for line in trace.read_text(errors="replace").splitlines():
            call = whole_call(line, pids)
            if not call:
                continue
            name, rest = call
            if name == "write" and ".leatblk" in rest and f"line-{answers}-of-it" in rest:
                written = answers
            elif "sync" in name and ".leatblk" in rest and rest.endswith("= 0"):
                synced = written
            elif "HTTP/1.1 204" in rest:
                assert synced == answers, f"answer {answers} was sent, but only {synced} was synced"
                answers += 1
        assert answers == 20, answers


def test_no_record_costs_a_system_call():
    with folder() as dir:
        port, records = free_port(), 200_000
        file = job(dir, by_socket(port), every="1s")
        told = pathlib.Path(dir, "calls")
        with traced(["-c", "-o", told], file):
            send_lines(port, (b"line %d" % i for i in range(records)))
            wait_for("all lines", lambda: len(lines_of(dir)) == records, 60)
        total = int(re.search(r"(\d+)(?: +\d+)? total$", told.read_text(), re.M)[1])
        print(f"{total / records:.4f} system calls per record")
        assert total < records / 20, told.read_text()


def test_a_full_quota_holds_the_sender_back_and_nothing_is_dropped():
    with folder() as dir:
        port = free_port()
        file = job(dir, by_socket(port), every="2s", store="{ disk: { quota: 1MiB } }")
        lines = [b"%d-%s" % (i, b"x" * 300) for i in range(20_000)]
        with Leat("run", file) as run:
            send_lines(port, lines)
            wait_for("all lines", lambda: len(lines_of(dir)) == len(lines), 90)
            assert run.stop() == 0, run.log
            assert "`quota`" in run.log and "has room again" in run.log, run.log
        assert sorted(lines_of(dir)) == sorted(line.decode() for line in lines)


def test_a_full_disk_holds_the_sender_back_and_it_goes_on_when_there_is_room():
    with folder() as dir, SmallDisk(dir) as disk:
        port = free_port()
        (disk / "ballast").write_bytes(b"\0" * 700_000)
        file = job(dir, by_socket(port), every="1s", state=disk / "state")
        lines = [b"%d-%s" % (i, b"x" * 300) for i in range(8_000)]
        with Leat("run", file) as run:
            sender = threading.Thread(target=send_lines, args=(port, lines), daemon=True)
            sender.start()
            run.wait_log("waiting for room")
            (disk / "ballast").unlink()
            wait_for("all lines", lambda: len(lines_of(dir)) == len(lines), 60)
            assert run.stop() == 0, run.log
            assert run.log.count("waiting for room") <= run.log.count("room again") + 1, run.log
        assert sorted(lines_of(dir)) == sorted(line.decode() for line in lines)


def stored_and_not_committed(dir, port, failpoint, count=100):
    """A job that is killed at the failpoint, after this many lines."""
    file = job(dir, by_socket(port))
    with Leat("run", file, env={"LEAT_FAILPOINT": failpoint}) as run:
        send_lines(port, [b"line %d" % i for i in range(count)])
        run.wait()
        assert "reached" in run.log, run.log
    return file


def test_rows_in_no_batch_are_not_forgotten_when_the_store_is_taken_out_of_the_file():
    with folder() as dir:
        port = free_port()
        file = stored_and_not_committed(dir, port, "log.before")
        commit = job(dir, by_socket(port), store="commit", delivery="at_least_once")
        code, _, err = leat("run", commit, "--until", "2s")
        assert code == 78 and "in no batch yet" in err and "store: disk" in err, err
        file = job(dir, by_socket(port))
        code, _, err = leat("run", file, "--until", "2s")
        assert code == 0, err
        assert sorted(lines_of(dir)) == sorted(f"line {i}" for i in range(100))
        commit = job(dir, by_socket(port), store="commit", delivery="at_least_once")
        code, _, err = leat("run", commit, "--until", "1s")
        assert code == 0, err


def test_a_group_that_was_being_written_is_cut_off_and_said():
    with folder() as dir:
        port = free_port()
        file = stored_and_not_committed(dir, port, "store.torn@2")
        code, _, err = leat("run", file, "--until", "2s")
        assert code == 0 and "were cut off" in err, err
        assert len(lines_of(dir)) < 100


def test_a_failed_sync_ends_the_job_with_the_file_that_it_is_about():
    with folder() as dir:
        port = free_port()
        file = job(dir, by_socket(port))
        with Leat("run", file, env={"LEAT_FAILPOINT": "store.synced:error"}) as run:
            send_lines(port, [b"line"])
            assert run.wait() == 1
            assert "source 'in'" in run.log and ".leatblk" in run.log and "sync" in run.log, run.log


def test_damage_ends_the_job_with_its_place_and_a_missing_file_is_said():
    with folder() as dir:
        port = free_port()
        file = stored_and_not_committed(dir, port, "log.before")
        (path,) = files_of(dir)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
        code, _, err = leat("run", file, "--until", "2s")
        assert code == 1 and f"'{path}' is damaged at byte" in err, err
        path.unlink()
        code, _, err = leat("run", file, "--until", "1s")
        assert code == 0, err


main(sys.modules[__name__])
