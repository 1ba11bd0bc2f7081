/* SPDX-License-Identifier: MIT
 *
 * Section 5 of the contract, second half: who owns which slot and what is in it. Many at once, find, the slot index, zeroing (P4), the
 * close of a pool, and the documented counters when they are full.
 */
#include "suite.h"

#include "clock.h"
#include "crew.h"
#include "memory.h"

#include <stdatomic.h>

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
    return cmocka_run_group_tests_name("contract_slots", tests, NULL, NULL);
}
