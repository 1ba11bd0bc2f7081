# SPDX-License-Identifier: MIT
"""limits_work.py THREADS: transactions under a limit that may be far too small. Prints a line for each that was committed, by itself.

A transaction inserts 40 rows with an index and large values, then reads some, while an unfinished query of the same thread on another
file keeps pages pinned, which nobody can recycle. Out of memory is an answer: the transaction is rolled
back and the next begins. What must not happen is that a committed row is missing, or a rolled back one there: limits.py looks.
"""

import os
import sqlite3
import sys
import threading


def say(text):
    os.write(1, (text + "\n").encode())


def transaction(db, me, n):
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO t VALUES(?, ?, ?, ?)", ((me, n, i, bytes([i]) * (i * 97 % 3000)) for i in range(40)))
    db.execute("UPDATE t SET body = CAST(body || 'x' AS BLOB) WHERE who = ? AND n = ? AND i % 3 = 0", (me, n))
    db.execute("SELECT count(*), sum(length(body)) FROM t WHERE body > x'05'").fetchone()
    db.execute("COMMIT")


def unfinished_query(me):
    """A cursor in the middle of a table, with its pages."""
    own = sqlite3.connect(f"own{me}.db", isolation_level=None)
    own.executescript("PRAGMA synchronous=OFF; CREATE TABLE IF NOT EXISTS o(body); INSERT INTO o VALUES(zeroblob(2000)), (1), (2)")
    cursor = own.execute("SELECT body FROM o")
    cursor.fetchone()
    return own, cursor


def worker(me):
    db = pins = None
    for n in range(25):
        try:
            pins = pins or unfinished_query(me)
            db = db or sqlite3.connect("t.db", timeout=60, isolation_level=None)
            db.execute("PRAGMA synchronous=OFF")
            transaction(db, me, n)
            say(f"committed {me} {n}")
        except (MemoryError, sqlite3.Error) as error:
            say(f"refused {me} {n} {type(error).__name__} {error}")
            try:
                if db and db.in_transaction:
                    db.execute("ROLLBACK")
            except (MemoryError, sqlite3.Error):
                pass
            if db and db.in_transaction:
                db.close()
                db = None


def main():
    threads = [threading.Thread(target=worker, args=(me,)) for me in range(int(sys.argv[1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say("end")


main()
