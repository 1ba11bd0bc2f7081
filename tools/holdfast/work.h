/* SPDX-License-Identifier: MIT
 *
 * The folder in which `holdfast run` works: made new for each run inside the folder that the user named, removed whole at the
 * end, whatever the end is. And the few things done with files in it. What fails has complained, in a whole sentence.
 */
#ifndef HOLDFAST_WORK_H
#define HOLDFAST_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATH_BYTES = 4096 };

struct work {
    char folder[PATH_BYTES]; /* absolute; "" while there is none */
};

/* Makes PARENT/holdfast-run-XXXXXX, and PARENT if only that is missing. needed_bytes must be free there. */
bool work_begin(struct work *work, const char *parent, uint64_t needed_bytes);
void work_remove(struct work *work);

/* FOLDER/NAME. In one of a few buffers that take turns: use it soon. */
const char *work_path(const struct work *work, const char *name);

int work_create(const struct work *work, const char *name); /* a file descriptor for writing; -1 */
int work_open(const struct work *work, const char *name);   /* for reading; -1 */
bool work_copy(const struct work *work, const char *from, const char *to);
bool work_size(const struct work *work, const char *name, uint64_t *bytes);
void work_delete(const struct work *work, const char *name); /* and SQLite's companions of it */

/* What to say of a program that failed and gave no reason: where it should have written it, there may be no room. */
const char *silence(const struct work *work);

/* A file's whole text with a zero behind it, to be freed. NULL after a complaint. */
char *read_whole(const char *path, size_t *bytes);

#endif
