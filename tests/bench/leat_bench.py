"""What the benchmarks share: a preloaded Kafka, leat over it, and the check of its answers."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
BROKER = HERE.parent / "broker" / "kafka"
SEED = 1
RUN_SECONDS = 600
INPUT = {"wc": "wc", "sensors": "sensors", "ysb": "ysb", "copy": "wc"}


class Failed(Exception):
    pass


def run_json(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    def __init__(self, args, work, address):
        self.args = args
        self.work = work
        self.address = address
        self.tools = pathlib.Path(args.build) / "tests" / "bench"
        self.totals = {}

    def tool(self, name, *rest):
        return [self.tools / f"bench_{name}", *map(str, rest)]

    def preload(self):
        (self.work / "ads.csv").write_bytes(subprocess.run(self.tool("generate", "ads", SEED), check=True, stdout=subprocess.PIPE).stdout)
        for name in sorted({INPUT[w] for w in self.args.workloads}):
            self.totals[name] = run_json(self.tool("generate", self.address, name, self.args.records, SEED))
            run_json(self.tool("baseline_consume", self.address, f"bench.{name}"))  # into the page cache
            print(f"preloaded bench.{name}: {self.totals[name]}", flush=True)

    def baseline(self, which, workload):
        result = run_json(self.tool(f"baseline_{which}", self.address, f"bench.{INPUT[workload]}"))
        want = self.totals[INPUT[workload]]
        for key in ("records", "words", "pairs") if which == "wordcount" else ("records",):
            if result[key] != want[key]:
                raise Failed(f"baseline {which}: {key} is {result[key]}, not {want[key]}")
        return result["records"] / result["cpu_seconds"]

    def leat(self, workload, number, *words, label=""):
        """A pipeline of its own name each time: no positions and no state of the run before.
        Returns records per CPU-second."""
        name = f"bench-{workload}-{number}{label and '-' + label}"
        text = (HERE / f"{workload}.yaml").read_text().replace(f"\nname: {workload}\n", f"\nname: {name}\n")
        file = self.work / f"{name}.yaml"
        file.write_text(text)
        out = f"bench.out.{workload}.{number}{label and '.' + label}"
        directory = self.work / name
        directory.mkdir()
        shutil.copy(self.work / "ads.csv", directory)
        env = dict(os.environ, BROKERS=self.address, OUT=out, BENCH_DIR=str(directory))
        before, start = children_cpu(), time.monotonic()
        done = subprocess.run([self.args.leat, "run", str(file), *words], env=env, capture_output=True, text=True, timeout=RUN_SECONDS)
        cpu, wall = children_cpu() - before, time.monotonic() - start
        if done.returncode != 0:
            raise Failed(f"leat run {file.name}: exit {done.returncode}: {done.stderr.strip()[-600:]}")
        self.check(workload, out)
        print(f"  leat {workload} {label}: {cpu:.2f} CPU s, {wall:.2f} s", flush=True)
        return self.args.records / cpu

    def check(self, workload, topic):
        want = self.totals[INPUT[workload]]
        if workload == "copy":
            got = {"records": run_json(self.tool("baseline_consume", self.address, topic))["records"]}
        else:
            dump = subprocess.run(self.tool("dump", self.address, topic), check=True, capture_output=True, text=True, timeout=RUN_SECONDS)
            got = answers(workload, [json.loads(line) for line in dump.stdout.splitlines()])
        wrong = {k: (v, want[k]) for k, v in got.items() if v != want[k]}
        if wrong:
            raise Failed(f"{workload}: wrong answers, (got, wanted): {wrong}")


def answers(workload, rows):
    if workload == "wc":
        return {"words": sum(rows), "pairs": len(rows)}
    if workload == "sensors":
        return {"count": sum(r["n"] for r in rows), "cents": sum(round(r["total"] * 100) for r in rows), "pairs": len(rows)}
    return {"views": sum(r["views"] for r in rows), "pairs": len(rows)}
