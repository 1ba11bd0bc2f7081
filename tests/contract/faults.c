/* SPDX-License-Identifier: MIT
 *
 * P7: every failure that the kernel reports reaches the caller as a status and leaves the books right.
 *
 * Each scenario is played again and again while one system call after the other is made to fail: the first, the second, the third,
 * until a whole play passes with no failure left to happen; once with that call alone failing, once with all from it on. In every
 * play each call must answer with a status that its documentation has; results of failed calls stay untouched; the figures of the
 * pool add up and what is resident is charged; and when failures are off again, everything that is open closes with HF_OK.
 *
 * The idea of the sweep is SQLite's.
 */
#include "suite.h"

#include "memory.h"
#include "os.h"

enum { PLAYS_MAX = 5000 };

/* What a play has to tell: -1, or the line where something was wrong. */
struct play {
    hf_arena arena;
    hf_pool pool;
    bool arena_open, pool_open;
    int wrong_line;
};

#define PLAY_NEEDS(condition)                              \
    do {                                                   \
        if (!(condition) && p->wrong_line < 0) {           \
            p->wrong_line = __LINE__;                      \
            fprintf(stderr, "# line %d: %s\n#   last sentence: %s\n", __LINE__, #condition, hf_error_message()); \
        }                                                  \
    } while (0)

static bool failed_as_documented(hf_status status) {
    return status == HF_NO_MEMORY || status == HF_SYSTEM;
}

static void look_at_the_books(struct play *p, const hf_segment *pages, unsigned count) {
    hf_pool_stats s = HF_POOL_STATS_INIT;
    PLAY_NEEDS(hf_pool_get_stats(p->pool, &s) == HF_OK);
    PLAY_NEEDS(s.charged_bytes <= s.limit_bytes);
    PLAY_NEEDS(s.charged_bytes == s.live_bytes + s.cached_bytes + s.lingering_bytes);
    uint64_t live = 0;
    size_t present = 0;
    for (unsigned i = 0; i < count; i++)
        if (pages[i].address) {
            live += pages[i].size;
            present += present_bytes(pages[i].address, pages[i].size);
        }
    PLAY_NEEDS(s.live_bytes == live);
    PLAY_NEEDS(present <= s.charged_bytes);
}

static bool allocate_and_touch(struct play *p, size_t size, unsigned flags, hf_segment *page) {
    *page = (hf_segment){ 0 };
    hf_status status = hf_pool_allocate(p->pool, size, flags, page);
    PLAY_NEEDS(status == HF_OK || failed_as_documented(status));
    PLAY_NEEDS((status == HF_OK) == (page->address != NULL));
    if (status != HF_OK)
        return false;
    PLAY_NEEDS(flags & HF_UNINITIALISED || all_bytes_are(page->address, page->size, 0));
    memset(page->address, 0x5a, page->size);
    return true;
}

static bool open_both(struct play *p, uint64_t reserve_bytes) {
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    hf_pool_options pool_options = HF_POOL_OPTIONS_INIT;
    options.reserve_bytes = reserve_bytes;
    options.name = "sweep";
    pool_options.limit_bytes = 8 * MIB;
    pool_options.decay_ns = HF_NEVER;
    hf_status status = hf_arena_open(&options, &p->arena);
    p->arena_open = status == HF_OK;
    PLAY_NEEDS(p->arena_open || (failed_as_documented(status) && p->arena.id == 0));
    if (!p->arena_open)
        return false;
    status = hf_pool_open(p->arena, &pool_options, &p->pool);
    p->pool_open = status == HF_OK;
    PLAY_NEEDS(p->pool_open || (failed_as_documented(status) && p->pool.id == 0));
    return p->pool_open;
}

/* -------------------------------------------------------------------------------------------------------------------- plays */

static void play_pool(struct play *p) {
    enum { PAGES = 60 };
    hf_segment pages[PAGES];
    if (!open_both(p, 0))
        return;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < PAGES; i++) {
            static const unsigned flags[8] = { HF_POPULATE, HF_UNINITIALISED };
            allocate_and_touch(p, i % 10 == 9 ? 900 * KIB : 4 * KIB << i % 7, flags[i % 8], &pages[i]);
        }
        look_at_the_books(p, pages, PAGES);
        for (unsigned i = round; i < PAGES; i += 1 + round)
            if (pages[i].address) {
                PLAY_NEEDS(hf_release_dirty(&pages[i], pages[i].size) == HF_OK);
                pages[i].address = NULL;
            }
        look_at_the_books(p, pages, PAGES);
        size_t given_back = SIZE_MAX;
        hf_status status = hf_pool_trim(p->pool, round ? 0 : MIB, &given_back);
        PLAY_NEEDS(status == HF_OK || failed_as_documented(status));
        PLAY_NEEDS(given_back != SIZE_MAX); /* written either way */
        look_at_the_books(p, pages, PAGES);
        for (unsigned i = 0; i < PAGES; i++)
            if (pages[i].address)
                PLAY_NEEDS(hf_release(&pages[i]) == HF_OK);
        for (unsigned i = 0; i < PAGES; i++)
            pages[i].address = NULL;
    }
    hf_status status = hf_pool_set_limit(p->pool, MIB);
    PLAY_NEEDS(status == HF_OK || failed_as_documented(status));
    hf_segment many[8];
    size_t got = SIZE_MAX;
    memset(many, 0, sizeof many);
    status = hf_pool_allocate_many(p->pool, 64 * KIB, 0, 8, many, &got);
    PLAY_NEEDS((status == HF_OK && got == 8) || (failed_as_documented(status) && got < 8));
    for (size_t i = 0; i < 8; i++)
        PLAY_NEEDS((many[i].address != NULL) == (i < got));
    status = hf_pool_close(p->pool, 0);
    PLAY_NEEDS(status == HF_OK || failed_as_documented(status));
    PLAY_NEEDS(hf_pool_allocate(p->pool, 1, 0, &many[0]) == HF_CLOSED);
    p->pool_open = status != HF_OK; /* refused: to be closed again when the kernel is well */
}

static void cleanup(void *context) {
    ++*(unsigned *)context;
}

static unsigned cleanups_ran, cleanups_registered;

static void play_arena(struct play *p) {
    static char block[64];
    hf_segment piece, adopted;
    cleanups_ran = cleanups_registered = 0;
    if (!open_both(p, 64 * GIB))
        return;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 12; i++) {
            piece = (hf_segment){ 0 };
            hf_status status = hf_arena_allocate(p->arena, i * i * i * 3000, (size_t)1 << i * 2, &piece);
            PLAY_NEEDS(status == HF_OK || failed_as_documented(status));
            PLAY_NEEDS((status == HF_OK) == (piece.address != NULL));
            if (status == HF_OK) {
                PLAY_NEEDS(all_bytes_are(piece.address, piece.size, 0));
                memset(piece.address, 0x5a, piece.size);
            }
        }
        hf_status status = hf_arena_reset(p->arena);
        PLAY_NEEDS(status == HF_OK || failed_as_documented(status));
    }
    for (unsigned i = 0; i < 40; i++) {
        hf_status status = i % 2 ? hf_arena_on_close(p->arena, cleanup, &cleanups_ran)
                                 : hf_arena_adopt(p->arena, block, sizeof block, cleanup, &cleanups_ran, &adopted);
        PLAY_NEEDS(status == HF_OK || failed_as_documented(status));
        cleanups_registered += status == HF_OK;
    }
    hf_segment page;
    if (allocate_and_touch(p, 64 * KIB, 0, &page)) {
        hf_pinned pin;
        PLAY_NEEDS(hf_pin(&page, &pin) == HF_OK);
        PLAY_NEEDS(hf_release(&page) == HF_OK);
        PLAY_NEEDS(hf_arena_close(p->arena, 0) == HF_BUSY);
        PLAY_NEEDS(hf_unpin(&pin) == HF_OK);
    }
    hf_status status = hf_arena_close(p->arena, 0);
    PLAY_NEEDS(status == HF_OK || failed_as_documented(status));
    PLAY_NEEDS(!hf_arena_is_open(p->arena));
    PLAY_NEEDS(cleanups_ran == cleanups_registered); /* once, refused or not */
    p->arena_open = status != HF_OK;
    p->pool_open = false;
}

/* The end of each play, with failures off. */
static void close_what_is_open(struct play *p) {
    if (p->arena_open)
        PLAY_NEEDS(hf_arena_close(p->arena, 0) == HF_OK);
    if (p->arena.id)
        PLAY_NEEDS(hf_arena_close(p->arena, 0) == HF_CLOSED);
    if (p->pool.id)
        PLAY_NEEDS(hf_pool_close(p->pool, 0) == HF_CLOSED);
}

static void sweep(void (*play)(struct play *), bool from_then_on) {
    uint64_t nth = 1;
    for (; nth < PLAYS_MAX; nth++) {
        struct play p = { .wrong_line = -1 };
        hf_os_fail_at(nth, from_then_on);
        play(&p);
        uint64_t failures = hf_os_failures();
        hf_os_fail_at(0, false);
        close_what_is_open(&p);
        if (p.wrong_line >= 0)
            print_error("play %u of the sweep failed at line %d\n", (unsigned)nth, p.wrong_line);
        assert_int_equal(p.wrong_line, -1);
        if (failures == 0)
            break;
        assert_true(from_then_on || failures == 1);
    }
    assert_true(nth > 3); /* or nothing was swept */
    assert_true(nth < PLAYS_MAX);
}

static void a_pools_life_survives_each_system_call_failing_once(void **state) {
    (void)state;
    sweep(play_pool, false);
}

static void a_pools_life_survives_all_system_calls_failing_from_the_nth_on(void **state) {
    (void)state;
    sweep(play_pool, true);
}

static void an_arenas_life_survives_each_system_call_failing_once(void **state) {
    (void)state;
    sweep(play_arena, false);
    assert_int_equal(cleanups_ran, cleanups_registered);
}

static void an_arenas_life_survives_all_system_calls_failing_from_the_nth_on(void **state) {
    (void)state;
    sweep(play_arena, true);
}

/* After all that: no slot of arenas or pools leaked, address space is used again. */
static void ten_thousand_refused_opens_leave_nothing_behind(void **state) {
    (void)state;
    size_t before = process_figure("VmSize");
    for (unsigned i = 0; i < 10000; i++) {
        struct play p = { .wrong_line = -1 };
        hf_os_fail_at(1 + i % 4, true);
        bool opened = open_both(&p, 0);
        hf_os_fail_at(0, false);
        (void)opened;
        close_what_is_open(&p);
        assert_int_equal(p.wrong_line, -1);
    }
    assert_true(process_figure("VmSize") <= before + 64 * MIB);
    hf_arena arena = open_arena();
    take(open_pool(arena, MIB), 64 * KIB);
    assert_ok(hf_arena_close(arena, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pools_life_survives_each_system_call_failing_once),
        cmocka_unit_test(a_pools_life_survives_all_system_calls_failing_from_the_nth_on),
        cmocka_unit_test(an_arenas_life_survives_each_system_call_failing_once),
        cmocka_unit_test(an_arenas_life_survives_all_system_calls_failing_from_the_nth_on),
        cmocka_unit_test(ten_thousand_refused_opens_leave_nothing_behind),
    };
    return cmocka_run_group_tests_name("contract_faults", tests, NULL, NULL);
}
