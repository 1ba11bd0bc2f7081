/* SPDX-License-Identifier: MIT
 *
 * The scenarios in which the operating system says no: no address space, no memory, no mappings, a give-back refused.
 *
 * Some failures are real (RLIMIT_AS, in a child process that is told to be poor); the others are made by
 * number in the test build of the library (hf_os_fail_at). Strict overcommit is a setting of the whole machine, so that test sets
 * it only when HOLDFAST_TEST_OVERCOMMIT=1 says that it may, and otherwise runs only where it is set already.
 */
#include "suite.h"

#include "child.h"
#include "memory.h"
#include "os.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static bool set_address_space(size_t bytes) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0)
        return false;
    limit.rlim_cur = bytes;
    return setrlimit(RLIMIT_AS, &limit) == 0;
}

/* madvise failed: first the segment was pooled while marked borrowed, then dropped for ever, then pooled with old contents. The
 * books must stay right, the next owner's page must be zero, and the give-back is tried again later. */
static void purge_refused(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment pages[8];
    for (unsigned i = 0; i < 8; i++) {
        pages[i] = take(pool, 64 * KIB);
        memset(pages[i].address, 0x5a, pages[i].size);
    }
    for (unsigned i = 0; i < 8; i++)
        assert_ok(hf_release(&pages[i]));
    hf_os_fail_at(1, true);
    size_t given_back = 99;
    hf_status refused = hf_pool_trim(pool, 0, &given_back);
    const char *sentence = hf_error_message();
    hf_os_fail_at(0, false);
    assert_true(refused == HF_SYSTEM || refused == HF_NO_MEMORY);
    assert_non_null(strstr(sentence, "hf_pool_trim: "));
    assert_non_null(strstr(sentence, "errno 12"));
    assert_int_equal(given_back, 0);
    hf_pool_stats s = stats_of(pool);
    assert_int_equal(s.cached_bytes, 8 * 64 * KIB);
    assert_int_equal(s.charged_bytes, 8 * 64 * KIB);
    assert_int_equal(s.given_back_bytes, 0);
    assert_true(s.refused_give_backs > 0);
    assert_books_add_up(pool);
    for (unsigned i = 0; i < 8; i++) {
        pages[i] = take(pool, 64 * KIB);
        assert_true(all_bytes_are(pages[i].address, pages[i].size, 0));
    }
    for (unsigned i = 0; i < 8; i++)
        assert_ok(hf_release(&pages[i]));
    assert_ok(hf_pool_trim(pool, 0, &given_back));
    assert_int_equal(given_back, 8 * 64 * KIB);
    assert_int_equal(stats_of(pool).charged_bytes, 0);
    assert_ok(hf_arena_close(arena, 0));
}

/* The same refusal on the way of an allocation: memory would move to another class, and the kernel does not let go. The request
 * fails with a status or is served; the limit holds either way. */
static void purge_refused_while_memory_moves_between_classes(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 512 * KIB);
    hf_segment pages[8], big;
    for (unsigned i = 0; i < 8; i++)
        pages[i] = take(pool, 64 * KIB);
    for (unsigned i = 0; i < 8; i++)
        assert_ok(hf_release(&pages[i]));
    hf_os_fail_at(1, true);
    hf_status status = hf_pool_allocate(pool, 256 * KIB, 0, &big);
    hf_os_fail_at(0, false);
    assert_true(status == HF_NO_MEMORY || status == HF_SYSTEM);
    assert_int_equal(stats_of(pool).charged_bytes, 512 * KIB);
    assert_books_add_up(pool);
    assert_ok(hf_pool_allocate(pool, 256 * KIB, 0, &big));
    assert_true(stats_of(pool).charged_bytes <= 512 * KIB);
    assert_books_add_up(pool);
    assert_ok(hf_arena_close(arena, 0));
}

/* The errno map was inverted (unmapped memory gives ENOMEM, not EFAULT), so unmapped memory was pooled as usable. A refused call
 * must be reported as refused, whatever its errno is. The hole is made behind the library's back, in a child. */
static int trim_over_a_hole(void) {
    hf_arena arena;
    hf_pool pool;
    hf_segment page;
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = MIB;
    CHILD_NEEDS(hf_arena_open(NULL, &arena) == HF_OK && hf_pool_open(arena, &options, &pool) == HF_OK);
    CHILD_NEEDS(hf_pool_allocate(pool, 64 * KIB, 0, &page) == HF_OK);
    memset(page.address, 0x5a, page.size);
    CHILD_NEEDS(hf_release(&page) == HF_OK);
    CHILD_NEEDS(munmap(page.address, page.size) == 0);
    size_t given_back = 99;
    hf_status status = hf_pool_trim(pool, 0, &given_back);
    CHILD_NEEDS(status == HF_SYSTEM || status == HF_NO_MEMORY);
    CHILD_NEEDS(strstr(hf_error_message(), "errno 12") != NULL);
    CHILD_NEEDS(given_back == 0);
    hf_pool_stats s = HF_POOL_STATS_INIT;
    CHILD_NEEDS(hf_pool_get_stats(pool, &s) == HF_OK);
    CHILD_NEEDS(s.charged_bytes == 64 * KIB && s.cached_bytes == 64 * KIB && s.refused_give_backs > 0);
    return 0;
}

static void purge_of_unmapped(void **state) {
    (void)state;
    skip_if_emulated();
    assert_int_equal(in_a_child(trim_over_a_hole), 0);
}

/* Locked memory refuses MADV_DONTNEED; it needs MADV_DONTNEED_LOCKED. It must go back all the same, or say that it did not. */
static void purge_of_locked_memory(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 64 * KIB);
    memset(page.address, 0x5a, page.size);
    if (mlock(page.address, page.size) != 0) {
        print_message("# no memory may be locked here (errno %d): nothing to see\n", errno);
        assert_ok(hf_arena_close(arena, 0));
        return;
    }
    assert_ok(hf_release(&page));
    size_t given_back = 0;
    hf_status status = hf_pool_trim(pool, 0, &given_back);
    assert_int_equal(stats_of(pool).charged_bytes, 64 * KIB - given_back);
    assert_int_equal(status == HF_OK, given_back == 64 * KIB);
    assert_true(present_bytes(page.address, page.size) <= stats_of(pool).charged_bytes);
    hf_segment next = take(pool, 64 * KIB);
    assert_true(all_bytes_are(next.address, next.size, 0));
    assert_ok(hf_arena_close(arena, 0));
    assert_int_equal(present_bytes(page.address, page.size) == 0 || all_bytes_are(page.address, page.size, 0), true);
}

/* NULL was tested instead of MAP_FAILED; under an address-space limit it handed out address -1. HF_NO_MEMORY, and smaller
 * reservations that grow: most of the room there is must be usable. */
static int poor_in_address_space(void) {
    enum { ROOM_MIB = 256, PAGES = ROOM_MIB * 16 };
    static hf_segment pages[PAGES];
    hf_arena arena;
    hf_pool pool;
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = 4 * GIB;
    size_t before = process_figure("VmSize");
    CHILD_NEEDS(set_address_space(before + ROOM_MIB * MIB));
    CHILD_NEEDS(hf_arena_open(NULL, &arena) == HF_OK);
    CHILD_NEEDS(hf_pool_open(arena, &options, &pool) == HF_OK);
    size_t count = 0;
    hf_status status;
    while ((status = hf_pool_allocate(pool, 64 * KIB, 0, &pages[count])) == HF_OK) {
        CHILD_NEEDS(pages[count].address != NULL && pages[count].address != MAP_FAILED);
        memset(pages[count].address, 1, pages[count].size);
        if (++count == PAGES)
            break;
    }
    CHILD_NEEDS(count == PAGES || status == HF_NO_MEMORY);
    /* a quarter of the room at least, though slots need metadata and reservations alignment */
    CHILD_NEEDS(count >= ROOM_MIB * 16 / 4);
    hf_pool_stats s = HF_POOL_STATS_INIT;
    CHILD_NEEDS(hf_pool_get_stats(pool, &s) == HF_OK && s.charged_bytes == count * 64 * KIB && s.live_bytes == s.charged_bytes);
    hf_segment more = { 0 };
    CHILD_NEEDS(hf_pool_allocate(pool, 64 * MIB, 0, &more) == HF_NO_MEMORY && more.address == NULL);
    CHILD_NEEDS(hf_arena_allocate(arena, GIB, 64, &more) == HF_NO_MEMORY && more.address == NULL);
    CHILD_NEEDS(set_address_space(RLIM_INFINITY)); /* richer again: the same pool goes on */
    CHILD_NEEDS(hf_pool_allocate(pool, 64 * KIB, 0, &more) == HF_OK);
    memset(more.address, 1, more.size);
    CHILD_NEEDS(hf_arena_allocate(arena, 64 * MIB, 64, &more) == HF_OK);
    for (size_t i = 0; i < count; i++)
        CHILD_NEEDS(hf_release(&pages[i]) == HF_OK);
    CHILD_NEEDS(hf_arena_close(arena, 0) == HF_OK);
    return 0;
}

static void mapping_failed(void **state) {
    (void)state;
    skip_if_emulated();
    hf_os_fail_at(1, true); /* the first way to have no address space: every call fails */
    hf_arena arena = { 0 };
    hf_status status = hf_arena_open(NULL, &arena);
    if (status == HF_OK) { /* a small start may take nothing yet; then the first use says it */
        hf_segment bump = { 0 };
        hf_status failed = hf_arena_allocate(arena, 100, 8, &bump);
        hf_os_fail_at(0, false);
        assert_true(failed == HF_NO_MEMORY || bump.address != NULL);
        assert_ok(hf_arena_close(arena, 0));
    } else {
        hf_os_fail_at(0, false);
        assert_int_equal(status, HF_NO_MEMORY);
        assert_int_equal(arena.id, 0);
    }
    assert_int_equal(in_a_child(poor_in_address_space), 0); /* the second: a real limit */
}

/* 70 GB of address space at start got the process killed; 896 GB later. Small start, grows: all defaults work with 64 MiB of room.
 * */
static int smallest_room(void) {
    hf_arena arena;
    hf_pool pool;
    hf_segment pages[64], bump;
    CHILD_NEEDS(set_address_space(process_figure("VmSize") + 64 * MIB));
    CHILD_NEEDS(hf_arena_open(NULL, &arena) == HF_OK);
    CHILD_NEEDS(hf_pool_open(arena, NULL, &pool) == HF_OK);
    for (unsigned i = 0; i < 64; i++) {
        CHILD_NEEDS(hf_pool_allocate(pool, 64 * KIB, 0, &pages[i]) == HF_OK);
        memset(pages[i].address, 1, pages[i].size);
    }
    CHILD_NEEDS(hf_arena_allocate(arena, 1000, 8, &bump) == HF_OK);
    for (unsigned i = 0; i < 64; i++)
        CHILD_NEEDS(hf_release(&pages[i]) == HF_OK);
    CHILD_NEEDS(hf_arena_close(arena, 0) == HF_OK);
    return 0;
}

static void reservation_too_big(void **state) {
    (void)state;
    assert_int_equal(in_a_child(smallest_room), 0);
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    hf_arena arena = { 0 };
    options.reserve_bytes = UINT64_C(1) << 50; /* more than a process can have, and a wish that must not kill it */
    assert_status(hf_arena_open(&options, &arena), HF_NO_MEMORY);
    assert_int_equal(arena.id, 0);
}

/* Strict overcommit: reservations must not be counted as promises. */
static const char overcommit_file[] = "/proc/sys/vm/overcommit_memory";

static int overcommit_now(void) {
    FILE *file = fopen(overcommit_file, "r");
    int mode = -1;
    if (file && fscanf(file, "%d", &mode) != 1)
        mode = -1;
    if (file)
        fclose(file);
    return mode;
}

static bool set_overcommit(int mode) {
    FILE *file = fopen(overcommit_file, "w");
    bool set = file && fprintf(file, "%d\n", mode) > 0;
    return file && fclose(file) == 0 && set;
}

static int with_a_terabyte_reserved(void) {
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    hf_arena arena;
    hf_pool pool;
    hf_segment page;
    options.reserve_bytes = 1024 * GIB;
    CHILD_NEEDS(hf_arena_open(&options, &arena) == HF_OK);
    CHILD_NEEDS(hf_pool_open(arena, NULL, &pool) == HF_OK);
    for (unsigned i = 0; i < 64; i++) {
        CHILD_NEEDS(hf_pool_allocate(pool, 64 * KIB, 0, &page) == HF_OK);
        memset(page.address, 1, page.size);
    }
    CHILD_NEEDS(hf_arena_close(arena, 0) == HF_OK);
    return 0;
}

static void reservation_too_big_under_strict_overcommit(void **state) {
    (void)state;
    const char *allowed = getenv("HOLDFAST_TEST_OVERCOMMIT");
    int mode = overcommit_now();
    bool may_set = allowed && strcmp(allowed, "1") == 0;
    if (mode != 2 && (!may_set || mode < 0 || !set_overcommit(2))) {
        print_message("# skipped: vm.overcommit_memory is %d, not 2, and HOLDFAST_TEST_OVERCOMMIT=1 is not set\n", mode);
        skip();
        return;
    }
    int small = in_a_child(smallest_room), large = in_a_child(with_a_terabyte_reserved);
    bool restored = mode == 2 || set_overcommit(mode);
    assert_true(restored);
    assert_int_equal(small, 0);
    assert_int_equal(large, 0);
}

/* Memory was not there at first touch inside native code. Populate on request, with a status. */
static void overcommit_fault(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 16 * MIB);
    const size_t sizes[] = { 4 * KIB, 64 * KIB, 256 * KIB, 3 * MIB };
    for (unsigned i = 0; i < 4; i++) {
        hf_segment page;
        assert_ok(hf_pool_allocate(pool, sizes[i], HF_POPULATE, &page));
        assert_int_equal(present_bytes(page.address, page.size), page.size);
        assert_true(all_bytes_are(page.address, page.size, 0));
        assert_ok(hf_release(&page));
        assert_ok(hf_pool_trim(pool, 0, NULL));
        assert_ok(hf_pool_allocate(pool, sizes[i], HF_POPULATE | HF_UNINITIALISED, &page)); /* again, after a give-back */
        assert_int_equal(present_bytes(page.address, page.size), page.size);
        assert_ok(hf_release(&page));
    }
    assert_ok(hf_pool_trim(pool, 0, NULL));
    hf_segment page = { 0 };
    hf_pool_stats before = stats_of(pool);
    for (uint64_t nth = 1; nth < 100; nth++) {
        hf_os_fail_at(nth, true);
        hf_status status = hf_pool_allocate(pool, 64 * KIB, HF_POPULATE, &page);
        bool failed = hf_os_failures() > 0;
        hf_os_fail_at(0, false);
        if (status == HF_OK && !failed)
            break;
        assert_int_equal(status, HF_NO_MEMORY);
        assert_null(page.address);
        assert_int_equal(stats_of(pool).live_bytes, before.live_bytes);
        assert_books_add_up(pool);
    }
    assert_int_equal(present_bytes(page.address, page.size), page.size);
    assert_ok(hf_arena_close(arena, 0));
}

/* A queue's length walked its nodes: 8 % of CPU. Statistics must cost nothing on the path; what can be counted without a clock is
 * that neither they nor a warm allocate and release ever ask the system for anything. */
static void size_in_hot_path(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 256 * MIB);
    enum { PAGES = 4096 };
    hf_segment *pages = calloc(PAGES, sizeof *pages), page = take(pool, 64 * KIB);
    for (unsigned i = 0; i < PAGES; i++)
        pages[i] = take(pool, 4 * KIB);
    assert_ok(hf_release(&page));
    hf_os_fail_at(0, false); /* starts the count of calls again */
    for (unsigned i = 0; i < 10000; i++) {
        assert_ok(hf_pool_allocate(pool, 64 * KIB, 0, &page));
        assert_ok(hf_release_dirty(&page, 8));
        if (i % 100 == 0)
            stats_of(pool);
    }
    assert_int_equal(hf_os_calls(), 0);
    hf_pool_stats s = stats_of(pool);
    assert_int_equal(s.allocations, 10000 + PAGES + 1);
    assert_int_equal(s.live_bytes, PAGES * 4 * KIB);
    free(pages);
    assert_ok(hf_arena_close(arena, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purge_refused),
        cmocka_unit_test(purge_refused_while_memory_moves_between_classes),
        cmocka_unit_test(purge_of_unmapped),
        cmocka_unit_test(purge_of_locked_memory),
        cmocka_unit_test(mapping_failed),
        cmocka_unit_test(reservation_too_big),
        cmocka_unit_test(reservation_too_big_under_strict_overcommit),
        cmocka_unit_test(overcommit_fault),
        cmocka_unit_test(size_in_hot_path),
    };
    return cmocka_run_group_tests_name("scenarios_system", tests, NULL, NULL);
}
