/* SPDX-License-Identifier: MIT
 *
 * The scenarios about how much memory there is: the limit, the books, and what happens at the edge of them.
 *
 * Each test has the name of a defect that a real pool had. Threads record, the main thread asserts (crew.h says why).
 */
#include "suite.h"

#include "clock.h"
#include "crew.h"
#include "memory.h"

#include <stdatomic.h>

#define THREADS 8

/* allocate(0) and allocate(-5) were accepted. HF_INVALID, HF_NO_MEMORY. */
static void bad_size(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = { 0 };
    assert_status(hf_pool_allocate(pool, 0, 0, &page), HF_INVALID);
    assert_status(hf_pool_allocate(pool, (size_t)-5, 0, &page), HF_NO_MEMORY);
    assert_status(hf_pool_allocate(pool, SIZE_MAX, 0, &page), HF_NO_MEMORY);
    assert_status(hf_pool_allocate(pool, SIZE_MAX - 4095, 0, &page), HF_NO_MEMORY);
    assert_status(hf_pool_allocate(pool, MIB + 1, 0, &page), HF_NO_MEMORY);
    assert_null(page.address);
    assert_int_equal(stats_of(pool).charged_bytes, 0);
    page = take(pool, MIB);
    assert_ok(hf_release(&page));
    assert_ok(hf_arena_close(arena, 0));
}

/* Check then charge: two near-limit callers overshot; add then undo: both failed. As many must succeed as fit: exactly. */
struct many {
    hf_pool pool;
    size_t size;
    unsigned each;
    hf_segment *pages[THREADS];
    unsigned got[THREADS], strange[THREADS];
};

static void take_all(unsigned me, void *context) {
    struct many *m = context;
    for (unsigned i = 0; i < m->each; i++) {
        hf_status status = hf_pool_allocate(m->pool, m->size, HF_UNINITIALISED, &m->pages[me][m->got[me]]);
        m->got[me] += status == HF_OK;
        m->strange[me] += status != HF_OK && status != HF_NO_MEMORY;
    }
}

static void release_all(unsigned me, void *context) {
    struct many *m = context;
    for (unsigned i = 0; i < m->got[me]; i++)
        m->strange[me] += hf_release(&m->pages[me][i]) != HF_OK;
    m->got[me] = 0;
}

static unsigned sum(const unsigned *figures) {
    unsigned all = 0;
    for (unsigned i = 0; i < THREADS; i++)
        all += figures[i];
    return all;
}

static void many_open(struct many *m, hf_pool pool, size_t size, unsigned each) {
    *m = (struct many){ .pool = pool, .size = size, .each = each };
    for (unsigned i = 0; i < THREADS; i++)
        m->pages[i] = calloc(each, sizeof(hf_segment));
}

static void many_close(struct many *m) {
    for (unsigned i = 0; i < THREADS; i++)
        free(m->pages[i]);
}

static void limit_race(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    for (unsigned round = 0; round < 60; round++) {
        const unsigned fit = 101;
        struct many m;
        /* 160 wanted, 101 fit, and a rest that fits none */
        many_open(&m, open_pool(arena, fit * 64 * KIB + 63 * KIB), 64 * KIB, 20);
        crew_run(THREADS, take_all, &m);
        assert_int_equal(sum(m.strange), 0);
        assert_int_equal(sum(m.got), fit);
        assert_int_equal(stats_of(m.pool).charged_bytes, fit * 64 * KIB);
        assert_int_equal(stats_of(m.pool).refusals, THREADS * 20 - fit);
        crew_run(THREADS, release_all, &m);
        assert_int_equal(sum(m.strange), 0);
        assert_books_add_up(m.pool);
        assert_ok(hf_pool_close(m.pool, 0));
        many_close(&m);
    }
    assert_ok(hf_arena_close(arena, 0));
}

/* Every thread saw the pool empty and grew it; one drained the others' growth. Growth must never overshoot the limit, never starve:
 * each of eight threads gets its eighth of a pool that is exactly large enough, while a ninth looks at the charge. */
struct growth {
    struct many many;
    atomic_uint finished;
    uint64_t highest;
};

static void grow_member(unsigned me, void *context) {
    struct growth *g = context;
    if (me < THREADS) {
        take_all(me, &g->many);
        atomic_fetch_add(&g->finished, 1);
        return;
    }
    bool last;
    do {
        last = atomic_load(&g->finished) == THREADS;
        hf_pool_stats s = HF_POOL_STATS_INIT;
        if (hf_pool_get_stats(g->many.pool, &s) == HF_OK && s.charged_bytes > g->highest)
            g->highest = s.charged_bytes;
    } while (!last);
}

static void grow_race(void **state) {
    (void)state;
    const size_t sizes[] = { 4 * KIB, 64 * KIB, 256 * KIB, 320 * KIB };
    for (unsigned i = 0; i < 4; i++)
        for (unsigned round = 0; round < 20; round++) {
            hf_arena arena = open_arena();
            struct growth g = { 0 };
            many_open(&g.many, open_pool(arena, THREADS * 10 * sizes[i]), sizes[i], 10);
            crew_run(THREADS + 1, grow_member, &g);
            assert_int_equal(sum(g.many.strange), 0);
            for (unsigned t = 0; t < THREADS; t++)
                assert_int_equal(g.many.got[t], 10);
            assert_int_equal(g.highest, THREADS * 10 * sizes[i]);
            assert_int_equal(stats_of(g.many.pool).refusals, 0);
            many_close(&g.many);
            assert_ok(hf_arena_close(arena, 0));
        }
}

/* "All slices returned" was checked, then the region was unmapped, while another thread had just taken one. Give-back and
 * allocation race: one owner, no fault, no lost byte. */
struct give_back {
    hf_pool pool;
    atomic_uint busy;
    unsigned lost[4], trims;
};

static void give_back_member(unsigned me, void *context) {
    struct give_back *g = context;
    if (me == 3) {
        while (atomic_load(&g->busy)) {
            size_t bytes = 0;
            g->lost[3] += hf_pool_trim(g->pool, 0, &bytes) != HF_OK;
            g->trims++;
        }
        return;
    }
    uint64_t until = now_ns() + 2 * SECONDS, random = me + 1;
    for (unsigned i = 0; i < 20000 && now_ns() < until; i++) {
        hf_segment page;
        size_t size = 4 * KIB << (next_random(&random) % 8); /* 4 KiB to 512 KiB: a large one too */
        if (hf_pool_allocate(g->pool, size, 0, &page) != HF_OK) {
            g->lost[me]++;
            continue;
        }
        unsigned char mark = (unsigned char)(me * 64 + i % 63 + 1);
        g->lost[me] += !all_bytes_are(page.address, page.size, 0);
        memset(page.address, mark, page.size);
        g->lost[me] += !all_bytes_are(page.address, page.size, mark);
        g->lost[me] += hf_release(&page) != HF_OK;
    }
    atomic_fetch_sub(&g->busy, 1);
}

static void region_free_vs_poll(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    struct give_back g = { .pool = open_pool(arena, 16 * MIB), .busy = 3 };
    crew_run(4, give_back_member, &g);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(g.lost[i], 0);
    assert_ok(hf_pool_trim(g.pool, 0, NULL));
    assert_int_equal(stats_of(g.pool).charged_bytes, 0);
    assert_books_add_up(g.pool);
    assert_ok(hf_arena_close(arena, 0));
}

/* Waited 10.3 s in 5 ms naps, then failed. Woken by the release, and failing within the caller's own time. */
struct waiting {
    hf_pool pool;
    hf_segment held;
    hf_status allocated, released;
    uint64_t waited_ns;
};

static void wait_member(unsigned me, void *context) {
    struct waiting *w = context;
    if (me == 0) {
        hf_segment page;
        uint64_t began = now_ns();
        w->allocated = hf_pool_allocate(w->pool, 64 * KIB, 0, &page);
        w->waited_ns = now_ns() - began;
        return;
    }
    hf_pool_stats s = HF_POOL_STATS_INIT;
    do { /* release only when the other is known to wait */
        sleep_ns(MILLISECONDS);
        w->released = hf_pool_get_stats(w->pool, &s);
    } while (w->released == HF_OK && s.waits == 0);
    w->released = hf_release(&w->held);
}

static void oom_in_the_middle(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    struct waiting w;
    options.limit_bytes = 64 * KIB;
    options.wait_ns = 600 * SECONDS; /* a test that ends shows that it was the release */
    for (unsigned round = 0; round < 20; round++) { /* a new pool each round: waits counts from 0 */
        assert_ok(hf_pool_open(arena, &options, &w.pool));
        w.held = take(w.pool, 64 * KIB);
        hf_segment none;
        assert_status(hf_pool_allocate(w.pool, 64 * KIB, HF_NO_WAIT, &none), HF_NO_MEMORY);
        assert_int_equal(stats_of(w.pool).waits, 0);
        crew_run(2, wait_member, &w);
        assert_int_equal(w.allocated, HF_OK);
        assert_int_equal(w.released, HF_OK);
        assert_int_equal(stats_of(w.pool).waits, 1);
        assert_ok(hf_pool_close(w.pool, 0));
    }
    options.wait_ns = 30 * MILLISECONDS;
    assert_ok(hf_pool_open(arena, &options, &w.pool));
    w.held = take(w.pool, 64 * KIB);
    hf_segment none;
    uint64_t began = now_ns();
    assert_status(hf_pool_allocate(w.pool, 64 * KIB, 0, &none), HF_NO_MEMORY);
    assert_true(now_ns() - began >= 30 * MILLISECONDS); /* it did wait its time, and then it failed */
    assert_ok(hf_arena_close(arena, 0));
}

/* 64 MiB limit, 448 MiB resident, counter 0. Resident must never be above the limit: every page of every segment is touched,
 * through all classes, with the caches full of other classes' slots. */
static size_t resident_of(const void *const *addresses, size_t count) {
    return count ? resident_where(addresses, count) : 0;
}

static void rss_over_limit(void **state) {
    (void)state;
    skip_if_emulated();
    enum { LIMIT_MIB = 64, KEEP = 4096 };
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, LIMIT_MIB * MIB);
    static const void *seen[KEEP * 8];
    size_t seen_count = 0;
    for (unsigned class = 0; class < 8; class++) {
        size_t size = 4 * KIB << class;
        hf_segment *pages = calloc(LIMIT_MIB * MIB / size, sizeof *pages);
        size_t count = 0;
        while (hf_pool_allocate(pool, size, 0, &pages[count]) == HF_OK) {
            memset(pages[count].address, 1, pages[count].size);
            if (count % 4 == 0 && seen_count < KEEP * 8)
                seen[seen_count++] = pages[count].address;
            if (++count == LIMIT_MIB * MIB / size)
                break;
        }
        assert_int_equal(count, LIMIT_MIB * MIB / size);
        size_t resident = resident_of(seen, seen_count);
        assert_int_not_equal(resident, SIZE_MAX);
        assert_true(resident <= LIMIT_MIB * MIB);
        assert_int_equal(stats_of(pool).charged_bytes, LIMIT_MIB * MIB);
        for (size_t i = 0; i < count; i++)
            assert_ok(hf_release(&pages[i]));
        free(pages);
        assert_true(resident_of(seen, seen_count) <= stats_of(pool).charged_bytes);
    }
    assert_ok(hf_pool_trim(pool, 0, NULL));
    assert_int_equal(resident_of(seen, seen_count), 0);
    assert_ok(hf_arena_close(arena, 0));
}

/* Two counters changed apart; "drift accepted"; reset to 0 broke all later releases. The books must come back to nothing, however
 * often and by whomever things were moved. */
struct drift {
    hf_pool pool;
    unsigned strange[4];
};

static void drift_member(unsigned me, void *context) {
    struct drift *d = context;
    enum { HOLD = 24 };
    hf_segment held[HOLD];
    bool has[HOLD] = { false };
    uint64_t random = 77 + me, until = now_ns() + 2 * SECONDS;
    for (unsigned i = 0; i < 30000 && now_ns() < until; i++) {
        unsigned at = (unsigned)(next_random(&random) % HOLD);
        if (has[at]) {
            hf_pinned pin = { 0 };
            bool pinned = next_random(&random) % 4 == 0 && hf_pin(&held[at], &pin) == HF_OK;
            d->strange[me] += (i % 2 ? hf_release(&held[at]) : hf_release_dirty(&held[at], 8)) != HF_OK;
            d->strange[me] += hf_release(&held[at]) != HF_STALE;
            d->strange[me] += pinned && hf_unpin(&pin) != HF_OK;
            has[at] = false;
        } else {
            hf_status status = hf_pool_allocate(d->pool, next_random(&random) % (600 * KIB) + 1, 0, &held[at]);
            has[at] = status == HF_OK;
            if (has[at])
                memset(held[at].address, 1, 8);
            d->strange[me] += status != HF_OK && status != HF_NO_MEMORY;
        }
        if (i % 512 == 0)
            d->strange[me] += hf_pool_trim(d->pool, MIB, NULL) != HF_OK;
        if (i % 700 == 0)
            d->strange[me] += hf_pool_set_limit(d->pool, (2 + next_random(&random) % 6) * MIB) != HF_OK;
    }
    for (unsigned at = 0; at < HOLD; at++)
        d->strange[me] += has[at] && hf_release(&held[at]) != HF_OK;
}

static void accounting_drift(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    struct drift d = { .pool = open_pool(arena, 8 * MIB) };
    crew_run(4, drift_member, &d);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(d.strange[i], 0);
    hf_pool_stats s = stats_of(d.pool);
    assert_int_equal(s.live_bytes, 0);
    assert_int_equal(s.lingering_bytes, 0);
    assert_int_equal(s.allocations, s.releases);
    assert_int_equal(s.charged_bytes, s.cached_bytes);
    assert_ok(hf_pool_set_limit(d.pool, 8 * MIB));
    assert_ok(hf_pool_trim(d.pool, 0, NULL));
    assert_int_equal(stats_of(d.pool).charged_bytes, 0);
    hf_segment page;
    for (unsigned i = 0; i < 8 * MIB / (256 * KIB); i++)
        assert_ok(hf_pool_allocate(d.pool, 256 * KIB, 0, &page)); /* the whole limit is there again */
    assert_status(hf_pool_allocate(d.pool, 1, 0, &page), HF_NO_MEMORY);
    assert_books_add_up(d.pool);
    assert_ok(hf_arena_close(arena, 0));
}

/* One counter for both. Separate figures, named: what is reserved is not what is charged, nor is it metadata. */
static void virtual_for_physical(void **state) {
    (void)state;
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    hf_arena arena;
    options.reserve_bytes = 64 * GIB;
    assert_ok(hf_arena_open(&options, &arena));
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 64 * KIB);
    assert_true(arena_stats_of(arena).reserved_bytes >= 64 * GIB);
    hf_pool_stats s = stats_of(pool);
    assert_true(s.reserved_bytes >= 64 * KIB);
    assert_int_equal(s.charged_bytes, 64 * KIB);
    assert_int_equal(s.charged_peak_bytes, 64 * KIB);
    assert_true(s.metadata_bytes > 0);
    const void *where = page.address;
    assert_true(resident_where(&where, 1) <= s.charged_bytes);
    assert_ok(hf_arena_close(arena, 0));
}

/* Pool wholly pinned, and nobody knows by whom (neon#2904, MariaDB#3110). HF_NO_MEMORY within the caller's time, the sentence and
 * the figures say that all of it is lingering, and the unpin ends a wait. */
struct pinned_wait {
    struct waiting waiting;
    hf_pinned pin;
    hf_status unpinned;
};

static void pinned_wait_member(unsigned me, void *context) {
    struct pinned_wait *p = context;
    if (me == 0) {
        wait_member(0, &p->waiting);
        return;
    }
    hf_pool_stats s = HF_POOL_STATS_INIT;
    do {
        sleep_ns(MILLISECONDS);
        p->unpinned = hf_pool_get_stats(p->waiting.pool, &s);
    } while (p->unpinned == HF_OK && s.waits == 0);
    p->unpinned = hf_unpin(&p->pin);
}

static void pool_wholly_pinned(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 4 * 64 * KIB);
    hf_pinned pins[4];
    hf_segment page;
    for (unsigned i = 0; i < 4; i++) {
        page = take(pool, 64 * KIB);
        assert_ok(hf_pin(&page, &pins[i]));
        assert_ok(hf_release(&page));
    }
    assert_status(hf_pool_allocate(pool, 64 * KIB, 0, &page), HF_NO_MEMORY);
    assert_status(hf_pool_allocate(pool, 4 * KIB, 0, &page), HF_NO_MEMORY);
    assert_int_equal(stats_of(pool).lingering_bytes, 4 * 64 * KIB);
    assert_int_equal(stats_of(pool).live_bytes, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_ok(hf_unpin(&pins[i]));
    assert_ok(hf_pool_allocate(pool, 64 * KIB, 0, &page));
    assert_ok(hf_pool_close(pool, 0));

    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    struct pinned_wait p;
    options.limit_bytes = 64 * KIB;
    options.wait_ns = 600 * SECONDS;
    assert_ok(hf_pool_open(arena, &options, &p.waiting.pool));
    page = take(p.waiting.pool, 64 * KIB);
    assert_ok(hf_pin(&page, &p.pin));
    assert_ok(hf_release(&page));
    crew_run(2, pinned_wait_member, &p);
    assert_int_equal(p.unpinned, HF_OK);
    assert_int_equal(p.waiting.allocated, HF_OK);
    assert_ok(hf_arena_close(arena, 0));
}

/* A thread that exits with slots in its cache takes nothing with it: the whole limit is there for the others, in any class. */
static void fill_cache_and_exit(unsigned me, void *context) {
    struct many *m = context;
    hf_segment pages[8];
    for (unsigned i = 0; i < 8; i++)
        m->strange[me] += hf_pool_allocate(m->pool, m->size, 0, &pages[i]) != HF_OK;
    for (unsigned i = 0; i < 8; i++)
        m->strange[me] += hf_release(&pages[i]) != HF_OK;
}

static void thread_that_exited_with_cached_slots(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    struct many m = { .pool = open_pool(arena, 64 * 64 * KIB) };
    for (unsigned round = 0; round < 20; round++) {
        m.size = round % 2 ? 4 * KIB : 64 * KIB;
        crew_run(THREADS, fill_cache_and_exit, &m);
        assert_int_equal(sum(m.strange), 0);
    }
    hf_segment pages[16], none;
    for (unsigned i = 0; i < 16; i++)
        pages[i] = take(m.pool, 256 * KIB);
    assert_status(hf_pool_allocate(m.pool, 4 * KIB, 0, &none), HF_NO_MEMORY);
    assert_int_equal(stats_of(m.pool).live_bytes, 64 * 64 * KIB);
    for (unsigned i = 0; i < 16; i++)
        assert_ok(hf_release(&pages[i]));
    assert_books_add_up(m.pool);
    assert_ok(hf_arena_close(arena, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_size),
        cmocka_unit_test(limit_race),
        cmocka_unit_test(grow_race),
        cmocka_unit_test(region_free_vs_poll),
        cmocka_unit_test(oom_in_the_middle),
        cmocka_unit_test(rss_over_limit),
        cmocka_unit_test(accounting_drift),
        cmocka_unit_test(virtual_for_physical),
        cmocka_unit_test(pool_wholly_pinned),
        cmocka_unit_test(thread_that_exited_with_cached_slots),
    };
    return cmocka_run_group_tests_name("scenarios_limit", tests, NULL, NULL);
}
