/* SPDX-License-Identifier: MIT
 *
 * A cleanup action closes, resets, allocates from or registers on the arena that is closing. Other arenas it may use.
 */
#include "misuse.h"

static const char CLOSE[] = "hf_arena_close: arena engine is closed";
static const char ALLOCATE[] = "hf_arena_allocate: arena engine is closed";
static const char RESET[] = "hf_arena_reset: arena engine is closed";
static const char ON_CLOSE[] = "hf_arena_on_close: arena engine is closed";
static const char ADOPT[] = "hf_arena_adopt: arena engine is closed";
static const char POOL_OPEN[] = "hf_pool_open: arena engine is closed";
static const char POOL[] = "hf_pool_allocate: pool pages is closed";

static unsigned ran;
static char block[4096];

static void never(void *context) {
    (void)context;
    abort();
}

static void action(void *context) {
    (void)context;
    hf_segment result;
    hf_pool pool;
    ran++;
    poison(&result, sizeof result);
    MISTAKE(hf_arena_close(stage_arena, 0), HF_CLOSED, CLOSE, NULL, ORDINARY);
    MISTAKE(hf_arena_close(stage_arena, HF_FOREVER), HF_CLOSED, CLOSE, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, 1, 1, &result), HF_CLOSED, ALLOCATE, NULL, ORDINARY);
    MISTAKE(hf_arena_reset(stage_arena), HF_CLOSED, RESET, NULL, ORDINARY);
    MISTAKE(hf_arena_on_close(stage_arena, never, NULL), HF_CLOSED, ON_CLOSE, NULL, ORDINARY);
    MISTAKE(hf_arena_adopt(stage_arena, block, sizeof block, never, NULL, &result), HF_CLOSED, ADOPT, NULL, ORDINARY);
    MISTAKE(hf_pool_open(stage_arena, NULL, &pool), HF_CLOSED, POOL_OPEN, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate(stage_pool, 1, 0, &result), HF_CLOSED, POOL, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK(!hf_arena_is_open(stage_arena));
    CHECK(hf_check(&stage_owner) == HF_CLOSED);

    hf_arena other;
    CHECK(hf_arena_open(NULL, &other) == HF_OK);
    CHECK(hf_arena_allocate(other, 64, 8, &result) == HF_OK);
    CHECK(hf_arena_close(other, 0) == HF_OK);
}

int main(void) {
    stage_open(NULL);
    MUST(hf_arena_on_close(stage_arena, action, NULL));
    MUST(hf_arena_close(stage_arena, 0));
    CHECK(ran == 1);
    return stage_is_closed();
}
