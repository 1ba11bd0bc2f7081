/* SPDX-License-Identifier: MIT
 *
 * Memory that is holdfast's already is adopted: a pool's page, a slot never issued, bump memory, and a block that reaches into
 * it from outside.
 */
#include "misuse.h"

static const char PAGE[] = "hf_arena_adopt: 64 KiB at ADDR overlaps the library's own memory";
static const char BYTE[] = "hf_arena_adopt: 1 byte at ADDR overlaps the library's own memory";
static const char NEVER_ISSUED[] = "hf_arena_adopt: 4 KiB at ADDR overlaps the library's own memory";
static const char BUMP[] = "hf_arena_adopt: 64 bytes at ADDR overlaps the library's own memory";

int main(void) {
    stage_open(NULL);
    hf_segment bump, result;
    MUST(hf_arena_allocate(stage_arena, 8192, 4096, &bump));
    char *page = stage_owner.address, *beyond = page + PAGE_BYTES, *low = (char *)4096;
    poison(&result, sizeof result);
    MISTAKE(hf_arena_adopt(stage_arena, page, PAGE_BYTES, NULL, NULL, &result), HF_INVALID, PAGE, page, ORDINARY);
    MISTAKE(hf_arena_adopt(stage_arena, page + 100, 1, NULL, NULL, &result), HF_INVALID, BYTE, page + 100, ORDINARY);
    MISTAKE(hf_arena_adopt(stage_arena, beyond, 4096, NULL, NULL, &result), HF_INVALID, NEVER_ISSUED, beyond, ORDINARY);
    MISTAKE(hf_arena_adopt(stage_arena, bump.address, 64, NULL, NULL, &result), HF_INVALID, BUMP, bump.address, ORDINARY);
    MISTAKE(hf_arena_adopt(stage_arena, low, (size_t)page, NULL, NULL, &result), HF_INVALID, SILENT, low, ORDINARY);
    CHECK_UNTOUCHED(result);
    return stage_close();
}
