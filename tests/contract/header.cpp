// SPDX-License-Identifier: MIT
//
// The header compiles as C++11, its initialisers and inline functions too, and the library links: a whole small life, in TAP.
#include "holdfast.h"

#include <cstdio>
#include <cstring>

static int line = 0, failures = 0;

static void check(bool passed, const char *what) {
    failures += !passed;
    std::printf("%sok %d - %s\n", passed ? "" : "not ", ++line, what);
}

int main() {
    hf_arena_options arena_options = HF_ARENA_OPTIONS_INIT;
    hf_pool_options pool_options = HF_POOL_OPTIONS_INIT;
    hf_arena_stats arena_stats = HF_ARENA_STATS_INIT;
    hf_pool_stats pool_stats = HF_POOL_STATS_INIT;
    hf_arena arena;
    hf_pool pool;
    hf_segment page;
    hf_pinned pin;
    uint64_t value = 0;
    arena_options.numa_node = 0;
    pool_options.limit_bytes = 1 << 20;
    check(hf_arena_open(&arena_options, &arena) == HF_OK, "an arena opens in C++");
    check(hf_pool_open(arena, &pool_options, &pool) == HF_OK, "a pool opens in C++");
    check(hf_pool_allocate(pool, 65536, HF_UNINITIALISED | HF_NO_WAIT, &page) == HF_OK, "a segment is allocated in C++");
    check(hf_set_u64(&page, 1, 42) == HF_OK, "a number is set");
    check(hf_get_u64(&page, 1, &value) == HF_OK && value == 42, "the inline get sees it");
    check(hf_pin(&page, &pin) == HF_OK && hf_unpin(&pin) == HF_OK, "a pin comes and goes");
    check(hf_check(&page) == HF_OK && hf_release(&page) == HF_OK && hf_check(&page) == HF_STALE, "the inline check knows");
    check(hf_arena_get_stats(arena, &arena_stats) == HF_OK && hf_pool_get_stats(pool, &pool_stats) == HF_OK, "statistics in C++");
    check(hf_arena_close(arena, HF_FOREVER) == HF_OK, "the arena closes in C++");
    check(std::strcmp(hf_status_name(HF_STALE), "HF_STALE") == 0, "a status has its name");
    std::printf("1..%d\n", line);
    return failures != 0;
}
