/* SPDX-License-Identifier: MIT
 *
 * Counters that can be full, sizes that are extreme, and figures that must not grow.
 */
#include "suite.h"

#include "arena.h"
#include "memory.h"
#include "pool.h"

static void four_thousand_arenas_and_then_none_until_one_closes(void **state) {
    (void)state;
    static hf_arena arenas[HF_ARENAS_MAX];
    hf_arena one_more = { 77 };
    for (int i = 0; i < HF_ARENAS_MAX; i++) arenas[i] = open_arena();
    assert_status(hf_arena_open(NULL, &one_more), HF_LIMIT);
    assert_int_equal(one_more.id, 77);
    assert_ok(hf_arena_close(arenas[1234], 0));
    arenas[1234] = open_arena();
    for (int i = 0; i < HF_ARENAS_MAX; i++) assert_ok(hf_arena_close(arenas[i], 0));
    for (int i = 0; i < HF_ARENAS_MAX; i++) assert_false(hf_arena_is_open(arenas[i]));
}

static void a_thousand_pools_and_then_none_until_one_closes(void **state) {
    (void)state;
    static hf_pool pools[HF_POOLS_MAX];
    static hf_segment pages[HF_POOLS_MAX];
    hf_arena arena = open_arena();
    hf_pool one_more = { 77 };
    for (int i = 0; i < HF_POOLS_MAX; i++) {
        pools[i] = open_pool(arena, 64 * KIB);
        pages[i] = take(pools[i], 1);
    }
    assert_status(hf_pool_open(arena, NULL, &one_more), HF_LIMIT);
    assert_int_equal(one_more.id, 77);
    assert_ok(hf_pool_close(pools[500], 0));
    assert_status(hf_check(&pages[500]), HF_CLOSED);
    pools[500] = open_pool(arena, 64 * KIB);
    for (int i = 0; i < HF_POOLS_MAX; i++)
        if (i != 500) assert_ok(hf_check(&pages[i]));
    assert_ok(hf_arena_close(arena, 0));
    for (int i = 0; i < HF_POOLS_MAX; i++) assert_status(hf_pool_trim(pools[i], 0, NULL), HF_CLOSED);
}

/* One round of everything that takes address space. */
static void round_of_all(void) {
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    hf_arena arena;
    hf_segment bump;
    options.reserve_bytes = 32 * MIB;
    assert_ok(hf_arena_open(&options, &arena));
    for (int i = 0; i < 3; i++) {
        hf_pool pool = open_pool(arena, 16 * MIB);
        hf_segment page = take(pool, 4 * KIB << i), large = take(pool, 5 * MIB);
        memset(page.address, 1, page.size);
        assert_ok(hf_release(&large));
    }
    assert_ok(hf_arena_allocate(arena, 3 * MIB, 4096, &bump));
    assert_ok(hf_arena_close(arena, 0));
}

static void address_space_does_not_grow_with_repetition(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) round_of_all();
    size_t before = process_figure("VmSize");
    for (int i = 0; i < 300; i++) round_of_all();
    assert_int_equal(process_figure("VmSize"), before);
}

static void a_request_that_failed_leaves_no_address_space_behind(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, GIB);
    hf_segment segment;
    uint64_t reserved_bytes = 0;
    size_t address_space = 0;
    for (int i = 0; i < 40; i++) {
        hf_os_fail_at(i == 1 || i == 2 ? 2 : 1, true); /* the reservation, the metadata, then the slot itself again and again */
        hf_status status = hf_pool_allocate(pool, 40 * MIB, 0, &segment);
        hf_os_fail_at(0, false);
        assert_int_equal(status, HF_NO_MEMORY);
        hf_pool_stats s = stats_of(pool);
        if (i == 0) reserved_bytes = s.reserved_bytes;
        if (i == 3) address_space = process_figure("VmSize");
        if (i > 3) assert_int_equal(process_figure("VmSize"), address_space);
        assert_int_equal(s.reserved_bytes, reserved_bytes);
        assert_int_equal(s.charged_bytes + s.charged_peak_bytes, 0);
    }
    assert_ok(hf_pool_allocate(pool, 40 * MIB, 0, &segment));
    assert_ok(hf_arena_close(arena, 0));
}

static void requests_beyond_any_machine_are_refused_and_change_nothing(void **state) {
    (void)state;
    static const size_t sizes[] = {
        UINT64_C(1) << 47, UINT64_C(1) << 50, (UINT64_C(1) << 63) - 1, UINT64_C(1) << 63, SIZE_MAX - 4096, SIZE_MAX,
    };
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, SIZE_MAX);
    hf_segment segment;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_status(hf_pool_allocate(pool, sizes[i], 0, &segment), HF_NO_MEMORY);
        assert_status(hf_arena_allocate(arena, sizes[i], 1, &segment), HF_NO_MEMORY);
        assert_status(hf_arena_allocate(arena, 1, UINT64_C(1) << 63, &segment), HF_NO_MEMORY);
    }
    assert_books_add_up(pool);
    hf_pool_stats s = stats_of(pool);
    assert_int_equal(s.charged_bytes + s.charged_peak_bytes + s.allocations, 0);
    assert_ok(hf_pool_allocate(pool, UINT64_C(1) << 40, HF_UNINITIALISED, &segment)); /* a terabyte is only address space */
    ((volatile char *)segment.address)[segment.size - 1] = 1;
    assert_ok(hf_release(&segment));
    assert_ok(hf_arena_close(arena, 0));
}

static void every_odd_list_of_classes_gives_slots_of_its_sizes(void **state) {
    (void)state;
    static const uint64_t lists[][HF_CLASSES_MAX] = {
        { 4096 }, { 3 * MIB }, { 64 * MIB }, { GIB }, { 4096, 3 * MIB, 5 * MIB, 65 * MIB, GIB, 1024 * GIB }, { 0 },
    };
    hf_arena arena = open_arena();
    for (size_t list = 0; list <= sizeof lists / sizeof lists[0]; list++) {
        hf_pool_options options = HF_POOL_OPTIONS_INIT;
        hf_pool pool;
        options.limit_bytes = 4096 * GIB;
        for (uint64_t i = 0; i < HF_CLASSES_MAX; i++)
            options.class_bytes[i] = list < sizeof lists / sizeof lists[0] ? lists[list][i] : (i + 1) * 28 * KIB;
        assert_ok(hf_pool_open(arena, &options, &pool));
        uint32_t classes = stats_of(pool).class_count - 1;
        size_t resident_before = process_figure("VmRSS");
        for (uint32_t i = 0; i < classes; i++) {
            uint64_t bytes = stats_of(pool).classes[i].slot_bytes, alignment = bytes & (~bytes + 1);
            hf_segment segments[3];
            for (int k = 0; k < 3; k++) {
                segments[k] = take(pool, bytes);
                assert_int_equal(segments[k].size, bytes);
                assert_int_equal((uintptr_t)segments[k].address % (alignment > 2 * MIB ? 2 * MIB : alignment), 0);
                ((volatile char *)segments[k].address)[bytes - 1] = 1;
            }
            for (int k = 0; k < 3; k++) {
                hf_segment found;
                assert_ok(hf_pool_find(pool, (char *)segments[k].address + bytes - 1, &found));
                assert_ptr_equal(found.address, segments[k].address);
                assert_ok(hf_release_dirty(&segments[k], SIZE_MAX));
            }
            assert_ok(hf_pool_trim(pool, 0, NULL));
        }
        assert_true(process_figure("VmRSS") <= resident_before + 2 * MIB); /* metadata follows what is used, not what a class spans */
        assert_books_add_up(pool);
        assert_ok(hf_pool_close(pool, 0));
    }
    assert_ok(hf_arena_close(arena, 0));
}

static void a_limit_below_one_slot_refuses_every_slot(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 4095);
    hf_segment segment;
    assert_status(hf_pool_allocate(pool, 1, 0, &segment), HF_NO_MEMORY);
    assert_ok(hf_pool_set_limit(pool, 4096));
    assert_ok(hf_pool_allocate(pool, 1, 0, &segment));
    assert_status(hf_pool_allocate(pool, 1, 0, &segment), HF_NO_MEMORY);
    assert_ok(hf_arena_close(arena, 0));
}

static void a_zero_length_slice_at_the_very_end_is_a_segment_like_any_other(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 4096), end, again;
    size_t where = 7;
    assert_ok(hf_slice(&page, 4096, 0, &end));
    assert_ptr_equal(end.address, (char *)page.address + 4096);
    assert_ok(hf_check(&end));
    assert_ok(hf_read(&end, 0, NULL, 0));
    assert_ok(hf_fill(&end, 0, 0, 1));
    assert_ok(hf_slice(&end, 0, 0, &again));
    assert_ok(hf_mismatch(&end, &again, &where));
    assert_int_equal(where, SIZE_MAX);
    assert_status(hf_slice(&end, 1, 0, &again), HF_OUT_OF_BOUNDS);
    assert_status(hf_set_u8(&end, 0, 1), HF_OUT_OF_BOUNDS);
    assert_status(hf_release(&end), HF_INVALID);
    assert_ok(hf_release(&page));
    assert_status(hf_read(&end, 0, NULL, 0), HF_STALE);
    assert_ok(hf_arena_close(arena, 0));
}

static void option_structs_may_be_longer_than_known_if_the_tail_is_zero(void **state) {
    (void)state;
    struct {
        hf_pool_options known;
        uint64_t later[4];
    } longer = { .known = HF_POOL_OPTIONS_INIT };
    hf_arena arena = open_arena();
    hf_pool pool;
    longer.known.struct_bytes = sizeof longer;
    longer.known.limit_bytes = 65536;
    assert_ok(hf_pool_open(arena, &longer.known, &pool));
    assert_int_equal(stats_of(pool).limit_bytes, 65536);
    longer.later[3] = 1;
    assert_status(hf_pool_open(arena, &longer.known, &pool), HF_INVALID);
    struct {
        hf_pool_stats known;
        uint64_t later[4];
    } stats = { .known = HF_POOL_STATS_INIT, .later = { 1, 2, 3, 4 } };
    stats.known.struct_bytes = sizeof stats;
    assert_ok(hf_pool_get_stats(pool, &stats.known));
    assert_int_equal(stats.known.struct_bytes, sizeof stats);
    assert_int_equal(stats.later[0] | stats.later[3], 0);
    assert_ok(hf_arena_close(arena, 0));
}

static void option_structs_may_be_shorter_than_known_and_the_rest_is_default(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool;
    hf_pool_options shorter = HF_POOL_OPTIONS_INIT;
    shorter.struct_bytes = offsetof(hf_pool_options, class_bytes);
    shorter.limit_bytes = 65536;
    shorter.class_bytes[0] = 1; /* behind the end: not looked at */
    assert_ok(hf_pool_open(arena, &shorter, &pool));
    hf_pool_stats s = HF_POOL_STATS_INIT;
    s.struct_bytes = offsetof(hf_pool_stats, charged_peak_bytes);
    s.charged_peak_bytes = s.classes[0].slot_bytes = 99;
    assert_ok(hf_pool_get_stats(pool, &s));
    assert_int_equal(s.limit_bytes, 65536);
    assert_int_equal(s.charged_peak_bytes + s.classes[0].slot_bytes, 198); /* behind the end: not written */
    s.struct_bytes = 0;
    assert_status(hf_pool_get_stats(pool, &s), HF_INVALID);
    shorter.struct_bytes = 7;
    assert_status(hf_pool_open(arena, &shorter, &pool), HF_INVALID);
    assert_ok(hf_arena_close(arena, 0));
}

static void metadata_of_touched_slots_is_small(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 256 * MIB);
    size_t before = process_figure("VmRSS");
    for (int i = 0; i < 32768; i++) { /* 128 MiB of slots, none of them touched: what is resident is bookkeeping */
        hf_segment segment;
        assert_ok(hf_pool_allocate(pool, 4096, HF_UNINITIALISED, &segment));
    }
    assert_true(process_figure("VmRSS") - before < 2 * MIB);
    assert_ok(hf_arena_close(arena, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_thousand_arenas_and_then_none_until_one_closes),
        cmocka_unit_test(a_thousand_pools_and_then_none_until_one_closes),
        cmocka_unit_test(address_space_does_not_grow_with_repetition),
        cmocka_unit_test(a_request_that_failed_leaves_no_address_space_behind),
        cmocka_unit_test(requests_beyond_any_machine_are_refused_and_change_nothing),
        cmocka_unit_test(every_odd_list_of_classes_gives_slots_of_its_sizes),
        cmocka_unit_test(a_limit_below_one_slot_refuses_every_slot),
        cmocka_unit_test(a_zero_length_slice_at_the_very_end_is_a_segment_like_any_other),
        cmocka_unit_test(option_structs_may_be_longer_than_known_if_the_tail_is_zero),
        cmocka_unit_test(option_structs_may_be_shorter_than_known_and_the_rest_is_default),
        cmocka_unit_test(metadata_of_touched_slots_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
