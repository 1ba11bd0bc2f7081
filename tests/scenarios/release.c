/* SPDX-License-Identifier: MIT
 *
 * The scenarios about whose memory it is: releases that come twice, late, from afar or with the wrong view, and readers that look
 * at memory while it changes hands.
 *
 * Each test has the name of a defect that a real pool had. Threads record, the main thread asserts (crew.h says why).
 */
#include "suite.h"

#include "clock.h"
#include "crew.h"

#include <sched.h>
#include <stdatomic.h>

/* No detection of a second release. Exactly one HF_OK, every other HF_STALE. */
static void double_release(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 16 * MIB);
    const size_t sizes[] = { 1, 4096, 8192, 65536, 262144, 300000, 5 * MIB };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        hf_segment page = take(pool, sizes[i]), copy = page;
        assert_ok(hf_release(&copy));
        assert_status(hf_release(&page), HF_STALE);
        assert_status(hf_release(&copy), HF_STALE);
        hf_segment a = take(pool, sizes[i]), b = take(pool, sizes[i]);
        assert_true(a.address != b.address); /* the slot went back once */
        assert_ok(hf_release(&a));
        assert_ok(hf_release(&b));
    }
    assert_books_add_up(pool);
    assert_int_equal(stats_of(pool).misuses, 2 * sizeof sizes / sizeof *sizes);
    assert_ok(hf_arena_close(arena, 0));
}

/* Contains-then-remove, which two threads pass. One winner in every round, and the slot goes back once.
 *
 * The racers meet at a line where they spin: a futex would wake them microseconds apart, and the window is nanoseconds wide. Each
 * round has a page that one of them allocated, in turn, so that the slot comes from one thread's cache and goes to another's. */
#define RACERS_MAX 4

struct release_race {
    hf_pool pool;
    unsigned racers, rounds, rounds_done, wrong;
    atomic_uint arrived;
    hf_segment page;
    hf_status status[RACERS_MAX];
    bool stop;
    size_t size;
};

/* The nth time that all racers stand here, all go on. */
static void line_up(struct release_race *r, unsigned *times) {
    unsigned goal = ++*times * r->racers;
    atomic_fetch_add(&r->arrived, 1);
    for (unsigned spins = 1; atomic_load(&r->arrived) < goal; spins++)
        if (spins % 4096 == 0)
            sched_yield();
}

static void judge(struct release_race *r) {
    unsigned won = 0, stale = 0;
    for (unsigned i = 0; i < r->racers; i++) {
        won += r->status[i] == HF_OK;
        stale += r->status[i] == HF_STALE;
    }
    r->wrong += won != 1 || stale != r->racers - 1;
    r->rounds_done++;
}

static void release_race_member(unsigned me, void *context) {
    struct release_race *r = context;
    uint64_t until = now_ns() + SECONDS;
    unsigned times = 0;
    for (unsigned round = 0;; round++) {
        if (me == 0)
            r->stop = round == r->rounds || now_ns() > until;
        line_up(r, &times);
        if (r->stop)
            break;
        if (me == round % r->racers)
            r->wrong += hf_pool_allocate(r->pool, r->size, HF_UNINITIALISED, &r->page) != HF_OK;
        line_up(r, &times);
        r->status[me] = me % 2 ? hf_release_dirty(&r->page, 64) : hf_release(&r->page);
        line_up(r, &times);
        if (me == 0)
            judge(r);
    }
}

static void double_release_race(void **state) {
    (void)state;
    const size_t sizes[] = { 4 * KIB, 64 * KIB, 512 * KIB };
    for (unsigned i = 0; i < 6; i++) {
        hf_arena arena = open_arena();
        struct release_race r = { .racers = i % 2 ? RACERS_MAX : 2, .rounds = 200000, .size = sizes[i / 2] };
        r.pool = open_pool(arena, MIB);
        crew_run(r.racers, release_race_member, &r);
        assert_int_equal(r.wrong, 0);
        assert_true(r.rounds_done > 0);
        hf_pool_stats s = stats_of(r.pool);
        assert_int_equal(s.live_bytes, 0);
        assert_int_equal(s.releases, r.rounds_done);
        assert_int_equal(s.misuses, r.rounds_done * (r.racers - 1));
        assert_books_add_up(r.pool);
        assert_ok(hf_arena_close(arena, 0));
    }
}

/* Release was keyed by address; a late second release freed the next owner's slot: two owners. HF_STALE, and the owner keeps it,
 * also when the late one races with the owner's own use and release. */
struct late {
    hf_pool pool;
    _Atomic(const hf_segment *) old;
    hf_segment shown[2];
    atomic_bool done;
    unsigned late_wins, lost;
};

static void late_member(unsigned me, void *context) {
    struct late *l = context;
    if (me != 0) {
        while (!atomic_load(&l->done)) {
            const hf_segment *old = atomic_load(&l->old);
            if (old && hf_release(old) != HF_STALE)
                l->late_wins++;
        }
        return;
    }
    uint64_t until = now_ns() + 2 * SECONDS;
    hf_segment first;
    l->lost += hf_pool_allocate(l->pool, 4096, 0, &first) != HF_OK || hf_release(&first) != HF_OK;
    l->shown[0] = first; /* stale for ever: the late thread releases it again and again */
    atomic_store(&l->old, &l->shown[0]);
    for (unsigned i = 0; i < 100000 && now_ns() < until; i++) {
        hf_segment page;
        if (hf_pool_allocate(l->pool, 4096, 0, &page) != HF_OK) {
            l->lost++;
            continue;
        }
        l->lost += page.address != first.address; /* the only slot there is */
        l->lost += hf_set_u64(&page, 0, i) != HF_OK;
        uint64_t seen = 0;
        l->lost += hf_get_u64(&page, 0, &seen) != HF_OK || seen != i;
        l->lost += hf_release(&page) != HF_OK;
    }
    atomic_store(&l->done, true);
}

static void stale_release_of_recycled_slot(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 128 * KIB);
    hf_segment old = take(pool, 64 * KIB);
    assert_ok(hf_release(&old));
    hf_segment young = take(pool, 64 * KIB);
    assert_ptr_equal(young.address, old.address);
    assert_status(hf_release(&old), HF_STALE);
    hf_segment other = take(pool, 64 * KIB);
    assert_true(other.address != young.address);
    assert_ok(hf_release(&young));
    assert_ok(hf_release(&other));

    struct late l = { .pool = open_pool(arena, 4096) };
    crew_run(2, late_member, &l);
    assert_int_equal(l.late_wins, 0);
    assert_int_equal(l.lost, 0);
    assert_ok(hf_arena_close(arena, 0));
}

/* A released handle stayed usable and wrote into the next owner. Checked writes and pins must refuse. */
static void stale_write_into_new_owner(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment old = take(pool, 16 * KIB), slice;
    hf_pinned pin;
    assert_ok(hf_slice(&old, 100, 100, &slice));
    assert_ok(hf_release(&old));
    hf_segment young = take(pool, 16 * KIB);
    assert_ptr_equal(young.address, old.address);
    assert_ok(hf_fill(&young, 0, young.size, 0x11));
    char bytes[16] = { 0 };
    assert_status(hf_write(&old, 0, "mine", 4), HF_STALE);
    assert_status(hf_write(&slice, 0, "mine", 4), HF_STALE);
    assert_status(hf_fill(&old, 0, old.size, 0), HF_STALE);
    assert_status(hf_set_u8(&old, 0, 0), HF_STALE);
    assert_status(hf_set_u16(&old, 1, 0), HF_STALE);
    assert_status(hf_set_u32(&old, 1, 0), HF_STALE);
    assert_status(hf_set_u64(&old, 1, 0), HF_STALE);
    assert_status(hf_copy(&young, 0, &old, 8, 8), HF_STALE);
    assert_status(hf_read(&old, 0, bytes, sizeof bytes), HF_STALE);
    assert_status(hf_pin(&old, &pin), HF_STALE);
    assert_true(all_bytes_are(bytes, sizeof bytes, 0));
    assert_true(all_bytes_are(young.address, young.size, 0x11));
    assert_ok(hf_arena_close(arena, 0));
}

/* Size taken from the caller's view: an 8 KiB slot released through a 4 KiB prefix went to the 4 KiB pool. The slot's class
 * decides. */
static void released_by_a_prefix(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 8 * KIB), prefix, empty;
    assert_ok(hf_slice(&page, 0, 4 * KIB, &prefix));
    assert_ok(hf_release(&prefix));
    assert_status(hf_check(&page), HF_STALE);
    hf_pool_stats s = stats_of(pool);
    assert_int_equal(s.classes[0].cached_slots, 0);
    assert_int_equal(s.classes[0].releases, 0);
    assert_int_equal(s.classes[1].cached_slots, 1);
    assert_int_equal(s.classes[1].releases, 1);
    assert_int_equal(s.cached_bytes, 8 * KIB);
    hf_segment small = take(pool, 4 * KIB), again = take(pool, 8 * KIB);
    assert_true(small.address != page.address);
    assert_ptr_equal(again.address, page.address);
    assert_int_equal(again.size, 8 * KIB);
    assert_ok(hf_slice(&again, 0, 0, &empty)); /* the shortest prefix there is */
    assert_ok(hf_release(&empty));
    assert_ok(hf_release(&small));
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

/* Silently ignored. They must be HF_FOREIGN and HF_INVALID, with a sentence. */
static void foreign_and_interior_release(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 16 * MIB);
    static uint64_t foreign[64];
    void *heap = malloc(4096);
    hf_segment invented = { foreign, sizeof foreign, (hf_hold *)foreign, UINT64_C(1) << 16 };
    hf_segment from_heap = { heap, 4096, (hf_hold *)heap, UINT64_C(1) << 16 };
    assert_status(hf_release(&invented), HF_FOREIGN);
    assert_non_null(strstr(hf_error_message(), "hf_release"));
    assert_status(hf_release(&from_heap), HF_FOREIGN);
    free(heap);
    hf_segment page = take(pool, 64 * KIB), inside, large = take(pool, 3 * MIB);
    for (size_t at = 1; at < page.size; at = at * 3 + 1) {
        assert_ok(hf_slice(&page, at, 1, &inside));
        assert_status(hf_release(&inside), HF_INVALID);
        assert_non_null(strstr(hf_error_message(), "hf_release"));
    }
    assert_ok(hf_slice(&large, 64 * KIB, 64 * KIB, &inside));
    assert_status(hf_release(&inside), HF_INVALID);
    assert_ok(hf_release(&page));
    assert_status(hf_release(&inside), HF_INVALID); /* asked before validity */
    assert_ok(hf_release(&large));
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

/* Release by another thread threw after the entry was removed: leaked for ever. Any thread may release, the large ones too. */
struct passing {
    hf_pool pool;
    hf_segment pages[8];
    hf_status status[8];
};

static void allocate_here(unsigned me, void *context) {
    struct passing *p = context;
    p->status[me] = hf_pool_allocate(p->pool, me % 2 ? 3 * MIB + me : 512 * KIB, 0, &p->pages[me]);
    if (p->status[me] == HF_OK)
        memset(p->pages[me].address, (int)me, p->pages[me].size);
}

static void release_there(unsigned me, void *context) {
    struct passing *p = context;
    p->status[me] = hf_release(&p->pages[7 - me]);
}

static void oversized_from_another_thread(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    struct passing p = { .pool = open_pool(arena, 4 * (3 * MIB + 4 * KIB) + 4 * 512 * KIB) };
    for (unsigned round = 0; round < 30; round++) {
        crew_run(8, allocate_here, &p);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(p.status[i], HF_OK); /* all of the limit is used: what leaked in an earlier round would be missing */
        crew_run(8, release_there, &p);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(p.status[i], HF_OK);
        assert_int_equal(stats_of(p.pool).live_bytes, 0);
        for (unsigned i = 0; i < 8; i++)
            assert_status(hf_release(&p.pages[i]), HF_STALE);
    }
    assert_books_add_up(p.pool);
    assert_ok(hf_arena_close(arena, 0));
}

/* Zeroing removed for speed; a recycled slot showed the last owner's byte 0x5a. Zero, or explicitly unspecified. */
static void dirty_reuse(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 4 * MIB);
    const size_t sizes[] = { 4 * KIB, 64 * KIB, 256 * KIB, 1 * MIB };
    for (unsigned i = 0; i < 4; i++)
        for (unsigned round = 0; round < 20; round++) {
            hf_segment page = take(pool, sizes[i]);
            assert_true(all_bytes_are(page.address, page.size, 0));
            size_t dirty = (page.size / 19 * round) & ~(size_t)7;
            memset(page.address, 0x5a, dirty);
            if (round % 3 == 0) {
                assert_ok(hf_release(&page));
            } else {
                assert_ok(hf_release_dirty(&page, dirty));
            }
            if (round % 5 == 0) { /* an owner that asked for no zeroing leaves its own dirt behind as well */
                assert_ok(hf_pool_allocate(pool, sizes[i], HF_UNINITIALISED, &page));
                memset((char *)page.address + page.size / 2, 0x5a, 64);
                assert_ok(hf_release_dirty(&page, page.size / 2 + 64));
                assert_ok(hf_pool_allocate(pool, sizes[i], HF_UNINITIALISED, &page));
                assert_ok(hf_release_dirty(&page, 0)); /* it wrote nothing; what was dirty before still is */
            }
        }
    assert_ok(hf_arena_close(arena, 0));
}

/* A stamp from an interior slice was always "valid". Slices must carry the slot's era. */
static void stamp_of_a_slice(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 64 * KIB), slice, of_slice, view, late;
    assert_ok(hf_slice(&page, 4096, 8192, &slice));
    assert_ok(hf_slice(&slice, 100, 50, &of_slice));
    assert_ok(hf_as_read_only(&of_slice, &view));
    assert_ok(hf_check(&of_slice));
    assert_ok(hf_check(&view));
    assert_ok(hf_release(&page));
    assert_status(hf_check(&slice), HF_STALE);
    assert_status(hf_check(&of_slice), HF_STALE);
    assert_status(hf_check(&view), HF_STALE);
    assert_ok(hf_slice(&page, 0, 64, &late)); /* slicing the dead is allowed; it stays dead */
    assert_status(hf_check(&late), HF_STALE);
    hf_segment young = take(pool, 64 * KIB);
    assert_ptr_equal(young.address, page.address);
    assert_status(hf_check(&slice), HF_STALE);
    assert_status(hf_check(&view), HF_STALE);
    assert_status(hf_check(&late), HF_STALE);
    assert_ok(hf_arena_close(arena, 0));
}

/* An unpin that was never a pin dropped somebody else's. Refused where it can be known: no pin at all, or a pin of an era that is
 * over. (A copied pin that is unpinned twice while another pin is held can't be told apart, and is outside the promises.) */
static void pin_theft(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 64 * KIB);
    hf_pinned theirs, mine, copy;
    assert_ok(hf_pin(&page, &mine));
    copy = mine;
    assert_ok(hf_unpin(&mine));
    assert_status(hf_unpin(&copy), HF_INVALID); /* the count is 0: it must not go below */
    assert_status(hf_arena_close(arena, 0), HF_OK);

    arena = open_arena();
    pool = open_pool(arena, MIB);
    page = take(pool, 64 * KIB);
    assert_ok(hf_pin(&page, &mine));
    copy = mine;
    assert_ok(hf_unpin(&mine));
    assert_ok(hf_release(&page));
    page = take(pool, 64 * KIB);
    assert_ok(hf_pin(&page, &theirs));
    assert_status(hf_unpin(&copy), HF_STALE);
    assert_status(hf_arena_close(arena, 0), HF_BUSY); /* their pin still holds */
    assert_ok(hf_unpin(&theirs));
    assert_ok(hf_arena_close(arena, 0));
}

/* A reader still read while the slot was torn down and reused. Pin or validation: never a fault, never mixed bytes accepted. The
 * writer fills each page with one number; a reader that is told HF_OK must have seen that number everywhere. */
struct recycle {
    hf_pool pool;
    pthread_mutex_t lock; /* guards shown and stamp */
    hf_segment shown;
    uint64_t stamp;
    atomic_bool done;
    unsigned mixed[4], accepted[4], strange[4];
};

__attribute__((no_sanitize("thread", "address"))) static bool words_are(const void *address, size_t size, uint64_t stamp) {
    const volatile uint64_t *words = address;
    bool same = true;
    for (size_t i = 0; i < size / sizeof *words; i++)
        same &= words[i] == stamp;
    return same;
}

static void read_once(unsigned me, struct recycle *r, unsigned way) {
    pthread_mutex_lock(&r->lock);
    hf_segment page = r->shown;
    uint64_t stamp = r->stamp;
    pthread_mutex_unlock(&r->lock);
    hf_status status = HF_STALE;
    bool same = false;
    uint64_t copy[512], one = 0;
    hf_pinned pin;
    if (way == 0) { /* pinned */
        status = hf_pin(&page, &pin);
        if (status == HF_OK) {
            same = words_are(pin.address, pin.size, stamp);
            r->strange[me] += hf_unpin(&pin) != HF_OK;
        }
    } else if (way == 1) { /* optimistic */
        same = words_are(page.address, page.size, stamp);
        status = hf_check(&page);
    } else if (way == 2) { /* checked, the whole */
        status = hf_read(&page, 0, copy, sizeof copy);
        same = status == HF_OK && words_are(copy, sizeof copy, stamp);
    } else { /* checked, one number */
        status = hf_get_u64(&page, 8 * (stamp % 512), &one);
        same = one == stamp;
    }
    r->accepted[me] += status == HF_OK;
    r->mixed[me] += status == HF_OK && !same;
    r->strange[me] += status != HF_OK && status != HF_STALE;
}

static void recycle_member(unsigned me, void *context) {
    struct recycle *r = context;
    if (me != 0) {
        for (unsigned way = 0; !atomic_load(&r->done); way++)
            read_once(me, r, way % 4);
        return;
    }
    uint64_t until = now_ns() + 2 * SECONDS;
    hf_segment old = { 0 };
    for (uint64_t i = 1; now_ns() < until; i++) {
        hf_segment page;
        if (hf_pool_allocate(r->pool, 4096, i % 2 ? 0 : HF_UNINITIALISED, &page) != HF_OK) {
            r->strange[0]++; /* a reader's pin may keep both slots for a moment, but the limit has room for more */
            continue;
        }
        hf_pinned pin;
        r->strange[0] += hf_pin(&page, &pin) != HF_OK;
        for (size_t w = 0; w < 512; w++)
            ((uint64_t *)pin.address)[w] = i;
        r->strange[0] += hf_unpin(&pin) != HF_OK;
        pthread_mutex_lock(&r->lock);
        r->shown = page;
        r->stamp = i;
        pthread_mutex_unlock(&r->lock);
        if (i > 1)
            r->strange[0] += hf_release(&old) != HF_OK;
        old = page;
    }
    atomic_store(&r->done, true);
}

static void reader_vs_recycle(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    struct recycle r = { .pool = open_pool(arena, 8 * 4096), .lock = PTHREAD_MUTEX_INITIALIZER, .stamp = 0 };
    r.shown = take(r.pool, 4096);
    crew_run(4, recycle_member, &r);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(r.mixed[i], 0);
        assert_int_equal(r.strange[i], 0);
        assert_true(i == 0 || r.accepted[i] > 0);
    }
    assert_ok(hf_arena_close(arena, 0));
}

/* Eviction between look-up and guard. The pin of a stale handle must be refused, and the reader looks the page up again. */
static void resolve_then_pin(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 64 * KIB);
    hf_segment table[1] = { take(pool, 64 * KIB) };
    assert_ok(hf_write(&table[0], 0, "page 7", 7));
    hf_segment resolved = table[0]; /* the reader looks it up ... */
    assert_ok(hf_release(&table[0])); /* ... the page is evicted, and its only slot serves another page ... */
    table[0] = take(pool, 64 * KIB);
    assert_ok(hf_write(&table[0], 0, "page 8", 7));
    hf_pinned pin;
    memset(&pin, 0x5a, sizeof pin);
    assert_status(hf_pin(&resolved, &pin), HF_STALE); /* ... and the late pin is refused. */
    assert_true(all_bytes_are(&pin, sizeof pin, 0x5a));
    assert_ok(hf_pin(&table[0], &pin));
    assert_string_equal(pin.address, "page 8");
    assert_ok(hf_release(&table[0])); /* an eviction under the pin: the bytes stay until the unpin */
    hf_segment none;
    assert_status(hf_pool_allocate(pool, 64 * KIB, 0, &none), HF_NO_MEMORY);
    assert_string_equal(pin.address, "page 8");
    assert_ok(hf_unpin(&pin));
    take(pool, 64 * KIB);
    assert_ok(hf_arena_close(arena, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(double_release),
        cmocka_unit_test(double_release_race),
        cmocka_unit_test(stale_release_of_recycled_slot),
        cmocka_unit_test(stale_write_into_new_owner),
        cmocka_unit_test(released_by_a_prefix),
        cmocka_unit_test(foreign_and_interior_release),
        cmocka_unit_test(oversized_from_another_thread),
        cmocka_unit_test(dirty_reuse),
        cmocka_unit_test(stamp_of_a_slice),
        cmocka_unit_test(pin_theft),
        cmocka_unit_test(reader_vs_recycle),
        cmocka_unit_test(resolve_then_pin),
    };
    return cmocka_run_group_tests_name("scenarios_release", tests, NULL, NULL);
}
