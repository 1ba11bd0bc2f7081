/* SPDX-License-Identifier: MIT
 *
 * What opening and closing cost in address space and memory. The figures are those of the whole process, in which a sanitizer's own
 * memory would hide ours; so this does not run in its builds.
 */
#include "suite.h"

#include "memory.h"

static void a_thousand_arenas_one_after_the_other_use_the_same_address_space(void **state) {
    (void)state;
    size_t after_first = 0;
    for (unsigned i = 0; i < 1000; i++) {
        hf_arena arena = open_arena();
        hf_pool pool = open_pool(arena, 16 * MIB);
        hf_segment page = take(pool, 64 * KIB), large = take(pool, 2 * MIB), bump;
        assert_ok(hf_arena_allocate(arena, 100000, 64, &bump));
        memset(page.address, 1, page.size);
        memset(large.address, 1, large.size);
        assert_ok(hf_arena_close(arena, 0));
        if (i == 20)
            after_first = process_figure("VmSize");
    }
    assert_true(process_figure("VmSize") <= after_first + 64 * MIB); /* 980 more would be gigabytes */
}

static void a_tebibyte_is_reserved_and_costs_no_memory(void **state) {
    (void)state;
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    hf_arena arena;
    options.reserve_bytes = 1024 * GIB;
    assert_ok(hf_arena_open(NULL, &arena)); /* whatever a first open costs */
    assert_ok(hf_arena_close(arena, 0));
    size_t virtual_before = process_figure("VmSize"), resident_before = process_figure("RssAnon");
    assert_ok(hf_arena_open(&options, &arena));
    size_t virtual_after = process_figure("VmSize"), resident_after = process_figure("RssAnon");
    assert_true(virtual_after - virtual_before >= 1024 * GIB);
    assert_true(resident_after < resident_before + 64 * KIB);
    assert_true(arena_stats_of(arena).reserved_bytes >= 1024 * GIB);
    hf_pool pool = open_pool(arena, 1024 * GIB);
    hf_segment page = take(pool, 64 * KIB);
    assert_ok(hf_fill(&page, 0, page.size, 1));
    assert_true(process_figure("RssAnon") < resident_after + 512 * KIB);
    assert_ok(hf_arena_close(arena, 0));
    assert_true(process_figure("RssAnon") < resident_before + 512 * KIB);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_arenas_one_after_the_other_use_the_same_address_space),
        cmocka_unit_test(a_tebibyte_is_reserved_and_costs_no_memory),
    };
    return cmocka_run_group_tests_name("contract_cost", tests, NULL, NULL);
}
