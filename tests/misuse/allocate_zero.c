/* SPDX-License-Identifier: MIT
 *
 * A pool is asked for no bytes. Bump memory of no bytes is fine, and has an address of its own.
 */
#include "misuse.h"

static const char SAYS[] = "hf_pool_allocate: the size is 0";
static const char MANY[] = "hf_pool_allocate_many: the size is 0";

int main(void) {
    stage_open(NULL);
    hf_segment result[2], empty, other;
    size_t got;
    poison(result, sizeof result);
    poison(&got, sizeof got);
    MISTAKE(hf_pool_allocate(stage_pool, 0, 0, result), HF_INVALID, SAYS, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate_many(stage_pool, 0, 0, 2, result, &got), HF_INVALID, MANY, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK_UNTOUCHED(got);
    CHECK(hf_arena_allocate(stage_arena, 0, 1, &empty) == HF_OK && empty.size == 0);
    CHECK(hf_arena_allocate(stage_arena, 0, 1, &other) == HF_OK && other.address != empty.address);
    return stage_close();
}
