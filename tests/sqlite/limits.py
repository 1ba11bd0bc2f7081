#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Limits that are far too small: SQLite gets slower or says "out of memory" in its own way. It never crashes and never loses a row.

    limits.py SQL_SCRIPT [PRELOAD_LIBRARY]

Through the C program with every limit and script, and, with a preload library, through the sqlite3 shell, and through Python with one
and with many threads. After each run the plain shell looks at the files.
"""

import collections
import glob
import os
import re
import sys

from harness import SHELL, Folder, Tap, pythons, run

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = sorted(glob.glob(os.path.join(HERE, "sql", "*.sql")))
LIMITS = [1, 65536, 131072, 262144, 1 << 20, 2 << 20]
TABLE = "CREATE TABLE t(who, n, i, body BLOB, PRIMARY KEY(who, n, i)); CREATE INDEX t_body ON t(body);"


def sound(path):
    """True if the database is whole by the plain shell's judgement, or was never made."""
    if not os.path.exists(path):
        return True
    return run([SHELL, path, "PRAGMA integrity_check"]).out.strip() == b"ok"


def sorted_errors(text):
    """Lines of the output that are errors which only a lack of memory explains, and all others' count."""
    errors = [line for line in text.decode(errors="replace").splitlines() if "rror" in line]
    return [line for line in errors if "out of memory" in line], errors


def script_under_limit(tap, name, arguments, script, limit_bytes, full, **options):
    with open(script, "rb") as file:
        sql = b"PRAGMA cache_size=200000;\n" + file.read()
    with Folder() as folder:
        done = run(arguments, stdin=sql, cwd=folder, **options)
        whole = all(sound(path) for path in glob.glob(os.path.join(folder, "*.db")))
    refused, _ = sorted_errors(done.out + done.raw_err.encode())
    same = done.out == full.out
    tap.test(
        done.code in (0, 1) and whole and (same or refused),
        f"{name}: {os.path.basename(script)} under {limit_bytes} bytes: {'the same answers' if same else 'out of memory'}, files whole",
        f"files whole: {whole}",
        done,
    )


def program_under_limits(tap, program):
    for script in SCRIPTS:
        with Folder() as folder, open(script, "rb") as file:
            full = run([program, "own", "t.db"], stdin=b"PRAGMA cache_size=200000;\n" + file.read(), cwd=folder)
        for limit in LIMITS:
            script_under_limit(tap, "program", [program, str(limit), "t.db"], script, limit, full)


def shell_under_limits(tap, library):
    for number, script in enumerate(SCRIPTS):
        arguments = [SHELL, "-batch", "t.db"]
        with Folder() as folder, open(script, "rb") as file:
            full = run(arguments, stdin=b"PRAGMA cache_size=200000;\n" + file.read(), cwd=folder)
        for limit in LIMITS[number % 2 :: 2]:
            script_under_limit(tap, "shell", arguments, script, limit, full, preload=library, limit=str(limit))


def python_under_limit(tap, library, python, threads, limit):
    with Folder() as folder:
        path = os.path.join(folder, "t.db")
        run([SHELL, path, TABLE])
        done = run([python, os.path.join(HERE, "limits_work.py"), str(threads)], preload=library, limit=limit, cwd=folder)
        lines = done.out.decode().splitlines()
        committed = collections.Counter(tuple(line.split()[1:3]) for line in lines if line.startswith("committed"))
        rows = run([SHELL, path, "SELECT who, n, count(*), sum(length(body)) FROM t NOT INDEXED GROUP BY 1, 2"]).out.decode().split()
        whole = sound(path)
    there = {tuple(row.split("|")[:2]) for row in rows if row.split("|")[2] == "40"}
    other = [line for line in lines if line.startswith("refused") and not re.search("MemoryError|out of memory|unable to open", line)]
    peak = done.figures.get("peak", 0) <= done.figures.get("limit", 0)
    tap.test(
        done.code == 0 and lines[-1:] == ["end"] and whole and there == set(committed) and len(rows) == len(there) and not other and peak,
        f"{python}, {threads} threads under {limit}: {sum(committed.values())} of {25 * threads} transactions committed, all of them there, and no other",
        other[:5],
        done,
    )
    return sum(committed.values())


def main():
    tap = Tap()
    program, library = [os.path.abspath(path) for path in sys.argv[1:]] + [None] * (3 - len(sys.argv))
    program_under_limits(tap, program)
    if library:
        shell_under_limits(tap, library)
        for python in pythons():
            few = python_under_limit(tap, library, python, 1, "64K")
            python_under_limit(tap, library, python, 1, "256K")
            python_under_limit(tap, library, python, 8, "256K")
            python_under_limit(tap, library, python, 8, "1M")
            many = python_under_limit(tap, library, python, 8, "64M")
            tap.test(few < 25 and many == 200, f"{python}: 64K really was too small, and 64M large enough", few, many)
    tap.end()


if __name__ == "__main__":
    main()
