# SPDX-License-Identifier: MIT
"""python_work.py PAGE_SIZE CACHE_SIZE: work for Python's sqlite3 module in the current directory, whose output is the same every time.

Many connections in many threads: each to a file of its own, all of them to a common one in WAL mode, to a shared in-memory
database, and then a backup, functions written in Python, big values, and an interrupted transaction.
"""

import hashlib
import sqlite3
import sys
import threading

THREADS = 6
PAGE_SIZE, CACHE_SIZE = sys.argv[1], sys.argv[2]


def connect(name, **options):
    db = sqlite3.connect(name, timeout=60, isolation_level=None, **options)
    db.execute(f"PRAGMA page_size={PAGE_SIZE}")
    db.execute(f"PRAGMA cache_size={CACHE_SIZE}")
    db.execute("PRAGMA synchronous=OFF")
    return db


def digest(db, table):
    sha = hashlib.sha256()
    for row in db.execute(f"SELECT * FROM {table} ORDER BY 1, 2"):
        sha.update(repr(row).encode())
    return sha.hexdigest()


def worker(me, said):
    own, common = connect(f"own{me}.db"), connect("t.db")
    own.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, body BLOB)")
    own.execute("CREATE INDEX t_k ON t(k)")
    for batch in range(6):
        own.execute("BEGIN")
        own.executemany("INSERT INTO t VALUES(?, ?, ?)", ((batch * 300 + i, i * (me + 3) % 101, bytes([i % 256]) * (i * 13 % 900)) for i in range(300)))
        own.execute("COMMIT" if batch % 3 < 2 else "ROLLBACK")
        common.execute("BEGIN IMMEDIATE")
        common.executemany("INSERT INTO work VALUES(?, ?, ?)", ((me, batch * 100 + i, f"{me}-{i}" * 20) for i in range(100)))
        common.execute("COMMIT")
    own.execute("UPDATE t SET body = CAST(body || body AS BLOB) WHERE k % 5 = 0")
    own.execute("DELETE FROM t WHERE k % 7 = 3")
    own.execute("VACUUM")
    said[me] = (own.execute("PRAGMA integrity_check").fetchone()[0], digest(own, "t"))
    own.close()
    common.close()


def main():
    common = connect("t.db")
    common.execute("PRAGMA journal_mode=WAL")
    common.execute("CREATE TABLE work(who INTEGER, n INTEGER, body TEXT, PRIMARY KEY(who, n)) WITHOUT ROWID")
    said = [None] * THREADS
    threads = [threading.Thread(target=worker, args=(me, said)) for me in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for line in said:
        print(*line)
    print(common.execute("SELECT who, count(*), sum(n), sum(length(body)) FROM work GROUP BY who").fetchall())

    memory = [connect("file:shared?mode=memory&cache=shared", uri=True) for _ in range(3)]
    memory[0].execute("CREATE TABLE m(id INTEGER PRIMARY KEY, body TEXT)")
    for i in range(3000):
        memory[i % 3].execute("INSERT INTO m VALUES(?, ?)", (i, "x" * (i % 300)))
    print(digest(memory[1], "m"))
    copy = connect("copy.db")
    memory[2].backup(copy, pages=7)
    print(digest(copy, "m"), copy.execute("PRAGMA integrity_check").fetchone())

    common.create_function("twist", 1, lambda text: hashlib.md5(text.encode()).hexdigest(), deterministic=True)
    common.execute("CREATE INDEX work_twist ON work(twist(body))")
    print(common.execute("SELECT min(twist(body)), count(*) FROM work WHERE twist(body) > '8'").fetchone())
    common.execute("BEGIN")
    common.execute("UPDATE work SET body = printf('%03000d', n)")
    common.execute("ROLLBACK")
    common.execute("DROP INDEX work_twist")
    common.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(digest(common, "work"), common.execute("PRAGMA integrity_check").fetchone())
    for db in memory + [copy, common]:
        db.close()


main()
