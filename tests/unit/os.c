/* SPDX-License-Identifier: MIT
 *
 * src/os.h: what the port promises of memory, and failures on demand.
 */
#include "suite.h"

#include "memory.h"
#include "os.h"

enum { PAGES = 16 };

static char *reserved(size_t bytes, size_t alignment) {
    void *address = NULL;
    assert_int_equal(hf_os_reserve(bytes, alignment, &address), 0);
    assert_int_equal((uintptr_t)address % alignment, 0);
    return address;
}

static void reserved_memory_is_aligned_and_zero_when_committed(void **state) {
    (void)state;
    size_t page = hf_os_page_bytes(), bytes = PAGES * page;
    for (size_t alignment = page; alignment <= 64 * MIB; alignment *= 2) hf_os_unreserve(reserved(bytes, alignment), bytes);
    char *at = reserved(bytes, page);
    assert_int_equal(hf_os_commit(at, bytes), 0);
    assert_int_equal(present_bytes(at, bytes), 0);
    assert_true(all_bytes_are(at, bytes, 0));
    hf_os_unreserve(at, bytes);
}

static void purged_memory_is_zero_again_and_can_be_written(void **state) {
    (void)state;
    size_t page = hf_os_page_bytes(), bytes = PAGES * page;
    char *at = reserved(bytes, page);
    assert_int_equal(hf_os_commit(at, bytes), 0);
    memset(at, 9, bytes);
    assert_int_equal(hf_os_purge(at + page, page), 0);
    assert_int_equal(present_bytes(at, bytes), bytes - page);
    assert_true(all_bytes_are(at, page, 9) && all_bytes_are(at + page, page, 0) && all_bytes_are(at + 2 * page, bytes - 2 * page, 9));
    at[page] = 1;
    hf_os_unreserve(at, bytes);
}

static void retired_memory_holds_nothing_and_reads_as_zeros(void **state) {
    (void)state;
    size_t page = hf_os_page_bytes(), bytes = PAGES * page;
    char *at = reserved(bytes, page);
    assert_int_equal(hf_os_commit(at, bytes), 0);
    memset(at, 9, bytes);
    assert_int_equal(hf_os_retire(at, bytes), 0);
    assert_int_equal(present_bytes(at, bytes), 0);
    assert_true(all_bytes_are(at, bytes, 0));
    struct mappings m = { 0 };
    assert_true(mappings_read(&m) && mappings_want(&m, at));
    for (size_t i = 0; i < m.count; i++) assert_false(m.all[i].wanted && m.all[i].writable);
    mappings_free(&m);
    assert_int_equal(hf_os_commit(at, bytes), 0); /* the next incarnation */
    at[0] = 1;
    hf_os_unreserve(at, bytes);
}

static void populated_memory_is_there_and_keeps_its_bytes(void **state) {
    (void)state;
    size_t page = hf_os_page_bytes(), bytes = PAGES * page;
    char *at = reserved(bytes, page);
    assert_int_equal(hf_os_commit(at, bytes), 0);
    at[3 * page] = 7;
    assert_int_equal(hf_os_populate(at, bytes), 0);
    assert_int_equal(present_bytes(at, bytes), bytes);
    assert_int_equal(at[3 * page], 7);
    hf_os_unreserve(at, bytes);
}

static void an_impossible_reservation_is_refused(void **state) {
    (void)state;
    void *address = &address;
    assert_int_not_equal(hf_os_reserve(UINT64_C(1) << 62, 2 * MIB, &address), 0);
    assert_int_not_equal(hf_os_reserve((size_t)0 - 2 * MIB, 4 * MIB, &address), 0); /* with room to align it the sum overflows */
    assert_ptr_equal(address, &address);
}

/* Which of six calls fail, of a page that is committed already. */
static void play(char *at, uint64_t nth, bool from_then_on, bool failed[6]) {
    size_t page = hf_os_page_bytes();
    void *fresh;
    hf_os_fail_at(nth, from_then_on);
    failed[0] = hf_os_reserve(page, page, &fresh) != 0;
    if (!failed[0]) hf_os_unreserve(fresh, page);
    failed[1] = hf_os_commit(at, page) != 0;
    failed[2] = hf_os_metadata(page, &fresh) != 0;
    failed[3] = hf_os_populate(at, page) != 0;
    failed[4] = hf_os_purge(at, page) != 0;
    failed[5] = hf_os_retire(at, page) != 0;
}

static void the_nth_call_fails_alone_or_with_all_that_follow(void **state) {
    (void)state;
    size_t page = hf_os_page_bytes();
    for (uint64_t nth = 0; nth <= 7; nth++) {
        for (int from_then_on = 0; from_then_on < 2; from_then_on++) {
            bool failed[6];
            uint64_t failures = 0;
            char *at = reserved(page, page);
            hf_os_fail_at(0, false);
            assert_int_equal(hf_os_commit(at, page), 0);
            play(at, nth, from_then_on, failed);
            for (uint64_t i = 1; i <= 6; i++) {
                assert_int_equal(failed[i - 1], nth != 0 && (i == nth || (from_then_on && i > nth)));
                failures += failed[i - 1];
            }
            assert_int_equal(hf_os_calls(), 6);
            assert_int_equal(hf_os_failures(), failures);
            hf_os_fail_at(0, false);
            hf_os_unreserve(at, page);
        }
    }
}

static void a_wait_ends_at_its_deadline_and_when_the_word_is_another_already(void **state) {
    (void)state;
    uint32_t word = 1;
    hf_os_wait(&word, 2, UINT64_MAX); /* returns: it is not 2 */
    uint64_t deadline_ns = hf_os_now_ns() + 2000000;
    while (hf_os_now_ns() < deadline_ns) hf_os_wait(&word, 1, deadline_ns);
    hf_os_wait(&word, 1, 0); /* long past */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserved_memory_is_aligned_and_zero_when_committed),
        cmocka_unit_test(purged_memory_is_zero_again_and_can_be_written),
        cmocka_unit_test(retired_memory_holds_nothing_and_reads_as_zeros),
        cmocka_unit_test(populated_memory_is_there_and_keeps_its_bytes),
        cmocka_unit_test(an_impossible_reservation_is_refused),
        cmocka_unit_test(the_nth_call_fails_alone_or_with_all_that_follow),
        cmocka_unit_test(a_wait_ends_at_its_deadline_and_when_the_word_is_another_already),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
