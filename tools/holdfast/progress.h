/* SPDX-License-Identifier: MIT
 *
 * How far a long job is, on stderr: on a terminal one line that moves, elsewhere a plain line for each finished step.
 */
#ifndef HOLDFAST_PROGRESS_H
#define HOLDFAST_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void progress_begin(bool quiet);

/* "phase: step 3 of 30: title", which begins now. total 0: there are no numbers. */
void progress_step(const char *phase, size_t number, size_t total, const char *title);
void progress_step_done(const char *phase, size_t number, size_t total, const char *title, uint64_t took_ns);

/* Takes the moving line away: something else is about to be printed. */
void progress_clear(void);

#endif
