/* SPDX-License-Identifier: MIT
 *
 * src/address_space.h: ranges are found by any address in them, are recycled oldest first, and remember the eras.
 *
 * Each test takes ranges of a size of its own: what one leaves in the queue of idle ranges is no other's.
 */
#include "suite.h"

#include "address_space.h"
#include "hold.h"
#include "memory.h"

static const hf_os_advice advice = { "holdfast:unit", 0, false };

static hf_range *take_range(uint64_t bytes) {
    hf_range *range = NULL;
    assert_int_equal(hf_space_take(bytes, bytes, &advice, &range), 0);
    assert_true(range->bytes >= bytes && range->serving);
    return range;
}

static void every_byte_of_a_range_leads_to_it_and_no_other(void **state) {
    (void)state;
    hf_range *range = take_range(2 * GIB); /* entries of two levels */
    for (uint64_t at = 0; at < range->bytes; at += HF_UNIT_BYTES) {
        assert_ptr_equal(hf_space_find(range->base + at), range);
        assert_ptr_equal(hf_space_find(range->base + at + HF_UNIT_BYTES - 1), range);
    }
    assert_ptr_equal(hf_space_find(range->meta), range);
    assert_ptr_equal(hf_space_find(range->base + hf_range_whole_bytes(range) - 1), range);
    assert_ptr_not_equal(hf_space_find(range->base - 1), range);
    assert_ptr_not_equal(hf_space_find(range->base + hf_range_whole_bytes(range)), range);
    assert_int_equal(hf_space_give(range), 0);
    assert_ptr_equal(hf_space_find(range->base), range); /* idle, and still ours */
}

static void addresses_of_strangers_are_nobodys(void **state) {
    (void)state;
    int local;
    assert_null(hf_space_find(NULL));
    assert_null(hf_space_find(&local));
    assert_null(hf_space_find((void *)UINTPTR_MAX));
    assert_null(hf_space_find((void *)(UINT64_C(1) << 48)));
    assert_false(hf_space_overlaps(&local, sizeof local));
    assert_false(hf_space_overlaps((void *)(UINT64_C(1) << 50), UINT64_C(1) << 50));
}

static void an_overlap_is_seen_wherever_it_lies(void **state) {
    (void)state;
    hf_range *range = take_range(8 * MIB);
    char *end = range->base + hf_range_whole_bytes(range);
    assert_true(hf_space_overlaps(range->base, 1));
    assert_true(hf_space_overlaps(range->base - 1, 2));
    assert_true(hf_space_overlaps(end - 1, 100 * GIB));
    assert_true(hf_space_overlaps(range->base + 5 * MIB, 1));
    assert_true(hf_space_overlaps((void *)HF_UNIT_BYTES, UINT64_C(1) << 47)); /* a mapping of terabytes around it */
    if (!hf_space_find(range->base - 1)) assert_false(hf_space_overlaps(range->base - MIB, MIB));
    if (!hf_space_find(end)) assert_false(hf_space_overlaps(end, MIB));
    assert_int_equal(hf_space_give(range), 0);
}

static void idle_ranges_are_recycled_oldest_first(void **state) {
    (void)state;
    enum { N = 5 };
    static const int order[N] = { 3, 0, 4, 1, 2 };
    hf_range *ranges[N];
    for (int i = 0; i < N; i++) ranges[i] = take_range(32 * MIB);
    for (int i = 0; i < N; i++) assert_int_equal(hf_space_give(ranges[order[i]]), 0);
    for (int i = 0; i < N; i++) assert_ptr_equal(take_range(32 * MIB), ranges[order[i]]);
    for (int i = 0; i < N; i++) assert_int_equal(hf_space_give(ranges[i]), 0);
}

static void a_given_range_reads_as_zeros_and_holds_no_page(void **state) {
    (void)state;
    hf_range *range = take_range(4 * MIB);
    assert_int_equal(hf_space_commit(range, 3 * MIB), 0);
    range->used_bytes = 3 * MIB;
    memset(range->base, 0x77, 3 * MIB);
    memset(range->meta, 0x77, 2 * HF_BLOCK_BYTES);
    assert_int_equal(hf_space_give(range), 0);
    assert_int_equal(present_bytes(range->base, range->bytes), 0);
    assert_true(all_bytes_are(range->base, 3 * MIB, 0));
    assert_true(all_bytes_are(range->meta, 2 * HF_BLOCK_BYTES, 0));
}

static void a_range_remembers_the_highest_era_of_its_past(void **state) {
    (void)state;
    hf_range *range = take_range(16 * MIB);
    assert_int_equal(range->served_era, range->base_era);
    range->base_era++; /* its owner issued one more */
    assert_int_equal(range->served_era + 1, range->base_era);
    assert_int_equal(hf_space_give(range), 0);
    assert_ptr_equal(take_range(16 * MIB), range);
    assert_int_equal(range->served_era, range->base_era);
    assert_int_equal(hf_space_give(range), 0);
}

static void a_range_past_half_of_its_eras_serves_nobody_any_more(void **state) {
    (void)state;
    hf_range *range = take_range(64 * MIB);
    range->base_era = HF_ERA_MAX / 2 + 1;
    assert_int_equal(hf_space_give(range), 0);
    hf_range *other = take_range(64 * MIB);
    assert_ptr_not_equal(other, range);
    assert_ptr_equal(hf_space_find(range->base), range);
    other->base_era = HF_ERA_MAX / 2; /* half is not past half */
    assert_int_equal(hf_space_give(other), 0);
    assert_ptr_equal(take_range(64 * MIB), other);
    assert_int_equal(hf_space_give(other), 0);
}

static void what_the_address_space_has_not_is_refused(void **state) {
    (void)state;
    hf_range *range = NULL;
    assert_int_not_equal(hf_space_take(UINT64_C(1) << 47, UINT64_C(1) << 47, &advice, &range), 0);
    assert_int_not_equal(hf_space_take(UINT64_MAX, UINT64_MAX, &advice, &range), 0);
    assert_int_not_equal(hf_space_take((UINT64_C(1) << 63) + 1, UINT64_MAX, &advice, &range), 0);
    assert_null(range);
    assert_int_equal(hf_space_take(1, UINT64_MAX, &advice, &range), 0); /* preferred is a wish */
    assert_int_equal(hf_space_give(range), 0);
}

static void a_smaller_range_is_taken_when_the_preferred_one_is_refused(void **state) {
    (void)state;
    hf_range *range = NULL;
    hf_os_fail_at(1, false);
    assert_int_equal(hf_space_take(128 * GIB, 256 * GIB, &advice, &range), 0);
    assert_int_equal(hf_os_failures(), 1);
    hf_os_fail_at(0, false);
    assert_int_equal(range->bytes, 128 * GIB);
    assert_int_equal(hf_space_give(range), 0);
}

static void a_refused_give_leaves_the_range_with_its_owner(void **state) {
    (void)state;
    hf_range *range = take_range(128 * MIB);
    assert_int_equal(hf_space_commit(range, 1), 0);
    range->used_bytes = 1;
    memset(range->base, 1, MIB);
    hf_os_fail_at(1, false);
    assert_int_not_equal(hf_space_give(range), 0);
    hf_os_fail_at(0, false);
    assert_true(range->serving);
    assert_int_equal(present_bytes(range->base, 2 * MIB), 0); /* the pages at least went */
    assert_ptr_not_equal(take_range(128 * MIB), range);
    assert_int_equal(hf_space_give(range), 0);
    assert_ptr_equal(take_range(128 * MIB), range);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_a_range_leads_to_it_and_no_other),
        cmocka_unit_test(addresses_of_strangers_are_nobodys),
        cmocka_unit_test(an_overlap_is_seen_wherever_it_lies),
        cmocka_unit_test(idle_ranges_are_recycled_oldest_first),
        cmocka_unit_test(a_given_range_reads_as_zeros_and_holds_no_page),
        cmocka_unit_test(a_range_remembers_the_highest_era_of_its_past),
        cmocka_unit_test(a_range_past_half_of_its_eras_serves_nobody_any_more),
        cmocka_unit_test(what_the_address_space_has_not_is_refused),
        cmocka_unit_test(a_smaller_range_is_taken_when_the_preferred_one_is_refused),
        cmocka_unit_test(a_refused_give_leaves_the_range_with_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
