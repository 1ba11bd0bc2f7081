/* SPDX-License-Identifier: MIT
 *
 * SQL in steps, as build.sql, queries.sql and updates.sql have it: a line that begins with --# starts a step and is its title.
 */
#ifndef HOLDFAST_STEPS_H
#define HOLDFAST_STEPS_H

#include <stdbool.h>
#include <stddef.h>

struct step {
    char *title;
    char *sql;
};

struct steps {
    struct step *list;
    size_t count;
};

/* Adds the steps of a file. False after a complaint. */
bool steps_read(struct steps *steps, const char *path);
void steps_free(struct steps *steps);

/* Writes one script for the sqlite3 shell: the prologue, then each step. The shell prints "--# N" before the answers of step N, and
 * writes the line "N" into its file descriptor 3 after them. False after a complaint. */
bool steps_write_script(const struct steps *steps, const char *prologue, int file);

/* Compares two outputs of such a script byte by byte, step by step: same[i] says whether step i gave the same answers. What is
 * missing in both is not the same. False after a complaint. */
bool steps_compare(const struct steps *steps, const char *path_a, const char *path_b, bool *same);

#endif
