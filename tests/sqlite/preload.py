#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libholdfast-sqlite.so in programs of every kind: what it prints, what it shows, and that nobody is harmed.

    preload.py PRELOAD_LIBRARY SQLITE_USER
"""

import os
import re
import shutil
import subprocess
import sys

from harness import SHELL, Folder, Tap, pythons, run

SQL = "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9000) INSERT INTO t SELECT zeroblob(99) FROM n; SELECT count(*) FROM t;"


def shell(library, **options):
    return run([SHELL, ":memory:", SQL], preload=library, **options)


def statistics(tap, library):
    done = shell(library, limit="64M")
    tap.test(done.out == b"9000\n" and done.err == "", "the shell's own output is untouched", done)
    tap.test(done.on_holdfast() and done.figures["limit"] == 64 << 20, "HOLDFAST_SQLITE_LIMIT=64M is the limit, and pages are holdfast's", done)
    names = ["limit", "peak", "live", "hits", "misses", "given_back", "segments", "recycled", "taken", "refused", "misuses"]
    tap.test(list(done.figures) == names, "the line for programs has its documented figures", done)
    table = [line for line in done.raw_err.splitlines() if line.startswith("  ")]
    labels = ["limit", "peak", "live at exit", "given back", "hits", "misses"]
    columns = {re.match(r"  (.*?) +\d+", line).end() for line in table}
    tap.test([re.match(r"  (\D*?) +\d", line)[1] for line in table] == labels and len(columns) == 1, "the summary has its six lines, lined up", done)
    quiet = shell(library, stats=None)
    tap.test(quiet.raw_err == "" and quiet.out == b"9000\n", "without HOLDFAST_SQLITE_STATS nothing is printed", quiet)
    zero = shell(library, stats="0")
    tap.test(zero.raw_err == "", "with HOLDFAST_SQLITE_STATS=0 neither", zero)


def limits(tap, library):
    for text, size in (("1048576", 1 << 20), ("3m", 3 << 20), ("2G", 2 << 30), ("2048K", 2 << 20), ("4k", 4096)):
        done = shell(library, limit=text)
        tap.test(done.figures.get("limit") == size, f"a limit of {text} is {size} bytes", done)
    default = shell(library).figures["limit"]
    tap.test(default > 64 << 20, "the default limit is a share of the machine", default)
    for text in ("64X", "M", "-1", "0", "64MB", "1.5G", " 5M", "99999999999999999999", "17179869184G", "0x10000"):
        done = shell(library, limit=text)
        told = done.err.startswith(f"holdfast-sqlite: error: HOLDFAST_SQLITE_LIMIT={text} ") and len(done.err.splitlines()) == 1
        tap.test(told and done.figures["limit"] == default and done.out == b"9000\n", f"a limit of '{text}': one clear line, and the default", done)
    for text in ("2", "yes", "-1"):
        done = shell(library, stats=text)
        told = done.err.startswith(f"holdfast-sqlite: error: HOLDFAST_SQLITE_STATS={text} ") and len(done.err.splitlines()) == 1
        tap.test(told and not done.lines and done.out == b"9000\n", f"statistics '{text}': one clear line, and the default", done)
    small = shell(library, limit="4K")
    tap.test(b"9000" not in small.out and "out of memory" in small.err, "a limit below one block: SQLite says out of memory", small)


def symbols(tap, library):
    needed = subprocess.run(["readelf", "-dW", library], capture_output=True, text=True, check=True).stdout
    tap.test("sqlite" not in "".join(re.findall(r"NEEDED.*", needed)), "it does not link SQLite", needed)
    names = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    shown = {line.split()[-1].split("@")[0] for line in names.splitlines()}
    allowed = {f"sqlite3_{n}" for n in ("initialize", "shutdown", "open", "open_v2", "open16", "release_memory")}
    allowed |= {f"hf_sqlite_{n}" for n in ("install", "get_stats", "release_memory", "error_message")}
    tap.test(shown == allowed, "it shows the names it must and no others", shown ^ allowed)


def without_sqlite(tap, library):
    for arguments in ([shutil.which("true")], [shutil.which("ls"), "/"], ["/bin/sh", "-c", "echo $((6*7)); exit 3"]):
        plain, held = run(arguments), run(arguments, preload=library, limit="nonsense")
        tap.test(plain.same_answers(held) and held.raw_err == "", f"a program without SQLite runs unharmed, and unheard: {arguments[0]}", held)


def users(tap, library, user):
    def both(way, expect, also=lambda held: True):
        with Folder() as one, Folder() as two:
            plain = run([user, way], cwd=one)
            held = run([user, way], preload=library, cwd=two)
            files = [run([SHELL, os.path.join(two, f), "PRAGMA integrity_check"]).out for f in os.listdir(two) if f.endswith(".db")]
        passed = plain.code == held.code == 0 and plain.out == held.out and held.err == "" and all(f == b"ok\n" for f in files)
        tap.test(passed and also(held), expect, plain, held)

    both("own", "a program that installs its own page cache keeps it, and the statistics say so", lambda h: h.cache == "program" and h.figures["hits"] == 0)
    both("wrap", "a program that wraps the page cache in force wraps holdfast's", lambda h: h.on_holdfast())
    both("leave", "an exit in the middle of transactions is clean, and tells what was live", lambda h: h.figures["live"] > 0 and h.figures["misuses"] == 0)
    both("shutdown", "shutdown, new configuration and new start: holdfast is still there", lambda h: h.on_holdfast() and h.figures["given_back"] > 0)
    both("threads", "an exit while threads are inside SQLite is clean")
    both("unused", "a program that is linked with SQLite and does not use it prints nothing", lambda h: h.raw_err == "")
    both(
        "fork",
        "after a fork parent and child each tell their own figures",
        lambda h: len(h.lines) == 2 and h.on_holdfast() and len({line["figures"] for line in h.lines}) == 2,
    )
    with Folder() as folder:
        plain, held = run([user, "release"], cwd=folder), None
        os.remove(os.path.join(folder, "release.db"))
        held = run([user, "release"], preload=library, cwd=folder)
    expected = plain.out.replace(b"released nothing", b"released much")
    tap.test(held.out == expected and held.figures["given_back"] > 400000, "sqlite3_release_memory gives memory back, which Debian's own does not", plain, held)


def by_dlopen(tap, library):
    """SQLite that comes late and hidden: as a dependency of a module, and by hand through dlsym."""
    code = "import sqlite3; c = sqlite3.connect(':memory:'); c.execute('create table t(a)'); print(c.execute('select count(*) from t').fetchall())"
    late = (
        "import ctypes; s = ctypes.CDLL('libsqlite3.so.0'); p = ctypes.c_void_p(); "
        "print(s.sqlite3_open(b':memory:', ctypes.byref(p)), s.sqlite3_exec(p, b'create table t(a); insert into t values(1)', None, None, None), s.sqlite3_close(p))"
    )
    forked = "import os, sys, sqlite3; c = sqlite3.connect(':memory:'); c.execute('create table t(a)'); os.fork() and os.wait(); c.close(); sys.stdout.write('.')"
    for python in pythons():
        for name, program in (("sqlite3", code), ("ctypes", late)):
            plain, held = run([python, "-c", program]), run([python, "-c", program], preload=library)
            tap.test(plain.same_answers(held) and held.on_holdfast(), f"{python}: {name} finds holdfast though SQLite came by dlopen", held)
        held = run([python, "-c", forked], preload=library)
        tap.test(held.code == 0 and held.out == b"..", f"{python}: fork with an open database", held)


def main():
    tap = Tap()
    library, user = [os.path.abspath(path) for path in sys.argv[1:3]]
    statistics(tap, library)
    limits(tap, library)
    symbols(tap, library)
    without_sqlite(tap, library)
    users(tap, library, user)
    by_dlopen(tap, library)
    tap.end()


if __name__ == "__main__":
    main()
