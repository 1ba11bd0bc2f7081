/* SPDX-License-Identifier: MIT
 *
 * src/slots.h: bitmaps, what is dirty, giving back, and that a hold word is never anything else.
 */
#include "suite.h"

#include "slots.h"

static const hf_os_advice advice = { "holdfast:unit", 0, false };

/* A class with one chunk in a range of its own. */
static hf_chunk *make(hf_class *class, uint64_t slot_bytes) {
    hf_range *range = NULL;
    *class = (hf_class){ .slot_bytes = slot_bytes, .chunk_bytes = hf_chunk_bytes_for(slot_bytes) };
    assert_int_equal(hf_space_take(class->chunk_bytes, class->chunk_bytes, &advice, &range), 0);
    assert_int_equal(hf_space_commit(range, class->chunk_bytes), 0);
    range->used_bytes = class->chunk_bytes;
    return hf_class_add_chunk(class, range, 0, slot_bytes, &(hf_chunk){ .pool_id = 1, .first_index = 100 });
}

static void done(const hf_chunk *chunk) {
    assert_int_equal(hf_space_give(chunk->range), 0);
}

static hf_hold *take_one(hf_class *class) {
    hf_hold *hold = hf_class_take_empty(class, class->slot_bytes);
    assert_non_null(hold);
    return hold;
}

static void a_chunk_has_as_many_slots_as_fit_its_units(void **state) {
    (void)state;
    static const struct {
        uint64_t slot_bytes, chunk_bytes;
        uint32_t slots;
    } cases[] = { { 4 * KIB, 2 * MIB, 512 }, { 12 * KIB, 2 * MIB, 170 }, { 256 * KIB, 2 * MIB, 8 }, { 1020 * KIB, 2 * MIB, 2 },
                  { 1028 * KIB, 2 * MIB, 1 }, { 2 * MIB, 2 * MIB, 1 }, { 3 * MIB, 4 * MIB, 1 }, { 64 * MIB, 64 * MIB, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hf_class class;
        hf_chunk *chunk = make(&class, cases[i].slot_bytes);
        assert_int_equal(class.chunk_bytes, cases[i].chunk_bytes);
        assert_int_equal(chunk->slot_count, cases[i].slots);
        assert_int_equal(class.untouched_slots, cases[i].slots);
        done(chunk);
    }
}

static void empty_slots_are_taken_lowest_first_and_each_once(void **state) {
    (void)state;
    hf_class class;
    hf_chunk *chunk = make(&class, 12 * KIB); /* 170 slots: the last word of the bitmap is not full */
    for (uint32_t i = 0; i < 170; i++) {
        hf_hold *hold = take_one(&class);
        assert_int_equal(hf_slot_of(chunk, hold), i);
        assert_ptr_equal(hf_chunk_of(hold), chunk);
        assert_ptr_equal(hf_slot_address(chunk, i), chunk->range->base + i * 12 * KIB);
        assert_int_equal(class.charged_slots, i + 1);
        assert_int_equal(class.charged_bytes, (i + 1) * 12 * KIB);
    }
    assert_null(hf_class_take_empty(&class, 12 * KIB));
    assert_int_equal(class.untouched_slots, 0);
    hf_class_put_empty(&class, &hf_chunk_holds(chunk)[77]);
    assert_int_equal(class.untouched_slots, 1);
    assert_ptr_equal(take_one(&class), &hf_chunk_holds(chunk)[77]);
    done(chunk);
}

static void cached_slots_are_taken_lowest_first(void **state) {
    (void)state;
    hf_class class;
    hf_hold *holds[512], *got[512];
    hf_chunk *chunk = make(&class, 4 * KIB);
    for (int i = 0; i < 512; i++) holds[i] = take_one(&class);
    assert_int_equal(hf_class_take_cached(&class, 4 * KIB, got, 512), 0);
    for (int i = 0; i < 512; i++) hf_class_put_cached(&class, holds[i * 37 % 512], 0);
    assert_int_equal(class.cached_slots, 512);
    assert_int_equal(class.cached_bytes, 2 * MIB);
    assert_int_equal(hf_class_take_cached(&class, 4 * KIB, got, 100), 100);
    assert_int_equal(hf_class_take_cached(&class, 4 * KIB, got + 100, 500), 412);
    for (int i = 0; i < 512; i++) assert_ptr_equal(got[i], holds[i]);
    assert_int_equal(class.cached_slots + class.cached_bytes, 0);
    assert_int_equal(class.charged_slots, 512);
    done(chunk);
}

static void dirt_grows_to_the_largest_hint_and_rounds_up_to_lines(void **state) {
    (void)state;
    hf_class class;
    hf_chunk *chunk = make(&class, 64 * KIB);
    assert_int_equal(hf_slot_dirty_bytes(chunk, 3), 0);
    static const uint64_t hints[] = { 0, 1, 63, 64, 65, 10, 4096, 100, 65535, 65536, 1 << 20, UINT64_MAX, 0 };
    uint64_t most = 0;
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        hf_slot_dirtied(chunk, 3, hints[i]);
        if (hints[i] > most) most = hints[i] > 64 * KIB ? 64 * KIB : (hints[i] + 63) / 64 * 64;
        assert_int_equal(hf_slot_dirty_bytes(chunk, 3), most);
    }
    assert_int_equal(hf_slot_dirty_bytes(chunk, 2) + hf_slot_dirty_bytes(chunk, 4), 0);
    done(chunk);
    chunk = make(&class, 64 * MIB); /* more lines than an entry can count: all of it */
    hf_slot_dirtied(chunk, 0, 4 * MIB);
    assert_int_equal(hf_slot_dirty_bytes(chunk, 0), 64 * MIB);
    done(chunk);
}

static void what_is_given_back_is_empty_clean_and_discharged(void **state) {
    (void)state;
    hf_class class;
    hf_hold *holds[8];
    hf_refusals refusals = { 0 };
    hf_chunk *chunk = make(&class, 256 * KIB);
    for (uint16_t i = 0; i < 8; i++) {
        holds[i] = take_one(&class);
        memset(hf_slot_address(chunk, i), 1, 256 * KIB);
        hf_slot_dirtied(chunk, i, UINT64_MAX);
    }
    for (uint16_t i = 0; i < 8; i++)
        if (i != 3) hf_class_put_cached(&class, holds[i], i); /* stamped in ticks 0 to 7 */
    assert_int_equal(hf_class_give_back(&class, UINT64_MAX, 7, 6, &refusals), 512 * KIB); /* ages 7 and 6 */
    assert_int_equal(class.cached_slots, 5);
    assert_int_equal(hf_class_give_back(&class, 256 * KIB + 1, 7, 0, &refusals), 512 * KIB); /* whole slots, until it is enough */
    assert_int_equal(class.cached_slots, 3);
    assert_int_equal(class.charged_bytes, 4 * 256 * KIB);
    assert_int_equal(class.given_back_bytes, MIB);
    assert_true(all_bytes_are(hf_slot_address(chunk, 0), 256 * KIB, 0));
    assert_true(all_bytes_are(hf_slot_address(chunk, 3), 256 * KIB, 1)); /* somebody's */
    assert_int_equal(hf_slot_dirty_bytes(chunk, 0), 0);
    assert_int_equal(hf_slot_dirty_bytes(chunk, 3), 256 * KIB);
    assert_ptr_equal(take_one(&class), holds[0]);
    assert_int_equal(refusals.count, 0);
    done(chunk);
}

static void what_the_kernel_will_not_take_stays_cached(void **state) {
    (void)state;
    hf_class class;
    hf_refusals refusals = { 0 };
    hf_chunk *chunk = make(&class, 256 * KIB);
    hf_hold *hold = take_one(&class);
    hf_slot_dirtied(chunk, 0, UINT64_MAX);
    hf_class_put_cached(&class, hold, 0);
    hf_os_fail_at(1, false);
    assert_int_equal(hf_class_give_back(&class, UINT64_MAX, 0, 0, &refusals), 0);
    hf_os_fail_at(0, false);
    assert_int_equal(refusals.count, 1);
    assert_int_equal(refusals.bytes, 256 * KIB);
    assert_int_equal(class.cached_bytes, 256 * KIB);
    assert_int_equal(hf_slot_dirty_bytes(chunk, 0), 256 * KIB);
    assert_int_equal(hf_class_give_back(&class, UINT64_MAX, 0, 0, &refusals), 256 * KIB);
    done(chunk);
}

static void a_slot_out_of_eras_is_given_back_and_never_seen_again(void **state) {
    (void)state;
    hf_class class;
    hf_refusals refusals = { 0 };
    hf_chunk *chunk = make(&class, MIB);
    hf_hold *hold = take_one(&class);
    hf_store_relaxed(&hold->word, hf_hold_word(HF_ERA_MAX, HF_HOLD_FREE, 0));
    hf_class_put_cached(&class, hold, 0);
    assert_int_equal(hf_class_give_back(&class, UINT64_MAX, 0, 0, &refusals), MIB);
    assert_ptr_equal(take_one(&class), hold + 1);
    assert_null(hf_class_take_empty(&class, MIB));
    done(chunk);
}

static void an_address_leads_to_its_chunk_and_a_unit_without_one_to_nobody(void **state) {
    (void)state;
    hf_class class;
    hf_chunk *chunk = make(&class, 3 * MIB); /* two units, the second of which has no header */
    assert_ptr_equal(hf_chunk_at(chunk->range, chunk->range->base), chunk);
    assert_ptr_equal(hf_chunk_at(chunk->range, chunk->range->base + 3 * MIB - 1), chunk);
    assert_null(hf_chunk_at(chunk->range, chunk->range->meta));
    done(chunk);
    hf_range *range = NULL;
    assert_int_equal(hf_space_take(256 * MIB, 256 * MIB, &advice, &range), 0);
    assert_null(hf_chunk_at(range, range->base));
    assert_null(hf_chunk_at(range, range->base + range->bytes - 1));
    assert_int_equal(hf_space_give(range), 0);
}

static void a_large_range_serves_requests_of_any_size_that_it_holds(void **state) {
    (void)state;
    hf_class class = { .slot_bytes = 0 };
    hf_range *range = NULL;
    hf_refusals refusals = { 0 };
    assert_int_equal(hf_space_take(5 * MIB, 5 * MIB, &advice, &range), 0); /* gets 8 */
    assert_int_equal(hf_space_commit(range, 5 * MIB), 0);
    range->used_bytes = range->bytes;
    hf_chunk *chunk = hf_class_add_chunk(&class, range, 0, 5 * MIB, &(hf_chunk){ .pool_id = 1 });
    assert_int_equal(chunk->slot_count, 1);
    hf_hold *hold = hf_class_take_empty(&class, 5 * MIB), *got;
    assert_non_null(hold);
    assert_int_equal(class.charged_bytes, 5 * MIB);
    assert_ptr_equal(hf_chunk_at(range, range->base + 5 * MIB - 1), chunk);
    assert_null(hf_chunk_at(range, range->base + 5 * MIB));
    hf_class_put_cached(&class, hold, 0);
    assert_int_equal(hf_class_take_cached(&class, 4 * MIB, &got, 1), 0); /* the size rounded up to the page, and no other */
    assert_int_equal(hf_class_take_cached(&class, 5 * MIB, &got, 1), 1);
    hf_class_put_cached(&class, hold, 0);
    assert_int_equal(hf_class_give_back(&class, 1, 0, 0, &refusals), 5 * MIB);
    assert_null(hf_class_take_empty(&class, 9 * MIB));
    assert_ptr_equal(hf_class_take_empty(&class, 8 * MIB), hold);
    assert_int_equal(class.charged_bytes, 8 * MIB);
    assert_ptr_equal(hf_chunk_at(range, range->base + 8 * MIB - 1), chunk);
    assert_int_equal(hf_space_give(range), 0);
}

/* A range that was cut into small slots is cut into larger ones. A stale handle of the first life still reads its word, and whatever
 * the second life writes into its own metadata, hints of dirt above all, must not look like a live era. */
static void a_stale_handle_never_meets_anything_but_hold_words(void **state) {
    (void)state;
    static const uint64_t first_bytes = 4 * KIB, then_bytes[] = { 8 * KIB, 12 * KIB, 64 * KIB };
    enum { OLD = 512, NEW = 256 };
    for (size_t round = 0; round < sizeof then_bytes / sizeof then_bytes[0]; round++) {
        hf_segment old[OLD], now[NEW];
        hf_arena arena = open_arena();
        hf_pool_options options = HF_POOL_OPTIONS_INIT;
        hf_pool pool;
        options.limit_bytes = 4 * MIB;
        options.decay_ns = HF_NEVER;
        options.class_bytes[0] = first_bytes;
        assert_ok(hf_pool_open(arena, &options, &pool));
        for (int i = 0; i < OLD; i++) old[i] = take(pool, first_bytes);
        assert_ok(hf_pool_close(pool, 0));
        options.class_bytes[0] = then_bytes[round];
        assert_ok(hf_pool_open(arena, &options, &pool));
        int count = (int)hf_min(NEW, 2 * MIB / then_bytes[round]);
        for (uint64_t line = 0; line < hf_min(64, then_bytes[round] / 64); line++) {
            for (int i = 0; i < count; i++) now[i] = take(pool, then_bytes[round]);
            for (int i = 0; i < count; i++) assert_ok(hf_release_dirty(&now[i], i % 4 == 1 ? line * 64 : 0));
            for (int i = 0; i < OLD; i++) assert_status(hf_check(&old[i]), HF_STALE);
        }
        assert_ok(hf_arena_close(arena, 0));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_has_as_many_slots_as_fit_its_units),
        cmocka_unit_test(empty_slots_are_taken_lowest_first_and_each_once),
        cmocka_unit_test(cached_slots_are_taken_lowest_first),
        cmocka_unit_test(dirt_grows_to_the_largest_hint_and_rounds_up_to_lines),
        cmocka_unit_test(what_is_given_back_is_empty_clean_and_discharged),
        cmocka_unit_test(what_the_kernel_will_not_take_stays_cached),
        cmocka_unit_test(a_slot_out_of_eras_is_given_back_and_never_seen_again),
        cmocka_unit_test(an_address_leads_to_its_chunk_and_a_unit_without_one_to_nobody),
        cmocka_unit_test(a_large_range_serves_requests_of_any_size_that_it_holds),
        cmocka_unit_test(a_stale_handle_never_meets_anything_but_hold_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
