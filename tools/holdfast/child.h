/* SPDX-License-Identifier: MIT
 *
 * Programs that `holdfast run` starts: where their input and output are, how long they took, how much memory they had at most,
 * and what they complained of.
 */
#ifndef HOLDFAST_CHILD_H
#define HOLDFAST_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What to start. File descriptors of -1 mean /dev/null; pass_as_3 of -1 means none. */
struct child_plan {
    const char *const *arguments; /* [0] is looked up in PATH; NULL at the end */
    const char *folder;           /* to run in; NULL: this one */
    const char *const *settings;  /* "NAME=value" to add to the environment; NULL: none */
    int input, output, errors;
    int pass_as_3;
};

struct child_end {
    bool exited;             /* by itself: code; else killed: signal_number */
    int code;
    int signal_number;
    uint64_t peak_bytes;     /* ru_maxrss */
};

/* Starts a program. Its environment is this one's without LD_PRELOAD and HOLDFAST_*, with LC_ALL=C, and with the settings.
 * 0, or an errno value; *child is written on 0 only. */
int child_start(const struct child_plan *plan, pid_t *child);

/* Waits for it. If an interrupting signal came (see below) it is sent on to the child first. */
void child_wait(pid_t child, struct child_end *end);

bool child_succeeded(const struct child_end *end);

/* "exit status 1" or "killed by signal 9". */
void child_describe(const struct child_end *end, char *text, size_t size);

/* From here on SIGINT, SIGTERM and SIGHUP end nothing but waits: what was interrupted cleans up, and child_resume_signals()
 * lets the signal do what it does. */
void child_hold_signals(void);
int child_interrupted(void); /* the signal's number, or 0 */
void child_resume_signals(void);

uint64_t monotonic_ns(void);

#endif
