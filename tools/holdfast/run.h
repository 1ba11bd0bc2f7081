/* SPDX-License-Identifier: MIT
 *
 * What the files of `holdfast run` know of each other: the job as it was asked for, and what came of it.
 *
 *   run.c         options, the order of things
 *   run_places.c  where the scripts, the preload library and the work folder are
 *   run_data.c    package lists -> database
 *   run_shell.c   one sqlite3 shell that works through steps
 *   run_report.c  the table
 */
#ifndef HOLDFAST_RUN_H
#define HOLDFAST_RUN_H

#include "child.h"
#include "steps.h"
#include "work.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As asked for. Strings are the command line's, or run_places.c's. */
struct job {
    const char *input;    /* a file of package stanzas; NULL: apt's lists */
    uint64_t rows;        /* stanzas at most; 0: all */
    uint64_t limit_bytes;
    const char *sqlite3;  /* the shell */
    const char *library;  /* libholdfast-sqlite.so */
    const char *scripts;  /* the folder of packages.awk and the .sql files */
    const char *parent;   /* of the work folder */
    bool keep, quiet, details;
};

/* The page cache that both get: what the limit has room for, pages and their headers. */
uint64_t cache_kib(const struct job *job);

bool find_places(struct job *job);
const char *script_path(const struct job *job, const char *name); /* valid until the next call */

/* What the input was and became. */
struct data {
    uint64_t packages;
    uint64_t database_bytes;
    char sqlite_version[32];
};

bool make_database(const struct job *job, const struct work *work, const char *database, struct data *data);

/* One sqlite3 shell at work. took_ns: as many as steps, may be NULL. */
struct shell_run {
    const char *phase;           /* for the progress: "plain" */
    const char *database;        /* file names in the work folder */
    const char *answers;
    const char *errors;
    const char *prologue;        /* SQL before the first step */
    const char *const *settings; /* of the environment */
    const struct steps *steps;
    uint64_t *took_ns;
    struct child_end end;        /* filled in */
};

/* False after a complaint: the shell did not start, failed, or did not come to the end of its steps. */
bool run_shell(const struct job *job, const struct work *work, struct shell_run *run);

/* SHA3-256 of the schema and of all content, by the shell's own .sha3sum. */
enum { HASH_BYTES = 80 };
bool hash_database(const struct job *job, const struct work *work, const char *database, char hash[static HASH_BYTES]);

/* The first line of a file of errors that is no statistics line, without "Error: " and the like; "" if there is none. */
void first_error(const struct work *work, const char *name, char *text, size_t size);

/* The statistics line of libholdfast-sqlite.so. */
struct cache_stats {
    char cache[32]; /* "holdfast" when holdfast's was in use */
    uint64_t limit_bytes, peak_bytes, live_bytes, hits, misses, given_back_bytes, segments, refused, misuses;
};
bool read_cache_stats(const struct work *work, const char *name, struct cache_stats *stats);

/* One of the two: on SQLite's own page cache, or on holdfast. */
struct side {
    uint64_t *took_ns; /* of each step */
    uint64_t peak_bytes;
    char hash[HASH_BYTES];
};

struct outcome {
    struct data data;
    struct steps steps;  /* queries, then updates */
    size_t queries;      /* so many of them are queries */
    struct side plain, ours;
    struct cache_stats stats;
    bool *same;          /* of each step */
};

/* Prints the table. The exit status: 0 only if everything is as it should be. */
int report(const struct job *job, const struct outcome *outcome);

#endif
