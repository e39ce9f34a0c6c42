#!/usr/bin/env python3
"""Runs the tests that the build directories list, and adds up what they say.

Every test is a program that ends with a line `N passed, N failed, N skipped`; one that ends
without it counts as one test, by its exit code (77: skipped). Output is shown only for what failed
or was skipped. Suites: unit sim fuzz style kafka e2e meta laws cli slow.

With LEAT_AGAIN=1, a test of whole processes and services that failed is run a second time, and that one
counts: a loaded machine can break what a test believes of time. The first failure is printed all
the same and the sum names the tests. A finding of a sanitizer is final, so is any test whose course
no machine can change (units, simulation, fuzz corpora), and what is counted (laws).
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINE = re.compile(r"^(?:[\w.-]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
ALONE = {"kafka", "broker", "e2e", "laws", "cli"}  # share ports, memory and time: one after the other
SANITIZED = {"unit", "sim", "fuzz", "meta", "e2e-sanitized"}
PROCESSES = (ALONE - {"laws"}) | {"e2e-sanitized"}
FINDING = re.compile(r"\w+Sanitizer|runtime error:")
TSAN = "ignore_noninstrumented_modules=1:halt_on_error=1"


class Result:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.again = None  # names of tests that passed in their second run; None: there is none
        self.lock = threading.Lock()


def listed(build):
    out = subprocess.run(["meson", "introspect", "--tests", build], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout
    for test in json.loads(out):
        suites = {s.split(":")[-1] for s in test["suite"]}
        yield test["name"], suites, test


def outcome(build, test, factor):
    """(output, exit code, passed, failed, skipped, did it say so itself)"""
    env = dict(os.environ)
    env.update({k: v for k, v in test.get("env", {}).items() if isinstance(v, str)})
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=1")
    env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", TSAN)
    env["LEAT_BUILD"] = str(ROOT / build)
    try:
        done = subprocess.run(test["cmd"], cwd=test.get("workdir") or ROOT, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=max(30, test.get("timeout") or 30) * factor)
        code, out = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        code, out = 124, (e.stdout or b"").decode(errors="replace") + "\ntimed out"
    except OSError as e:
        code, out = 127, f"{e}: build it first, with ninja -C {build}"
    found = LINE.findall(out)
    passed, failed, skipped = map(lambda n: int(n or 0), found[-1]) if found else (0, 0, 0)
    if not found:
        passed, failed, skipped = int(code == 0), int(code not in (0, 77)), int(code == 77)
    elif code != 0 and failed == 0:
        failed = 1
    return out, code, passed, failed, skipped, bool(found)


def run_one(build, name, test, result, factor, suites=frozenset()):
    start = time.monotonic()
    out, code, passed, failed, skipped, found = outcome(build, test, factor)
    first = None
    if failed and result.again is not None and suites & PROCESSES and not FINDING.search(out):
        first = out
        out, code, passed, failed, skipped, found = outcome(build, test, factor)
    with result.lock:
        result.passed += passed
        result.failed += failed
        result.skipped += skipped
        seconds = time.monotonic() - start
        state = "FAILED" if failed else "ok"
        print(f"{state:7} {build}/{name}: {passed} passed, {failed} failed, {skipped} skipped "
              f"({seconds:.1f} s)", flush=True)
        if first and not failed:
            result.again.append(f"{build}/{name}")
            print("    passed in a second run; the first:")
        for text in [first] * bool(first) + [out] * bool(failed):
            print("\n".join("    " + line for line in text.splitlines()[-60:]), flush=True)
        for line in out.splitlines():
            if line.startswith("skipped "):
                print(f"    {line}", flush=True)
        if not found and code == 77:
            print(f"    skipped {name}: {out.strip().splitlines()[-1] if out.strip() else ''}",
                  flush=True)


def run_build(build, wanted, words, result, factor=1):
    tests = [(n, s, t) for n, s, t in listed(build)
             if s & wanted and (not words or any(w in n for w in words))]
    together = [x for x in tests if not x[1] & ALONE]
    alone = [x for x in tests if x[1] & ALONE]
    lock = threading.Lock()

    def worker():
        while True:
            with lock:
                if not together:
                    return
                name, suites, test = together.pop(0)
            run_one(build, name, test, result, factor, suites)

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for name, suites, test in alone:
        run_one(build, name, test, result, factor, suites)


def fuzz(result, seconds=30):
    for program in sorted((ROOT / "b-fuzz/tests/fuzz").glob("fuzz_*")):
        if program.suffix or program.is_dir():
            continue
        corpus = ROOT / "tests/fuzz/corpus" / program.name.removeprefix("fuzz_")
        new = ROOT / "b-fuzz/new" / program.name
        new.mkdir(parents=True, exist_ok=True)
        test = {"cmd": [str(program), f"-max_total_time={seconds}", "-rss_limit_mb=512",
                        "-timeout=10", "-verbosity=0", str(new), str(corpus)],
                "timeout": seconds + 60, "workdir": str(ROOT / "b-fuzz")}
        run_one("b-fuzz", program.name, test, result, 1)


def finish(result):
    for name in result.again or []:
        print(f"passed only in a second run: {name}")
    line = f"{result.passed} passed, {result.failed} failed, {result.skipped} skipped"
    if os.environ.get("LEAT_SUMMARY"):
        with open(os.environ["LEAT_SUMMARY"], "a") as f:
            f.write(line + "\n")
    print(line)
    return 1 if result.failed or result.passed == 0 else 0


def main(args):
    result = Result()
    if args[:1] == ["--sum"]:
        for p, f, s in LINE.findall(pathlib.Path(args[1]).read_text()):
            result.passed += int(p)
            result.failed += int(f)
            result.skipped += int(s or 0)
        return finish(result)
    unknown = [a for a in args if a.startswith("-") and a not in ("--sanitize", "--full")]
    if unknown:
        print(f"tests/run.py: {unknown[0]}: there are --sanitize, --full and words of names", file=sys.stderr)
        return 2
    words = [a for a in args if not a.startswith("--")]
    if os.environ.get("LEAT_AGAIN"):
        result.again = []
    if "--sanitize" in args:
        os.environ.setdefault("LEAT_CASES", "200")
        for build in ("b-asan", "b-tsan"):
            run_build(build, SANITIZED, words, result, factor=4)
        return finish(result)
    if "--full" in args:
        os.environ["LEAT_FULL"] = "1"
    quick = {"unit", "sim", "fuzz", "style", "kafka", "broker", "e2e", "meta", "laws", "cli"}
    run_build("b-test", quick | ({"slow"} if "--full" in args else set()), words, result)
    if "--full" in args:
        fuzz(result)
    return finish(result)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
