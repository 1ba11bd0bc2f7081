/* SPDX-License-Identifier: MIT
 *
 * Time for tests. No test asserts that something was fast; some assert that a call took at least the time it promised to wait,
 * and that is asked of the same monotonic clock that the library uses.
 */
#ifndef TEST_SUPPORT_CLOCK_H
#define TEST_SUPPORT_CLOCK_H

#include <stdint.h>
#include <time.h>

#define MILLISECONDS UINT64_C(1000000)
#define SECONDS UINT64_C(1000000000)

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECONDS + (uint64_t)t.tv_nsec;
}

static inline void sleep_ns(uint64_t ns) {
    struct timespec t = { (time_t)(ns / SECONDS), (long)(ns % SECONDS) };
    while (nanosleep(&t, &t) != 0)
        continue;
}

#endif
