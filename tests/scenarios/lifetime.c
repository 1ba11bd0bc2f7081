/* SPDX-License-Identifier: MIT
 *
 * The scenarios about how long memory lives: closing, opening again, failing to open, and who is told.
 *
 * Each test has the name of a defect that a real pool had, and does what the program of that day did. What it must do instead is
 * said before each. Threads record, the main thread asserts (crew.h says why).
 */
#include "suite.h"

#include "clock.h"
#include "crew.h"

#include <stdatomic.h>

/* `free` unmapped first and cleared the pools after; a later allocate handed the dead segment out and `fill` died. Every handle
 * must be HF_CLOSED, allocate too, and nothing faults: neither checked calls nor a raw stale read. */
static void close_while_pooled(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 16 * MIB);
    hf_segment kept = take(pool, 64 * KIB), pooled = take(pool, 64 * KIB), next;
    memset(kept.address, 0x5a, kept.size);
    memset(pooled.address, 0x5a, pooled.size);
    assert_ok(hf_release(&pooled));
    assert_ok(hf_arena_close(arena, 0));
    assert_status(hf_pool_allocate(pool, 64 * KIB, 0, &next), HF_CLOSED);
    assert_status(hf_fill(&kept, 0, kept.size, 1), HF_CLOSED);
    assert_status(hf_fill(&pooled, 0, pooled.size, 1), HF_CLOSED);
    assert_status(hf_release(&kept), HF_CLOSED);
    assert_true(all_bytes_are(kept.address, kept.size, 0));
    assert_true(all_bytes_are(pooled.address, pooled.size, 0));
}

/* A shutdown hook freed everything while a worker was still filling. The worker must get HF_CLOSED; close waits for its pin. */
struct worker {
    hf_pool pool;
    atomic_bool started;
    hf_status last;
    unsigned strange; /* statuses that are neither HF_OK nor HF_CLOSED, and bytes that were not the worker's */
};

static void work_until_closed(struct worker *w) {
    for (;;) {
        hf_segment page;
        hf_pinned pin;
        w->last = hf_pool_allocate(w->pool, 64 * KIB, 0, &page);
        if (w->last != HF_OK)
            break;
        w->last = hf_pin(&page, &pin);
        if (w->last != HF_OK)
            break;
        memset(pin.address, 0x77, pin.size);
        w->strange += !all_bytes_are(pin.address, pin.size, 0x77); /* the memory stays ours under the pin, even during the close */
        w->strange += hf_unpin(&pin) != HF_OK;
        w->last = hf_release(&page);
        atomic_store(&w->started, true);
        if (w->last != HF_OK)
            break;
    }
    w->strange += w->last != HF_CLOSED;
}

struct shutdown {
    hf_arena arena;
    struct worker workers[2];
    hf_status closed;
};

static void shutdown_member(unsigned me, void *context) {
    struct shutdown *s = context;
    if (me < 2) {
        work_until_closed(&s->workers[me]);
        return;
    }
    while (!atomic_load(&s->workers[0].started) || !atomic_load(&s->workers[1].started))
        sleep_ns(10000);
    s->closed = hf_arena_close(s->arena, HF_FOREVER);
}

static void shutdown_hook_with_live_worker(void **state) {
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct shutdown s = { .arena = open_arena(), .closed = HF_INVALID };
        s.workers[0].pool = s.workers[1].pool = open_pool(s.arena, 16 * MIB);
        crew_run(3, shutdown_member, &s);
        assert_int_equal(s.closed, HF_OK);
        assert_int_equal(s.workers[0].strange, 0);
        assert_int_equal(s.workers[1].strange, 0);
    }
}

/* A non-atomic flag let two closers through. There must be one winner, and the others hear of the close only when it is complete.
 * */
struct closers {
    hf_arena arena;
    hf_pool pool;
    hf_status status[4];
    atomic_uint cleanups;
    unsigned cleanups_seen[4];
};

static void count_cleanup(void *context) {
    struct closers *c = context;
    sleep_ns(50000); /* a slow action: a loser that does not wait for it is seen */
    atomic_fetch_add(&c->cleanups, 1);
}

static void close_member(unsigned me, void *context) {
    struct closers *c = context;
    c->status[me] = hf_arena_close(c->arena, HF_FOREVER);
    c->cleanups_seen[me] = atomic_load(&c->cleanups);
}

static void pool_close_member(unsigned me, void *context) {
    struct closers *c = context;
    c->status[me] = hf_pool_close(c->pool, HF_FOREVER);
}

static unsigned count(const hf_status *statuses, unsigned n, hf_status wanted) {
    unsigned found = 0;
    for (unsigned i = 0; i < n; i++)
        found += statuses[i] == wanted;
    return found;
}

static void handle_close_race(void **state) {
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        struct closers c = { .arena = open_arena() };
        c.pool = open_pool(c.arena, MIB);
        take(c.pool, 4 * KIB);
        crew_run(4, pool_close_member, &c);
        assert_int_equal(count(c.status, 4, HF_OK), 1);
        assert_int_equal(count(c.status, 4, HF_CLOSED), 3);
        assert_ok(hf_arena_on_close(c.arena, count_cleanup, &c));
        crew_run(4, close_member, &c);
        assert_int_equal(count(c.status, 4, HF_OK), 1);
        assert_int_equal(count(c.status, 4, HF_CLOSED), 3);
        assert_int_equal(atomic_load(&c.cleanups), 1);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(c.cleanups_seen[i], 1);
    }
}

/* Close returned early, freed nothing and left orphans. It must be deferred to the last unpin, and counted until then. */
static void close_of_a_pinned_page(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment released = take(pool, 64 * KIB), page = take(pool, 64 * KIB);
    hf_pinned first, second, third;
    assert_ok(hf_pin(&released, &first));
    assert_ok(hf_pin(&released, &second));
    assert_ok(hf_release(&released));
    assert_int_equal(stats_of(pool).lingering_bytes, 64 * KIB);
    assert_ok(hf_unpin(&first));
    assert_int_equal(stats_of(pool).lingering_bytes, 64 * KIB);
    assert_ok(hf_unpin(&second));
    assert_int_equal(stats_of(pool).lingering_bytes, 0);
    assert_int_equal(stats_of(pool).cached_bytes, 64 * KIB);

    assert_ok(hf_pin(&page, &third));
    assert_status(hf_arena_close(arena, 0), HF_BUSY);
    assert_ok(hf_check(&page));
    assert_status(hf_arena_close(arena, 2 * MILLISECONDS), HF_TIMED_OUT);
    assert_status(hf_check(&page), HF_CLOSED);
    memset(third.address, 0x33, third.size); /* raw use goes on under the pin */
    assert_true(all_bytes_are(third.address, third.size, 0x33));
    assert_status(hf_arena_close(arena, 0), HF_TIMED_OUT);
    assert_ok(hf_unpin(&third));
    assert_ok(hf_arena_close(arena, 0));
    assert_true(all_bytes_are(page.address, page.size, 0));
    assert_status(hf_arena_close(arena, 0), HF_CLOSED);
}

/* A second init cleared the live set, or was silently ignored. A new arena must be independent; the old one's handles stay what
 * they were. */
static void reinit_with_live_segments(void **state) {
    (void)state;
    hf_arena first = open_arena();
    hf_pool pool = open_pool(first, MIB);
    hf_segment page = take(pool, 64 * KIB);
    memset(page.address, 1, page.size);
    for (unsigned i = 0; i < 16; i++) {
        hf_arena second = open_arena();
        hf_pool other = open_pool(second, 2 * MIB);
        hf_segment theirs = take(other, 64 * KIB);
        assert_true(theirs.address != page.address);
        memset(theirs.address, 2, theirs.size);
        assert_ok(hf_check(&page));
        assert_true(all_bytes_are(page.address, page.size, 1));
        assert_int_equal(stats_of(pool).live_bytes, 64 * KIB);
        assert_ok(hf_arena_close(second, 0));
        assert_status(hf_check(&theirs), HF_CLOSED);
    }
    assert_ok(hf_check(&page));
    assert_true(all_bytes_are(page.address, page.size, 1));
    assert_ok(hf_release(&page));
    assert_ok(hf_arena_close(first, 0));
}

/* An init that threw left the next one spinning for ever. Open must fail cleanly, again and again, and then succeed. */
static void failed_open_member(unsigned me, void *context) {
    unsigned *wrong = context;
    hf_arena_options huge = HF_ARENA_OPTIONS_INIT;
    huge.reserve_bytes = UINT64_C(1) << 60;
    for (unsigned i = 0; i < 200; i++) {
        hf_arena arena = { 0 };
        wrong[me] += hf_arena_open(&huge, &arena) != HF_NO_MEMORY || arena.id != 0;
        if (i % 10 == 0)
            wrong[me] += hf_arena_open(NULL, &arena) != HF_OK || hf_arena_close(arena, 0) != HF_OK;
    }
}

static void failed_init_hangs_the_next(void **state) {
    (void)state;
    unsigned wrong[4] = { 0 };
    crew_run(4, failed_open_member, wrong);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(wrong[i], 0);
    /* More failures than there are places for arenas: a place that leaks would show here. */
    hf_arena_options huge = HF_ARENA_OPTIONS_INIT;
    huge.reserve_bytes = UINT64_C(1) << 60;
    for (unsigned i = 0; i < 5000; i++) {
        hf_arena arena;
        assert_status(hf_arena_open(&huge, &arena), HF_NO_MEMORY);
    }
    hf_pool_options bad = HF_POOL_OPTIONS_INIT;
    bad.class_bytes[0] = 1;
    hf_arena arena = open_arena();
    for (unsigned i = 0; i < 2000; i++) {
        hf_pool pool;
        assert_status(hf_pool_open(arena, &bad, &pool), HF_INVALID);
    }
    hf_pool pool = open_pool(arena, MIB);
    take(pool, 4 * KIB);
    assert_ok(hf_arena_close(arena, 0));
}

/* The flag was set before the data. A pool must be visible whole or not at all: so a guesser asks for the handle that the opener is
 * about to get. What it is told is "no such pool", or the whole truth. */
struct publication {
    hf_arena arena;
    _Atomic uint64_t guess; /* the id that the next open is likely to give */
    atomic_bool done;
    unsigned half, seen, failures;
};

static void publication_member(unsigned me, void *context) {
    struct publication *p = context;
    if (me == 0) {
        uint64_t last = 0, step = 0;
        uint64_t until = now_ns() + SECONDS;
        for (unsigned i = 0; i < 4000 && now_ns() < until; i++) {
            hf_pool_options options = HF_POOL_OPTIONS_INIT;
            hf_pool pool;
            options.limit_bytes = 48 * KIB;
            options.class_bytes[0] = 12 * KIB;
            options.class_bytes[1] = 20 * KIB;
            p->failures += hf_pool_open(p->arena, &options, &pool) != HF_OK;
            step = last ? pool.id - last : 0;
            last = pool.id;
            while (hf_pool_close(pool, HF_FOREVER) != HF_OK)
                continue;
            atomic_store(&p->guess, last + step);
        }
        atomic_store(&p->done, true);
        return;
    }
    while (!atomic_load(&p->done)) {
        hf_pool pool = { atomic_load(&p->guess) };
        hf_pool_stats s = HF_POOL_STATS_INIT;
        if (hf_pool_get_stats(pool, &s) == HF_OK) {
            p->seen++;
            p->half += s.limit_bytes != 48 * KIB || s.class_count != 3 || s.classes[0].slot_bytes != 12 * KIB ||
                       s.classes[1].slot_bytes != 20 * KIB;
        }
        hf_segment page;
        if (hf_pool_allocate(pool, 1, 0, &page) == HF_OK)
            p->half += page.size != 12 * KIB;
    }
}

static void half_published_init(void **state) {
    (void)state;
    struct publication p = { .arena = open_arena() };
    crew_run(2, publication_member, &p);
    assert_int_equal(p.failures, 0);
    assert_int_equal(p.half, 0);
    assert_ok(hf_arena_close(p.arena, HF_FOREVER));
}

/* The registry kept alive what it looked for. Live segments at close must be listed with tags; the listing comes with the recorder.
 * What can be asked today: the statistics know exactly what is still out before the close, and the close does not wait for it. */
static void leak_detector_blind(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 4 * MIB);
    hf_segment leaked[5];
    for (unsigned i = 0; i < 5; i++) {
        hf_segment returned = take(pool, 16 * KIB);
        leaked[i] = take(pool, 16 * KIB);
        assert_ok(hf_release(&returned));
    }
    hf_pool_stats s = stats_of(pool);
    assert_int_equal(s.live_bytes, 5 * 16 * KIB);
    assert_int_equal(s.allocations - s.releases, 5);
    assert_int_equal(s.classes[2].slot_bytes, 16 * KIB);
    assert_int_equal(s.classes[2].live_slots, 5);
    for (unsigned i = 0; i < 5; i++) { /* and where each of them is can be asked of its address alone */
        hf_segment found;
        assert_ok(hf_pool_find(pool, (char *)leaked[i].address + 100, &found));
        assert_ptr_equal(found.address, leaked[i].address);
    }
    assert_ok(hf_arena_close(arena, 0));
}

/* A gauge read another allocator. Statistics must belong to a handle. */
static void metrics_of_the_wrong_instance(void **state) {
    (void)state;
    hf_arena first = open_arena(), second = open_arena();
    hf_pool one = open_pool(first, MIB), two = open_pool(first, 2 * MIB), three = open_pool(second, 3 * MIB);
    for (unsigned i = 0; i < 3; i++)
        take(two, 4 * KIB);
    hf_segment page = take(three, 64 * KIB);
    assert_ok(hf_release(&page));
    assert_int_equal(stats_of(one).limit_bytes, MIB);
    assert_int_equal(stats_of(one).allocations, 0);
    assert_int_equal(stats_of(one).charged_bytes, 0);
    assert_int_equal(stats_of(two).live_bytes, 12 * KIB);
    assert_int_equal(stats_of(two).releases, 0);
    assert_int_equal(stats_of(three).live_bytes, 0);
    assert_int_equal(stats_of(three).releases, 1);
    assert_int_equal(arena_stats_of(first).pools, 2);
    assert_int_equal(arena_stats_of(second).pools, 1);
    assert_ok(hf_pool_close(two, 0));
    hf_pool four = open_pool(second, 4 * MIB); /* may take the closed one's place */
    hf_pool_stats s = HF_POOL_STATS_INIT;
    assert_status(hf_pool_get_stats(two, &s), HF_CLOSED);
    assert_int_equal(stats_of(four).allocations, 0);
    assert_int_equal(stats_of(four).charged_peak_bytes, 0);
    assert_ok(hf_arena_close(first, 0));
    assert_int_equal(stats_of(four).limit_bytes, 4 * MIB);
    assert_ok(hf_arena_close(second, 0));
}

/* A generation that clear or reset did not advance (generational-arena#30): what was issued before must be stale after. */
static void reset_that_does_not_advance_the_generation(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_segment old[100];
    for (unsigned i = 0; i < 100; i++) {
        assert_ok(hf_arena_allocate(arena, 64, 8, &old[i]));
        assert_ok(hf_fill(&old[i], 0, 64, 0x44));
        assert_ok(hf_arena_reset(arena));
        for (unsigned j = 0; j <= i; j++)
            assert_status(hf_check(&old[j]), HF_STALE);
    }
    assert_ok(hf_arena_close(arena, 0));
    for (unsigned j = 0; j < 100; j++)
        assert_true(hf_check(&old[j]) == HF_CLOSED || hf_check(&old[j]) == HF_STALE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_while_pooled),
        cmocka_unit_test(shutdown_hook_with_live_worker),
        cmocka_unit_test(handle_close_race),
        cmocka_unit_test(close_of_a_pinned_page),
        cmocka_unit_test(reinit_with_live_segments),
        cmocka_unit_test(failed_init_hangs_the_next),
        cmocka_unit_test(half_published_init),
        cmocka_unit_test(leak_detector_blind),
        cmocka_unit_test(metrics_of_the_wrong_instance),
        cmocka_unit_test(reset_that_does_not_advance_the_generation),
    };
    return cmocka_run_group_tests_name("scenarios_lifetime", tests, NULL, NULL);
}
