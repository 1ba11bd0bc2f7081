/* SPDX-License-Identifier: MIT
 *
 * Allocation through the handle of a closed pool while the arena lives, also after another pool has taken the closed one's
 * place.
 */
#include "misuse.h"

static const char ALLOCATE[] = "hf_pool_allocate: pool pages is closed";
static const char MANY[] = "hf_pool_allocate_many: pool pages is closed";
static const char LATER[] = "hf_pool_allocate: pool pages is closed";

int main(void) {
    stage_open(NULL);
    hf_segment result[2];
    size_t got = 7;
    poison(result, sizeof result);
    MUST(hf_release(&stage_owner));
    MUST(hf_pool_close(stage_pool, 0));
    MISTAKE(hf_pool_allocate(stage_pool, 1, 0, result), HF_CLOSED, ALLOCATE, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate_many(stage_pool, 1, 0, 2, result, &got), HF_CLOSED, MANY, NULL, ORDINARY);
    CHECK(got == 0);
    hf_pool next;
    MUST(hf_pool_open(stage_arena, NULL, &next));
    MISTAKE(hf_pool_allocate(stage_pool, 1, 0, result), HF_CLOSED, LATER, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    MUST(hf_arena_close(stage_arena, 0));
    return stage_is_closed();
}
