/* SPDX-License-Identifier: MIT
 *
 * The harness of tests/misuse: one tiny program per mistake.
 *
 * Every program plays on the same stage: an arena "engine" with a pool "pages" of at most 1 MiB, in which a rightful owner holds a
 * segment of 64 KiB full of a known pattern. The program makes its mistake inside MISTAKE, which looks at the world before and
 * after it and writes four TAP lines:
 *
 *   1. the status is the one expected;
 *   2. the sentence is the one expected (hf_error_message of this thread);
 * 3. the misuse callback ran once, with this status and this sentence, if the mistake is REPORTED, and not at all if it is
 * ORDINARY; 4. nothing changed: the statistics of arena and pool (but for the counters of mistakes) and the owner's bytes are what
 * they were.
 *
 * In an expected sentence ADDR stands for the address given with it, N for any decimal number, HEX for any
 * hexadecimal one; everything else is literal.
 */
#ifndef TEST_SUPPORT_MISUSE_H
#define TEST_SUPPORT_MISUSE_H

#include "holdfast.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum report {
    ORDINARY, /* a status like any other */
    REPORTED  /* misuse in the sense of the contract's section 3: the callback is told */
};

#define STAGE_LIMIT_BYTES (UINT64_C(1) << 20)
#define PAGE_BYTES ((size_t)65536)
#define SILENT NULL /* for calls that store no message */

extern hf_arena stage_arena;
extern hf_pool stage_pool;
extern hf_segment stage_owner; /* live, 64 KiB, known bytes; nobody may touch it */

/* Opens the stage. options may be NULL. Call once, first. */
void stage_open(const hf_arena_options *options);

/* A fresh 64 KiB segment of the stage's pool. */
hf_segment stage_page(void);

/* One TAP line. */
void tap(bool passed, const char *what);

/* The moment before a mistake. */
void mistake_begins(void);

/* The four lines. call is the mistake's source text. */
void mistake_ends(const char *call, hf_status got, hf_status expected, const char *sentence, const void *address,
                  enum report report);

#define MISTAKE(call, expected, sentence, address, report)                      \
    do {                                                                        \
        mistake_begins();                                                       \
        hf_status got_ = (call);                                                \
        mistake_ends(#call, got_, (expected), (sentence), (address), (report)); \
    } while (0)

/* A call that must succeed for the story to go on; says so and stops the program if it does not. */
void must_be_ok(hf_status got, const char *call);
#define MUST(call) must_be_ok((call), #call)

#define CHECK(condition) tap((condition), #condition)

/* Fills a result with bytes that no call would leave there; true while all of them are still there. */
void poison(void *result, size_t size);
bool is_poison(const void *result, size_t size);
#define CHECK_UNTOUCHED(result) tap(is_poison(&(result), sizeof(result)), #result " is untouched")

/* The sum over the pool's classes of one counter of mistakes is n, and so is the total of all such counters. */
#define CHECK_COUNTED(field, n) check_counted(offsetof(hf_class_stats, field), (n), #field " is " #n ", other mistakes 0")
void check_counted(size_t offset, uint64_t n, const char *what);

/* Runs the function on a thread of its own and waits for it. */
void on_another_thread(void (*work)(void));

/* Ends the program: the owner still has its page and can release it, the arena closes. The TAP plan; main's result. */
int stage_close(void);

/* The same for programs whose mistake was to close the arena or pool themselves: only the plan. */
int stage_is_closed(void);

#endif
