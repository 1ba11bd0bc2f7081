/* SPDX-License-Identifier: MIT
 *
 * One trial of the SQLite benchmark: one workload, on SQLite's own page cache or on holdfast, in a process of its own.
 *
 *     sqlite_worker make FILE ROWS                                      makes the database
 *     sqlite_worker run  FILE own|holdfast read|write CACHE_KIB OPS     warms up, does OPS operations, prints `metric value` lines
 *
 * The table is an ordinary one: a 64-bit key, two indexed columns, 80 to 200 bytes of text. Read-mostly: 19 of 20 operations are a
 * look-up by key, a look-up through an index or a range of 20 rows, the other is an update of one row. Write-heavy: four of
 * five are an update of an indexed column, an insert or a delete, in transactions of 100. The generator's seed is fixed, so both
 * caches do exactly the same work: `answer` is a checksum over all rows read, and the driver compares it.
 *
 * synchronous is OFF and the journal a WAL: what is measured is the page cache, not the disk. The figure is processor time of this
 * thread.
 */
#include <hf_sqlite.h>

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static sqlite3 *db;
static uint64_t seed = 88172645463325252u;
static uint64_t answer;

static _Noreturn void die(const char *what) {
    fprintf(stderr, "sqlite_worker: %s: %s\n", what, db ? sqlite3_errmsg(db) : "no database");
    exit(1);
}

static uint64_t next_random(void) { /* xorshift64 (Marsaglia 2003) */
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void execute(const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sql);
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        die(sql);
    return statement;
}

/* Runs a statement to its end and folds its rows into the answer. */
static void run(sqlite3_stmt *statement) {
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
        answer = answer * 31 + (uint64_t)sqlite3_column_int64(statement, 0) + (uint64_t)sqlite3_column_bytes(statement, 1);
    if (rc != SQLITE_DONE)
        die("step");
    sqlite3_reset(statement);
}

static void run1(sqlite3_stmt *statement, uint64_t a) {
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)a);
    run(statement);
}

static void run2(sqlite3_stmt *statement, uint64_t a, uint64_t b) {
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)b);
    run1(statement, a);
}

static uint64_t rows_now(void) {
    sqlite3_stmt *count = prepare("SELECT max(id) FROM item");
    uint64_t rows;
    if (sqlite3_step(count) != SQLITE_ROW)
        die("max(id)");
    rows = (uint64_t)sqlite3_column_int64(count, 0);
    sqlite3_finalize(count);
    return rows;
}

static void make(uint64_t rows) {
    sqlite3_stmt *insert;
    execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
            "CREATE TABLE item(id INTEGER PRIMARY KEY, owner INTEGER, price INTEGER, note TEXT);"
            "CREATE INDEX item_owner ON item(owner); CREATE INDEX item_price ON item(price); BEGIN");
    insert = prepare("INSERT INTO item(id, owner, price, note) VALUES(?1, ?2, abs(random()) % 1000000, hex(randomblob(40 + ?1 % 61)))");
    for (uint64_t id = 1; id <= rows; id++)
        run2(insert, id, next_random() % (rows / 10));
    sqlite3_finalize(insert);
    execute("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
}

static void read_mostly(uint64_t rows, uint64_t operations) {
    sqlite3_stmt *by_key = prepare("SELECT price, note FROM item WHERE id = ?1");
    sqlite3_stmt *by_owner = prepare("SELECT price, note FROM item WHERE owner = ?1");
    sqlite3_stmt *range = prepare("SELECT price, note FROM item WHERE id BETWEEN ?1 AND ?1 + 19");
    sqlite3_stmt *update = prepare("UPDATE item SET price = ?2 WHERE id = ?1");

    for (uint64_t i = 0; i < operations; i++) {
        uint64_t key = 1 + next_random() % rows, kind = next_random() % 20;
        if (kind < 12)
            run1(by_key, key);
        else if (kind < 17)
            run1(by_owner, key % (rows / 10));
        else if (kind < 19)
            run1(range, key);
        else
            run2(update, key, next_random() % 1000000);
    }
    sqlite3_finalize(by_key);
    sqlite3_finalize(by_owner);
    sqlite3_finalize(range);
    sqlite3_finalize(update);
}

static void write_heavy(uint64_t rows, uint64_t operations) {
    sqlite3_stmt *by_key = prepare("SELECT price, note FROM item WHERE id = ?1");
    sqlite3_stmt *update = prepare("UPDATE item SET price = ?2 WHERE id = ?1");
    sqlite3_stmt *insert = prepare("INSERT INTO item(owner, price, note) VALUES(?1, ?2, printf('%0120d', ?2))");
    sqlite3_stmt *delete = prepare("DELETE FROM item WHERE id = ?1");

    for (uint64_t i = 0; i < operations; i++) {
        uint64_t key = 1 + next_random() % rows, kind = next_random() % 10;
        if (i % 100 == 0)
            execute(i ? "COMMIT; BEGIN" : "BEGIN");
        if (kind < 2)
            run1(by_key, key);
        else if (kind < 7)
            run2(update, key, next_random() % 1000000);
        else if (kind < 9)
            run2(insert, key % (rows / 10), next_random() % 1000000);
        else
            run1(delete, key);
    }
    execute("COMMIT");
    sqlite3_finalize(by_key);
    sqlite3_finalize(update);
    sqlite3_finalize(insert);
    sqlite3_finalize(delete);
}

static double processor_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double wall_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const char *work, uint64_t operations) {
    void (*doing)(uint64_t, uint64_t) = strcmp(work, "write") == 0 ? write_heavy : read_mostly;
    uint64_t rows = rows_now();
    hf_sqlite_stats stats = HF_SQLITE_STATS_INIT;
    double processor, wall;
    int highest = 0, now = 0;

    doing(rows, operations / 4);
    processor = processor_ns();
    wall = wall_ns();
    doing(rows, operations);
    processor = processor_ns() - processor;
    wall = wall_ns() - wall;
    sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_USED, &now, &highest, 0);
    printf("ns %.1f\nwall_ns %.1f\n", processor / (double)operations, wall / (double)operations);
    printf("answer %" PRIu64 "\ncache_bytes %d\n", answer, now);
    if (hf_sqlite_get_stats(&stats) == HF_OK)
        printf("hits %" PRIu64 "\nmisses %" PRIu64 "\n", stats.hits, stats.misses);
}

int main(int argc, char **argv) {
    char pragma[128];

    if (argc != 4 && argc != 7) {
        fputs("usage: sqlite_worker make FILE ROWS | run FILE own|holdfast read|write CACHE_KIB OPS\n", stderr);
        return 2;
    }
    if (argc == 7 && strcmp(argv[3], "holdfast") == 0 && hf_sqlite_install(NULL) != HF_OK) {
        fprintf(stderr, "sqlite_worker: %s\n", hf_sqlite_error_message());
        return 1;
    }
    if (sqlite3_open(argv[2], &db) != SQLITE_OK)
        die("open");
    if (argc == 4) {
        make(strtoull(argv[3], NULL, 10));
    } else {
        snprintf(pragma, sizeof pragma, "PRAGMA synchronous=OFF; PRAGMA cache_size=-%lu", strtoul(argv[5], NULL, 10));
        execute(pragma);
        measure(argv[4], strtoull(argv[6], NULL, 10));
    }
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
