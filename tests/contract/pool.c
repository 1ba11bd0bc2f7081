/* SPDX-License-Identifier: MIT
 *
 * Section 5 of the contract, rule by rule: classes, limit, wait, pressure, decay, trim, find, slot index, populate, zeroing, and
 * requests above the largest class.
 */
#include "suite.h"

#include "clock.h"
#include "crew.h"
#include "memory.h"

#include <stdatomic.h>
#include <unistd.h>

static hf_pool pool_with(hf_arena arena, hf_pool_options options) {
    hf_pool pool;
    assert_ok(hf_pool_open(arena, &options, &pool));
    return pool;
}

/* ----------------------------------------------------------------------------------------------------------------- classes */

static void the_default_classes_are_seven_from_4_to_256_kib(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 64 * MIB);
    hf_pool_stats s = stats_of(pool);
    assert_int_equal(s.class_count, 8); /* and one entry for what is larger */
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(s.classes[i].slot_bytes, 4 * KIB << i);
    assert_int_equal(s.classes[7].slot_bytes, 0);
    for (unsigned i = 0; i < 7; i++) {
        size_t class = 4 * KIB << i;
        const size_t requests[] = { class / 2 + 1, class - 1, class };
        for (unsigned r = 0; r < 3; r++) {
            hf_segment page = take(pool, requests[r]);
            assert_int_equal(page.size, class);
            assert_int_equal((uintptr_t)page.address % class, 0);
            assert_ok(hf_release(&page));
        }
        assert_int_equal(stats_of(pool).classes[i].allocations, 3);
    }
    assert_ok(hf_arena_close(arena, 0));
}

static void thirty_two_classes_of_odd_multiples_of_the_page_work(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    for (unsigned i = 0; i < 32; i++)
        options.class_bytes[i] = (2 * i + 1) * 4 * KIB * (i % 3 == 2 ? 3 : 1) + (i ? options.class_bytes[i - 1] : 0);
    options.limit_bytes = 512 * MIB;
    options.decay_ns = HF_NEVER;
    hf_pool pool = pool_with(arena, options);
    assert_int_equal(stats_of(pool).class_count, 33);
    hf_segment pages[32][3];
    for (unsigned i = 0; i < 32; i++)
        for (unsigned n = 0; n < 3; n++) {
            pages[i][n] = take(pool, options.class_bytes[i] - n);
            size_t align = (size_t)(options.class_bytes[i] & -options.class_bytes[i]);
            assert_int_equal(pages[i][n].size, options.class_bytes[i]);
            assert_int_equal((uintptr_t)pages[i][n].address % (align < 2 * MIB ? align : 2 * MIB), 0);
            memset(pages[i][n].address, (int)(i * 3 + n + 1), pages[i][n].size);
        }
    for (unsigned i = 0; i < 32; i++)
        for (unsigned n = 0; n < 3; n++) {
            assert_true(all_bytes_are(pages[i][n].address, pages[i][n].size, (unsigned char)(i * 3 + n + 1)));
            hf_segment found;
            assert_ok(hf_pool_find(pool, (char *)pages[i][n].address + pages[i][n].size - 1, &found));
            assert_memory_equal(&found, &pages[i][n], sizeof found);
            assert_ok(hf_release(&pages[i][n]));
        }
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

static void one_class_works_at_either_end_of_the_scale(void **state) {
    (void)state;
    const uint64_t classes[] = { 4 * KIB, 64 * MIB };
    for (unsigned i = 0; i < 2; i++) {
        hf_arena arena = open_arena();
        hf_pool_options options = HF_POOL_OPTIONS_INIT;
        options.class_bytes[0] = classes[i];
        options.limit_bytes = 3 * classes[i] + classes[i] - 1; /* three and not quite a fourth */
        options.decay_ns = HF_NEVER;
        hf_pool pool = pool_with(arena, options);
        hf_segment pages[3], none;
        for (unsigned n = 0; n < 3; n++) {
            pages[n] = take(pool, 1);
            assert_int_equal(pages[n].size, classes[i]);
            assert_int_equal((uintptr_t)pages[n].address % (classes[i] < 2 * MIB ? classes[i] : 2 * MIB), 0);
            assert_ok(hf_set_u64(&pages[n], pages[n].size - 8, n));
        }
        assert_status(hf_pool_allocate(pool, 1, 0, &none), HF_NO_MEMORY);
        for (unsigned n = 0; n < 3; n++)
            assert_ok(hf_release_dirty(&pages[n], pages[n].size));
        hf_segment again = take(pool, 1);
        assert_true(all_bytes_are(again.address, again.size, 0));
        assert_ok(hf_arena_close(arena, 0));
    }
}

static void requests_above_the_largest_class_get_pages_of_their_own(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 128 * MIB);
    hf_segment pages[20], found;
    for (unsigned i = 0; i < 20; i++) {
        size_t request = 256 * KIB + 1 + i * 333333;
        pages[i] = take(pool, request);
        assert_int_equal(pages[i].size, (request + 4095) & ~(size_t)4095);
        assert_true(all_bytes_are(pages[i].address, pages[i].size, 0));
        memset(pages[i].address, 0x5a, pages[i].size);
        assert_ok(hf_pool_find(pool, (char *)pages[i].address + request / 2, &found));
        assert_memory_equal(&found, &pages[i], sizeof found);
    }
    assert_int_equal(stats_of(pool).classes[7].allocations, 20);
    assert_int_equal(stats_of(pool).classes[7].live_slots, 20);
    for (unsigned i = 0; i < 20; i += 2)
        assert_ok(hf_release(&pages[i]));
    for (unsigned i = 1; i < 20; i += 2)
        assert_true(all_bytes_are(pages[i].address, pages[i].size, 0x5a));
    for (unsigned round = 0; round < 50; round++) { /* again and again: address space of large ones is used again, too */
        hf_segment page = take(pool, 5 * MIB + round * 4096);
        assert_true(all_bytes_are(page.address, page.size, 0));
        memset(page.address, 1, page.size);
        assert_ok(hf_release(&page));
    }
    assert_true(stats_of(pool).charged_peak_bytes <= 128 * MIB);
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

/* ------------------------------------------------------------------------------------------------------------------- limit */

static void memory_moves_between_classes_by_itself(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 4 * MIB);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned class = 0; class < 9; class++) {
            size_t size = 4 * KIB << class, fit = 4 * MIB / size;
            hf_segment *pages = calloc(fit, sizeof *pages), none;
            for (size_t i = 0; i < fit; i++)
                pages[i] = take(pool, size);
            assert_status(hf_pool_allocate(pool, 4 * KIB, 0, &none), HF_NO_MEMORY);
            for (size_t i = 0; i < fit; i++)
                assert_ok(hf_release(&pages[i]));
            free(pages);
        }
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

static void a_limit_below_what_is_in_use_gives_back_the_free_and_refuses(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment pages[16], none;
    for (unsigned i = 0; i < 16; i++)
        pages[i] = take(pool, 64 * KIB);
    for (unsigned i = 8; i < 16; i++)
        assert_ok(hf_release(&pages[i]));
    assert_ok(hf_pool_set_limit(pool, 256 * KIB));
    assert_int_equal(stats_of(pool).limit_bytes, 256 * KIB);
    assert_int_equal(stats_of(pool).charged_bytes, 8 * 64 * KIB);
    assert_int_equal(stats_of(pool).cached_bytes, 0);
    assert_status(hf_pool_allocate(pool, 4 * KIB, 0, &none), HF_NO_MEMORY);
    for (unsigned i = 0; i < 4; i++)
        assert_ok(hf_release(&pages[i]));
    assert_true(stats_of(pool).charged_bytes <= 8 * 64 * KIB);
    assert_status(hf_pool_allocate(pool, 4 * KIB, 0, &none), HF_NO_MEMORY); /* exactly at the limit: nothing fits */
    assert_int_equal(stats_of(pool).charged_bytes, 256 * KIB);
    assert_ok(hf_release(&pages[4]));
    assert_ok(hf_pool_allocate(pool, 64 * KIB, 0, &none));
    assert_ok(hf_pool_set_limit(pool, 512 * KIB));
    for (unsigned i = 0; i < 4; i++)
        take(pool, 64 * KIB);
    assert_status(hf_pool_allocate(pool, 4 * KIB, 0, &none), HF_NO_MEMORY);
    assert_ok(hf_pool_set_limit(pool, 0));
    assert_true(stats_of(pool).limit_bytes > MIB);
    assert_ok(hf_arena_close(arena, 0));
}

/* -------------------------------------------------------------------------------------------------------- waiting, pressure */

struct waiter {
    hf_pool pool;
    size_t size;
    unsigned flags;
    hf_segment got;
    hf_status allocated, helped;
    const hf_segment *held;
    enum { BY_RELEASE, BY_LIMIT, BY_CLOSE } help;
};

static void waiter_member(unsigned me, void *context) {
    struct waiter *w = context;
    if (me == 0) {
        w->allocated = hf_pool_allocate(w->pool, w->size, w->flags, &w->got);
        return;
    }
    hf_pool_stats s = HF_POOL_STATS_INIT;
    do { /* not before the other is known to wait */
        sleep_ns(MILLISECONDS);
        w->helped = hf_pool_get_stats(w->pool, &s);
    } while (w->helped == HF_OK && s.waits == 0);
    if (w->help == BY_RELEASE)
        w->helped = hf_release(w->held);
    else if (w->help == BY_LIMIT)
        w->helped = hf_pool_set_limit(w->pool, MIB);
    else
        w->helped = hf_pool_close(w->pool, HF_FOREVER);
}

static void a_wait_ends_with_a_release_of_any_class_a_higher_limit_or_the_close(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = 256 * KIB;
    options.wait_ns = HF_FOREVER; /* that the test ends is the proof */
    for (unsigned how = 0; how < 4; how++) {
        struct waiter w = { .pool = pool_with(arena, options), .size = 16 * KIB };
        hf_segment held = take(w.pool, 256 * KIB), none;
        assert_status(hf_pool_allocate(w.pool, 16 * KIB, HF_NO_WAIT, &none), HF_NO_MEMORY);
        w.held = &held;
        w.help = how == 3 ? BY_RELEASE : how;
        w.size = how == 3 ? 256 * KIB : 16 * KIB;
        crew_run(2, waiter_member, &w);
        assert_int_equal(w.helped, HF_OK);
        assert_int_equal(w.allocated, w.help == BY_CLOSE ? HF_CLOSED : HF_OK);
        if (w.help != BY_CLOSE) {
            assert_int_equal(stats_of(w.pool).waits, 1);
            assert_ok(hf_pool_close(w.pool, 0));
        }
    }
    assert_ok(hf_arena_close(arena, 0));
}

static void a_wait_without_help_lasts_its_time_and_no_wait_none(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = 64 * KIB;
    options.wait_ns = 20 * MILLISECONDS;
    hf_pool pool = pool_with(arena, options);
    hf_segment page = take(pool, 64 * KIB), none;
    uint64_t began = now_ns();
    assert_status(hf_pool_allocate(pool, 4 * KIB, 0, &none), HF_NO_MEMORY);
    assert_true(now_ns() - began >= options.wait_ns);
    assert_int_equal(stats_of(pool).waits, 1);
    assert_status(hf_pool_allocate(pool, 4 * KIB, HF_NO_WAIT, &none), HF_NO_MEMORY);
    assert_int_equal(stats_of(pool).waits, 1);
    assert_status(hf_pool_allocate(pool, 2 * 64 * KIB, 0, &none), HF_NO_MEMORY); /* can never fit */
    assert_int_equal(stats_of(pool).refusals, 3);
    assert_ok(hf_release(&page));
    assert_ok(hf_arena_close(arena, 0));
}

struct pressed {
    hf_pool pool;
    hf_segment held[4];
    unsigned calls, inner_calls;
    size_t wanted;
    hf_status inner;
};

static void release_one(hf_pool pool, size_t wanted_bytes, void *context) {
    struct pressed *p = context;
    hf_segment inner;
    p->inner_calls += p->calls > 0 && p->wanted == 0;
    p->wanted = wanted_bytes;
    p->inner = hf_pool_allocate(pool, 128 * KIB, 0, &inner); /* as HF_NO_WAIT, and calls no callback */
    if (p->calls < 4)
        hf_release(&p->held[p->calls]);
    p->calls++;
}

static void pressure_may_release_and_is_not_called_for_what_it_asks_itself(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = 256 * KIB;
    options.decay_ns = HF_NEVER;
    struct pressed p = { .pool = pool_with(arena, options) };
    for (unsigned i = 0; i < 4; i++)
        p.held[i] = take(p.pool, 64 * KIB);
    assert_ok(hf_pool_on_pressure(p.pool, release_one, &p));
    hf_segment page = take(p.pool, 64 * KIB);
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.wanted, 64 * KIB);
    assert_int_equal(p.inner, HF_NO_MEMORY);
    assert_int_equal(stats_of(p.pool).pressure_calls, 1);
    assert_status(hf_check(&p.held[0]), HF_STALE);
    assert_ok(hf_check(&p.held[1]));
    assert_ok(hf_release(&page));
    hf_segment small = take(p.pool, 8 * KIB); /* fits in what is free: nobody is asked */
    assert_int_equal(p.calls, 1);
    assert_ok(hf_release(&small));
    assert_ok(hf_pool_on_pressure(p.pool, NULL, NULL));
    hf_segment none;
    assert_status(hf_pool_allocate(p.pool, 256 * KIB, 0, &none), HF_NO_MEMORY);
    assert_int_equal(p.calls, 1);
    assert_ok(hf_arena_close(arena, 0));
}

/* Unregistering returns when no call of the former callback is in progress: its context may go then. */
struct slow_pressure {
    hf_pool pool;
    atomic_bool inside, context_gone;
    unsigned used_after;
    hf_status allocated, removed;
};

static void slow_callback(hf_pool pool, size_t wanted_bytes, void *context) {
    (void)pool;
    (void)wanted_bytes;
    struct slow_pressure *s = context;
    atomic_store(&s->inside, true);
    sleep_ns(5 * MILLISECONDS);
    s->used_after += atomic_load(&s->context_gone);
}

static void slow_member(unsigned me, void *context) {
    struct slow_pressure *s = context;
    hf_segment none;
    if (me == 0) {
        s->allocated = hf_pool_allocate(s->pool, 64 * KIB, 0, &none);
        atomic_store(&s->inside, true); /* if nobody called: the other must not wait for ever */
        return;
    }
    while (!atomic_load(&s->inside))
        sleep_ns(100000);
    s->removed = hf_pool_on_pressure(s->pool, NULL, NULL);
    atomic_store(&s->context_gone, true);
}

static void unregistering_pressure_waits_for_calls_in_progress(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    for (unsigned round = 0; round < 20; round++) {
        struct slow_pressure s = { .pool = open_pool(arena, 64 * KIB) };
        take(s.pool, 64 * KIB);
        assert_ok(hf_pool_on_pressure(s.pool, slow_callback, &s));
        crew_run(2, slow_member, &s);
        assert_int_equal(s.removed, HF_OK);
        assert_int_equal(s.used_after, 0);
        assert_int_equal(s.allocated, HF_NO_MEMORY);
        assert_int_equal(stats_of(s.pool).pressure_calls, 1);
        assert_ok(hf_pool_close(s.pool, 0));
    }
    assert_ok(hf_arena_close(arena, 0));
}

/* ---------------------------------------------------------------------------------------------------------- going and coming */

static void trim_leaves_at_most_what_it_was_told_to_keep(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 16 * MIB);
    hf_segment pages[64], live = take(pool, 64 * KIB);
    memset(live.address, 7, live.size);
    for (unsigned i = 0; i < 64; i++) {
        pages[i] = take(pool, 4 * KIB << i % 7);
        memset(pages[i].address, 1, pages[i].size);
    }
    for (unsigned i = 0; i < 64; i++)
        assert_ok(hf_release(&pages[i]));
    uint64_t cached = stats_of(pool).cached_bytes;
    size_t given_back = 0;
    assert_ok(hf_pool_trim(pool, cached, &given_back));
    assert_int_equal(given_back, 0);
    assert_ok(hf_pool_trim(pool, MIB, &given_back));
    assert_true(stats_of(pool).cached_bytes <= MIB);
    assert_int_equal(given_back, cached - stats_of(pool).cached_bytes);
    assert_int_equal(stats_of(pool).given_back_bytes, given_back);
    assert_ok(hf_pool_trim(pool, 0, NULL));
    assert_int_equal(stats_of(pool).cached_bytes, 0);
    assert_int_equal(stats_of(pool).charged_bytes, 64 * KIB);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(present_bytes(pages[i].address, pages[i].size), 0);
    assert_true(all_bytes_are(live.address, live.size, 7));
    assert_ok(hf_arena_close(arena, 0));
}

/* Decay is amortised over calls: after its time, calls of the pool give the idle slots back. No call may be needed more than this
 * many times; what nobody wanted must be gone then, and what is in use must not. */
static void free_slots_that_nobody_wants_decay(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = 64 * MIB;
    options.decay_ns = 20 * MILLISECONDS;
    hf_pool pool = pool_with(arena, options);
    hf_segment pages[100], live = take(pool, 64 * KIB), other;
    for (unsigned i = 0; i < 100; i++) {
        pages[i] = take(pool, 64 * KIB);
        memset(pages[i].address, 1, pages[i].size);
    }
    for (unsigned i = 0; i < 100; i++)
        assert_ok(hf_release(&pages[i]));
    assert_true(stats_of(pool).cached_bytes > 0);
    uint64_t until = now_ns() + 20 * SECONDS;
    while (stats_of(pool).classes[4].cached_slots > 0 && now_ns() < until) {
        other = take(pool, 4 * KIB); /* calls of another class: the 64 KiB ones stay unwanted */
        assert_ok(hf_release(&other));
        sleep_ns(100000);
    }
    assert_int_equal(stats_of(pool).classes[4].cached_slots, 0);
    assert_true(stats_of(pool).given_back_bytes >= 100 * 64 * KIB);
    assert_ok(hf_check(&live));
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

static void decay_in_the_background_needs_no_calls(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = 64 * MIB;
    options.decay_ns = 20 * MILLISECONDS;
    options.decay_in_background = true;
    hf_pool pool = pool_with(arena, options);
    hf_segment pages[100];
    for (unsigned i = 0; i < 100; i++)
        pages[i] = take(pool, 64 * KIB);
    for (unsigned i = 0; i < 100; i++)
        assert_ok(hf_release(&pages[i]));
    uint64_t until = now_ns() + 20 * SECONDS;
    while (stats_of(pool).cached_bytes > 0 && now_ns() < until)
        sleep_ns(5 * MILLISECONDS);
    assert_int_equal(stats_of(pool).cached_bytes, 0);
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

static void with_decay_never_and_keep_resident_nothing_goes_back(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = MIB;
    options.keep_resident = true;
    options.decay_ns = MILLISECONDS; /* keep_resident is stronger */
    hf_pool pool = pool_with(arena, options);
    hf_segment pages[16], next[16], none;
    for (unsigned i = 0; i < 16; i++) {
        pages[i] = take(pool, 64 * KIB);
        memset(pages[i].address, 1, pages[i].size);
    }
    for (unsigned i = 0; i < 16; i++)
        assert_ok(hf_release(&pages[i]));
    sleep_ns(5 * MILLISECONDS);
    size_t given_back = 99;
    assert_ok(hf_pool_trim(pool, 0, &given_back));
    assert_int_equal(given_back, 0);
    assert_status(hf_pool_allocate(pool, 256 * KIB, 0, &none), HF_NO_MEMORY); /* nor does it move to another class */
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(present_bytes(pages[i].address, pages[i].size), pages[i].size);
        next[i] = take(pool, 64 * KIB);
        assert_true(all_bytes_are(next[i].address, next[i].size, 0));
        assert_int_equal(present_bytes(next[i].address, next[i].size), next[i].size);
    }
    assert_int_equal(stats_of(pool).given_back_bytes, 0);
    assert_ok(hf_arena_close(arena, 0));
    assert_int_equal(present_bytes(pages[0].address, pages[0].size), 0); /* not beyond the close */
}

static void populate_makes_every_page_resident_before_it_returns(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 64 * MIB);
    for (unsigned class = 0; class < 10; class++) {
        hf_segment page;
        assert_ok(hf_pool_allocate(pool, 4 * KIB << class, HF_POPULATE, &page));
        assert_int_equal(present_bytes(page.address, page.size), page.size);
        const void *where = page.address;
        assert_true(resident_where(&where, 1) >= page.size); /* pages of its own, not the shared zero page */
        assert_true(all_bytes_are(page.address, page.size, 0));
    }
    assert_ok(hf_arena_close(arena, 0));
}

/* ---------------------------------------------------------------------------------------------------------------- many, find */

static void many_at_once_are_as_good_as_one_by_one(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 4 * MIB);
    hf_segment pages[100];
    size_t got = 99, released = 99;
    assert_ok(hf_pool_allocate_many(pool, 8 * KIB, 0, 0, NULL, &got));
    assert_int_equal(got, 0);
    assert_ok(hf_pool_allocate_many(pool, 5 * KIB, 0, 100, pages, &got));
    assert_int_equal(got, 100);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(pages[i].size, 8 * KIB);
        assert_ok(hf_fill(&pages[i], 0, pages[i].size, (unsigned char)(i + 1)));
    }
    for (unsigned i = 0; i < 100; i++)
        assert_true(all_bytes_are(pages[i].address, pages[i].size, (unsigned char)(i + 1)));
    assert_ok(hf_release_many(pages, 100, &released));
    assert_int_equal(released, 100);
    assert_status(hf_release_many(pages, 100, &released), HF_STALE);
    assert_int_equal(released, 0);
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

static void find_knows_the_owner_of_every_address_and_of_no_other(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 4 * MIB);
    hf_segment page = take(pool, 64 * KIB), found, next = take(pool, 64 * KIB), bump;
    for (size_t at = 0; at < page.size; at += 1023) {
        assert_ok(hf_pool_find(pool, (char *)page.address + at, &found));
        assert_memory_equal(&found, &page, sizeof found);
    }
    assert_ok(hf_release(&page));
    assert_status(hf_pool_find(pool, page.address, &found), HF_STALE);
    page = take(pool, 64 * KIB);
    assert_ok(hf_pool_find(pool, page.address, &found)); /* the new owner's, whoever asks */
    assert_memory_equal(&found, &page, sizeof found);
    assert_ok(hf_arena_allocate(arena, 64, 8, &bump));
    assert_status(hf_pool_find(pool, bump.address, &found), HF_FOREIGN);
    assert_status(hf_pool_find(pool, &found, &found), HF_FOREIGN);
    assert_status(hf_pool_find(pool, NULL, &found), HF_FOREIGN);
    assert_status(hf_pool_find(pool, (void *)UINTPTR_MAX, &found), HF_FOREIGN);
    assert_ok(hf_release(&next));
    assert_ok(hf_arena_close(arena, 0));
}

static void the_slot_index_is_dense_and_stays(void **state) {
    (void)state;
    enum { SLOTS = 500 };
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 256 * MIB);
    static hf_segment pages[SLOTS];
    static size_t index[SLOTS];
    static bool seen[SLOTS * 4];
    memset(seen, 0, sizeof seen);
    size_t highest = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        pages[i] = take(pool, 64 * KIB);
        hf_segment slice;
        size_t of_slice;
        assert_ok(hf_segment_slot(&pages[i], &index[i]));
        assert_ok(hf_slice(&pages[i], 5000, 10, &slice));
        assert_ok(hf_segment_slot(&slice, &of_slice));
        assert_int_equal(of_slice, index[i]);
        assert_true(index[i] < SLOTS * 4);
        assert_false(seen[index[i]]);
        seen[index[i]] = true;
        highest = index[i] > highest ? index[i] : highest;
    }
    assert_true(highest < SLOTS + 64); /* dense: an array of frame headers by this index wastes next to nothing */
    for (unsigned i = 0; i < SLOTS; i++)
        assert_ok(hf_release(&pages[i]));
    for (unsigned i = 0; i < SLOTS; i++) { /* the same memory has the same number for the pool's life */
        hf_segment page = take(pool, 64 * KIB);
        size_t number;
        assert_ok(hf_segment_slot(&page, &number));
        for (unsigned j = 0; j < SLOTS; j++)
            if (pages[j].address == page.address)
                assert_int_equal(number, index[j]);
    }
    assert_ok(hf_arena_close(arena, 0));
}

/* --------------------------------------------------------------------------------------------------------------- zeroing (P4) */

/* Always zero when allocated, whatever was written before, by whomever, through any class, with true hints and across give-backs.
 * */
static void a_segment_is_zero_when_allocated_whatever_happened_before(void **state) {
    (void)state;
    enum { HOLD = 32 };
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 4 * MIB);
    hf_segment held[HOLD];
    size_t dirty[HOLD];
    bool has[HOLD] = { false };
    uint64_t random = 4711;
    for (unsigned step = 0; step < 30000; step++) {
        unsigned at = (unsigned)(next_random(&random) % HOLD), what = (unsigned)(next_random(&random) % 64);
        if (has[at]) {
            if (what % 2)
                assert_ok(hf_release_dirty(&held[at], dirty[at]));
            else
                assert_ok(hf_release(&held[at]));
            has[at] = false;
        } else {
            bool unspecified = what < 8;
            hf_status status = hf_pool_allocate(pool, next_random(&random) % (what % 16 ? 256 * KIB : MIB) + 1,
                                                unspecified ? HF_UNINITIALISED : 0, &held[at]);
            if (status != HF_OK) {
                assert_int_equal(status, HF_NO_MEMORY);
                continue;
            }
            has[at] = true;
            if (!unspecified)
                assert_true(all_bytes_are(held[at].address, held[at].size, 0));
            dirty[at] = what % 4 == 0 ? held[at].size : next_random(&random) % (held[at].size + 1);
            memset(held[at].address, 0x5a, dirty[at]);
        }
        if (what == 63)
            assert_ok(hf_pool_trim(pool, next_random(&random) % MIB, NULL));
    }
    assert_ok(hf_arena_close(arena, 0));
}

/* Writes through slices, pins and checked calls count as well: without a hint all of the slot is dirty. And a hint is ignored if
 * the segment is pinned, because the pinner may write anywhere. */
static void a_hint_is_ignored_while_a_pin_is_held(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 64 * KIB);
    hf_segment page = take(pool, 64 * KIB);
    hf_pinned pin;
    assert_ok(hf_pin(&page, &pin));
    assert_ok(hf_release_dirty(&page, 0));
    memset(pin.address, 0x5a, pin.size);
    assert_ok(hf_unpin(&pin));
    page = take(pool, 64 * KIB);
    assert_true(all_bytes_are(page.address, page.size, 0));
    assert_ok(hf_release_dirty(&page, SIZE_MAX)); /* more than there is: all of it */
    page = take(pool, 64 * KIB);
    assert_true(all_bytes_are(page.address, page.size, 0));
    assert_ok(hf_arena_close(arena, 0));
}

/* Unspecified contents are never another live owner's: each owner marks its page with its own number, and a page got with
 * HF_UNINITIALISED must show no number of an owner who is still there. */
struct marked {
    hf_pool pool;
    _Atomic uint8_t live[1 << 16];
    unsigned seen_live[4], strange[4];
};

static void marked_member(unsigned me, void *context) {
    struct marked *m = context;
    uint64_t until = now_ns() + SECONDS;
    for (uint32_t i = 1; i < (1u << 14) && now_ns() < until; i++) {
        uint32_t mark = me << 14 | i;
        hf_segment page;
        if (hf_pool_allocate(m->pool, 4 * KIB << i % 5, HF_UNINITIALISED, &page) != HF_OK) {
            m->strange[me]++;
            continue;
        }
        const uint32_t *words = page.address;
        for (size_t w = 0; w < page.size / sizeof *words; w += 64)
            m->seen_live[me] += words[w] < (1u << 16) && atomic_load(&m->live[words[w]]);
        atomic_store(&m->live[mark], 1);
        for (size_t w = 0; w < page.size / sizeof mark; w++)
            ((uint32_t *)page.address)[w] = mark;
        atomic_store(&m->live[mark], 0); /* not live any more from the moment before its release */
        m->strange[me] += hf_release(&page) != HF_OK;
    }
}

static void unspecified_contents_are_never_another_live_owners(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    struct marked *m = calloc(1, sizeof *m);
    m->pool = open_pool(arena, MIB);
    crew_run(4, marked_member, m);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(m->seen_live[i], 0);
        assert_int_equal(m->strange[i], 0);
    }
    free(m);
    assert_ok(hf_arena_close(arena, 0));
}

/* ------------------------------------------------------------------------------------------------------------------- close */

static void close_of_a_pool_revokes_then_drains_as_that_of_an_arena(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB), other = open_pool(arena, MIB);
    hf_segment page = take(pool, 64 * KIB), lingering = take(pool, 64 * KIB), theirs = take(other, 64 * KIB), none;
    hf_pinned pin, second;
    assert_ok(hf_pin(&page, &pin));
    assert_ok(hf_pin(&lingering, &second));
    assert_ok(hf_release(&lingering));
    assert_status(hf_pool_close(pool, 0), HF_BUSY);
    assert_ok(hf_check(&page));
    uint64_t began = now_ns();
    assert_status(hf_pool_close(pool, 3 * MILLISECONDS), HF_TIMED_OUT);
    assert_true(now_ns() - began >= 3 * MILLISECONDS);
    assert_status(hf_check(&page), HF_CLOSED);
    assert_status(hf_pool_allocate(pool, 1, 0, &none), HF_CLOSED);
    memset(pin.address, 0x22, pin.size);
    memset(second.address, 0x33, second.size);
    assert_true(all_bytes_are(pin.address, pin.size, 0x22)); /* the pins still hold */
    assert_true(all_bytes_are(second.address, second.size, 0x33));
    assert_ok(hf_unpin(&pin));
    assert_status(hf_pool_close(pool, 0), HF_TIMED_OUT);
    assert_ok(hf_unpin(&second));
    assert_ok(hf_pool_close(pool, 0));
    assert_status(hf_pool_close(pool, 0), HF_CLOSED);
    assert_int_equal(present_bytes(page.address, page.size), 0);
    assert_ok(hf_check(&theirs));
    assert_ok(hf_arena_close(arena, 0));
}

struct pool_unpinning {
    hf_pool pool;
    hf_segment page;
    hf_pinned pin;
    unsigned lost;
    hf_status closed, unpinned;
};

static void pool_unpinning_member(unsigned me, void *context) {
    struct pool_unpinning *u = context;
    if (me == 0) {
        u->closed = hf_pool_close(u->pool, HF_FOREVER);
        return;
    }
    while (hf_check(&u->page) != HF_CLOSED)
        sleep_ns(10000);
    memset(u->pin.address, 0x44, u->pin.size);
    sleep_ns(200000);
    u->lost += !all_bytes_are(u->pin.address, u->pin.size, 0x44);
    u->unpinned = hf_unpin(&u->pin);
}

static void the_last_unpin_wakes_the_closer_of_a_pool(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    for (unsigned round = 0; round < 60; round++) {
        struct pool_unpinning u = { .pool = open_pool(arena, MIB) };
        u.page = take(u.pool, 4 * KIB);
        assert_ok(hf_pin(&u.page, &u.pin));
        crew_run(2, pool_unpinning_member, &u);
        assert_int_equal(u.closed, HF_OK);
        assert_int_equal(u.unpinned, HF_OK);
        assert_int_equal(u.lost, 0);
    }
    assert_ok(hf_arena_close(arena, 0));
}

/* --------------------------------------------------------------------------------------------------------------------- limits */

static void a_pool_too_many_is_a_limit_and_all_of_them_work(void **state) {
    (void)state;
    enum { POOLS = 1024 };
    hf_arena arena = open_arena();
    static hf_pool pools[POOLS + 1];
    unsigned opened = 0;
    hf_status status;
    while ((status = hf_pool_open(arena, NULL, &pools[opened])) == HF_OK && opened < POOLS)
        opened++;
    assert_int_equal(status, HF_LIMIT);
    assert_int_equal(opened, POOLS);
    for (unsigned i = 0; i < POOLS; i += 100)
        take(pools[i], 4 * KIB);
    assert_ok(hf_pool_close(pools[500], 0));
    assert_ok(hf_pool_open(arena, NULL, &pools[500]));
    assert_ok(hf_arena_close(arena, 0));
    hf_segment none;
    assert_status(hf_pool_allocate(pools[0], 1, 0, &none), HF_CLOSED);
}

static void a_full_count_of_pins_is_a_limit_and_checked_calls_wait_for_room(void **state) {
    (void)state;
    enum { PINS = 65535 };
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 4 * KIB);
    hf_pinned *pins = calloc(PINS, sizeof *pins), more = { 0 };
    for (unsigned i = 0; i < PINS; i++)
        assert_ok(hf_pin(&page, &pins[i]));
    assert_status(hf_pin(&page, &more), HF_LIMIT);
    assert_null(more.address);
    assert_ok(hf_check(&page));
    uint64_t value = 1;
    assert_ok(hf_get_u64(&page, 0, &value)); /* needs no pin */
    assert_ok(hf_unpin(&pins[0]));
    assert_ok(hf_write(&page, 0, "room", 5)); /* one place is enough */
    assert_ok(hf_pin(&page, &pins[0]));
    assert_ok(hf_release(&page));
    assert_int_equal(stats_of(pool).lingering_bytes, 4 * KIB);
    for (unsigned i = 0; i < PINS; i++)
        assert_ok(hf_unpin(&pins[i]));
    assert_int_equal(stats_of(pool).lingering_bytes, 0);
    free(pins);
    assert_ok(hf_arena_close(arena, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_classes_are_seven_from_4_to_256_kib),
        cmocka_unit_test(thirty_two_classes_of_odd_multiples_of_the_page_work),
        cmocka_unit_test(one_class_works_at_either_end_of_the_scale),
        cmocka_unit_test(requests_above_the_largest_class_get_pages_of_their_own),
        cmocka_unit_test(memory_moves_between_classes_by_itself),
        cmocka_unit_test(a_limit_below_what_is_in_use_gives_back_the_free_and_refuses),
        cmocka_unit_test(a_wait_ends_with_a_release_of_any_class_a_higher_limit_or_the_close),
        cmocka_unit_test(a_wait_without_help_lasts_its_time_and_no_wait_none),
        cmocka_unit_test(pressure_may_release_and_is_not_called_for_what_it_asks_itself),
        cmocka_unit_test(unregistering_pressure_waits_for_calls_in_progress),
        cmocka_unit_test(trim_leaves_at_most_what_it_was_told_to_keep),
        cmocka_unit_test(free_slots_that_nobody_wants_decay),
        cmocka_unit_test(decay_in_the_background_needs_no_calls),
        cmocka_unit_test(with_decay_never_and_keep_resident_nothing_goes_back),
        cmocka_unit_test(populate_makes_every_page_resident_before_it_returns),
        cmocka_unit_test(many_at_once_are_as_good_as_one_by_one),
        cmocka_unit_test(find_knows_the_owner_of_every_address_and_of_no_other),
        cmocka_unit_test(the_slot_index_is_dense_and_stays),
        cmocka_unit_test(a_segment_is_zero_when_allocated_whatever_happened_before),
        cmocka_unit_test(a_hint_is_ignored_while_a_pin_is_held),
        cmocka_unit_test(unspecified_contents_are_never_another_live_owners),
        cmocka_unit_test(close_of_a_pool_revokes_then_drains_as_that_of_an_arena),
        cmocka_unit_test(the_last_unpin_wakes_the_closer_of_a_pool),
        cmocka_unit_test(a_pool_too_many_is_a_limit_and_all_of_them_work),
        cmocka_unit_test(a_full_count_of_pins_is_a_limit_and_checked_calls_wait_for_room),
    };
    return cmocka_run_group_tests_name("contract_pool", tests, NULL, NULL);
}
