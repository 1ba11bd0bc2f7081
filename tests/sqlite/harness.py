# SPDX-License-Identifier: MIT
"""What the Python tests of the SQLite adapter share: TAP lines, and running a program with the preload library or without.

A run on holdfast always asks for statistics, which prove that SQLite's pages really were there; they are taken off its stderr.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

LINE = re.compile(r"^holdfast-sqlite: cache (?P<cache>\w+) (?P<figures>limit \d+.*)$", re.M)
SUMMARY = re.compile(r"^holdfast-sqlite: summary of process .*\n(?:  .*\n)*", re.M)
SHELL = shutil.which("sqlite3") or "/usr/bin/sqlite3"


class Tap:
    """Counts, prints, and ends with the plan."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def test(self, passed, name, *facts):
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}", flush=True)
        if not passed:
            for fact in facts:
                for line in str(fact)[:3000].splitlines():
                    print(f"# {line}", flush=True)

    def end(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


class Run:
    """What a program said. figures: of the statistics' last line, or {} if there was none."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.raw_err = done.stderr.decode(errors="replace")
        self.err = SUMMARY.sub("", LINE.sub("", self.raw_err)).strip()
        self.lines = [m.groupdict() for m in LINE.finditer(self.raw_err)]
        self.cache = self.lines[-1]["cache"] if self.lines else None
        words = self.lines[-1]["figures"].split() if self.lines else []
        self.figures = {name: int(value) for name, value in zip(words[::2], words[1::2])}

    def same_answers(self, other):
        return self.code == other.code and self.out == other.out and self.err == other.err

    def on_holdfast(self):
        """True if pages were found in holdfast's memory and none is left there."""
        f = self.figures
        return self.cache == "holdfast" and f["hits"] > 0 and f["live"] == 0 and f["misuses"] == 0 and f["peak"] <= f["limit"]

    def __str__(self):
        return f"exit status {self.code}\nstdout: {self.out[-1500:].decode(errors='replace')}\nstderr: {self.raw_err[-1500:]}"


def run(arguments, preload=None, limit=None, stats="1", stdin=b"", cwd=None, timeout=300):
    """Runs a program: plain, or with the preload library (its path)."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_") and k != "LD_PRELOAD"}
    environment["LC_ALL"] = "C.UTF-8"
    if preload:
        environment["LD_PRELOAD"] = preload
        if stats is not None:
            environment["HOLDFAST_SQLITE_STATS"] = stats
        if limit is not None:
            environment["HOLDFAST_SQLITE_LIMIT"] = limit
    return Run(subprocess.run(arguments, input=stdin, capture_output=True, cwd=cwd, env=environment, timeout=timeout, check=False))


class Folder:
    """A temporary directory that is gone afterwards; in memory where there is such a place, because fsync is not what is tested."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="hf-sqlite-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def pythons():
    """The Pythons of this machine that have an sqlite3 module and link SQLite dynamically: this one, Debian's."""
    found = []
    for path in dict.fromkeys([sys.executable, "/usr/bin/python3"]):
        if not os.path.exists(path):
            continue
        code = "import sqlite3; print(any('libsqlite3' in line for line in open('/proc/self/maps')))"
        done = subprocess.run([path, "-c", code], capture_output=True, check=False)
        if done.stdout.strip() == b"True" and os.path.realpath(path) not in [os.path.realpath(p) for p in found]:
            found.append(path)
    return found
