/* SPDX-License-Identifier: MIT
 *
 * See steps.h. The shell buffers what it prints, so its output can't tell how far it is. But `.once FILE` opens a file, writes the
 * next answer and closes it again, so a marker written that way into a pipe arrives at once; /dev/fd/3 is the pipe's name.
 */
#include "steps.h"
#include "command.h"
#include "work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char MARK[] = "--# ";

/* The next line that begins with the mark, from a line's start on; NULL: none. */
static char *next_mark(char *text) {
    while (text && *text) {
        if (strncmp(text, MARK, sizeof MARK - 1) == 0) return text;
        text = strchr(text, '\n');
        if (text) text++;
    }
    return NULL;
}

/* Adds the step that begins at the mark. Its text ends where the next mark, if any, was replaced by a zero. */
static bool add_step(struct steps *steps, char *mark) {
    char *title = mark + sizeof MARK - 1, *end = strchr(title, '\n');
    struct step *list = realloc(steps->list, (steps->count + 1) * sizeof *list);
    if (!list) return false;
    steps->list = list;
    struct step *step = &list[steps->count];
    step->title = strndup(title, end ? (size_t)(end - title) : strlen(title));
    step->sql = strdup(end ? end + 1 : "");
    if (step->title && step->sql) {
        steps->count++;
        return true;
    }
    free(step->title);
    free(step->sql);
    return false;
}

bool steps_read(struct steps *steps, const char *path) {
    size_t bytes, before = steps->count;
    char *text = read_whole(path, &bytes);
    if (!text) return false;
    bool worked = true;
    for (char *mark = next_mark(text), *following; mark && worked; mark = following) {
        following = next_mark(mark + 1);
        if (following) following[-1] = 0; /* the end of the line before it */
        worked = add_step(steps, mark);
    }
    free(text);
    if (!worked) complain("no memory for the steps of %s", path);
    else if (steps->count == before) complain("%s has no step: no line in it begins with --#", path);
    return worked && steps->count > before;
}

void steps_free(struct steps *steps) {
    for (size_t i = 0; i < steps->count; i++) {
        free(steps->list[i].title);
        free(steps->list[i].sql);
    }
    free(steps->list);
    *steps = (struct steps){ 0 };
}

bool steps_write_script(const struct steps *steps, const char *prologue, int file) {
    FILE *to = fdopen(file, "w");
    if (!to) {
        complain("can't write the script: %s", strerror(errno));
        close(file);
        return false;
    }
    fprintf(to, "%s\n", prologue);
    for (size_t i = 0; i < steps->count; i++)
        fprintf(to, ".print '%s%zu'\n%s\n.once /dev/fd/3\nSELECT %zu;\n", MARK, i + 1, steps->list[i].sql, i + 1);
    bool worked = !ferror(to);
    worked &= fclose(to) == 0;
    if (!worked) complain("can't write the script: %s", strerror(errno));
    return worked;
}

/* The answers of step number (from 1), between its mark and the next; *bytes is 0 and the result NULL if it is not there. */
static const char *answers_of(char *text, size_t number, size_t *bytes) {
    for (char *mark = next_mark(text); mark; mark = next_mark(mark + 1)) {
        if (strtoul(mark + sizeof MARK - 1, NULL, 10) != number) continue;
        char *from = strchr(mark, '\n'), *following = from ? next_mark(from + 1) : NULL;
        if (!from) break;
        *bytes = following ? (size_t)(following - from) : strlen(from);
        return from;
    }
    *bytes = 0;
    return NULL;
}

bool steps_compare(const struct steps *steps, const char *path_a, const char *path_b, bool *same) {
    size_t bytes_a, bytes_b;
    char *a = read_whole(path_a, &bytes_a), *b = a ? read_whole(path_b, &bytes_b) : NULL;
    for (size_t i = 0; b && i < steps->count; i++) {
        size_t length_a, length_b;
        const char *from_a = answers_of(a, i + 1, &length_a), *from_b = answers_of(b, i + 1, &length_b);
        same[i] = from_a && from_b && length_a == length_b && memcmp(from_a, from_b, length_a) == 0;
    }
    free(a);
    free(b);
    return b != NULL;
}
