/* SPDX-License-Identifier: MIT
 *
 * Adoption of no memory: NULL, no bytes, or a block that wraps around the end of the address space.
 */
#include "misuse.h"

static const char ADDRESS[] = "hf_arena_adopt: the address is NULL";
static const char SIZE[] = "hf_arena_adopt: the size is 0";
static const char WRAPS[] = "hf_arena_adopt: N bytes at ADDR ends past the address space";

static char block[64];

int main(void) {
    stage_open(NULL);
    hf_segment result;
    poison(&result, sizeof result);
    MISTAKE(hf_arena_adopt(stage_arena, NULL, 64, NULL, NULL, &result), HF_INVALID, ADDRESS, NULL, ORDINARY);
    MISTAKE(hf_arena_adopt(stage_arena, block, 0, NULL, NULL, &result), HF_INVALID, SIZE, block, ORDINARY);
    MISTAKE(hf_arena_adopt(stage_arena, block, SIZE_MAX, NULL, NULL, &result), HF_INVALID, WRAPS, block, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK(hf_arena_adopt(stage_arena, block, 64, NULL, NULL, &result) == HF_OK); /* no cleanup is fine */
    CHECK(result.address == block && result.size == 64);
    return stage_close();
}
