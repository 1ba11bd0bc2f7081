/* SPDX-License-Identifier: MIT
 *
 *     sql_script own|LIMIT_BYTES DATABASE < script.sql
 *
 * A program linked with libsqlite3 that runs a script and prints all rows, errors included, in one form: on SQLite's own page
 * cache, or on holdfast under a limit (0: the default). The comparison is made by compare.py, in sanitizers' builds too, where
 * nothing can be preloaded. With holdfast it says on stderr how many pages were found, so that a run that used none is noticed.
 */
#include <hf_sqlite.h>

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_all(FILE *from) {
    size_t length = 0, room = 1 << 16;
    char *text = malloc(room);
    size_t got;
    while (text && (got = fread(text + length, 1, room - length - 1, from)) > 0) {
        length += got;
        if (room - length < 2)
            text = realloc(text, room *= 2);
    }
    if (text)
        text[length] = 0;
    return text;
}

static int print_row(void *context, int columns, char **values, char **names) {
    (void)context;
    (void)names;
    for (int i = 0; i < columns; i++)
        printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
    putchar('\n');
    return 0;
}

/* A script goes on after an error, as in the shell. */
static void run_script(sqlite3 *db, const char *sql) {
    while (*sql) {
        sqlite3_stmt *statement = NULL;
        const char *rest = NULL;
        char *one, *error = NULL;
        size_t length;

        if (sqlite3_prepare_v2(db, sql, -1, &statement, &rest) != SQLITE_OK)
            printf("error: %s\n", sqlite3_errmsg(db));
        sqlite3_finalize(statement);
        length = rest && rest > sql ? (size_t)(rest - sql) : strlen(sql);
        one = strndup(sql, length);
        if (statement && sqlite3_exec(db, one, print_row, NULL, &error) != SQLITE_OK)
            printf("error: %s\n", error);
        sqlite3_free(error);
        free(one);
        sql += length;
    }
}

int main(int argc, char **argv) {
    hf_sqlite_options options = HF_SQLITE_OPTIONS_INIT;
    hf_sqlite_stats stats = HF_SQLITE_STATS_INIT;
    sqlite3 *db = NULL;
    char *sql;
    bool holdfast;

    if (argc != 3) {
        fputs("usage: sql_script own|LIMIT_BYTES DATABASE < script.sql\n", stderr);
        return 2;
    }
    holdfast = strcmp(argv[1], "own") != 0;
    options.limit_bytes = holdfast ? strtoull(argv[1], NULL, 10) : 0;
    if (holdfast && hf_sqlite_install(&options) != HF_OK) {
        fprintf(stderr, "sql_script: %s\n", hf_sqlite_error_message());
        return 1;
    }
    sql = read_all(stdin);
    if (!sql || sqlite3_open(argv[2], &db) != SQLITE_OK) {
        fprintf(stderr, "sql_script: can't begin: %s\n", sqlite3_errmsg(db));
        sqlite3_close(db);
        free(sql);
        return 1;
    }
    run_script(db, sql);
    free(sql);
    if (sqlite3_close(db) != SQLITE_OK)
        return 1;
    if (holdfast && hf_sqlite_get_stats(&stats) == HF_OK)
        fprintf(stderr, "hits %" PRIu64 " live %" PRIu64 " misuses %" PRIu64 "\n", stats.hits, stats.live_bytes, stats.misuses);
    return sqlite3_shutdown() == SQLITE_OK ? 0 : 1;
}
