/* SPDX-License-Identifier: MIT
 *
 * P5: the books. The pool's figures are compared with the kernel's, /proc/self/smaps, to the page.
 *
 *     kernel's resident size of pool memory <= charged <= limit        at every moment
 *     kernel's resident size of pool memory == charged                 when every charged page was touched
 *
 * The second is easy to ask: random work in which every byte of every segment is written, then a look at rest. The first needs
 * thought, because a look at smaps takes time: the kernel walks the page tables while other threads go on. A walk is a moment's
 * truth only if nothing shrinks behind it and grows before it. So there are three looks:
 *
 *     while things only grow      resident (a walk) <= charged (asked after it): each page seen is still there then
 *     while things only shrink    resident (a walk) <= charged (asked before it): each page seen was there then
 *     while everything happens    between two calls, in a moment when every worker has been asked to stand still
 *
 * Addresses are kept one per 2 MiB: a pool's slots are in few mappings, and one address in each is enough to find them.
 */
#include "suite.h"

#include "clock.h"
#include "crew.h"
#include "memory.h"

#include <sched.h>
#include <stdatomic.h>

#define WORKERS 4
#define PLACES 4096

/* The 2 MiB places in which the pool ever gave us memory. Written under the lock, read at rest or under it. */
struct places {
    pthread_mutex_t lock;
    const void *address[PLACES];
    size_t count;
    bool full;
};

static void remember(struct places *p, const hf_segment *page) {
    pthread_mutex_lock(&p->lock);
    for (size_t at = 0; at < page->size; at += 2 * MIB) {
        const char *address = (const char *)page->address + at;
        bool known = false;
        for (size_t i = p->count; i-- > 0 && !known;)
            known = (uintptr_t)p->address[i] / (2 * MIB) == (uintptr_t)address / (2 * MIB);
        if (!known && p->count < PLACES)
            p->address[p->count++] = address;
        p->full |= p->count == PLACES;
    }
    pthread_mutex_unlock(&p->lock);
}

static size_t resident(struct places *p) {
    pthread_mutex_lock(&p->lock);
    static const void *copy[PLACES];
    size_t count = p->count;
    memcpy(copy, p->address, count * sizeof *copy);
    pthread_mutex_unlock(&p->lock);
    return count ? resident_where(copy, count) : 0;
}

/* One worker's hand: segments it holds, and what it does next. */
enum { HOLD = 40 };

struct work {
    hf_pool pool;
    struct places *places;
    atomic_bool stand_still; /* the looker asks; each worker then stays outside its next step */
    atomic_bool in_step[WORKERS];
    uint64_t rounds, limit_bytes;
    bool touch;
    unsigned strange[WORKERS];
    hf_segment held[WORKERS][HOLD];
    bool has[WORKERS][HOLD];
    atomic_uint finished;
};

static size_t random_size(uint64_t *random) {
    uint64_t shape = next_random(random) % 16;
    if (shape == 0)
        return (size_t)(next_random(random) % (3 * MIB) + 1);
    return (size_t)(next_random(random) % ((4 * KIB) << shape % 7) + 1);
}

static void one_step(struct work *w, unsigned me, uint64_t *random) {
    unsigned at = (unsigned)(next_random(random) % HOLD), what = (unsigned)(next_random(random) % 100);
    hf_segment *held = &w->held[me][at];
    if (w->has[me][at]) {
        /* a true hint: the whole was written if we touch, nothing if we do not */
        hf_status status = what % 2 ? hf_release(held) : hf_release_dirty(held, w->touch ? held->size : 0);
        w->strange[me] += status != HF_OK;
        w->has[me][at] = false;
    } else if (what < 96) {
        unsigned flags = what < 10 ? HF_POPULATE : what < 30 ? HF_UNINITIALISED : 0;
        hf_status status = hf_pool_allocate(w->pool, random_size(random), flags, held);
        w->has[me][at] = status == HF_OK;
        w->strange[me] += status != HF_OK && status != HF_NO_MEMORY;
        if (status == HF_OK)
            remember(w->places, held);
        if (status == HF_OK && w->touch)
            memset(held->address, (int)what | 1, held->size);
    } else if (what < 98) {
        w->strange[me] += hf_pool_trim(w->pool, next_random(random) % (8 * MIB), NULL) != HF_OK;
    } else {
        w->strange[me] += hf_pool_set_limit(w->pool, w->limit_bytes - next_random(random) % (w->limit_bytes / 2)) != HF_OK;
    }
}

static void work_member(unsigned me, void *context) {
    struct work *w = context;
    uint64_t random = 1000 + me, until = now_ns() + 2 * SECONDS;
    for (uint64_t i = 0; i < w->rounds && now_ns() < until; i++) {
        atomic_store(&w->in_step[me], true); /* first say so, then look, as the looker does: one of the two sees the other */
        while (atomic_load(&w->stand_still)) {
            atomic_store(&w->in_step[me], false);
            sched_yield();
            atomic_store(&w->in_step[me], true);
        }
        one_step(w, me, &random);
        atomic_store(&w->in_step[me], false);
    }
    atomic_fetch_add(&w->finished, 1);
}

static struct work *new_work(hf_pool pool, struct places *places, uint64_t limit_bytes, bool touch) {
    struct work *w = calloc(1, sizeof *w);
    memset(places, 0, sizeof *places);
    pthread_mutex_init(&places->lock, NULL);
    w->pool = pool;
    w->places = places;
    w->rounds = 20000;
    w->touch = touch;
    w->limit_bytes = limit_bytes;
    return w;
}

static void release_what_is_held(struct work *w) {
    for (unsigned t = 0; t < WORKERS; t++)
        for (unsigned i = 0; i < HOLD; i++)
            if (w->has[t][i])
                assert_ok(hf_release(&w->held[t][i]));
}

static struct places places;

static void books_equal_the_kernels_to_the_page_when_every_page_was_touched(void **state) {
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        hf_arena arena = open_arena();
        struct work *w = new_work(open_pool(arena, 32 * MIB), &places, 32 * MIB, true);
        crew_run(WORKERS, work_member, w);
        for (unsigned t = 0; t < WORKERS; t++)
            assert_int_equal(w->strange[t], 0);
        assert_false(places.full);
        assert_int_equal(resident(&places), stats_of(w->pool).charged_bytes);
        assert_true(stats_of(w->pool).charged_bytes > 0);
        assert_ok(hf_pool_set_limit(w->pool, 32 * MIB));
        assert_books_add_up(w->pool);
        release_what_is_held(w);
        assert_int_equal(resident(&places), stats_of(w->pool).charged_bytes);
        assert_ok(hf_pool_trim(w->pool, MIB, NULL));
        assert_true(stats_of(w->pool).charged_bytes <= MIB);
        assert_int_equal(resident(&places), stats_of(w->pool).charged_bytes);
        assert_ok(hf_pool_trim(w->pool, 0, NULL));
        assert_int_equal(stats_of(w->pool).charged_bytes, 0);
        assert_int_equal(resident(&places), 0);
        assert_books_add_up(w->pool);
        assert_ok(hf_arena_close(arena, 0));
        assert_int_equal(resident(&places), 0);
        free(w);
    }
}

struct look {
    struct work *work;
    unsigned looks, above_charge, above_limit;
};

static void stop_all(struct work *w) {
    atomic_store(&w->stand_still, true);
    for (unsigned i = 0; i < WORKERS; i++)
        while (atomic_load(&w->in_step[i]))
            sched_yield();
}

static void standing_still_member(unsigned me, void *context) {
    struct look *l = context;
    if (me < WORKERS) {
        work_member(me, l->work);
        return;
    }
    while (atomic_load(&l->work->finished) < WORKERS) {
        stop_all(l->work);
        hf_pool_stats s = HF_POOL_STATS_INIT;
        hf_pool_get_stats(l->work->pool, &s);
        size_t now = resident(l->work->places);
        atomic_store(&l->work->stand_still, false);
        l->above_charge += now > s.charged_bytes;
        l->above_limit += s.charged_bytes > s.limit_bytes && s.charged_bytes > s.live_bytes + s.lingering_bytes;
        l->looks++;
        sched_yield();
    }
}

static void resident_is_never_above_charged_while_everything_happens(void **state) {
    (void)state;
    for (unsigned touch = 0; touch < 2; touch++) {
        hf_arena arena = open_arena();
        struct look l = { .work = new_work(open_pool(arena, 32 * MIB), &places, 32 * MIB, touch) };
        crew_run(WORKERS + 1, standing_still_member, &l);
        assert_true(l.looks > 0);
        assert_int_equal(l.above_charge, 0);
        assert_int_equal(l.above_limit, 0); /* above a limit that was lowered only with what is in use: the free went back */
        for (unsigned t = 0; t < WORKERS; t++)
            assert_int_equal(l.work->strange[t], 0);
        release_what_is_held(l.work);
        assert_ok(hf_arena_close(arena, 0));
        free(l.work);
    }
}

/* Growing and shrinking, looked at from another thread in the middle of the calls. */
enum { GROW_MIB = 48, GROW_PAGES = GROW_MIB * 16 };

struct tide {
    hf_pool pool;
    hf_segment *pages;
    size_t count;
    bool rising;
    atomic_bool done;
    unsigned strange[2], looks, above;
};

static void tide_member(unsigned me, void *context) {
    struct tide *t = context;
    if (me == 0) {
        for (size_t i = 0; t->rising && i < GROW_PAGES; i++, t->count++) {
            t->strange[me] += hf_pool_allocate(t->pool, 64 * KIB, i % 4 == 0 ? HF_POPULATE : 0, &t->pages[i]) != HF_OK;
            memset(t->pages[i].address, 1, t->pages[i].size);
            remember(&places, &t->pages[i]);
        }
        for (size_t i = 0; !t->rising && i < GROW_PAGES; i++, t->count--) {
            t->strange[me] += hf_release(&t->pages[i]) != HF_OK;
            if (i % 16 == 0)
                t->strange[me] += hf_pool_trim(t->pool, 0, NULL) != HF_OK;
        }
        atomic_store(&t->done, true);
        return;
    }
    while (!atomic_load(&t->done)) {
        hf_pool_stats before = HF_POOL_STATS_INIT, after = HF_POOL_STATS_INIT;
        t->strange[me] += hf_pool_get_stats(t->pool, &before) != HF_OK;
        size_t now = resident(&places);
        t->strange[me] += hf_pool_get_stats(t->pool, &after) != HF_OK;
        t->above += now > (t->rising ? after.charged_bytes : before.charged_bytes) || now > GROW_MIB * MIB;
        t->looks++;
    }
}

static void resident_is_never_above_charged_in_the_middle_of_a_call(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    struct tide t = { .pool = open_pool(arena, GROW_MIB * MIB), .pages = calloc(GROW_PAGES, sizeof(hf_segment)) };
    memset(&places, 0, sizeof places);
    pthread_mutex_init(&places.lock, NULL);
    for (unsigned round = 0; round < 6; round++) {
        t.rising = round % 2 == 0;
        atomic_store(&t.done, false);
        crew_run(2, tide_member, &t);
        assert_int_equal(t.strange[0] + t.strange[1], 0);
        assert_int_equal(t.above, 0);
    }
    assert_true(t.looks > 0);
    free(t.pages);
    assert_ok(hf_arena_close(arena, 0));
}

/* Exactly floor(limit / class) allocations succeed: from one thread, from eight, and with the caches of eight threads full of other
 * classes' slots. */
struct fit {
    hf_pool pool;
    size_t size;
    unsigned each, got[8], strange[8];
    pthread_barrier_t filled; /* all caches are full, and nobody holds anything */
    hf_segment *pages[8];
};

static void fill_caches(unsigned me, void *context) {
    struct fit *f = context;
    hf_segment page[4];
    for (unsigned class = 0; class < 7; class++)
        for (unsigned n = 0; n < 2; n++) {
            unsigned got = 0;
            while (got < 4 && hf_pool_allocate(f->pool, 4 * KIB << class, 0, &page[got]) == HF_OK)
                got++;
            while (got > 0)
                f->strange[me] += hf_release(&page[--got]) != HF_OK;
        }
}

static void fit_member(unsigned me, void *context) {
    struct fit *f = context;
    for (unsigned i = 0; i < f->each; i++) {
        hf_status status = hf_pool_allocate(f->pool, f->size, HF_UNINITIALISED, &f->pages[me][f->got[me]]);
        f->got[me] += status == HF_OK;
        f->strange[me] += status != HF_OK && status != HF_NO_MEMORY;
    }
}

static void caches_then_fit_member(unsigned me, void *context) {
    struct fit *f = context;
    fill_caches(me, context); /* the same threads, so that the caches that are full are those of threads at work */
    pthread_barrier_wait(&f->filled);
    fit_member(me, context);
}

static void count_fits(crew_work *work, unsigned threads, size_t size, unsigned fit) {
    hf_arena arena = open_arena();
    struct fit f = { .pool = open_pool(arena, fit * size + size - 1), .size = size, .each = fit / threads + 3 };
    for (unsigned i = 0; i < threads; i++)
        f.pages[i] = calloc(f.each, sizeof(hf_segment));
    pthread_barrier_init(&f.filled, NULL, threads);
    crew_run(threads, work, &f);
    pthread_barrier_destroy(&f.filled);
    unsigned got = 0;
    for (unsigned i = 0; i < threads; i++) {
        got += f.got[i];
        assert_int_equal(f.strange[i], 0);
    }
    hf_segment none;
    assert_status(hf_pool_allocate(f.pool, size, 0, &none), HF_NO_MEMORY);
    assert_int_equal(stats_of(f.pool).live_bytes, got * size);
    assert_int_equal(got, fit);
    assert_int_equal(stats_of(f.pool).charged_bytes, fit * size);
    for (unsigned i = 0; i < threads; i++)
        free(f.pages[i]);
    assert_ok(hf_arena_close(arena, 0));
}

static void as_many_allocations_succeed_as_fit_the_limit(void **state) {
    (void)state;
    const size_t sizes[] = { 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 512 * KIB, 3 * MIB };
    for (unsigned i = 0; i < 6; i++) {
        count_fits(fit_member, 1, sizes[i], 37);
        for (unsigned round = 0; round < 5; round++)
            count_fits(fit_member, 8, sizes[i], 101);
    }
}

static void as_many_fit_with_caches_full_of_other_classes(void **state) {
    (void)state;
    const size_t sizes[] = { 4 * KIB, 64 * KIB, 256 * KIB, 512 * KIB };
    for (unsigned i = 0; i < 4; i++) {
        hf_arena arena = open_arena();
        struct fit f = { .pool = open_pool(arena, 64 * 64 * KIB), .size = sizes[i], .each = 64 * 64 * 1024 / (unsigned)sizes[i] };
        crew_run(8, fill_caches, &f); /* the threads end, one after the other or all at once: their caches are full till then */
        f.pages[0] = calloc(f.each + 1, sizeof(hf_segment));
        fit_member(0, &f);
        assert_int_equal(f.got[0], f.each);
        assert_int_equal(f.strange[0], 0);
        assert_books_add_up(f.pool);
        free(f.pages[0]);
        assert_ok(hf_arena_close(arena, 0));
        for (unsigned round = 0; round < 5; round++)
            count_fits(caches_then_fit_member, 8, sizes[i], 101);
    }
}

static void a_slot_is_charged_whole_from_its_first_issue(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 8 * MIB);
    assert_int_equal(stats_of(pool).charged_bytes, 0);
    hf_segment page = take(pool, 65 * KIB), large = take(pool, 300 * KIB + 1), bump;
    assert_int_equal(page.size, 128 * KIB);
    assert_int_equal(large.size, 304 * KIB);
    assert_int_equal(stats_of(pool).charged_bytes, 432 * KIB);
    assert_ok(hf_arena_allocate(arena, 4 * MIB, 8, &bump)); /* neither bump nor adopted memory counts */
    assert_int_equal(stats_of(pool).charged_bytes, 432 * KIB);
    assert_ok(hf_release(&page));
    assert_int_equal(stats_of(pool).charged_bytes, 432 * KIB);
    assert_int_equal(stats_of(pool).cached_bytes, 128 * KIB);
    assert_ok(hf_pool_trim(pool, 0, NULL));
    assert_int_equal(stats_of(pool).charged_bytes, 304 * KIB);
    assert_int_equal(stats_of(pool).charged_peak_bytes, 432 * KIB);
    assert_int_equal(stats_of(pool).given_back_bytes, 128 * KIB);
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_is_charged_whole_from_its_first_issue),
        cmocka_unit_test(as_many_allocations_succeed_as_fit_the_limit),
        cmocka_unit_test(as_many_fit_with_caches_full_of_other_classes),
        cmocka_unit_test(books_equal_the_kernels_to_the_page_when_every_page_was_touched),
        cmocka_unit_test(resident_is_never_above_charged_while_everything_happens),
        cmocka_unit_test(resident_is_never_above_charged_in_the_middle_of_a_call),
    };
    return cmocka_run_group_tests_name("contract_books", tests, NULL, NULL);
}
