/* SPDX-License-Identifier: MIT
 *
 * src/size_class.h: from a request to its class.
 */
#include "suite.h"

#include "size_class.h"

enum { PAGE = 4096 };

static void make(hf_size_classes *classes, const uint64_t bytes[HF_CLASSES_MAX]) {
    unsigned wrong;
    assert_true(hf_size_classes_make(classes, bytes, PAGE, &wrong));
}

/* The definition, without tables: the first class that holds the request. */
static uint32_t by_search(const hf_size_classes *classes, uint64_t size) {
    uint32_t class = 0;
    while (class < classes->count && classes->bytes[class] < size) class++;
    return class;
}

static void assert_agrees_around(const hf_size_classes *classes, uint64_t size) {
    for (uint64_t at = size > 2 ? size - 2 : 1; at <= size + 2; at++)
        assert_int_equal(hf_size_class_of(classes, at), by_search(classes, at));
}

static void all_zeros_are_the_default_classes(void **state) {
    (void)state;
    hf_size_classes classes = { 0 };
    make(&classes, (uint64_t[HF_CLASSES_MAX]){ 0 });
    assert_int_equal(classes.count, 7);
    for (uint32_t i = 0; i < 7; i++) assert_int_equal(classes.bytes[i], 4 * KIB << i);
}

static void default_classes_below_a_larger_page_are_left_out(void **state) {
    (void)state;
    hf_size_classes classes = { 0 };
    unsigned wrong;
    assert_true(hf_size_classes_make(&classes, (uint64_t[HF_CLASSES_MAX]){ 0 }, 64 * KIB, &wrong));
    assert_int_equal(classes.count, 3);
    assert_int_equal(classes.bytes[0], 64 * KIB);
    assert_int_equal(hf_size_class_of(&classes, 1), 0);
    assert_int_equal(hf_size_class_of(&classes, 256 * KIB), 2);
}

static void a_request_gets_the_smallest_class_that_holds_it(void **state) {
    (void)state;
    static const uint64_t lists[][HF_CLASSES_MAX] = {
        { 0 },
        { PAGE },
        { 3 * MIB },
        { 63 * PAGE, 64 * PAGE, 65 * PAGE },
        { 12 * KIB, 20 * KIB, MIB, 3 * MIB, 64 * MIB, GIB, 1024 * GIB },
    };
    for (size_t list = 0; list < sizeof lists / sizeof lists[0]; list++) {
        hf_size_classes classes = { 0 };
        make(&classes, lists[list]);
        for (uint64_t size = 1; size <= 70 * PAGE; size++) assert_int_equal(hf_size_class_of(&classes, size), by_search(&classes, size));
        for (uint32_t i = 0; i < classes.count; i++) assert_agrees_around(&classes, classes.bytes[i]);
        assert_int_equal(hf_size_class_of(&classes, SIZE_MAX), classes.count);
        assert_int_equal(hf_size_class_of(&classes, UINT64_C(1) << 63), classes.count);
    }
}

static void thirty_two_classes_all_count(void **state) {
    (void)state;
    uint64_t bytes[HF_CLASSES_MAX];
    hf_size_classes classes = { 0 };
    for (uint64_t i = 0; i < HF_CLASSES_MAX; i++) bytes[i] = (i + 1) * 3 * PAGE;
    make(&classes, bytes);
    assert_int_equal(classes.count, HF_CLASSES_MAX);
    for (uint32_t i = 0; i < HF_CLASSES_MAX; i++) assert_agrees_around(&classes, bytes[i]);
}

static void assert_refused(const uint64_t bytes[HF_CLASSES_MAX], unsigned where) {
    hf_size_classes classes = { 0 };
    unsigned wrong = 99;
    assert_false(hf_size_classes_make(&classes, bytes, PAGE, &wrong));
    assert_int_equal(wrong, where);
}

static void a_list_that_makes_no_sense_is_refused_by_its_first_wrong_entry(void **state) {
    (void)state;
    assert_refused((uint64_t[HF_CLASSES_MAX]){ 100 }, 0);
    assert_refused((uint64_t[HF_CLASSES_MAX]){ PAGE, PAGE + 1 }, 1);
    assert_refused((uint64_t[HF_CLASSES_MAX]){ PAGE, PAGE }, 1);
    assert_refused((uint64_t[HF_CLASSES_MAX]){ 2 * PAGE, PAGE }, 1);
    assert_refused((uint64_t[HF_CLASSES_MAX]){ PAGE, 0, 2 * PAGE }, 2);
    assert_refused((uint64_t[HF_CLASSES_MAX]){ 0, PAGE }, 1);
    assert_refused((uint64_t[HF_CLASSES_MAX]){ PAGE, 2048 * GIB }, 1);
    assert_refused((uint64_t[HF_CLASSES_MAX]){ PAGE, (uint64_t)-PAGE }, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_zeros_are_the_default_classes),
        cmocka_unit_test(default_classes_below_a_larger_page_are_left_out),
        cmocka_unit_test(a_request_gets_the_smallest_class_that_holds_it),
        cmocka_unit_test(thirty_two_classes_all_count),
        cmocka_unit_test(a_list_that_makes_no_sense_is_refused_by_its_first_wrong_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
