#!/usr/bin/env python3
"""`leat health` says by its exit code how a running leat is, whatever it is that answers."""
import contextlib
import itertools
import pathlib
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_run import serving  # noqa: E402
from leat_test import folder, free_port, leat, main, wait_for, write  # noqa: E402

STEADY = """leat: 1
name: steady
http: { listen: "PORT" }
sources:
  in: { SOURCE }
sinks:
  out: { from: in, "null": {} }
"""


def running(d, source, port):
    return serving(d, write(d, "f.yaml", STEADY.replace("PORT", str(port)).replace("SOURCE", source)))


def health(port, path="/readyz"):
    return leat("health", f"http://127.0.0.1:{port}{path}")


def test_a_leat_whose_pipelines_run_is_well():
    port = free_port()
    with folder() as d, running(d, "generate: { rate: 10/s }", port):
        wait_for("it", lambda: health(port)[0] == 0)
        assert health(port) == (0, "steady: running\n", "")
        assert health(port, "") == (0, "steady: running\n", ""), "/readyz when no path is said"
        assert health(port, "/healthz") == (0, "ok\n", "")
        assert health(port, "/other")[0] == 1


def test_one_that_waits_for_its_broker_is_not_and_says_which():
    port = free_port()
    with folder() as d, running(d, 'kafka: { brokers: "127.0.0.1:1", topic: t }', port):
        wait_for("it", lambda: health(port)[0] == 1)
        code, out, err = health(port)
        assert code == 1 and not out and "steady: starting\n" in err and "answers 503" in err, err


def test_nobody_who_answers_is_another_exit_code():
    code, out, err = health(free_port())
    assert code == 69 and "Connection refused" in err and not out, err


def test_words_that_are_no_address_are_refused():
    for url in ("x", "https://127.0.0.1", "http://", "http://:1", "http://h:", "http://h:1x", "http://h:999999",
                "http://[::1", "http://[::1]x", "http://h/a b", "http://h/\r\nX: y", "http://" + "h" * 300):
        code, _, err = leat("health", url)
        assert code == 2 and "is no address such as http://127.0.0.1:4190/readyz" in err, (url, err)
    assert leat("health", "http://127.0.0.1:1", "http://127.0.0.1:2")[0] == 2


@contextlib.contextmanager
def answering(data, stays=False):
    """A peer that sends these pieces of bytes, whatever it is asked, and may never close."""
    with socket.socket() as s, contextlib.ExitStack() as open_ones:
        s.bind(("127.0.0.1", 0))
        s.listen()

        def serve():
            with contextlib.suppress(OSError):
                c = open_ones.enter_context(s.accept()[0])
                c.recv(1000)
                for piece in data:
                    c.sendall(piece)
                if not stays:
                    c.close()
        peer = threading.Thread(target=serve, daemon=True)
        peer.start()
        yield s.getsockname()[1]


def test_whatever_answers_is_told_apart_and_bounded():
    for data, expected in ((b"", 69), (b"HTTP/1.1", 69), (b"HTTP/1.1 2x0 OK\r\n\r\n", 69), (b"\0" * 100, 69),
                           (b"SSH-2.0-OpenSSH\r\n", 69), (b"HTTP/1.1 200 OK\r\n\r\nok\n", 0),
                           (b"HTTP/1.0 200", 0), (b"HTTP/1.1 500 no\r\n\r\n", 1),
                           (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000000, 0)):
        with answering([data]) as port:
            code, out, err = health(port)
            assert code == expected, (data[:40], code, err)
            assert len(out) + len(err) < 20000


def test_what_a_terminal_would_obey_is_not_shown():
    with answering([b"HTTP/1.1 200 OK\r\n\r\n\x1b[2Jwell\x07\n"]) as port:
        assert health(port) == (0, "?[2Jwell?\n", "")


def test_one_that_never_ends_its_answer_is_not_waited_for():
    with answering([b"HTTP/1.1 200 OK\r\n"], stays=True) as port:
        code, _, err = health(port)
        assert code == 69 and "no answer in 5 s" in err, err


def slowly():
    """Never silent, and never done."""
    pause = threading.Event()
    yield b"HTTP/1.1 200 OK\r\n"
    while not pause.wait(0.2):
        yield b"X"


def test_one_that_answers_byte_by_byte_is_not_waited_for_either():
    with answering(slowly(), stays=True) as port:
        code, _, err = health(port)
        assert code == 69 and "no answer in 5 s" in err, err


def test_of_one_that_never_ends_its_headers_or_its_body_a_part_is_read():
    for start in (b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n", b"x"):
        with answering(itertools.chain([start], itertools.repeat(b"y" * 65536))) as port:
            code, out, err = health(port)
            assert code == (69 if start == b"x" else 0) and len(out) + len(err) < 20000, (start, code, err)


def test_one_that_does_not_even_accept_is_not_waited_for():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        code, _, err = health(s.getsockname()[1])
        assert code == 69 and "no answer in 5 s" in err, err


main(sys.modules[__name__])
