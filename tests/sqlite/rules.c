/* SPDX-License-Identifier: MIT
 *
 * The single rules of the page cache, one test each: what a page is in memory and what it costs, which page goes first, what the
 * three create flags do at the limit, how caches of one process give to each other, and how memory goes back to the system.
 */
#include "methods.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define PAGE_BYTES 4096u
#define BLOCK_BYTES 65536u
#define LARGE_BLOCK_BYTES (68u << 10) /* of 64 KiB pages */

static sqlite3_pcache *open_cache(size_t size, int pages, bool purgeable) {
    sqlite3_pcache *cache = methods.xCreate((int)size, EXTRA_BYTES, purgeable);
    assert_non_null(cache);
    methods.xCachesize(cache, pages);
    return cache;
}

static sqlite3_pcache_page *fetch(sqlite3_pcache *cache, unsigned key, int create) { return methods.xFetch(cache, key, create); }

/* Fetches and unpins: the page is now the most recently used one. */
static void touch(sqlite3_pcache *cache, unsigned key) {
    sqlite3_pcache_page *page = fetch(cache, key, 2);
    assert_non_null(page);
    methods.xUnpin(cache, page, 0);
}

static bool has(sqlite3_pcache *cache, unsigned key) {
    sqlite3_pcache_page *page = fetch(cache, key, 0);
    if (page)
        methods.xUnpin(cache, page, 0);
    return page != NULL;
}

static void start(uint64_t limit_bytes) { assert_true(cache_start(limit_bytes)); }

static void finish(void) {
    assert_int_equal(stats_now().live_bytes, 0);
    assert_int_equal(stats_now().misuses, 0);
    assert_int_equal(stats_now().caches, 0);
    cache_stop();
}

/* ------------------------------------------------------------------------------------------------------------ memory of a page */

static void pages_cost_at_most_ten_percent_above_page_and_extra_bytes(void **state) {
    (void)state;
    start(0);
    for (size_t size = 512; size <= 65536; size *= 2)
        for (int extra = 200; extra < 250; extra += 8) {
            unsigned count = size < 4096 ? 16384 : (unsigned)(64 * MIB / size);
            sqlite3_pcache *cache = methods.xCreate((int)size, extra, 0);
            uint64_t table_bytes = 64 * sizeof(void *), asked_bytes = (uint64_t)count * (size + (uint64_t)extra), live_bytes;
            for (unsigned key = 1; key <= count; key++)
                assert_non_null(fetch(cache, key, 2));
            while (table_bytes < count * sizeof(void *)) /* the buckets are not in holdfast's memory, but they count */
                table_bytes *= 2;
            live_bytes = stats_now().live_bytes;
            if (extra == 216)
                print_message("# %5zu-byte pages: %.2f %% above page and extra bytes, %.2f %% with the table of buckets\n", size,
                              100.0 * (double)live_bytes / (double)asked_bytes - 100,
                              100.0 * (double)(live_bytes + table_bytes) / (double)asked_bytes - 100);
            assert_true((live_bytes + table_bytes) * 10 <= asked_bytes * 11);
            methods.xDestroy(cache);
        }
    finish();
}

static void sixteen_bytes_past_a_page_are_readable_and_of_the_same_cell(void **state) {
    (void)state;
    start(0);
    for (size_t size = 512; size <= 65536; size *= 2) {
        sqlite3_pcache *cache = open_cache(size, 100, true);
        for (unsigned key = 1; key <= 100; key++) {
            sqlite3_pcache_page *page = fetch(cache, key, 2);
            volatile const unsigned char *end = (const unsigned char *)page->pBuf + size;
            unsigned sum = 0;
            for (int i = 0; i < 16; i++)
                sum += end[i];
            assert_true(sum <= 16 * 255);
            assert_true((const unsigned char *)page->pExtra >= end + 16);
            assert_true((const unsigned char *)page->pExtra + EXTRA_BYTES <= end + 64 + EXTRA_BYTES);
            assert_int_equal((uintptr_t)page->pBuf % 8, 0);
            assert_int_equal((uintptr_t)page->pExtra % 8, 0);
        }
        methods.xDestroy(cache);
    }
    finish();
}

static void a_page_is_found_again_with_its_bytes_and_is_new_once(void **state) {
    sqlite3_pcache *cache;
    sqlite3_pcache_page *page;
    (void)state;
    start(0);
    cache = open_cache(PAGE_BYTES, 10, true);
    assert_null(fetch(cache, 7, 0));
    page = fetch(cache, 7, 1);
    assert_int_equal(*(uint64_t *)page->pExtra, 0);
    page_write(page, PAGE_BYTES, 77);
    assert_ptr_equal(fetch(cache, 7, 0), page);
    methods.xUnpin(cache, page, 0); /* one unpin, however many fetches */
    assert_ptr_equal(fetch(cache, 7, 2), page);
    assert_true(page_is(page, PAGE_BYTES, 77));
    methods.xUnpin(cache, page, 1);
    assert_null(fetch(cache, 7, 0));
    assert_int_equal(methods.xPagecount(cache), 0);
    page = fetch(cache, 7, 1);
    assert_int_equal(*(uint64_t *)page->pExtra, 0);
    methods.xDestroy(cache);
    finish();
}

/* ------------------------------------------------------------------------------------------------------------ within cachesize */

static void the_least_recently_used_page_goes_first(void **state) {
    sqlite3_pcache *cache;
    (void)state;
    start(0);
    cache = open_cache(PAGE_BYTES, 10, true);
    for (unsigned key = 1; key <= 10; key++)
        touch(cache, key);
    for (unsigned key = 10; key >= 1; key--) /* now 10 is the oldest, 1 the newest */
        touch(cache, key);
    for (unsigned key = 11; key <= 15; key++)
        touch(cache, key);
    for (unsigned key = 1; key <= 15; key++)
        assert_int_equal(has(cache, key), key <= 5 || key >= 11);
    assert_int_equal(methods.xPagecount(cache), 10);
    methods.xDestroy(cache);
    finish();
}

static void a_pinned_page_stays_whatever_the_size(void **state) {
    sqlite3_pcache *cache;
    sqlite3_pcache_page *page;
    (void)state;
    start(0);
    cache = open_cache(PAGE_BYTES, 5, true);
    page = fetch(cache, 1, 2);
    page_write(page, PAGE_BYTES, 1);
    for (unsigned key = 2; key <= 1000; key++)
        touch(cache, key);
    methods.xCachesize(cache, 1);
    methods.xShrink(cache);
    assert_ptr_equal(fetch(cache, 1, 0), page);
    assert_true(page_is(page, PAGE_BYTES, 1));
    assert_int_equal(methods.xPagecount(cache), 1);
    methods.xDestroy(cache);
    finish();
}

static void a_smaller_size_drops_the_oldest_pages_at_once(void **state) {
    sqlite3_pcache *cache;
    (void)state;
    start(0);
    cache = open_cache(PAGE_BYTES, 100, true);
    for (unsigned key = 1; key <= 100; key++)
        touch(cache, key);
    methods.xCachesize(cache, 30);
    assert_int_equal(methods.xPagecount(cache), 30);
    assert_false(has(cache, 70));
    assert_true(has(cache, 71));
    methods.xDestroy(cache);
    finish();
}

static void create_flag_1_is_refused_when_nine_tenths_are_pinned_and_2_is_not(void **state) {
    sqlite3_pcache *cache;
    (void)state;
    start(0);
    cache = open_cache(PAGE_BYTES, 100, true);
    for (unsigned key = 1; key <= 90; key++)
        assert_non_null(fetch(cache, key, 1));
    assert_null(fetch(cache, 91, 1));
    assert_non_null(fetch(cache, 91, 2));
    for (unsigned key = 92; key <= 300; key++) /* far above the size, which is advice */
        assert_non_null(fetch(cache, key, 2));
    methods.xDestroy(cache);
    finish();
}

static void rekey_moves_a_page_and_discards_what_was_there(void **state) {
    sqlite3_pcache *cache;
    sqlite3_pcache_page *page;
    (void)state;
    start(0);
    cache = open_cache(PAGE_BYTES, 10, true);
    touch(cache, 5);
    page = fetch(cache, 3, 2);
    page_write(page, PAGE_BYTES, 33);
    methods.xRekey(cache, page, 3, 5);
    assert_ptr_equal(fetch(cache, 5, 0), page);
    assert_true(page_is(page, PAGE_BYTES, 33));
    assert_null(fetch(cache, 3, 0));
    methods.xRekey(cache, page, 5, 4000000000u);
    assert_ptr_equal(fetch(cache, 4000000000u, 0), page);
    assert_int_equal(methods.xPagecount(cache), 1);
    methods.xDestroy(cache);
    finish();
}

static void truncate_drops_pinned_pages_too_and_keeps_those_below(void **state) {
    sqlite3_pcache *cache;
    (void)state;
    start(0);
    cache = open_cache(PAGE_BYTES, 1000, true);
    for (unsigned key = 1; key <= 600; key++)
        if (key % 2)
            assert_non_null(fetch(cache, key, 2));
        else
            touch(cache, key);
    methods.xTruncate(cache, 595); /* few keys */
    assert_int_equal(methods.xPagecount(cache), 594);
    methods.xTruncate(cache, 11); /* many */
    assert_int_equal(methods.xPagecount(cache), 10);
    assert_true(has(cache, 10));
    assert_false(has(cache, 11));
    methods.xTruncate(cache, 0);
    assert_int_equal(methods.xPagecount(cache), 0);
    assert_non_null(fetch(cache, 600, 2));
    methods.xTruncate(cache, 600);
    assert_int_equal(methods.xPagecount(cache), 0);
    methods.xDestroy(cache);
    finish();
}

/* ---------------------------------------------------------------------------------------------------------------- at the limit */

static void the_limit_of_the_process_holds_and_the_flags_mean_what_they_say_there(void **state) {
    sqlite3_pcache *cache;
    unsigned fits = 0;
    (void)state;
    start(4 * BLOCK_BYTES);
    cache = open_cache(PAGE_BYTES, 100000, true);
    while (fetch(cache, fits + 1, 1))
        fits++;
    assert_int_equal(fits, 4 * 15); /* 15 cells in a block */
    assert_int_equal(methods.xPagecount(cache), INT_MAX); /* SQLite shall spill, whatever its cachesize */
    assert_int_equal(methods.xPagecount(cache), fits);
    assert_null(fetch(cache, fits + 1, 1));
    assert_null(fetch(cache, fits + 1, 2)); /* all pinned: out of memory */
    assert_int_equal(methods.xPagecount(cache), fits);
    methods.xUnpin(cache, fetch(cache, 1, 0), 0);
    assert_null(fetch(cache, fits + 1, 1)); /* few are unpinned: SQLite shall spill */
    assert_non_null(fetch(cache, fits + 1, 2));
    assert_false(has(cache, 1));
    for (unsigned key = 2; key <= fits; key++)
        methods.xUnpin(cache, fetch(cache, key, 0), 0);
    assert_non_null(fetch(cache, fits + 2, 1)); /* many are: the oldest goes */
    assert_false(has(cache, 2));
    assert_int_equal(methods.xPagecount(cache), fits);
    assert_int_equal(stats_now().held_bytes, 4 * BLOCK_BYTES);
    assert_true(stats_now().refused >= 3);
    methods.xDestroy(cache);
    finish();
}

static void a_starving_cache_gets_unpinned_pages_of_others_and_never_pinned_ones(void **state) {
    sqlite3_pcache *full, *starving, *memory;
    sqlite3_pcache_page *kept, *only;
    uint64_t taken;
    (void)state;
    start(BLOCK_BYTES + 3 * LARGE_BLOCK_BYTES); /* one small and three large blocks, or two and two */
    taken = stats_now().taken;
    memory = open_cache(PAGE_BYTES, 100000, false);
    only = fetch(memory, 1, 2);
    page_write(only, PAGE_BYTES, 11);
    full = open_cache(PAGE_BYTES, 100000, true);
    for (unsigned key = 1; key <= 45; key++)
        touch(full, key);
    kept = fetch(full, 20, 0);
    page_write(kept, PAGE_BYTES, 20);
    starving = open_cache(65536, 100000, true); /* another page size: the blocks change their class, too */
    assert_non_null(fetch(starving, 1, 2));
    assert_non_null(fetch(starving, 2, 2));
    assert_null(fetch(starving, 3, 2)); /* two blocks are left, each with a pinned page */
    assert_int_equal(methods.xPagecount(full), 15);
    assert_ptr_equal(fetch(full, 20, 0), kept);
    assert_true(page_is(kept, PAGE_BYTES, 20));
    assert_ptr_equal(fetch(memory, 1, 0), only);
    assert_true(page_is(only, PAGE_BYTES, 11));
    assert_int_equal(stats_now().taken - taken, 2);
    methods.xDestroy(full);
    assert_non_null(fetch(starving, 3, 2));
    methods.xDestroy(starving);
    methods.xDestroy(memory);
    finish();
}

static void a_cache_that_came_late_gets_its_share_in_time(void **state) {
    sqlite3_pcache *early, *late;
    (void)state;
    start(32 * BLOCK_BYTES);
    early = open_cache(PAGE_BYTES, 100000, true);
    for (unsigned key = 1; key <= 32 * 15; key++)
        touch(early, key);
    late = open_cache(PAGE_BYTES, 100000, true);
    for (unsigned round = 0; round < 20; round++)
        for (unsigned key = 1; key <= 32 * 15; key++)
            touch(late, key);
    assert_in_range(methods.xPagecount(late), 14 * 15, 18 * 15);
    assert_in_range(methods.xPagecount(early), 14 * 15, 18 * 15);
    methods.xDestroy(early);
    methods.xDestroy(late);
    finish();
}

static void with_no_room_for_one_block_nothing_is_given_and_nothing_breaks(void **state) {
    sqlite3_pcache *cache;
    (void)state;
    start(BLOCK_BYTES - 1);
    cache = open_cache(PAGE_BYTES, 100, true);
    for (int create = 0; create <= 2; create++)
        assert_null(fetch(cache, 1, create));
    assert_int_equal(methods.xPagecount(cache), 0);
    methods.xShrink(cache);
    methods.xTruncate(cache, 1);
    methods.xDestroy(cache);
    finish();
}

/* --------------------------------------------------------------------------------------------------------- memory that goes back */

static void shrink_gives_unpinned_pages_back_to_the_system(void **state) {
    sqlite3_pcache *cache;
    hf_sqlite_stats before, after;
    (void)state;
    start(0);
    cache = open_cache(PAGE_BYTES, 100000, true);
    for (unsigned key = 1; key <= 1500; key++)
        touch(cache, key);
    assert_non_null(fetch(cache, 700, 0));
    before = stats_now();
    assert_int_equal(before.live_bytes, 100 * BLOCK_BYTES);
    methods.xShrink(cache);
    after = stats_now();
    assert_int_equal(after.live_bytes, BLOCK_BYTES);
    assert_int_equal(after.held_bytes, BLOCK_BYTES);
    assert_int_equal(after.given_back_bytes - before.given_back_bytes, before.held_bytes - BLOCK_BYTES);
    assert_int_equal(methods.xPagecount(cache), 1);
    methods.xDestroy(cache);
    finish();
}

static void release_memory_takes_from_all_caches_but_what_is_not_purgeable(void **state) {
    sqlite3_pcache *caches[3];
    size_t released = 0;
    (void)state;
    start(0);
    for (int i = 0; i < 3; i++) {
        caches[i] = open_cache(PAGE_BYTES, 100000, i < 2);
        for (unsigned key = 1; key <= 150; key++)
            if (i < 2)
                touch(caches[i], key);
            else
                assert_non_null(fetch(caches[i], key, 2));
    }
    assert_int_equal(hf_sqlite_release_memory(4 * BLOCK_BYTES, &released), HF_OK);
    assert_in_range(released, 4 * BLOCK_BYTES, 6 * BLOCK_BYTES);
    assert_int_equal(hf_sqlite_release_memory(1000 * BLOCK_BYTES, &released), HF_OK);
    assert_int_equal(methods.xPagecount(caches[0]) + methods.xPagecount(caches[1]), 0);
    assert_int_equal(methods.xPagecount(caches[2]), 150);
    assert_int_equal(stats_now().held_bytes, 10 * BLOCK_BYTES);
    for (int i = 0; i < 3; i++)
        methods.xDestroy(caches[i]);
    finish();
    assert_int_equal(hf_sqlite_release_memory(1, &released), HF_CLOSED);
}

static void discarded_blocks_go_back_to_the_pool_but_one(void **state) {
    sqlite3_pcache *cache;
    (void)state;
    start(0);
    cache = open_cache(PAGE_BYTES, 100000, false);
    for (unsigned key = 1; key <= 150; key++)
        assert_non_null(fetch(cache, key, 2));
    assert_int_equal(stats_now().blocks, 10);
    for (unsigned key = 1; key <= 150; key++)
        methods.xUnpin(cache, fetch(cache, key, 0), 1);
    assert_int_equal(stats_now().blocks, 1);
    methods.xShrink(cache);
    assert_int_equal(stats_now().blocks, 0);
    methods.xDestroy(cache);
    finish();
}

static void statistics_survive_shutdown_and_a_new_start(void **state) {
    hf_sqlite_stats before, after;
    sqlite3_pcache *cache;
    (void)state;
    start(0);
    before = stats_now();
    cache = open_cache(PAGE_BYTES, 10, true);
    touch(cache, 1);
    touch(cache, 1);
    touch(cache, 2);
    methods.xDestroy(cache);
    finish();
    after = stats_now();
    assert_int_equal(after.hits - before.hits, 1);
    assert_int_equal(after.misses - before.misses, 2);
    assert_int_equal(after.held_bytes, 0);
    assert_int_equal(after.given_back_bytes - before.given_back_bytes, BLOCK_BYTES);
    start(0);
    assert_int_equal(stats_now().hits, after.hits);
    cache_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_cost_at_most_ten_percent_above_page_and_extra_bytes),
        cmocka_unit_test(sixteen_bytes_past_a_page_are_readable_and_of_the_same_cell),
        cmocka_unit_test(a_page_is_found_again_with_its_bytes_and_is_new_once),
        cmocka_unit_test(the_least_recently_used_page_goes_first),
        cmocka_unit_test(a_pinned_page_stays_whatever_the_size),
        cmocka_unit_test(a_smaller_size_drops_the_oldest_pages_at_once),
        cmocka_unit_test(create_flag_1_is_refused_when_nine_tenths_are_pinned_and_2_is_not),
        cmocka_unit_test(rekey_moves_a_page_and_discards_what_was_there),
        cmocka_unit_test(truncate_drops_pinned_pages_too_and_keeps_those_below),
        cmocka_unit_test(the_limit_of_the_process_holds_and_the_flags_mean_what_they_say_there),
        cmocka_unit_test(a_starving_cache_gets_unpinned_pages_of_others_and_never_pinned_ones),
        cmocka_unit_test(a_cache_that_came_late_gets_its_share_in_time),
        cmocka_unit_test(with_no_room_for_one_block_nothing_is_given_and_nothing_breaks),
        cmocka_unit_test(shrink_gives_unpinned_pages_back_to_the_system),
        cmocka_unit_test(release_memory_takes_from_all_caches_but_what_is_not_purgeable),
        cmocka_unit_test(discarded_blocks_go_back_to_the_pool_but_one),
        cmocka_unit_test(statistics_survive_shutdown_and_a_new_start),
    };
    hfs_audit = false; /* the walks are model.c's business */
    return cmocka_run_group_tests_name("sqlite_rules", tests, NULL, NULL);
}
