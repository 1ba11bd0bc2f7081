/* SPDX-License-Identifier: MIT
 *
 * A handle of the arena is zero: it was never opened and no pool; so every function that takes one is HF_INVALID.
 */
#include "misuse.h"

static const char CLOSE[] = "hf_arena_close: the arena is zero: it was never opened";
static const char BUMP[] = "hf_arena_allocate: the arena is zero: it was never opened";
static const char RESET[] = "hf_arena_reset: the arena is zero: it was never opened";
static const char POOL_OPEN[] = "hf_pool_open: the arena is zero: it was never opened";
static const char ON_CLOSE[] = "hf_arena_on_close: the arena is zero: it was never opened";
static const char ARENA_STATS[] = "hf_arena_get_stats: the arena is zero: it was never opened";
static const char POOL_CLOSE[] = "hf_pool_close: the pool is zero: it was never opened";
static const char ALLOCATE[] = "hf_pool_allocate: the pool is zero: it was never opened";
static const char SET_LIMIT[] = "hf_pool_set_limit: the pool is zero: it was never opened";
static const char TRIM[] = "hf_pool_trim: the pool is zero: it was never opened";
static const char ON_PRESSURE[] = "hf_pool_on_pressure: the pool is zero: it was never opened";
static const char FIND[] = "hf_pool_find: the pool is zero: it was never opened";
static const char STATS[] = "hf_pool_get_stats: the pool is zero: it was never opened";

static void action(void *context) {
    (void)context;
}

int main(void) {
    stage_open(NULL);
    hf_arena no_arena = { 0 };
    hf_pool no_pool = { 0 }, pool;
    hf_segment result;
    hf_arena_stats arena_stats = HF_ARENA_STATS_INIT;
    hf_pool_stats pool_stats = HF_POOL_STATS_INIT;
    poison(&result, sizeof result);
    poison(&pool, sizeof pool);
    CHECK(!hf_arena_is_open(no_arena));
    MISTAKE(hf_arena_close(no_arena, 0), HF_INVALID, CLOSE, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(no_arena, 1, 1, &result), HF_INVALID, BUMP, NULL, ORDINARY);
    MISTAKE(hf_arena_reset(no_arena), HF_INVALID, RESET, NULL, ORDINARY);
    MISTAKE(hf_pool_open(no_arena, NULL, &pool), HF_INVALID, POOL_OPEN, NULL, ORDINARY);
    MISTAKE(hf_arena_on_close(no_arena, action, NULL), HF_INVALID, ON_CLOSE, NULL, ORDINARY);
    MISTAKE(hf_arena_get_stats(no_arena, &arena_stats), HF_INVALID, ARENA_STATS, NULL, ORDINARY);
    MISTAKE(hf_pool_close(no_pool, 0), HF_INVALID, POOL_CLOSE, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate(no_pool, 1, 0, &result), HF_INVALID, ALLOCATE, NULL, ORDINARY);
    MISTAKE(hf_pool_set_limit(no_pool, 1), HF_INVALID, SET_LIMIT, NULL, ORDINARY);
    MISTAKE(hf_pool_trim(no_pool, 0, NULL), HF_INVALID, TRIM, NULL, ORDINARY);
    MISTAKE(hf_pool_on_pressure(no_pool, NULL, NULL), HF_INVALID, ON_PRESSURE, NULL, ORDINARY);
    MISTAKE(hf_pool_find(no_pool, stage_owner.address, &result), HF_INVALID, FIND, NULL, ORDINARY);
    MISTAKE(hf_pool_get_stats(no_pool, &pool_stats), HF_INVALID, STATS, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK_UNTOUCHED(pool);
    return stage_close();
}
