/* SPDX-License-Identifier: MIT
 *
 * hf_sqlite_install as a program uses it, with the real SQLite: when it may be called, what it answers otherwise, and that pages
 * then really are holdfast's. The tests build on each other, in this order: installation is for the process.
 */
#include "crew.h"

#include <hf_sqlite.h>

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1u << 20)

static char directory[] = "/tmp/hf-sqlite-XXXXXX";

static const char *file(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static hf_sqlite_stats stats_now(void) {
    hf_sqlite_stats stats = HF_SQLITE_STATS_INIT;
    assert_int_equal(hf_sqlite_get_stats(&stats), HF_OK);
    return stats;
}

static sqlite3 *open_database(const char *path) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void execute(sqlite3 *db, const char *sql) {
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3_int64 ask(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement;
    sqlite3_int64 answer;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    answer = sqlite3_column_int64(statement, 0);
    if (sqlite3_column_type(statement, 0) == SQLITE_TEXT)
        answer = strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0 ? 1 : -1;
    sqlite3_finalize(statement);
    return answer;
}

#define FILL                                                                                               \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB);"                                                   \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"                      \
    "INSERT INTO t SELECT i, zeroblob(300) FROM n;"

static void options_that_are_not_known_are_refused(void **state) {
    struct {
        hf_sqlite_options known;
        uint64_t from_the_future;
    } options = { HF_SQLITE_OPTIONS_INIT, 1 };
    hf_sqlite_options no_size = { 0, 0 };
    (void)state;
    options.known.struct_bytes = sizeof options;
    assert_int_equal(hf_sqlite_install(&options.known), HF_INVALID);
    assert_non_null(strstr(hf_sqlite_error_message(), "does not know"));
    assert_int_equal(hf_sqlite_install(&no_size), HF_INVALID);
    assert_int_equal(hf_sqlite_get_stats(NULL), HF_INVALID);
}

static void after_initialize_it_is_busy_and_nothing_changes(void **state) {
    sqlite3 *db;
    (void)state;
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    assert_int_equal(hf_sqlite_install(NULL), HF_BUSY);
    assert_non_null(strstr(hf_sqlite_error_message(), "already initialised"));
    db = open_database(":memory:");
    execute(db, FILL);
    sqlite3_close(db);
    assert_int_equal(stats_now().misses, 0);
    sqlite3_shutdown();
}

static void before_initialize_it_works_and_a_second_time_it_is_refused(void **state) {
    struct {
        hf_sqlite_options known;
        uint64_t zero_tail;
    } options = { HF_SQLITE_OPTIONS_INIT, 0 };
    (void)state;
    options.known.struct_bytes = sizeof options;
    options.known.limit_bytes = 64 * MIB;
    assert_int_equal(hf_sqlite_install(&options.known), HF_OK);
    assert_int_equal(stats_now().limit_bytes, 64 * MIB);
    assert_int_equal(hf_sqlite_install(NULL), HF_INVALID);
    assert_non_null(strstr(hf_sqlite_error_message(), "already installed"));
    assert_int_equal(stats_now().limit_bytes, 64 * MIB);
}

static void pages_of_file_and_memory_databases_are_holdfasts(void **state) {
    hf_sqlite_stats stats;
    sqlite3 *db, *memory;
    (void)state;
    db = open_database(file("a.db"));
    memory = open_database(":memory:");
    execute(db, "PRAGMA cache_size=-32768;" FILL);
    execute(memory, FILL);
    assert_int_equal(ask(db, "SELECT count(*) FROM t"), 20000);
    assert_int_equal(ask(db, "PRAGMA integrity_check"), 1);
    assert_int_equal(ask(memory, "PRAGMA integrity_check"), 1);
    stats = stats_now();
    assert_true(stats.hits > 1000 && stats.misses > 2000);
    assert_true(stats.live_bytes > 12 * MIB && stats.live_bytes <= 64 * MIB);
    assert_true(stats.pages * 4096 <= stats.live_bytes);
    assert_true(stats.caches >= 2);
    sqlite3_close(db);
    sqlite3_close(memory);
    assert_int_equal(stats_now().live_bytes, 0);
    assert_int_equal(stats_now().blocks, 0);
}

static void shrink_memory_gives_bytes_back_and_the_rows_stay(void **state) {
    uint64_t before;
    sqlite3 *db = open_database(file("a.db"));
    (void)state;
    execute(db, "PRAGMA cache_size=-32768");
    assert_int_equal(ask(db, "SELECT sum(length(body)) FROM t"), 6000000);
    before = stats_now().given_back_bytes;
    assert_true(stats_now().held_bytes > 6 * MIB);
    execute(db, "PRAGMA shrink_memory");
    assert_true(stats_now().held_bytes <= 2 * 68 * 1024);
    assert_true(stats_now().given_back_bytes - before > 6 * MIB);
    assert_int_equal(ask(db, "SELECT sum(length(body)) FROM t"), 6000000);
    sqlite3_db_release_memory(db);
    assert_true(stats_now().held_bytes <= 2 * 68 * 1024);
    assert_int_equal(ask(db, "SELECT sum(length(body)) FROM t"), 6000000);
    before = stats_now().held_bytes;
    assert_int_equal(hf_sqlite_release_memory(2 * MIB, NULL), HF_OK);
    assert_in_range(before - stats_now().held_bytes, 2 * MIB, 4 * MIB);
    sqlite3_close(db);
}

struct members {
    int rc[8];
    sqlite3_int64 rows[8];
};

/* Each thread its own connection to its own file, and all of them one to a shared file. */
static void member(unsigned me, void *context) {
    struct members *members = context;
    char path[128], common[128], sql[160];
    sqlite3 *own, *shared;
    sqlite3_stmt *count;

    snprintf(path, sizeof path, "%s/own%u.db", directory, me);
    snprintf(common, sizeof common, "%s/shared.db", directory);
    members->rc[me] = sqlite3_open(path, &own) | sqlite3_open(common, &shared);
    sqlite3_busy_timeout(shared, 60000);
    members->rc[me] |= sqlite3_exec(own, "PRAGMA synchronous=OFF;" FILL "CREATE INDEX i ON t(length(body), id);", NULL, NULL, NULL);
    for (int i = 0; i < 50 && members->rc[me] == SQLITE_OK; i++) {
        snprintf(sql, sizeof sql, "INSERT INTO s SELECT %u, id FROM (WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n "
                                  "WHERE id < 20) SELECT id FROM n)", me);
        members->rc[me] = sqlite3_exec(shared, sql, NULL, NULL, NULL);
    }
    if (sqlite3_prepare_v2(own, "SELECT count(*) FROM t INDEXED BY i WHERE length(body) = 300", -1, &count, NULL) == SQLITE_OK &&
        sqlite3_step(count) == SQLITE_ROW)
        members->rows[me] = sqlite3_column_int64(count, 0);
    sqlite3_finalize(count);
    sqlite3_close(own);
    sqlite3_close(shared);
}

static void many_connections_in_many_threads_keep_every_row(void **state) {
    struct members members = { { 0 }, { 0 } };
    sqlite3 *db = open_database(file("shared.db"));
    (void)state;
    execute(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE s(who, what)");
    crew_run(8, member, &members);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(members.rc[i], SQLITE_OK);
        assert_int_equal(members.rows[i], 20000);
    }
    assert_int_equal(ask(db, "SELECT count(*) FROM s"), 8 * 50 * 20);
    assert_int_equal(ask(db, "PRAGMA integrity_check"), 1);
    sqlite3_close(db);
    assert_int_equal(stats_now().live_bytes, 0);
    assert_int_equal(stats_now().misuses, 0);
}

static void a_forked_child_can_open_its_own_databases(void **state) {
    sqlite3 *db = open_database(file("a.db"));
    int status;
    pid_t child;
    (void)state;
    assert_int_equal(ask(db, "SELECT count(*) FROM t"), 20000);
    child = fork();
    if (child == 0) {
        sqlite3 *mine = NULL;
        int rc = sqlite3_open(file("child.db"), &mine) | sqlite3_exec(mine, FILL, NULL, NULL, NULL);
        hf_sqlite_stats stats = HF_SQLITE_STATS_INIT;
        rc |= hf_sqlite_get_stats(&stats) != HF_OK || stats.misses == 0 || stats.misses > 10000;
        rc |= sqlite3_close(mine);
        _exit(rc);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(ask(db, "SELECT sum(length(body)) FROM t"), 6000000);
    sqlite3_close(db);
}

static void shutdown_gives_all_memory_back_and_initialize_starts_again(void **state) {
    hf_sqlite_stats before = stats_now();
    sqlite3 *db;
    (void)state;
    assert_int_equal(sqlite3_shutdown(), SQLITE_OK);
    assert_int_equal(stats_now().held_bytes, 0);
    assert_int_equal(stats_now().hits, before.hits);
    assert_int_equal(hf_sqlite_release_memory(1, NULL), HF_CLOSED);
    assert_int_equal(hf_sqlite_install(NULL), HF_INVALID); /* still installed */
    db = open_database(file("a.db"));
    assert_int_equal(ask(db, "SELECT count(*) FROM t"), 20000);
    assert_true(stats_now().hits > before.hits);
    assert_int_equal(stats_now().limit_bytes, 64 * MIB);
    sqlite3_close(db);
    sqlite3_shutdown();
}

static int make_directory(void **state) {
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_are_not_known_are_refused),
        cmocka_unit_test(after_initialize_it_is_busy_and_nothing_changes),
        cmocka_unit_test(before_initialize_it_works_and_a_second_time_it_is_refused),
        cmocka_unit_test(pages_of_file_and_memory_databases_are_holdfasts),
        cmocka_unit_test(shrink_memory_gives_bytes_back_and_the_rows_stay),
        cmocka_unit_test(many_connections_in_many_threads_keep_every_row),
        cmocka_unit_test(a_forked_child_can_open_its_own_databases),
        cmocka_unit_test(shutdown_gives_all_memory_back_and_initialize_starts_again),
    };
    return cmocka_run_group_tests_name("sqlite_install", tests, make_directory, remove_directory);
}
