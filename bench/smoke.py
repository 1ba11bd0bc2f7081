#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every workload runs for a moment, ends well, and prints the figures that bench/run will look for; nonsense is refused in a sentence.

usage: smoke.py BENCH

No figure is judged: this is no timed test.
"""
import math
import subprocess
import sys

SHARED = {"cpu_ns", "wall_ns", "ops_per_s"}
PEAK = {"peak_mib", "peak_over_cap"}
RUNS = [
    ("pair", [], SHARED),
    ("pair", ["--size", "4096", "--threads", "2"], SHARED),
    ("pair", ["--batch", "32"], SHARED),
    ("pair", ["--zeroed"], SHARED),
    ("pair", ["--dirty", "8192"], SHARED),
    ("batch", [], SHARED),
    ("batch", ["--random"], SHARED),
    ("handoff", [], SHARED),
    ("churn", ["--cap", "8", "--threads", "2"], SHARED | PEAK),
    ("pair", ["--threads", "16"], SHARED),
    ("neighbour", ["--threads", "16"], SHARED),
    ("shift", ["--cap", "8"], {"fill_ms", "refill_ms"} | PEAK),
    ("lifetime", ["--touch", "16"], {"open_us", "close_untouched_us", "close_touched_us"}),
    ("access", [], {"loop", "check", "get_u64", "optimistic", "pin_unpin", "write_8", "pin_unpin_same_page_2_threads"}),
    ("count", ["--path", "pair", "--count", "1000"], {"count"}),
]
REFUSED = [
    (["--workload", "nosuch"], "There is no workload 'nosuch'"),
    (["--workload", "pair", "--subject", "nosuch"], "There is no subject 'nosuch'"),
    (["--workload", "pair", "--size", "0"], "--size wants a number"),
    (["--workload", "pair", "--size", "4096", "--dirty", "8192"], "can't have 8192 dirty ones"),
    (["--workload", "handoff", "--subject", "floor"], "would never see it again"),
]
failures = []


def expect(truth, sentence):
    if not truth:
        failures.append(sentence)
        print("not so: " + sentence)


def check_run(bench, workload, options, wanted, subject):
    command = [bench, "--workload", workload, "--subject", subject, "--millis", "5", *options]
    name = " ".join(command[1:])
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    expect(done.returncode == 0, f"{name} exits 0, not {done.returncode}: {done.stderr.strip()}")
    figures = dict(line.split() for line in done.stdout.splitlines())
    expect(wanted <= figures.keys(), f"{name} prints {sorted(wanted - figures.keys())}")
    for metric, value in figures.items():
        expect(math.isfinite(float(value)) and float(value) >= 0, f"{name}: {metric} is a number from 0 up, not {value}")


def main(bench):
    for workload, options, wanted in RUNS:
        check_run(bench, workload, options, wanted, "holdfast")
    for subject in ("malloc", "pool", "stack", "floor", "none"):
        check_run(bench, "pair", ["--size", "16384"], SHARED, subject)
        check_run(bench, "pair", ["--zeroed"], SHARED, subject)
        if subject not in ("floor", "none"):
            check_run(bench, "churn", ["--cap", "8", "--threads", "2"], SHARED | PEAK, subject)
            check_run(bench, "handoff", [], SHARED, subject)
    for options, sentence in REFUSED:
        done = subprocess.run([bench, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        expect(done.returncode == 1 and sentence in done.stderr, f"{' '.join(options)} is refused with '{sentence}', not: {done.stderr!r}")
    print(f"{len(failures)} of the expectations were not met")
    return 1 if failures else 0


sys.exit(main(sys.argv[1]))
