/* SPDX-License-Identifier: MIT
 *
 * Handles with bits that the library never gave out: one bit of a live handle flipped, and random numbers. None may open a door.
 */
#include "misuse.h"

static bool refused(hf_status status) {
    return status == HF_INVALID || status == HF_CLOSED;
}

int main(void) {
    stage_open(NULL);
    unsigned let_in = 0;
    hf_segment result;
    poison(&result, sizeof result);
    mistake_begins();
    for (unsigned bit = 0; bit < 64; bit++) {
        hf_arena arena = { stage_arena.id ^ (UINT64_C(1) << bit) };
        hf_pool pool = { stage_pool.id ^ (UINT64_C(1) << bit) };
        let_in += hf_arena_is_open(arena) || !refused(hf_arena_close(arena, 0)) || !refused(hf_arena_reset(arena));
        let_in += !refused(hf_pool_allocate(pool, 1, 0, &result)) || !refused(hf_pool_close(pool, 0));
    }
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < 10000; i++, random = random * UINT64_C(6364136223846793005) + 1442695040888963407u) {
        let_in += !refused(hf_arena_reset((hf_arena){ random }));
        let_in += !refused(hf_pool_trim((hf_pool){ random }, 0, NULL));
    }
    hf_status last = hf_pool_trim((hf_pool){ UINT64_MAX }, 0, NULL);
    mistake_ends("10128 invented handles", refused(last) ? HF_OK : last, HF_OK, SILENT, NULL, ORDINARY);
    CHECK(let_in == 0);
    CHECK_UNTOUCHED(result);
    return stage_close();
}
