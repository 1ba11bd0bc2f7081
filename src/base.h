/* SPDX-License-Identifier: MIT
 *
 * The floor of the house: what every room may use. Compiler tests and checked arithmetic live here and nowhere else.
 */
#ifndef HF_BASE_H
#define HF_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "holdfast.h"

#define HF_LIKELY(x) __builtin_expect(!!(x), 1)
#define HF_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define HF_COLD __attribute__((cold, noinline))
#define HF_HOT_LINE 64 /* bytes that travel together between processors */

/* Thread-local variables are few and small, so that the library can also be loaded late (by a JVM, by dlopen): the fast model
 * then takes them from the little room that libc keeps for such libraries. */
#define HF_THREAD_LOCAL static __thread __attribute__((tls_model("initial-exec")))

#ifndef HF_TESTING
#define HF_TESTING 0
#endif

#if HF_TESTING
#include <stdlib.h>
#define HF_ASSERT(condition) ((condition) ? (void)0 : abort()) /* debug tier: what the code around it has just made true */
#else
#define HF_ASSERT(condition) ((void)0)
#endif

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8, "holdfast needs a 64-bit machine: address space is what it recycles");

/* Largest power of two, and rounding; a power of two as the second argument. */
static inline bool hf_is_power_of_two(uint64_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

static inline uint64_t hf_round_down(uint64_t n, uint64_t to) {
    return n & ~(to - 1);
}

/* Rounds up; false if the result does not fit. */
static inline bool hf_round_up_checked(uint64_t n, uint64_t to, uint64_t *result) {
    return !__builtin_add_overflow(n, to - 1, result) && (*result &= ~(to - 1), true);
}

static inline uint64_t hf_round_up(uint64_t n, uint64_t to) {
    return (n + to - 1) & ~(to - 1);
}

static inline unsigned hf_log2_ceil(uint64_t n) {
    return n <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(n - 1);
}

static inline uint64_t hf_min(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static inline uint64_t hf_max(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* A fork, as seen by a room that has locks: taken before it, let go after it in both processes; the child also forgets what other
 * threads were doing. fork.c calls the rooms in the order of the locks. */
typedef enum hf_fork_phase { HF_FORK_BEFORE, HF_FORK_PARENT, HF_FORK_CHILD } hf_fork_phase;

#define HF_KIB (UINT64_C(1) << 10)
#define HF_MIB (UINT64_C(1) << 20)
#define HF_GIB (UINT64_C(1) << 30)

/* Names are kept in place, cut to fit. */
#define HF_NAME_BYTES 32
static inline void hf_name_copy(char to[HF_NAME_BYTES], const char *from, const char *otherwise) {
    size_t i = 0;
    for (from = from && *from ? from : otherwise; from[i] && i + 1 < HF_NAME_BYTES; i++) to[i] = from[i];
    to[i] = 0;
}

#endif
