/* SPDX-License-Identifier: MIT
 *
 * What it costs to look before touching, and the loops that callgrind counts.
 *
 * Sixteen pages of 4 KiB, all in the first cache, are visited in turn at changing places. `loop` does no more than find the page
 * and the place; what a row costs is its figure less that. `raw` rows do what a program without holdfast would do. All rows run in
 * one process, in turns of a millisecond, so that whatever disturbs one disturbs all.
 *
 * The same loops, for a fixed number of rounds, are the workload `count`: bench/instructions runs it under callgrind with two
 * numbers and divides the difference, which gives instructions per operation exactly.
 */
#include "bench.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PAGES = 16, PAGE_BYTES = 4096, ROUNDS_MAX = 2048 };

static hf_arena arena;
static hf_pool pool;
static hf_segment pages[PAGES];
static uint64_t sink;

static void ok(hf_status status) {
    if (__builtin_expect(status != HF_OK, 0))
        fail("%s: %s", hf_status_name(status), hf_error_message());
}

static inline const hf_segment *page_of(uint64_t i) { return &pages[i % PAGES]; }

static inline size_t place_of(uint64_t i) { return (size_t)(i * 72 % (PAGE_BYTES / 2)); }

static inline uint64_t load(const hf_segment *page, size_t at) {
    return *(const volatile uint64_t *)(const void *)((const char *)page->address + at);
}

static inline void store(const hf_segment *page, size_t at, uint64_t value) {
    *(volatile uint64_t *)(void *)((char *)page->address + at) = value;
}

/* Each row is a function of its own, so that the compiler can't mix them. The empty asm makes page and place known values. */
#define ROW(name, statement)                                                                                              \
    static __attribute__((noinline)) void row_##name(uint64_t n) {                                                        \
        uint64_t sum = 0;                                                                                                 \
        for (uint64_t i = 0; i < n; i++) {                                                                                \
            const hf_segment *page = page_of(i);                                                                          \
            size_t at = place_of(i);                                                                                      \
            __asm__ volatile("" : "+r"(page), "+r"(at) : : "memory");                                                     \
            statement;                                                                                                    \
        }                                                                                                                 \
        sink += sum;                                                                                                      \
    }

static unsigned char buffer[PAGE_BYTES];

ROW(loop, (void)0)
ROW(raw_load, sum += load(page, at))
ROW(bounds, {
    if (at > page->size - 8)
        fail("The place %zu is outside the page.", at);
    sum += load(page, at);
})
ROW(check, ok(hf_check(page)))
ROW(get_u64, {
    uint64_t value;
    ok(hf_get_u64(page, at, &value));
    sum += value;
})
ROW(optimistic, {
    sum += load(page, at);
    ok(hf_check(page));
})
ROW(pin_unpin, {
    hf_pinned pin;
    ok(hf_pin(page, &pin));
    ok(hf_unpin(&pin));
})
ROW(raw_store, store(page, at, i))
ROW(set_u64, ok(hf_set_u64(page, at, i)))
ROW(raw_write_64, memcpy((char *)page->address + at, buffer, 64))
ROW(write_8, ok(hf_write(page, at, buffer, 8)))
ROW(write_64, ok(hf_write(page, at, buffer, 64)))
ROW(read_64, ok(hf_read(page, at, buffer, 64)))
ROW(raw_write_page, {
    size_t bytes = PAGE_BYTES;
    __asm__ volatile("" : "+r"(bytes)); /* or the compiler writes a copy of its own instead of calling memcpy */
    memcpy(page->address, buffer, bytes);
})
ROW(write_page, ok(hf_write(page, 0, buffer, PAGE_BYTES)))

/* Both threads pin the very same page. */
static __attribute__((noinline)) void row_pin_same(uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        hf_pinned pin;
        ok(hf_pin(&pages[0], &pin));
        ok(hf_unpin(&pin));
    }
}

static const struct row {
    const char *name;
    void (*run)(uint64_t n);
} rows[] = {
    { "loop", row_loop },
    { "raw_load", row_raw_load },
    { "bounds_load", row_bounds },
    { "check", row_check },
    { "get_u64", row_get_u64 },
    { "optimistic", row_optimistic },
    { "raw_store", row_raw_store },
    { "set_u64", row_set_u64 },
    { "pin_unpin", row_pin_unpin },
    { "write_8", row_write_8 },
    { "raw_write_64", row_raw_write_64 },
    { "write_64", row_write_64 },
    { "read_64", row_read_64 },
    { "raw_write_page", row_raw_write_page },
    { "write_page", row_write_page },
};
enum { ROWS = sizeof rows / sizeof *rows };

static void pages_open(void) {
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = UINT64_C(64) << 20;
    ok(hf_arena_open(NULL, &arena));
    ok(hf_pool_open(arena, &options, &pool));
    for (unsigned i = 0; i < PAGES; i++) {
        ok(hf_pool_allocate(pool, PAGE_BYTES, 0, &pages[i]));
        touch_pages(pages[i].address, PAGE_BYTES, 0);
    }
}

static void pages_close(void) {
    for (unsigned i = 0; i < PAGES; i++)
        ok(hf_release(&pages[i]));
    ok(hf_arena_close(arena, 0));
}

static bool pinning; /* atomic */

static void *pin_until_told(void *unused) {
    while (__atomic_load_n(&pinning, __ATOMIC_RELAXED))
        row_pin_same(1000);
    return unused;
}

static uint64_t rounds_of_a_millisecond(void (*run)(uint64_t)) {
    for (uint64_t n = 1024;; n *= 2) {
        uint64_t begin = now_ns();
        run(n);
        if (now_ns() - begin >= 1000000)
            return n;
    }
}

static double measure_row(void (*run)(uint64_t), uint64_t n) {
    uint64_t begin = cpu_ns();
    run(n);
    return (double)(cpu_ns() - begin) / (double)n;
}

static void measure_shared_pins(uint64_t measure_ns) {
    static double ns[ROUNDS_MAX];
    pthread_t other;
    __atomic_store_n(&pinning, true, __ATOMIC_RELAXED);
    if (pthread_create(&other, NULL, pin_until_told, NULL) != 0)
        fail("The system has no second thread to give.");
    uint64_t n = rounds_of_a_millisecond(row_pin_same), begin = now_ns();
    unsigned count = 0;
    do
        ns[count++] = measure_row(row_pin_same, n);
    while (now_ns() - begin < measure_ns && count < ROUNDS_MAX);
    __atomic_store_n(&pinning, false, __ATOMIC_RELAXED);
    pthread_join(other, NULL);
    print_metric("pin_unpin_same_page_2_threads", median(ns, count));
}

void work_access(const plan *plan) {
    static double ns[ROWS][ROUNDS_MAX];
    uint64_t n[ROWS], begin;
    unsigned count = 0;
    pages_open();
    for (unsigned row = 0; row < ROWS; row++)
        n[row] = rounds_of_a_millisecond(rows[row].run);
    begin = now_ns();
    do {
        for (unsigned row = 0; row < ROWS; row++)
            ns[row][count] = measure_row(rows[row].run, n[row]);
        count++;
    } while (now_ns() - begin < plan->measure_ns && count < ROUNDS_MAX);
    for (unsigned row = 0; row < ROWS; row++)
        print_metric(rows[row].name, median(ns[row], count));
    measure_shared_pins(plan->measure_ns / 8);
    pages_close();
}

/* -------------------------------------------------------------------------------------------------------- exact instructions */

static void row_pair(uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        hf_segment page;
        ok(hf_pool_allocate(pool, 65536, HF_UNINITIALISED, &page));
        ok(hf_release(&page));
    }
}

static void row_pair_4k_zeroed_clean(uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        hf_segment page;
        ok(hf_pool_allocate(pool, 4096, 0, &page));
        ok(hf_release_dirty(&page, 0));
    }
}

static void row_batch_32(uint64_t n) {
    hf_segment held[32];
    for (uint64_t i = 0; i < n; i += 32) {
        for (unsigned k = 0; k < 32; k++)
            ok(hf_pool_allocate(pool, 65536, HF_UNINITIALISED, &held[k]));
        for (unsigned k = 0; k < 32; k++)
            ok(hf_release(&held[k]));
    }
}

static void row_batch_1024(uint64_t n) {
    static hf_segment held[1024];
    for (uint64_t i = 0; i < n; i += 1024) {
        for (unsigned k = 0; k < 1024; k++)
            ok(hf_pool_allocate(pool, 4096, HF_UNINITIALISED, &held[k]));
        for (unsigned k = 0; k < 1024; k++)
            ok(hf_release(&held[k]));
    }
}

static const struct row pairs[] = {
    { "empty", row_loop },
    { "pair", row_pair },
    { "pair_4k_zeroed_clean", row_pair_4k_zeroed_clean },
    { "batch_32", row_batch_32 },
    { "batch_1024_4k", row_batch_1024 },
};

void work_count(const plan *plan) {
    const struct row *found = NULL;
    for (unsigned i = 0; i < ROWS && plan->path; i++)
        if (strcmp(rows[i].name, plan->path) == 0)
            found = &rows[i];
    for (unsigned i = 0; i < sizeof pairs / sizeof *pairs && plan->path; i++)
        if (strcmp(pairs[i].name, plan->path) == 0)
            found = &pairs[i];
    if (!found)
        fail("There is nothing called '%s' to count.", plan->path ? plan->path : "");
    pages_open();
    found->run(4096); /* what only the first calls do */
    found->run(plan->count);
    pages_close();
    print_metric("count", (double)plan->count);
}
