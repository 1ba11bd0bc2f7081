/* SPDX-License-Identifier: MIT
 *
 * Section 4 of the contract, rule by rule: bump memory, reset, adoption, cleanup actions, the ways to close, and how many may be
 * open. And the order of the checks of sections 5 and 6.
 */
#include "suite.h"

#include "clock.h"
#include "crew.h"
#include "memory.h"

#include <stdatomic.h>

/* -------------------------------------------------------------------------------------------------------------- bump memory */

static void bump_memory_has_any_size_and_alignment_and_is_zero_again_after_a_reset(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    for (unsigned round = 0; round < 20; round++) {
        uint64_t random = 99 + round;
        hf_segment pieces[200];
        for (unsigned i = 0; i < 200; i++) {
            size_t size = next_random(&random) % (i % 10 == 0 ? 200000 : 300), align = (size_t)1 << next_random(&random) % 17;
            assert_ok(hf_arena_allocate(arena, size, align, &pieces[i]));
            assert_int_equal(pieces[i].size, size);
            assert_int_equal((uintptr_t)pieces[i].address % align, 0);
            assert_true(all_bytes_are(pieces[i].address, size, 0));
            memset(pieces[i].address, (int)(i + 1), size);
        }
        for (unsigned i = 0; i < 200; i++)
            assert_true(all_bytes_are(pieces[i].address, pieces[i].size, (unsigned char)(i + 1))); /* no overlap */
        uint64_t kept = arena_stats_of(arena).bump_kept_bytes;
        assert_ok(hf_arena_reset(arena));
        assert_int_equal(arena_stats_of(arena).bump_bytes, 0);
        assert_true(arena_stats_of(arena).bump_kept_bytes <= kept);
        assert_int_equal(arena_stats_of(arena).resets, round + 1);
        for (unsigned i = 0; i < 200; i++)
            assert_status(hf_check(&pieces[i]), HF_STALE);
    }
    assert_ok(hf_arena_close(arena, 0));
}

static void bump_memory_of_no_bytes_has_an_address_of_its_own(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_segment pieces[1000];
    for (unsigned i = 0; i < 1000; i++) {
        assert_ok(hf_arena_allocate(arena, 0, (size_t)1 << i % 8, &pieces[i]));
        assert_non_null(pieces[i].address);
        assert_ok(hf_check(&pieces[i]));
        assert_ok(hf_fill(&pieces[i], 0, 0, 1));
        for (unsigned j = 0; j < i; j++)
            assert_true(pieces[j].address != pieces[i].address);
    }
    assert_ok(hf_arena_close(arena, 0));
}

static void bump_memory_can_be_aligned_to_a_gib(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_segment first, second, large;
    assert_ok(hf_arena_allocate(arena, 1, 1, &first));
    assert_ok(hf_arena_allocate(arena, 100, GIB, &first));
    assert_ok(hf_arena_allocate(arena, 100, GIB, &second));
    assert_int_equal((uintptr_t)first.address % GIB, 0);
    assert_int_equal((uintptr_t)second.address % GIB, 0);
    assert_true(first.address != second.address);
    memset(first.address, 1, first.size);
    memset(second.address, 2, second.size);
    assert_ok(hf_arena_allocate(arena, 64 * MIB, 2 * MIB, &large));
    assert_true(all_bytes_are(large.address, large.size, 0));
    assert_true(all_bytes_are(first.address, first.size, 1));
    assert_true(arena_stats_of(arena).bump_bytes >= 64 * MIB + 201);
    assert_ok(hf_arena_close(arena, 0));
    assert_true(all_bytes_are(large.address, 4096, 0));
}

/* Eight threads at once: no overlap, and the books count every piece. */
struct bumpers {
    hf_arena arena;
    unsigned strange[8];
};

static void bump_member(unsigned me, void *context) {
    struct bumpers *b = context;
    static hf_segment pieces[8][500];
    for (unsigned i = 0; i < 500; i++) {
        b->strange[me] += hf_arena_allocate(b->arena, 8 + i * 7, 8, &pieces[me][i]) != HF_OK;
        b->strange[me] += !all_bytes_are(pieces[me][i].address, pieces[me][i].size, 0);
        memset(pieces[me][i].address, (int)(me + 1), pieces[me][i].size);
    }
    for (unsigned i = 0; i < 500; i++)
        b->strange[me] += !all_bytes_are(pieces[me][i].address, pieces[me][i].size, (unsigned char)(me + 1));
}

static void bump_memory_of_a_shared_arena_is_for_any_thread(void **state) {
    (void)state;
    struct bumpers b = { .arena = open_arena() };
    for (unsigned round = 0; round < 10; round++) {
        crew_run(8, bump_member, &b);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(b.strange[i], 0);
        assert_ok(hf_arena_reset(b.arena));
    }
    assert_int_equal(arena_stats_of(b.arena).bump_allocations, 10 * 8 * 500);
    assert_ok(hf_arena_close(b.arena, 0));
}

static void reset_leaves_pools_and_adopted_memory_alone(void **state) {
    (void)state;
    static char block[4096];
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 64 * KIB), adopted, bump;
    memset(page.address, 1, page.size);
    assert_ok(hf_arena_adopt(arena, block, sizeof block, NULL, NULL, &adopted));
    assert_ok(hf_fill(&adopted, 0, adopted.size, 2));
    assert_ok(hf_arena_allocate(arena, 100, 8, &bump));
    assert_ok(hf_arena_reset(arena));
    assert_status(hf_check(&bump), HF_STALE);
    assert_ok(hf_check(&page));
    assert_ok(hf_check(&adopted));
    assert_true(all_bytes_are(page.address, page.size, 1));
    assert_true(all_bytes_are(block, sizeof block, 2));
    assert_ok(hf_release(&page));
    assert_ok(hf_arena_close(arena, 0));
    assert_status(hf_check(&adopted), HF_CLOSED);
    assert_true(all_bytes_are(block, sizeof block, 2)); /* the memory itself is the caller's */
}

/* ------------------------------------------------------------------------------------------------------------------ cleanup */

struct order {
    unsigned next, ran[64];
};

struct action {
    struct order *order;
    unsigned number;
};

static void note(void *context) {
    struct action *a = context;
    a->order->ran[a->order->next++] = a->number;
}

static void cleanups_run_once_newest_first_adopted_memory_in_its_turn(void **state) {
    (void)state;
    static char blocks[40][64];
    const uint32_t kinds[] = { HF_SHARED, HF_CONFINED };
    for (unsigned k = 0; k < 2; k++) {
        hf_arena_options options = HF_ARENA_OPTIONS_INIT;
        hf_arena arena;
        struct order order = { 0 };
        struct action actions[40];
        options.kind = kinds[k];
        assert_ok(hf_arena_open(&options, &arena));
        for (unsigned i = 0; i < 40; i++) {
            hf_segment adopted;
            actions[i] = (struct action){ &order, i };
            if (i % 3 == 0)
                assert_ok(hf_arena_adopt(arena, blocks[i], 64, note, &actions[i], &adopted));
            else
                assert_ok(hf_arena_on_close(arena, note, &actions[i]));
        }
        assert_int_equal(arena_stats_of(arena).cleanups, 40);
        assert_int_equal(arena_stats_of(arena).adopted_segments, 14);
        assert_int_equal(arena_stats_of(arena).adopted_bytes, 14 * 64);
        assert_ok(hf_arena_reset(arena)); /* runs none */
        assert_int_equal(order.next, 0);
        assert_ok(hf_arena_close(arena, 0));
        assert_int_equal(order.next, 40);
        for (unsigned i = 0; i < 40; i++)
            assert_int_equal(order.ran[i], 39 - i);
        assert_status(hf_arena_close(arena, 0), HF_CLOSED);
        assert_int_equal(order.next, 40);
    }
}

/* Registering races with close: HF_OK and it runs once, or HF_CLOSED and it never runs. */
struct registering {
    hf_arena arena;
    atomic_uint ran[2][200];
    hf_status said[2][200];
    hf_status closed;
    unsigned count[2];
};

static void count_run(void *context) {
    atomic_fetch_add((atomic_uint *)context, 1);
}

static void registering_member(unsigned me, void *context) {
    struct registering *r = context;
    if (me == 2) {
        r->closed = hf_arena_close(r->arena, HF_FOREVER);
        return;
    }
    static char blocks[2][200][16];
    for (unsigned i = 0; i < 200; i++) {
        hf_segment adopted;
        r->said[me][i] = i % 2 ? hf_arena_on_close(r->arena, count_run, &r->ran[me][i])
                               : hf_arena_adopt(r->arena, blocks[me][i], 16, count_run, &r->ran[me][i], &adopted);
        r->count[me] = i + 1;
        if (r->said[me][i] == HF_CLOSED)
            break;
    }
}

static void what_is_registered_during_a_close_runs_once_or_is_refused(void **state) {
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct registering *r = calloc(1, sizeof *r);
        r->arena = open_arena();
        crew_run(3, registering_member, r);
        assert_int_equal(r->closed, HF_OK);
        for (unsigned t = 0; t < 2; t++)
            for (unsigned i = 0; i < r->count[t]; i++) {
                assert_true(r->said[t][i] == HF_OK || r->said[t][i] == HF_CLOSED);
                assert_int_equal(atomic_load(&r->ran[t][i]), r->said[t][i] == HF_OK);
            }
        free(r);
    }
}

/* --------------------------------------------------------------------------------------------------------------------- close */

static void close_at_once_is_busy_and_changes_nothing_then_succeeds(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    static char block[64];
    hf_segment memory[3];
    memory[0] = take(pool, 64 * KIB);
    assert_ok(hf_arena_allocate(arena, 100, 8, &memory[1]));
    assert_ok(hf_arena_adopt(arena, block, sizeof block, NULL, NULL, &memory[2]));
    for (unsigned i = 0; i < 3; i++) {
        hf_pinned pin;
        assert_ok(hf_pin(&memory[i], &pin));
        assert_status(hf_arena_close(arena, 0), HF_BUSY);
        for (unsigned j = 0; j < 3; j++)
            assert_ok(hf_check(&memory[j]));
        assert_true(hf_arena_is_open(arena));
        assert_ok(hf_write(&memory[0], 0, "still", 6));
        assert_ok(hf_unpin(&pin));
    }
    assert_status(hf_pool_close(pool, 0), HF_OK);
    assert_ok(hf_check(&memory[1]));
    assert_ok(hf_arena_close(arena, 0));
}

static void close_with_a_timeout_revokes_then_drains_and_any_caller_may_continue(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) { /* a pool's page, bump memory, adopted memory */
        static char block[64];
        hf_arena arena = open_arena();
        hf_pool pool = open_pool(arena, MIB);
        struct order order = { 0 };
        struct action action = { &order, 1 };
        hf_segment memory, result;
        hf_pinned pin;
        if (kind == 0)
            memory = take(pool, 64 * KIB);
        else if (kind == 1)
            assert_ok(hf_arena_allocate(arena, 64 * KIB, 8, &memory));
        else
            assert_ok(hf_arena_adopt(arena, block, sizeof block, NULL, NULL, &memory));
        assert_ok(hf_arena_on_close(arena, note, &action));
        assert_ok(hf_pin(&memory, &pin));
        uint64_t began = now_ns();
        assert_status(hf_arena_close(arena, 5 * MILLISECONDS), HF_TIMED_OUT);
        assert_true(now_ns() - began >= 5 * MILLISECONDS);
        assert_false(hf_arena_is_open(arena));
        assert_status(hf_check(&memory), HF_CLOSED);
        assert_status(hf_pool_allocate(pool, 1, 0, &result), HF_CLOSED);
        assert_status(hf_arena_allocate(arena, 1, 1, &result), HF_CLOSED);
        memset(pin.address, 0x22, pin.size); /* the pin still holds */
        assert_true(all_bytes_are(pin.address, pin.size, 0x22));
        assert_int_equal(order.next, 0); /* not before the last unpin */
        assert_status(hf_arena_close(arena, 0), HF_TIMED_OUT);
        assert_ok(hf_unpin(&pin));
        assert_int_equal(order.next, 0);
        assert_ok(hf_arena_close(arena, MILLISECONDS));
        assert_int_equal(order.next, 1);
        assert_status(hf_arena_close(arena, 0), HF_CLOSED);
    }
}

/* A closer that waits for a pin is woken by the unpin: HF_FOREVER ends. */
struct unpinning {
    hf_arena arena;
    hf_pinned pin;
    hf_status closed, unpinned;
};

static void unpinning_member(unsigned me, void *context) {
    struct unpinning *u = context;
    if (me == 0) {
        u->closed = hf_arena_close(u->arena, HF_FOREVER);
        return;
    }
    while (hf_arena_is_open(u->arena))
        sleep_ns(10000);
    sleep_ns(MILLISECONDS);
    u->unpinned = hf_unpin(&u->pin);
}

static void the_last_unpin_wakes_the_closer(void **state) {
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        struct unpinning u = { .arena = open_arena() };
        hf_segment memory;
        if (round % 2)
            memory = take(open_pool(u.arena, MIB), 4 * KIB);
        else
            assert_ok(hf_arena_allocate(u.arena, 100, 8, &memory));
        assert_ok(hf_pin(&memory, &u.pin));
        if (round % 3 == 0)
            assert_ok(hf_release(&memory));
        crew_run(2, unpinning_member, &u);
        assert_int_equal(u.closed, HF_OK);
        assert_int_equal(u.unpinned, HF_OK);
    }
}

/* P3 and the first fact: after HF_OK no page of data is resident, and a raw stale read sees zeros. */
static void after_close_no_page_is_resident_and_stale_reads_see_zeros(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 64 * MIB);
    hf_segment pages[50], bump;
    for (unsigned i = 0; i < 50; i++) {
        pages[i] = take(pool, i % 5 ? 64 * KIB : 700 * KIB);
        memset(pages[i].address, 0x5a, pages[i].size);
    }
    assert_ok(hf_arena_allocate(arena, 3 * MIB, 8, &bump));
    memset(bump.address, 0x5a, bump.size);
    assert_ok(hf_arena_close(arena, 0));
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(present_bytes(pages[i].address, pages[i].size), 0);
    assert_int_equal(present_bytes(bump.address, bump.size), 0);
    for (unsigned i = 0; i < 50; i++)
        assert_true(all_bytes_are(pages[i].address, pages[i].size, 0));
    assert_true(all_bytes_are(bump.address, bump.size, 0));
    uint64_t value = 1;
    assert_status(hf_get_u64(&pages[0], 0, &value), HF_CLOSED);
    assert_int_equal(value, 1);
}

/* -------------------------------------------------------------------------------------------------------------------- limits */

static void four_thousand_arenas_are_open_at_once_and_one_more_is_a_limit(void **state) {
    (void)state;
    enum { ARENAS = 4096 };
    static hf_arena arenas[ARENAS + 1];
    unsigned opened = 0;
    hf_status status;
    while ((status = hf_arena_open(NULL, &arenas[opened])) == HF_OK && opened < ARENAS)
        opened++;
    assert_int_equal(status, HF_LIMIT);
    assert_true(opened >= ARENAS - 1); /* a global arena of another test would count */
    for (unsigned i = 0; i < opened; i++)
        assert_ok(hf_arena_close(arenas[i], 0));
    assert_ok(hf_arena_open(NULL, &arenas[0]));
    assert_ok(hf_arena_close(arenas[0], 0));
}

/* ----------------------------------------------------------------------------------------------------------- order of checks */

/* Rights, bounds, thread, validity; a zero segment or a NULL buffer before all. */
struct elsewhere {
    hf_segment page, view;
    hf_status said[6];
};

static void elsewhere_member(unsigned me, void *context) {
    struct elsewhere *e = context;
    (void)me;
    e->said[0] = hf_write(&e->view, SIZE_MAX, "x", 1);   /* all wrong: rights first */
    e->said[1] = hf_write(&e->page, SIZE_MAX, "x", 1);   /* then bounds */
    e->said[2] = hf_write(&e->page, 0, "x", 1);          /* then the thread */
    e->said[3] = hf_write(&e->view, SIZE_MAX, NULL, 1);  /* before all */
    e->said[4] = hf_set_u32(&e->view, SIZE_MAX, 1);
    e->said[5] = hf_fill(&e->page, 0, e->page.size + 1, 1);
}

static void checks_of_access_come_in_the_order_rights_bounds_thread_validity(void **state) {
    (void)state;
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    hf_arena arena;
    options.kind = HF_CONFINED;
    assert_ok(hf_arena_open(&options, &arena));
    struct elsewhere e = { .page = take(open_pool(arena, MIB), 4 * KIB) };
    assert_ok(hf_as_read_only(&e.page, &e.view));
    for (unsigned round = 0; round < 2; round++) {
        crew_run(1, elsewhere_member, &e);
        assert_int_equal(e.said[0], HF_READ_ONLY);
        assert_int_equal(e.said[1], HF_OUT_OF_BOUNDS);
        assert_int_equal(e.said[2], HF_WRONG_THREAD);
        assert_int_equal(e.said[3], HF_INVALID);
        assert_int_equal(e.said[4], HF_READ_ONLY);
        assert_int_equal(e.said[5], HF_OUT_OF_BOUNDS);
        if (round == 0)
            assert_ok(hf_release(&e.page)); /* the second round: stale as well, which is asked last */
    }
    assert_status(hf_write(&e.view, SIZE_MAX, "x", 1), HF_READ_ONLY);
    assert_status(hf_write(&e.page, SIZE_MAX, "x", 1), HF_OUT_OF_BOUNDS);
    assert_status(hf_write(&e.page, 0, "x", 1), HF_STALE);
    assert_ok(hf_arena_close(arena, 0));
}

/* Release: zero, first byte, read-only view, validity. (The thread, which comes second, is asked in tests/misuse.) */
static void checks_of_release_come_in_their_order_before_and_after_close(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 64 * KIB), view, inside, inside_view;
    assert_ok(hf_as_read_only(&page, &view));
    assert_ok(hf_slice(&page, 4096, 64, &inside));
    assert_ok(hf_slice(&view, 4096, 64, &inside_view));
    for (unsigned round = 0; round < 3; round++) {
        assert_status(hf_release(&inside_view), HF_INVALID);
        assert_status(hf_release(&inside), HF_INVALID);
        assert_status(hf_release(&view), HF_READ_ONLY);
        if (round == 0)
            assert_ok(hf_release(&page));
        else if (round == 1)
            assert_ok(hf_pool_close(pool, 0));
        else
            assert_status(hf_release(&page), HF_CLOSED);
    }
    assert_ok(hf_arena_close(arena, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bump_memory_has_any_size_and_alignment_and_is_zero_again_after_a_reset),
        cmocka_unit_test(bump_memory_of_no_bytes_has_an_address_of_its_own),
        cmocka_unit_test(bump_memory_can_be_aligned_to_a_gib),
        cmocka_unit_test(bump_memory_of_a_shared_arena_is_for_any_thread),
        cmocka_unit_test(reset_leaves_pools_and_adopted_memory_alone),
        cmocka_unit_test(cleanups_run_once_newest_first_adopted_memory_in_its_turn),
        cmocka_unit_test(what_is_registered_during_a_close_runs_once_or_is_refused),
        cmocka_unit_test(close_at_once_is_busy_and_changes_nothing_then_succeeds),
        cmocka_unit_test(close_with_a_timeout_revokes_then_drains_and_any_caller_may_continue),
        cmocka_unit_test(the_last_unpin_wakes_the_closer),
        cmocka_unit_test(after_close_no_page_is_resident_and_stale_reads_see_zeros),
        cmocka_unit_test(four_thousand_arenas_are_open_at_once_and_one_more_is_a_limit),
        cmocka_unit_test(checks_of_access_come_in_the_order_rights_bounds_thread_validity),
        cmocka_unit_test(checks_of_release_come_in_their_order_before_and_after_close),
    };
    return cmocka_run_group_tests_name("contract_arena", tests, NULL, NULL);
}
