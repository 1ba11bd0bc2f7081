/* SPDX-License-Identifier: MIT
 *
 * Bump alignment that is no power of two.
 */
#include "misuse.h"

static const char SAYS[] = "hf_arena_allocate: alignment is N; it must be a power of two";

int main(void) {
    stage_open(NULL);
    hf_segment result;
    poison(&result, sizeof result);
    MISTAKE(hf_arena_allocate(stage_arena, 8, 0, &result), HF_INVALID, SAYS, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, 8, 3, &result), HF_INVALID, SAYS, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, 8, 4097, &result), HF_INVALID, SAYS, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, 8, SIZE_MAX, &result), HF_INVALID, SAYS, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, 0, 6, &result), HF_INVALID, SAYS, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    return stage_close();
}
