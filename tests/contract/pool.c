/* SPDX-License-Identifier: MIT
 *
 * Section 5 of the contract, first half: classes, requests above the largest class, limit, wait, pressure, trim, decay, populate.
 */
#include "suite.h"

#include "clock.h"
#include "crew.h"
#include "memory.h"

#include <stdatomic.h>

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
    };
    return cmocka_run_group_tests_name("contract_pool", tests, NULL, NULL);
}
