/* SPDX-License-Identifier: MIT
 *
 * Many caches in many threads under a limit that is far too small, so that they take blocks from each other all the time, while one
 * more thread releases memory everywhere and reads the statistics. SQLite lets one thread at a time into a cache, and so do these.
 *
 * Every page carries a mark of its cache, key and version: a block given to two owners, or taken with a pinned page in it, shows.
 * Under ThreadSanitizer this is the test of the lopsided lock in pcache.c. It runs twice: with membarrier, and with the owners' own
 * fences, for kernels without it.
 */
#include "clock.h"
#include "crew.h"
#include "methods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { OWNERS = 5, KEYS = 300, ROUNDS = 4, STEPS = 6000, PINS = 8 };

struct owner {
    uint64_t wrong, found, made, refused;
};

struct stage {
    struct owner owners[OWNERS];
    unsigned owners_left; /* atomic */
    uint64_t releases;
};

struct pinned {
    unsigned key;
    sqlite3_pcache_page *page;
};

static bool is_pinned(const struct pinned *pins, unsigned key) {
    for (unsigned i = 0; i < PINS; i++)
        if (pins[i].page && pins[i].key == key)
            return true;
    return false;
}

/* One fetch into one of the pins, which lets its former page go. */
static void owner_step(sqlite3_pcache *cache, size_t size, struct owner *owner, struct pinned *pin, unsigned key, uint64_t mark) {
    sqlite3_pcache_page *page;
    uint64_t first;

    if (pin->page) {
        owner->wrong += !page_is(pin->page, size, mark | pin->key);
        methods.xUnpin(cache, pin->page, key % 16 == 0);
    }
    page = methods.xFetch(cache, key, 1);
    if (!page)
        page = methods.xFetch(cache, key, 2);
    pin->page = page;
    pin->key = key;
    if (!page) {
        owner->refused++;
        return;
    }
    memcpy(&first, page->pExtra, 8);
    if (first != 0) {
        owner->found++;
        owner->wrong += !page_is(page, size, mark | key);
        return;
    }
    owner->made++;
    page_write(page, size, mark | key);
}

static void own(unsigned me, struct owner *owner) {
    static const size_t sizes[] = { 1024, 4096, 4096, 8192, 16384 };
    uint64_t random = 1234567 + me;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct pinned pins[PINS] = { { 0, NULL } };
        uint64_t mark = ((uint64_t)me << 48) | ((uint64_t)(round + 1) << 32);
        sqlite3_pcache *cache = methods.xCreate((int)sizes[me], EXTRA_BYTES, 1);
        methods.xCachesize(cache, KEYS);
        for (unsigned i = 0; i < STEPS; i++) {
            unsigned key = 1 + (unsigned)(next_random(&random) % KEYS);
            if (is_pinned(pins, key))
                continue;
            owner_step(cache, sizes[me], owner, &pins[next_random(&random) % PINS], key, mark);
            if (i % 1500 == 1499)
                methods.xShrink(cache);
        }
        methods.xDestroy(cache);
    }
}

static void work(unsigned me, void *context) {
    struct stage *stage = context;
    hf_sqlite_stats stats = HF_SQLITE_STATS_INIT;

    if (me < OWNERS) {
        own(me, &stage->owners[me]);
        (void)__atomic_sub_fetch(&stage->owners_left, 1, __ATOMIC_RELEASE);
        return;
    }
    while (__atomic_load_n(&stage->owners_left, __ATOMIC_ACQUIRE) > 0) {
        (void)hf_sqlite_release_memory(3 * 65536, NULL);
        (void)hf_sqlite_get_stats(&stats);
        stage->releases++;
        sleep_ns(MILLISECONDS / 2); /* the owners are to get somewhere, too */
    }
}

static void play(void) {
    struct stage stage = { .owners_left = OWNERS };
    uint64_t taken = stats_now().taken;

    crew_run(OWNERS + 1, work, &stage);
    for (unsigned i = 0; i < OWNERS; i++) {
        assert_int_equal(stage.owners[i].wrong, 0);
        assert_true(stage.owners[i].made > 1000);
        assert_true(stage.owners[i].found > 0);
    }
    assert_true(stage.releases > 0);
    assert_true(stats_now().taken > taken); /* otherwise this tested nothing */
    assert_int_equal(stats_now().live_bytes, 0);
    assert_int_equal(stats_now().misuses, 0);
    assert_true(stats_now().peak_bytes <= 24 * 65536);
}

static void caches_in_many_threads_take_from_each_other_and_keep_their_pinned_pages(void **state) {
    (void)state;
    assert_true(cache_start(24 * 65536));
    play();
    cache_stop();
}

static void the_same_without_membarrier(void **state) {
    (void)state;
    assert_true(cache_start(24 * 65536));
    hfs_owner_fences = true; /* no cache is open */
    play();
    cache_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caches_in_many_threads_take_from_each_other_and_keep_their_pinned_pages),
        cmocka_unit_test(the_same_without_membarrier),
    };
    hfs_audit = false;
    return cmocka_run_group_tests_name("sqlite_threads", tests, NULL, NULL);
}
