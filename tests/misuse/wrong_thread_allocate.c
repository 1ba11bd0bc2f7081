/* SPDX-License-Identifier: MIT
 *
 * Another thread allocates from a confined arena: from its pool, many at once, as bump memory; opens a pool in it, adopts into
 * it, registers.
 */
#include "misuse.h"

static const char ALLOCATE[] = "hf_pool_allocate: arena engine is confined to thread N; this is thread N";
static const char MANY[] = "hf_pool_allocate_many: arena engine is confined to thread N; this is thread N";
static const char BUMP[] = "hf_arena_allocate: arena engine is confined to thread N; this is thread N";
static const char POOL_OPEN[] = "hf_pool_open: arena engine is confined to thread N; this is thread N";
static const char ADOPT[] = "hf_arena_adopt: arena engine is confined to thread N; this is thread N";
static const char ON_CLOSE[] = "hf_arena_on_close: arena engine is confined to thread N; this is thread N";

static char block[4096];

static void never(void *context) {
    (void)context;
    abort();
}

static void elsewhere(void) {
    hf_segment result[2];
    hf_pool pool;
    size_t got;
    poison(result, sizeof result);
    poison(&pool, sizeof pool);
    MISTAKE(hf_pool_allocate(stage_pool, 1, 0, result), HF_WRONG_THREAD, ALLOCATE, NULL, REPORTED);
    MISTAKE(hf_pool_allocate_many(stage_pool, 1, 0, 2, result, &got), HF_WRONG_THREAD, MANY, NULL, REPORTED);
    MISTAKE(hf_arena_allocate(stage_arena, 1, 1, result), HF_WRONG_THREAD, BUMP, NULL, REPORTED);
    MISTAKE(hf_pool_open(stage_arena, NULL, &pool), HF_WRONG_THREAD, POOL_OPEN, NULL, REPORTED);
    MISTAKE(hf_arena_adopt(stage_arena, block, sizeof block, never, NULL, result), HF_WRONG_THREAD, ADOPT, NULL, REPORTED);
    MISTAKE(hf_arena_on_close(stage_arena, never, NULL), HF_WRONG_THREAD, ON_CLOSE, NULL, REPORTED);
    CHECK_UNTOUCHED(result);
    CHECK_UNTOUCHED(pool);
    CHECK(got == 0); /* allocate_many writes it either way */
}

int main(void) {
    hf_arena_options confined = HF_ARENA_OPTIONS_INIT;
    confined.kind = HF_CONFINED;
    stage_open(&confined);
    on_another_thread(elsewhere);
    return stage_close();
}
