/* SPDX-License-Identifier: MIT
 *
 * Statistics are asked for with a struct whose size was never set: nothing is written into memory that may not be there.
 */
#include "misuse.h"

static const char POOL[] = "hf_pool_get_stats: struct_bytes is not set: use HF_POOL_STATS_INIT";
static const char ARENA[] = "hf_arena_get_stats: struct_bytes is not set: use HF_ARENA_STATS_INIT";

int main(void) {
    stage_open(NULL);
    hf_pool_stats pool;
    hf_arena_stats arena;
    poison(&pool, sizeof pool);
    poison(&arena, sizeof arena);
    pool.struct_bytes = 0;
    arena.struct_bytes = 0;
    MISTAKE(hf_pool_get_stats(stage_pool, &pool), HF_INVALID, POOL, NULL, ORDINARY);
    MISTAKE(hf_arena_get_stats(stage_arena, &arena), HF_INVALID, ARENA, NULL, ORDINARY);
    CHECK(is_poison(&pool.limit_bytes, sizeof pool - offsetof(hf_pool_stats, limit_bytes)));
    CHECK(is_poison(&arena.reserved_bytes, sizeof arena - offsetof(hf_arena_stats, reserved_bytes)));
    return stage_close();
}
