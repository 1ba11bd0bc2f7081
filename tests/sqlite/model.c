/* SPDX-License-Identifier: MIT
 *
 * The page cache against a model of what SQLite was promised, at every page size: random fetches, unpins, rekeys and truncates,
 * with the contents of every page checked at every fetch. The model is an array: key -> in the cache for certain (pinned), perhaps
 * (unpinned: may be dropped at any time), or not at all; and the mark that its contents must show. The audited build of the cache
 * also walks its own structures after each operation.
 */
#include "crew.h"
#include "methods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { KEYS = 400, STEPS = 20000 };

enum presence { ABSENT, UNPINNED, PINNED };

struct model {
    sqlite3_pcache *cache;
    size_t size;
    bool purgeable;
    uint64_t random;
    enum presence presence[KEYS + 1];
    sqlite3_pcache_page *page[KEYS + 1];
    uint64_t mark[KEYS + 1];
    uint64_t marks;
    unsigned pinned;
};

static unsigned pick(struct model *m, unsigned below) { return (unsigned)(next_random(&m->random) % below); }

static void forget(struct model *m, unsigned key) {
    m->pinned -= m->presence[key] == PINNED;
    m->presence[key] = ABSENT;
    m->page[key] = NULL;
}

static void model_fetch(struct model *m, unsigned key, int create) {
    sqlite3_pcache_page *page = methods.xFetch(m->cache, key, create);
    uint64_t fresh;

    if (!page) {
        assert_int_not_equal(m->presence[key], PINNED);
        if (m->presence[key] == UNPINNED)
            assert_true(m->purgeable);
        assert_true(create < 2); /* the limit is far away */
        forget(m, key);
        return;
    }
    if (m->presence[key] == PINNED)
        assert_ptr_equal(page, m->page[key]);
    memcpy(&fresh, page->pExtra, 8);
    if (m->presence[key] != ABSENT && fresh != 0) {
        assert_true(page_is(page, m->size, m->mark[key]));
    } else {
        assert_int_equal(fresh, 0); /* how SQLite knows that the page is new */
        assert_int_not_equal(m->presence[key], PINNED);
        assert_int_not_equal(create, 0);
        m->mark[key] = ++m->marks;
        page_write(page, m->size, m->mark[key]);
    }
    m->pinned += m->presence[key] != PINNED;
    m->presence[key] = PINNED;
    m->page[key] = page;
}

static void model_unpin(struct model *m, unsigned key, int discard) {
    if (m->presence[key] != PINNED)
        return;
    methods.xUnpin(m->cache, m->page[key], discard);
    m->pinned--;
    m->presence[key] = discard ? ABSENT : UNPINNED;
}

static void model_rekey(struct model *m, unsigned from, unsigned to) {
    if (m->presence[from] != PINNED || m->presence[to] == PINNED || from == to)
        return;
    methods.xRekey(m->cache, m->page[from], from, to);
    forget(m, to);
    m->presence[to] = PINNED;
    m->page[to] = m->page[from];
    m->mark[to] = m->mark[from];
    m->presence[from] = ABSENT; /* still pinned, under another key */
    m->page[from] = NULL;
}

static void model_truncate(struct model *m, unsigned from) {
    methods.xTruncate(m->cache, from);
    for (unsigned key = from; key <= KEYS; key++)
        forget(m, key);
}

static void check_pinned(struct model *m) {
    unsigned certain = 0;
    for (unsigned key = 1; key <= KEYS; key++)
        if (m->presence[key] == PINNED) {
            assert_true(page_is(m->page[key], m->size, m->mark[key]));
            certain++;
        }
    assert_int_equal(certain, m->pinned);
    assert_true((unsigned)methods.xPagecount(m->cache) >= m->pinned);
}

static void step(struct model *m) {
    unsigned key = 1 + pick(m, KEYS), choice = pick(m, 1000);

    if (choice < 500)
        model_fetch(m, key, choice % 3 == 0 && m->purgeable ? 1 : (choice % 3 == 1 ? 0 : 2));
    else if (choice < 920)
        model_unpin(m, key, m->purgeable ? pick(m, 8) == 0 : 1);
    else if (choice < 985)
        model_rekey(m, key, 1 + pick(m, KEYS));
    else if (choice < 990)
        methods.xCachesize(m->cache, (int)pick(m, KEYS));
    else if (choice < 994)
        model_truncate(m, KEYS / 2 + pick(m, KEYS / 2));
    else if (choice < 995)
        model_truncate(m, pick(m, KEYS));
    else if (choice < 997)
        methods.xShrink(m->cache);
    else
        check_pinned(m);
}

static void play(size_t size, bool purgeable) {
    struct model m = { .size = size, .purgeable = purgeable, .random = size + purgeable };
    m.cache = methods.xCreate((int)size, EXTRA_BYTES, purgeable);
    assert_non_null(m.cache);
    methods.xCachesize(m.cache, KEYS / 2);
    hfs_audit = true;
    for (unsigned i = 0; i < STEPS; i++) {
        hfs_audit = i % 16 == 0; /* the walks are what takes the time */
        step(&m);
    }
    check_pinned(&m);
    methods.xDestroy(m.cache);
    assert_int_equal(stats_now().live_bytes, 0);
    assert_int_equal(stats_now().misuses, 0);
}

static void purgeable_caches_of_every_page_size_behave_like_the_model(void **state) {
    (void)state;
    for (size_t size = 512; size <= 65536; size *= 2)
        play(size, true);
}

static void caches_that_are_not_purgeable_never_lose_a_page_at_any_page_size(void **state) {
    (void)state;
    for (size_t size = 512; size <= 65536; size *= 2)
        play(size, false);
}

static int start(void **state) {
    (void)state;
    return cache_start(0) ? 0 : -1;
}

static int stop(void **state) {
    (void)state;
    cache_stop();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purgeable_caches_of_every_page_size_behave_like_the_model),
        cmocka_unit_test(caches_that_are_not_purgeable_never_lose_a_page_at_any_page_size),
    };
    return cmocka_run_group_tests_name("sqlite_model", tests, start, stop);
}
