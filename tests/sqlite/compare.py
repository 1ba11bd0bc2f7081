#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same SQL on SQLite's own page cache and on holdfast: byte-identical answers, and byte-identical contents afterwards.

    compare.py SQL_SCRIPT [PRELOAD_LIBRARY]

Through a C program with hf_sqlite_install (always), and, if there is a preload library, through the unmodified sqlite3 shell and
Python's sqlite3 module. Every script of sql/ runs at every page size, with cache sizes from one page to more than the data. A run on
holdfast counts only if pages were found there (the negative control) and none was left there at the end.
"""

import glob
import os
import re
import sys

from harness import SHELL, Folder, Tap, pythons, run

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = sorted(glob.glob(os.path.join(HERE, "sql", "*.sql")))
PAGE_SIZES = [512 << i for i in range(8)]
CACHE_SIZES = ["1", "12", "-2000", "200000"]
DEFAULT_LIMIT = "0"


def dump(path):
    """All of a database as SQL text, by the plain shell; b'' if there is no such file."""
    return run([SHELL, path, ".dump"]).out if os.path.exists(path) else b""


def answers(arguments, sql, **options):
    """Runs in an empty directory. The run, and what the databases hold after it."""
    with Folder() as folder:
        done = run(arguments, stdin=sql, cwd=folder, **options)
        return done, [dump(os.path.join(folder, name)) for name in ("t.db", "second.db", "copy.db")]


def settings(steps):
    """Every page size with one or two cache sizes; over the scripts every pair occurs."""
    for number, script in enumerate(SCRIPTS):
        for i, page_size in enumerate(PAGE_SIZES):
            for step in steps:
                yield script, page_size, CACHE_SIZES[(number + i + step) % len(CACHE_SIZES)]


def read_script(script, page_size, cache_size):
    with open(script, "rb") as file:
        return f"PRAGMA page_size={page_size}; PRAGMA cache_size={cache_size};\n".encode() + file.read()


def compare_program(tap, program, script, page_size, cache_size):
    sql = read_script(script, page_size, cache_size)
    own, own_files = answers([program, "own", "t.db"], sql)
    held, held_files = answers([program, DEFAULT_LIMIT, "t.db"], sql)
    said = re.search(r"hits (\d+) live (\d+) misuses (\d+)", held.raw_err)
    on_holdfast = said is not None and int(said[1]) > 0 and said[2] == "0" and said[3] == "0"
    same = own.code == held.code == 0 and own.out == held.out and own_files == held_files and own.out.rstrip().endswith(b"ok")
    tap.test(same and on_holdfast, f"program: {os.path.basename(script)}, {page_size}-byte pages, cache_size {cache_size}", own, held)


def compare_shell(tap, library, script, page_size, cache_size):
    sql = read_script(script, page_size, cache_size)
    arguments = [SHELL, "-batch", "t.db"]
    own, own_files = answers(arguments, sql)
    held, held_files = answers(arguments, sql, preload=library)
    same = own.same_answers(held) and own_files == held_files and own.out.rstrip().endswith(b"ok") and len(own_files[0]) > 1000
    tap.test(same and held.on_holdfast(), f"shell: {os.path.basename(script)}, {page_size}-byte pages, cache_size {cache_size}", own, held)


def compare_python(tap, library, python, page_size, cache_size):
    arguments = [python, os.path.join(HERE, "python_work.py"), str(page_size), cache_size]
    own, own_files = answers(arguments, b"")
    held, held_files = answers(arguments, b"", preload=library, limit="64M")
    same = own.code == 0 and own.same_answers(held) and own_files == held_files
    tap.test(same and held.on_holdfast(), f"{python}: {page_size}-byte pages, cache_size {cache_size}", own, held)


def main():
    tap = Tap()
    program, library = [os.path.abspath(path) for path in sys.argv[1:]] + [None] * (3 - len(sys.argv))
    for script, page_size, cache_size in settings((0, 2) if library else (0,)):
        if library:
            compare_shell(tap, library, script, page_size, cache_size)
        if library is None or page_size in (512, 4096, 65536):
            compare_program(tap, program, script, page_size, cache_size)
    for number, python in enumerate(pythons() if library else []):
        for i, page_size in enumerate(PAGE_SIZES[number::2]):
            compare_python(tap, library, python, page_size, CACHE_SIZES[i % len(CACHE_SIZES)])
    tap.end()


if __name__ == "__main__":
    main()
