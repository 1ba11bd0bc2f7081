/* SPDX-License-Identifier: MIT
 *
 * cmocka's names for a machine that has no cmocka: the tests of this project compile against it unchanged for aarch64 and musl,
 * where no Debian package of the real one can be installed beside this machine's own. On this machine the real one is used.
 *
 * Only what a test of values needs: asserts, groups with fixtures, skip, TAP. No mocks and no checked malloc. A failed assert leaves
 * the test by longjmp, as cmocka's does. A crash ends the program, and the reader of the TAP sees the missing cases.
 * The interface is that of cmocka 1.1 (cmocka.org); the code is our own.
 */
#ifndef HOLDFAST_TESTS_CMOCKA_H
#define HOLDFAST_TESTS_CMOCKA_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CMOCKA_UNUSED_ __attribute__((unused))

typedef uintmax_t LargestIntegralType;
typedef int (*CMFixtureFunction)(void **state);
typedef void (*CMUnitTestFunction)(void **state);

struct CMUnitTest {
    const char *name;
    CMUnitTestFunction test_func;
    CMFixtureFunction setup_func;
    CMFixtureFunction teardown_func;
    void *initial_state;
};

enum cm_message_output { CM_OUTPUT_STDOUT, CM_OUTPUT_SUBUNIT, CM_OUTPUT_TAP, CM_OUTPUT_XML };

static struct {
    jmp_buf leave;
    enum { CMOCKA_PASSED_, CMOCKA_FAILED_, CMOCKA_SKIPPED_ } result;
    char text[4096]; /* what the asserts said, to follow the case's line */
} cmocka_now_ CMOCKA_UNUSED_;

CMOCKA_UNUSED_ static inline void cmocka_set_message_output(enum cm_message_output output) { (void)output; }
CMOCKA_UNUSED_ static inline void cmocka_set_test_filter(const char *pattern) { (void)pattern; }

CMOCKA_UNUSED_ __attribute__((format(printf, 1, 2))) static void print_message(const char *format, ...) {
    size_t used = strlen(cmocka_now_.text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cmocka_now_.text + used, sizeof cmocka_now_.text - used, format, arguments);
    va_end(arguments);
}
#define print_error print_message

CMOCKA_UNUSED_ __attribute__((noreturn)) static void cmocka_leave_(int result, const char *file, int line) {
    print_message("%s:%d: %s\n", file, line, result == CMOCKA_SKIPPED_ ? "skipped" : "failed");
    cmocka_now_.result = result == CMOCKA_SKIPPED_ ? CMOCKA_SKIPPED_ : CMOCKA_FAILED_;
    longjmp(cmocka_now_.leave, 1);
}

CMOCKA_UNUSED_ static void cmocka_assert_(bool holds, const char *what, const char *file, int line) {
    if (holds)
        return;
    print_message("%s\n", what);
    cmocka_leave_(CMOCKA_FAILED_, file, line);
}

CMOCKA_UNUSED_ static void cmocka_compare_(bool holds, uintmax_t a, const char *sign, uintmax_t b, const char *file, int line) {
    if (holds)
        return;
    print_message("not so: %#" PRIxMAX " %s %#" PRIxMAX "\n", a, sign, b);
    cmocka_leave_(CMOCKA_FAILED_, file, line);
}

CMOCKA_UNUSED_ static void cmocka_range_(uintmax_t value, uintmax_t low, uintmax_t high, bool in, const char *file, int line) {
    if ((value >= low && value <= high) == in)
        return;
    print_message("%" PRIuMAX " is%s in %" PRIuMAX "..%" PRIuMAX "\n", value, in ? " not" : "", low, high);
    cmocka_leave_(CMOCKA_FAILED_, file, line);
}

CMOCKA_UNUSED_ static void cmocka_strings_(const char *a, const char *b, bool equal, const char *file, int line) {
    if ((strcmp(a, b) == 0) == equal)
        return;
    print_message("\"%s\" %s \"%s\"\n", a, equal ? "!=" : "==", b);
    cmocka_leave_(CMOCKA_FAILED_, file, line);
}

CMOCKA_UNUSED_ static void cmocka_memory_(const void *a, const void *b, size_t size, bool equal, const char *file, int line) {
    const unsigned char *x = a, *y = b;
    size_t at = 0;
    while (at < size && x[at] == y[at])
        at++;
    if ((at == size) == equal)
        return;
    if (equal)
        print_message("differs at byte %zu of %zu: %#x != %#x\n", at, size, (unsigned)x[at], (unsigned)y[at]);
    else
        print_message("%zu bytes are equal\n", size);
    cmocka_leave_(CMOCKA_FAILED_, file, line);
}

CMOCKA_UNUSED_ static void cmocka_set_(uintmax_t value, const uintmax_t *set, size_t count, bool in, const char *file, int line) {
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found = found || set[i] == value;
    if (found == in)
        return;
    print_message("%" PRIuMAX " is%s in the set\n", value, in ? " not" : "");
    cmocka_leave_(CMOCKA_FAILED_, file, line);
}

CMOCKA_UNUSED_ static void cmocka_returned_(int result, int error, const char *what, const char *file, int line) {
    if (result >= 0)
        return;
    print_message("%s < 0, errno %d: %s\n", what, error, strerror(error));
    cmocka_leave_(CMOCKA_FAILED_, file, line);
}

/* cmocka's own functions behind the macros, for helpers that pass on the place of their caller. */
CMOCKA_UNUSED_ __attribute__((noreturn)) static void _fail(const char *file, int line) { cmocka_leave_(CMOCKA_FAILED_, file, line); }
CMOCKA_UNUSED_ __attribute__((noreturn)) static void _skip(const char *file, int line) { cmocka_leave_(CMOCKA_SKIPPED_, file, line); }
CMOCKA_UNUSED_ static void _assert_true(uintmax_t holds, const char *what, const char *file, int line) {
    cmocka_assert_(holds != 0, what, file, line);
}
CMOCKA_UNUSED_ static void _assert_int_equal(uintmax_t a, uintmax_t b, const char *file, int line) {
    cmocka_compare_(a == b, a, "==", b, file, line);
}

/* As cmocka does: any integer is compared as the largest. The cast through (uintmax_t) alone would refuse pointers, as it should. */
#define cmocka_int_(x) ((uintmax_t)(x))
#define cmocka_ptr_(x) ((uintmax_t)(uintptr_t)(x))
#define CMOCKA_HERE_ __FILE__, __LINE__

#define assert_true(c) cmocka_assert_(!!(c), "not true: " #c, CMOCKA_HERE_)
#define assert_false(c) cmocka_assert_(!(c), "not false: " #c, CMOCKA_HERE_)
#define assert_non_null(p) cmocka_assert_((p) != NULL, "is NULL: " #p, CMOCKA_HERE_)
#define assert_null(p) cmocka_assert_((p) == NULL, "is not NULL: " #p, CMOCKA_HERE_)
#define assert_return_code(result, error) cmocka_returned_((int)(result), (error), #result, CMOCKA_HERE_)
#define cmocka_values_(a, sign, b)                                               \
    do {                                                                         \
        uintmax_t a_ = (a), b_ = (b);                                            \
        cmocka_compare_(a_ sign b_, a_, #sign, b_, CMOCKA_HERE_);                \
    } while (0)
#define assert_int_equal(a, b) cmocka_values_(cmocka_int_(a), ==, cmocka_int_(b))
#define assert_int_not_equal(a, b) cmocka_values_(cmocka_int_(a), !=, cmocka_int_(b))
#define assert_ptr_equal(a, b) cmocka_values_(cmocka_ptr_(a), ==, cmocka_ptr_(b))
#define assert_ptr_not_equal(a, b) cmocka_values_(cmocka_ptr_(a), !=, cmocka_ptr_(b))
#define assert_string_equal(a, b) cmocka_strings_((a), (b), true, CMOCKA_HERE_)
#define assert_string_not_equal(a, b) cmocka_strings_((a), (b), false, CMOCKA_HERE_)
#define assert_memory_equal(a, b, size) cmocka_memory_((a), (b), (size), true, CMOCKA_HERE_)
#define assert_memory_not_equal(a, b, size) cmocka_memory_((a), (b), (size), false, CMOCKA_HERE_)
#define assert_in_range(v, low, high) cmocka_range_(cmocka_int_(v), cmocka_int_(low), cmocka_int_(high), true, CMOCKA_HERE_)
#define assert_not_in_range(v, low, high) cmocka_range_(cmocka_int_(v), cmocka_int_(low), cmocka_int_(high), false, CMOCKA_HERE_)
#define assert_in_set(v, set, count) cmocka_set_(cmocka_int_(v), (set), (count), true, CMOCKA_HERE_)
#define assert_not_in_set(v, set, count) cmocka_set_(cmocka_int_(v), (set), (count), false, CMOCKA_HERE_)

#define fail() cmocka_leave_(CMOCKA_FAILED_, CMOCKA_HERE_)
#define skip() cmocka_leave_(CMOCKA_SKIPPED_, CMOCKA_HERE_)
#define fail_msg(...)                               \
    do {                                            \
        print_message(__VA_ARGS__);                 \
        print_message("\n");                        \
        cmocka_leave_(CMOCKA_FAILED_, CMOCKA_HERE_); \
    } while (0)

#define cmocka_unit_test(f) { #f, f, NULL, NULL, NULL }
#define cmocka_unit_test_setup(f, setup) { #f, f, setup, NULL, NULL }
#define cmocka_unit_test_teardown(f, teardown) { #f, f, NULL, teardown, NULL }
#define cmocka_unit_test_setup_teardown(f, setup, teardown) { #f, f, setup, teardown, NULL }
#define cmocka_unit_test_prestate(f, state) { #f, f, NULL, NULL, state }
#define cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, state) { #f, f, setup, teardown, state }

#define cmocka_run_group_tests(tests, setup, teardown) \
    cmocka_run_(#tests, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
    cmocka_run_(name, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

CMOCKA_UNUSED_ static void cmocka_say_text_(void) {
    for (char *line = strtok(cmocka_now_.text, "\n"); line; line = strtok(NULL, "\n"))
        printf("# %s\n", line);
    cmocka_now_.text[0] = '\0';
}

/* One fixture or test, which may leave by longjmp. */
CMOCKA_UNUSED_ static bool cmocka_fixture_(CMFixtureFunction fixture, void **state) {
    if (!fixture)
        return true;
    cmocka_now_.result = CMOCKA_PASSED_;
    if (setjmp(cmocka_now_.leave) == 0 && fixture(state) != 0)
        cmocka_now_.result = CMOCKA_FAILED_;
    return cmocka_now_.result == CMOCKA_PASSED_;
}

CMOCKA_UNUSED_ static int cmocka_one_(const struct CMUnitTest *test, void **state) {
    if (!cmocka_fixture_(test->setup_func, state))
        return CMOCKA_FAILED_;
    cmocka_now_.result = CMOCKA_PASSED_;
    if (setjmp(cmocka_now_.leave) == 0)
        test->test_func(state);
    int result = (int)cmocka_now_.result;
    if (!cmocka_fixture_(test->teardown_func, state))
        result = CMOCKA_FAILED_;
    return result;
}

CMOCKA_UNUSED_ static int cmocka_run_(const char *group, const struct CMUnitTest *tests, size_t count, CMFixtureFunction setup,
                                      CMFixtureFunction teardown) {
    void *group_state = NULL;
    int failures = 0;
    size_t number = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n# %s\n", count, group);
    bool ready = cmocka_fixture_(setup, &group_state);
    for (size_t i = 0; i < count; i++) {
        void *state = tests[i].initial_state ? tests[i].initial_state : group_state;
        int result = ready ? cmocka_one_(&tests[i], &state) : (int)CMOCKA_FAILED_;
        if (tests[i].setup_func == NULL && tests[i].initial_state == NULL)
            group_state = state;
        failures += result == CMOCKA_FAILED_;
        printf("%sok %zu - %s%s\n", result == CMOCKA_FAILED_ ? "not " : "", ++number, tests[i].name,
               result == CMOCKA_SKIPPED_ ? " # SKIP" : "");
        cmocka_say_text_();
    }
    if (!cmocka_fixture_(teardown, &group_state))
        printf("not ok - group teardown\n"), failures++;
    return failures;
}

#endif
