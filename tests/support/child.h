/* SPDX-License-Identifier: MIT
 *
 * Stories told in a child process, because their telling leaves the process changed: poor in address space, in mappings, or with a
 * hole in its memory.
 */
#ifndef TEST_SUPPORT_CHILD_H
#define TEST_SUPPORT_CHILD_H

#include "holdfast.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs the story in a child process and returns its exit status: 0, or the line of the first check that failed. Signals count as
 * 999. The child leaves by _exit: cmocka's asserts are not for it. */
typedef int story(void);

static inline int in_a_child(story *tell) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(tell() & 0xff);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 998;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 999;
}

/* In a child: what failed, for the log, and a number for the exit status. */
#define CHILD_NEEDS(condition)                                                                                   \
    do {                                                                                                         \
        if (!(condition)) {                                                                                      \
            fprintf(stderr, "# %s:%d: %s; last sentence: %s\n", __func__, __LINE__, #condition, hf_error_message()); \
            return 1;                                                                                            \
        }                                                                                                        \
    } while (0)

#endif
