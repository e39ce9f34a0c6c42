#!/usr/bin/env python3
"""The C library as it is installed: what it shows, and the examples built against it."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from installed import PLACE, built, environment, installed, package  # noqa: E402
from leat_test import ROOT, Skip, folder, main, wait_for, write  # noqa: E402

EXAMPLES = ROOT / "docs" / "examples"
HEADERS = ["leat_stream.h", "leat_keep.h", "leat_listener.h", "leat_receiver.h", "base/error.h", "base/slice.h",
           "data/value.h", "expr/user_function.h"]


def example(name, static=False):
    return built(EXAMPLES / (name + ".c"), static)


def names_in(text, data=False):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"^\s*#.*(?:\\\n.*)*", "", text, flags=re.M)
    found = set(re.findall(r"LEAT_API[^;]*?\b(leat_\w+)\(", text))
    return found | set(re.findall(r"LEAT_API\b[^;(]*?\b(leat_\w+);", text)) if data else found


def names_of_headers():
    found = set()
    for header in HEADERS:
        text, = PLACE.rglob("include/leat/" + header)
        found |= names_in(text.read_text())
    return found


def names_for_modules():
    """What the headers declare that leat.h reaches."""
    engine, found, seen, left = ROOT / "engine", set(), set(), ["leat.h"]
    while left:
        header = left.pop()
        if header in seen or not (engine / header).exists():
            continue
        seen.add(header)
        text = (engine / header).read_text()
        left += re.findall(r'^#include "(.*)"', text, re.M)
        found |= names_in(text, data=True)
    return found


def defined(*words):
    """{name: its version, or ''}"""
    out = subprocess.run(["nm", "--defined-only", *words], check=True, capture_output=True,
                         text=True, timeout=60).stdout
    return dict((name, version) for name, version in
                re.findall(r"^[0-9a-f]+ [BCDGRSTVW] (\w+)(?:@@(\w+))?$", out, re.M))


def test_the_libraries_show_what_the_headers_declare_and_modules_need_and_nothing_else():
    lib = installed()
    public, for_modules = names_of_headers(), names_for_modules()
    assert "leat_start" in public and len(public) > 50, public
    shown = defined("-D", lib / "libleat.so")
    assert {n for n, v in shown.items() if v == "LEAT_0"} == public
    assert {n for n, v in shown.items() if v == "LEAT_MODULE"} <= for_modules, "not in a header that leat.h reaches"
    assert set(shown.values()) == {"LEAT_0", "LEAT_MODULE"}
    assert set(defined("-g", lib / "libleat.a")) == set(shown)


def test_every_module_finds_its_functions_in_the_library():
    shown, modules = set(defined("-D", installed() / "libleat.so")), list((installed() / "leat").glob("*.so"))
    assert modules
    for module in modules:
        wanted = subprocess.run(["nm", "-D", "--undefined-only", module], check=True, capture_output=True,
                                text=True, timeout=60).stdout
        assert set(re.findall(r"\b(leat_\w+)", wanted)) <= shown, module.name


CPP = """
#include <leat_stream.h>
static leat_value twice(leat_call *call, const leat_pair *in, void *)
{
    leat_value list = leat_list();
    leat_list_add(call, &list, leat_string(LEAT_LIT("two")));
    return in->value.tag == LEAT_INT ? leat_int(2 * in->value.as.i) : list;
}
static leat_status check(const leat_rdd *rdd, void *arg, leat_error *err)
{
    for (size_t i = 0; i < rdd->count; i++)
        *static_cast<int64_t *>(arg) += rdd->rows[i].value.as.i;
    return rdd->count > 9 ? leat_fail(err, LEAT_E_DATA, "too many") : LEAT_OK;
}
int main()
{
    leat_error err;
    int64_t sum = 0;
    const leat_value values[] = {leat_int(20), leat_int(1)};
    leat_context *ctx = leat_context_new("of-cpp", 20);
    leat_stream *queue = leat_queue_stream(ctx, true);
    leat_foreach_rdd(leat_map(queue, twice, nullptr), check, &sum);
    bool good = leat_queue_push(queue, values, 2, &err) == LEAT_OK && leat_start(ctx, &err) == LEAT_OK &&
                leat_stop(ctx, true, &err) == LEAT_OK;
    leat_context_free(ctx);
    return good && sum == 42 ? 0 : 1;
}
"""


def test_the_headers_are_those_of_a_program_in_cpp_too():
    compiler = next((c for c in ("c++", "g++", "clang++-14", "clang++") if shutil.which(c)), None)
    if not compiler:
        raise Skip("there is no compiler for C++")
    with folder() as d:
        source, made = write(d, "of_cpp.cpp", CPP), pathlib.Path(d) / "of_cpp"
        for words in ([compiler, "-std=c++11", "-Wall", "-Wextra", "-Werror", "-c", source, "-o", f"{made}.o",
                       *package("--cflags")], ["cc", f"{made}.o", "-o", made, *package("--libs")]):
            done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr
        assert subprocess.run([made], env=environment(d), timeout=120, check=False).returncode == 0


def blocks_of(text):
    """[(time, [line, ...]), ...] of what leat_print() writes; fails when it has another form."""
    rule = "-" * 43
    found = re.findall(rf"{rule}\nTime: (\d+) ms\n{rule}\n((?:.+\n)*)\n", text)
    assert "".join(f"{rule}\nTime: {t} ms\n{rule}\n{lines}\n" for t, lines in found) == text, text
    return [(int(t), lines.splitlines()) for t, lines in found]


def check_queue_stream(program, d):
    done = subprocess.run([program], cwd=d, env=environment(d), capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    full = [lines for _, lines in blocks_of(done.stdout) if lines]
    assert len(full) == 30, done.stdout
    for lines in full:
        assert sorted(lines) == [f"({digit},100)" for digit in range(10)], lines
    times = [t for t, _ in blocks_of(done.stdout)]
    assert times == sorted(set(times))
    assert os.listdir(d) == [], "the temporary directory is still there"


def test_queue_stream_counts_every_push_in_a_batch_of_its_own():
    with folder() as d:
        check_queue_stream(example("queue_stream"), d)


def test_blacklist_transform_drops_what_is_listed_in_the_same_batch():
    with folder() as d:
        done = subprocess.run([example("blacklist_transform")], cwd=d, env=environment(d),
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        full = [lines for _, lines in blocks_of(done.stdout) if lines]
        assert full == [["(ann,reads)", "(cid,buys)"], ["(bob,spams)", "(bob,spams again)"]], full


def test_a_program_can_hold_the_library_in_itself():
    with folder() as d:
        program = example("queue_stream", static=True)
        needed = subprocess.run(["readelf", "-d", program], check=True, capture_output=True,
                                text=True, timeout=120).stdout
        assert "libleat" not in needed, needed
        check_queue_stream(program, d)


class Server:
    """Sends text to who connects, and keeps the connection; a list: a text to each, and hangs up
    but for the last."""

    def __init__(self, text):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.text, self.peers = text, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            if isinstance(self.text, str):
                text, last = self.text, True
            else:
                text, last = self.text.pop(0) if self.text else "", not self.text
            peer.sendall(text.encode())
            if last:
                self.peers.append(peer)
            else:
                peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.peers:
            peer.close()


def run_until(name, text, wanted, d, *words):
    """What the example had printed when it was stopped: the blocks of `wanted` lines were there."""
    out = pathlib.Path(d) / "out"
    with Server(text) as server, open(out, "w") as file:
        p = subprocess.Popen([example(name), "127.0.0.1", str(server.port), *words], cwd=d,
                             env=environment(d), stdout=file, stderr=subprocess.PIPE, text=True)
        try:
            wait_for("\n".join(wanted), lambda: any(
                all(line in block.splitlines() for line in wanted)
                for block in out.read_text().split("\n\n")), seconds=60)
            p.terminate()
            _, err = p.communicate(timeout=60)
        finally:
            if p.poll() is None:
                p.kill()
                p.communicate()
    assert p.returncode == 0, err
    return blocks_of(out.read_text())


def test_network_word_count_shows_the_counts_of_a_batch():
    with folder() as d:
        blocks = run_until("network_word_count", "to be or not to be\n", ["(to,2)", "(be,2)"], d)
        full = [sorted(lines) for _, lines in blocks if lines]
        assert full == [["(be,2)", "(not,1)", "(or,1)", "(to,2)"]], blocks


def test_windowed_word_count_shows_what_is_in_the_window_again():
    with folder() as d:
        blocks = run_until("windowed_word_count", "a b a\n", ["(a,2)", "(b,1)"], d)
        times = [t for t, _ in blocks]
        full = [t for t, lines in blocks if lines]
        assert full and all(sorted(lines) == ["(a,2)", "(b,1)"] for _, lines in blocks if lines)
        assert times == sorted(times), times


def test_stateful_word_count_goes_on_where_it_was():
    with folder() as d:
        run_until("stateful_word_count", "a b a\n", ["(a,2)", "(b,1)"], d, "kept")
        run_until("stateful_word_count", "a c\n", ["(a,3)", "(b,1)", "(c,1)"], d, "kept")


def test_the_installed_headers_are_enough_for_functions_of_pipeline_files():
    source = EXAMPLES / ("functions" + ".c")
    done = subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                           *package("--cflags"), source, "-o", PLACE / "functions.so"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "leat_functions" in defined("-D", PLACE / "functions.so")


def test_recoverable_word_count_goes_on_after_it_was_killed():
    with folder() as d:
        out, said = pathlib.Path(d) / "out", []
        for life in range(1, 4):
            with Server("a b a\n") as server:
                p = subprocess.Popen([example("recoverable_word_count"), "127.0.0.1",
                                      str(server.port), "kept", out], cwd=d, env=environment(d),
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                try:
                    wait_for(f"the totals of life {life}", lambda: out.exists() and any(
                        line.endswith(f" a {2 * life}") for line in out.read_text().splitlines()),
                        seconds=60)
                finally:
                    p.kill()
                    said.append(p.communicate()[0])
        assert said == ["from the beginning\n", "going on\n", "going on\n"], said
        totals = {line.split(" ", 1)[1] for line in out.read_text().splitlines()}
        assert totals == {f"{w} {n * i}" for i in (1, 2, 3) for w, n in (("a", 2), ("b", 1))}, totals


def test_a_custom_receiver_starts_again_when_its_peer_goes():
    with folder() as d:
        blocks = run_until("custom_receiver", ["to be\n", "or not to be\n"], ["(or,1)", "(not,1)"],
                           d)
        counts = {}
        for _, lines in blocks:
            for line in lines:
                word, n = line.strip("()").split(",")
                counts[word] = counts.get(word, 0) + int(n)
        assert counts == {"to": 2, "be": 2, "or": 1, "not": 1}, blocks


HANGS = """#include <leat_stream.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void wait_if(bool it_is)
{
    while (it_is)
        pause();
}

static struct leat_pair pair(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call;
    wait_if(!strcmp(arg, "map_to_pair") && in->value.as.i == 3);
    return (struct leat_pair){leat_int(0), in->value};
}

static struct leat_value sum(struct leat_call *call, struct leat_value a, struct leat_value b, void *arg)
{
    (void)call;
    wait_if(!strcmp(arg, "reduce_by_key") && b.as.i == 3);
    return leat_int(a.as.i + b.as.i);
}

int main(int argc, char **argv)
{
    const struct leat_value three[] = {leat_int(1), leat_int(2), leat_int(3)};
    struct leat_context *ctx = leat_context_new("hangs", 50);
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    char *at = argv[argc - 1];
    struct leat_error err;

    leat_set(ctx, "batch.call_timeout", "1s");
    leat_print(leat_reduce_by_key(leat_map_to_pair(queue, pair, at), sum, at), 10);
    if (leat_queue_push(queue, three, 3, &err) != LEAT_OK || leat_start(ctx, &err) != LEAT_OK ||
        leat_await_termination(ctx, &err) != LEAT_OK)
        fprintf(stderr, "%s\\n", err.text);
    return 3;
}
"""


def test_a_call_among_many_that_does_not_come_back_ends_the_process_by_its_name():
    with folder() as d:
        source = pathlib.Path(d) / "hangs.c"
        source.write_text(HANGS)
        done = subprocess.run(["cc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror", source,
                               "-o", f"{d}/hangs", *package("--cflags"), *package("--libs")],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        for operator in ("map_to_pair", "reduce_by_key"):
            done = subprocess.run([f"{d}/hangs", operator], cwd=d, env=environment(d), capture_output=True, text=True,
                                  timeout=120)
            assert done.returncode == 1, (operator, done.returncode, done.stderr)
            assert f"leat_{operator} does not come back: a call takes longer than 1s" in done.stderr, done.stderr
            assert "(0," not in done.stdout, done.stdout


def test_every_example_is_tested():
    text = pathlib.Path(__file__).read_text()
    for path in EXAMPLES.glob("*.c"):
        assert f'"{path.stem}"' in text, f"{path.name} has no test"


if __name__ == "__main__":
    main(sys.modules[__name__])
