/* SPDX-License-Identifier: MIT
 *
 * The header compiles as C11, and every inline function is also a plain symbol of the library, which other languages call. So this
 * program takes their addresses from the dynamic linker, not from the header, and gets the same answers.
 */
#define _GNU_SOURCE
#include "holdfast.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static int line, failures;

static void check(int passed, const char *what) {
    failures += !passed;
    printf("%sok %d - %s\n", passed ? "" : "not ", ++line, what);
}

typedef hf_status check_function(const hf_segment *);
typedef hf_status get_function(const hf_segment *, size_t, uint64_t *);

int main(void) {
    static const char *const names[] = {
        "hf_check",  "hf_get_u8",  "hf_get_u16",    "hf_get_u32",       "hf_get_u64",       "hf_set_u8",
        "hf_set_u64", "hf_arena_open", "hf_release_dirty", "hf_error_message", "hf_version",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s is a symbol of the library", names[i]);
        check(dlsym(RTLD_DEFAULT, names[i]) != NULL, text);
    }
    void *check_symbol = dlsym(RTLD_DEFAULT, "hf_check"), *get_symbol = dlsym(RTLD_DEFAULT, "hf_get_u64");
    check_function *check_it;
    get_function *get_it;
    memcpy(&check_it, &check_symbol, sizeof check_it); /* C has no cast from an object pointer to a function's */
    memcpy(&get_it, &get_symbol, sizeof get_it);
    hf_arena arena;
    hf_segment piece;
    uint64_t value = 0;
    check(hf_arena_open(NULL, &arena) == HF_OK, "an arena opens");
    check(hf_arena_allocate(arena, 64, 8, &piece) == HF_OK, "it gives a piece of memory");
    check(hf_set_u64(&piece, 3, 77) == HF_OK, "a number is set");
    check(check_it && check_it(&piece) == HF_OK, "the symbol hf_check says HF_OK of a live segment");
    check(get_it && get_it(&piece, 3, &value) == HF_OK && value == 77, "the symbol hf_get_u64 reads what was set");
    check(hf_arena_close(arena, 0) == HF_OK, "the arena closes");
    check(check_it && check_it(&piece) == HF_CLOSED, "the symbol hf_check says HF_CLOSED of a dead one");
    check(get_it && get_it(&piece, 3, &value) == HF_CLOSED, "the symbol hf_get_u64 says HF_CLOSED of a dead one");
    check(strcmp(hf_version(), "0.1.0") == 0, "the library is the version of the header");
    printf("1..%d\n", line);
    return failures != 0;
}
