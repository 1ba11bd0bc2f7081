/* SPDX-License-Identifier: MIT
 *
 * Opening 1 TiB of capacity, and closing after 1 GiB of it (--touch) was touched.
 *
 * holdfast   an arena of 1 TiB, a pool, its first page; then the close of all that. And the close with 16,384 live pages of 64 KiB,
 *            every 4 KiB of them resident: revoking each page is part of it.
 * malloc     has no such thing; its place is taken by the bare system calls: mmap of 1 TiB, and madvise(MADV_DONTNEED) on 1 GiB of
 *            it, which is the price of giving memory back that nobody who gives it back can avoid. It revokes nothing.
 */
#include "bench.h"

#include <sys/mman.h>

static const uint64_t capacity_bytes = UINT64_C(1) << 40;
enum { SLOT = 65536, OPENS = 200 };

static void ok(hf_status status) {
    if (status != HF_OK)
        fail("%s", hf_error_message());
}

static double since_us(uint64_t begin) { return (double)(now_ns() - begin) / 1e3; }

static void holdfast_open_all(const plan *plan, hf_arena *arena, hf_pool *pool) {
    hf_arena_options arena_options = HF_ARENA_OPTIONS_INIT;
    hf_pool_options pool_options = HF_POOL_OPTIONS_INIT;
    arena_options.reserve_bytes = capacity_bytes;
    pool_options.limit_bytes = 2 * plan->touched_bytes;
    ok(hf_arena_open(&arena_options, arena));
    ok(hf_pool_open(*arena, &pool_options, pool));
}

static void holdfast_lifetime(const plan *plan) {
    double *open_us = table_new(OPENS * sizeof *open_us), *first_us = table_new(OPENS * sizeof *first_us);
    double *close_us = table_new(OPENS * sizeof *close_us);
    hf_arena arena;
    hf_pool pool;
    for (unsigned i = 0; i < OPENS; i++) {
        hf_segment page;
        uint64_t begin = now_ns();
        holdfast_open_all(plan, &arena, &pool);
        open_us[i] = since_us(begin);
        begin = now_ns();
        ok(hf_pool_allocate(pool, SLOT, 0, &page));
        first_us[i] = since_us(begin);
        begin = now_ns();
        ok(hf_arena_close(arena, 0));
        close_us[i] = since_us(begin);
    }
    print_metric("open_us", median(open_us, OPENS));
    print_metric("first_page_us", median(first_us, OPENS));
    print_metric("close_untouched_us", median(close_us, OPENS));

    holdfast_open_all(plan, &arena, &pool);
    for (size_t i = 0; i < plan->touched_bytes / SLOT; i++) {
        hf_segment page;
        ok(hf_pool_allocate(pool, SLOT, 0, &page));
        touch_pages(page.address, SLOT, 1);
    }
    uint64_t begin = now_ns();
    ok(hf_arena_close(arena, 0));
    print_metric("close_touched_us", since_us(begin));
}

static char *bare_open(void) {
    char *base = mmap(NULL, capacity_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        fail("The system has no 1 TiB of address space.");
    madvise(base, capacity_bytes, MADV_NOHUGEPAGE);
    return base;
}

static void bare_lifetime(const plan *plan) {
    double *open_us = table_new(OPENS * sizeof *open_us), *close_us = table_new(OPENS * sizeof *close_us);
    for (unsigned i = 0; i < OPENS; i++) {
        uint64_t begin = now_ns();
        char *base = bare_open();
        open_us[i] = since_us(begin);
        begin = now_ns();
        munmap(base, capacity_bytes);
        close_us[i] = since_us(begin);
    }
    print_metric("open_us", median(open_us, OPENS));
    print_metric("close_untouched_us", median(close_us, OPENS));

    char *base = bare_open();
    touch_pages(base, plan->touched_bytes, 1);
    uint64_t begin = now_ns();
    if (madvise(base, plan->touched_bytes, MADV_DONTNEED) != 0)
        fail("madvise refused.");
    print_metric("close_touched_us", since_us(begin));
    munmap(base, capacity_bytes);
}

void work_lifetime(const plan *plan) {
    if (plan->subject == &subject_holdfast)
        holdfast_lifetime(plan);
    else
        bare_lifetime(plan);
}
