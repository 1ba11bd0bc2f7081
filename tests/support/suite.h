/* SPDX-License-Identifier: MIT
 *
 * What the cmocka suites share: the headers in the order cmocka wants them, an assert that shows the library's own sentence, and
 * the few lines that every second test begins with.
 */
#ifndef TEST_SUPPORT_SUITE_H
#define TEST_SUPPORT_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "holdfast.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static inline bool status_is(hf_status got, hf_status expected, const char *call) {
    if (got != expected)
        print_error("%s is %s, not %s; the last sentence was: %s\n", call, hf_status_name(got), hf_status_name(expected),
                    hf_error_message());
    return got == expected;
}
#define assert_status(call, expected) assert_true(status_is((call), (expected), #call))
#define assert_ok(call) assert_status(call, HF_OK)

/* For what an emulator of a foreign processor can't show: address space limits and resident memory are its own, not the kernel's. */
#define skip_if_emulated()                                                                 \
    do {                                                                                   \
        if (getenv("MESON_EXE_WRAPPER")) {                                                 \
            print_message("# an emulator's memory is not the kernel's: skipped\n");        \
            skip();                                                                        \
            return;                                                                        \
        }                                                                                  \
    } while (0)

static inline hf_arena open_arena(void) {
    hf_arena arena;
    assert_ok(hf_arena_open(NULL, &arena));
    return arena;
}

static inline hf_pool open_pool(hf_arena arena, uint64_t limit_bytes) {
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    hf_pool pool;
    options.limit_bytes = limit_bytes;
    options.decay_ns = HF_NEVER; /* figures change by what the test does, not by the clock */
    assert_ok(hf_pool_open(arena, &options, &pool));
    return pool;
}

static inline hf_segment take(hf_pool pool, size_t size) {
    hf_segment segment;
    assert_ok(hf_pool_allocate(pool, size, 0, &segment));
    return segment;
}

static inline hf_pool_stats stats_of(hf_pool pool) {
    hf_pool_stats stats = HF_POOL_STATS_INIT;
    assert_ok(hf_pool_get_stats(pool, &stats));
    return stats;
}

static inline hf_arena_stats arena_stats_of(hf_arena arena) {
    hf_arena_stats stats = HF_ARENA_STATS_INIT;
    assert_ok(hf_arena_get_stats(arena, &stats));
    return stats;
}

/* The equations that must hold between the figures of a pool at rest. */
static inline void assert_books_add_up(hf_pool pool) {
    hf_pool_stats s = stats_of(pool);
    uint64_t live = 0, cached = 0, lingering = 0, charged = 0, allocations = 0, releases = 0, given_back = 0;
    for (uint32_t i = 0; i < s.class_count; i++) {
        const hf_class_stats *c = &s.classes[i];
        if (c->slot_bytes) {
            assert_int_equal(c->charged_bytes, (c->live_slots + c->cached_slots + c->lingering_slots) * c->slot_bytes);
            live += c->live_slots * c->slot_bytes;
            cached += c->cached_slots * c->slot_bytes;
            lingering += c->lingering_slots * c->slot_bytes;
        }
        charged += c->charged_bytes;
        allocations += c->allocations;
        releases += c->releases;
        given_back += c->given_back_bytes;
    }
    /* the large ones come on top */
    assert_true(live <= s.live_bytes && cached <= s.cached_bytes && lingering <= s.lingering_bytes);
    assert_int_equal(s.charged_bytes, s.live_bytes + s.cached_bytes + s.lingering_bytes + s.retired_bytes);
    assert_int_equal(s.charged_bytes, charged);
    assert_int_equal(s.allocations, allocations);
    assert_int_equal(s.releases, releases);
    assert_int_equal(s.given_back_bytes, given_back);
    assert_true(s.charged_bytes <= s.charged_peak_bytes);
    assert_true(s.charged_peak_bytes <= s.limit_bytes);
}

static inline bool all_bytes_are(const void *address, size_t size, unsigned char value) {
    const unsigned char *bytes = address;
    return size == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, size - 1) == 0);
}

#endif
