/* SPDX-License-Identifier: MIT
 *
 * The scenarios about what things cost the machine: resident memory at an open, mappings at their limit. They look at the figures
 * of the whole process, in which a sanitizer's own memory would hide ours; so they do not run in its builds.
 */
#include "suite.h"

#include "child.h"
#include "memory.h"

#include <sys/mman.h>

/* A pool entry for each slice: 8 GiB took 254 MiB of heap and 420 ms. Opening must cost the same for 1 MiB and 1 TiB. */
static size_t growth_of_an_open(uint64_t bytes) {
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    hf_pool_options pool_options = HF_POOL_OPTIONS_INIT;
    hf_arena arena;
    hf_pool pool;
    options.reserve_bytes = bytes;
    pool_options.limit_bytes = bytes;
    struct mappings before = { 0 }, after = { 0 };
    size_t sum_before = 0, sum_after = 0;
    assert_true(mappings_read(&before)); /* twice: the first takes the memory for the list itself */
    assert_true(mappings_read(&after));
    assert_true(mappings_read(&before));
    assert_ok(hf_arena_open(&options, &arena));
    assert_ok(hf_pool_open(arena, &pool_options, &pool));
    assert_true(mappings_read(&after));
    for (size_t i = 0; i < before.count; i++)
        sum_before += before.all[i].rss_bytes;
    for (size_t i = 0; i < after.count; i++)
        sum_after += after.all[i].rss_bytes;
    assert_true(arena_stats_of(arena).reserved_bytes >= bytes);
    assert_ok(hf_arena_close(arena, 0));
    mappings_free(&before);
    mappings_free(&after);
    return sum_after > sum_before ? sum_after - sum_before : 0;
}

static void init_of_every_slice(void **state) {
    (void)state;
    growth_of_an_open(MIB); /* whatever the first call of anything costs */
    size_t small = growth_of_an_open(MIB), large = growth_of_an_open(1024 * GIB);
    assert_true(small < 128 * KIB);
    assert_true(large < small + 64 * KIB);
}

/* munmap failing at the map-count limit (matrixone#28737). A child uses up its mappings: every call still answers with a status,
 * what can't be done is said, and all of it works again once there are mappings. */
#define FILLERS_MAX 200000

static int poor_in_mappings(void) {
    hf_arena arena, second;
    hf_pool pool;
    hf_segment pages[32], page;
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = 16 * MIB;
    CHILD_NEEDS(hf_arena_open(NULL, &arena) == HF_OK && hf_pool_open(arena, &options, &pool) == HF_OK);
    for (unsigned i = 0; i < 32; i++) {
        CHILD_NEEDS(hf_pool_allocate(pool, 64 * KIB, 0, &pages[i]) == HF_OK);
        memset(pages[i].address, 1, pages[i].size);
    }
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), fillers = 0;
    char *wall = mmap(NULL, FILLERS_MAX * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHILD_NEEDS(wall != MAP_FAILED);
    while (fillers < FILLERS_MAX / 2 && mprotect(wall + fillers * 2 * page_bytes, page_bytes, PROT_READ) == 0)
        fillers++; /* each hole in the rights makes two mappings more */
    CHILD_NEEDS(fillers < FILLERS_MAX / 2);

    size_t got = 0;
    hf_status status = HF_OK;
    static hf_segment more[256];
    while (got < 256 && (status = hf_pool_allocate(pool, 64 * KIB, 0, &more[got])) == HF_OK) {
        memset(more[got].address, 1, more[got].size);
        got++;
    }
    CHILD_NEEDS(status == HF_OK || status == HF_NO_MEMORY);
    CHILD_NEEDS(hf_release(&pages[0]) == HF_OK);
    hf_status trimmed = hf_pool_trim(pool, 0, NULL);
    CHILD_NEEDS(trimmed == HF_OK || trimmed == HF_SYSTEM || trimmed == HF_NO_MEMORY);
    hf_status opened = hf_arena_open(NULL, &second);
    CHILD_NEEDS(opened == HF_OK || opened == HF_NO_MEMORY || opened == HF_SYSTEM);
    if (opened == HF_OK) {
        hf_status bump = hf_arena_allocate(second, 100, 8, &page);
        CHILD_NEEDS(bump == HF_OK || bump == HF_NO_MEMORY);
    }
    hf_status closed = hf_arena_close(arena, 0);
    CHILD_NEEDS(closed == HF_OK || closed == HF_SYSTEM || closed == HF_NO_MEMORY);
    CHILD_NEEDS(hf_check(&pages[1]) == HF_CLOSED);
    CHILD_NEEDS(hf_write(&pages[1], 0, "x", 1) == HF_CLOSED);

    CHILD_NEEDS(munmap(wall, FILLERS_MAX * page_bytes) == 0);
    if (closed != HF_OK)
        CHILD_NEEDS(hf_arena_close(arena, 0) == HF_OK);
    CHILD_NEEDS(hf_arena_close(arena, 0) == HF_CLOSED);
    CHILD_NEEDS(present_bytes(pages[1].address, pages[1].size) == 0 || all_bytes_are(pages[1].address, pages[1].size, 0));
    if (opened == HF_OK)
        CHILD_NEEDS(hf_arena_close(second, 0) == HF_OK);
    CHILD_NEEDS(hf_arena_open(NULL, &second) == HF_OK && hf_arena_close(second, 0) == HF_OK);
    return 0;
}

static void map_count_limit(void **state) {
    (void)state;
    assert_int_equal(in_a_child(poor_in_mappings), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_of_every_slice),
        cmocka_unit_test(map_count_limit),
    };
    return cmocka_run_group_tests_name("scenarios_machine", tests, NULL, NULL);
}
