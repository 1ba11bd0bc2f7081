/* SPDX-License-Identifier: MIT
 *
 * A bump segment is used after the arena's reset, and after the memory serves a new bump segment.
 */
#include "misuse.h"

static const char WRITE[] =
    "hf_write: segment ADDR (bump memory of arena engine, 100 bytes, era N) ended with a reset of its arena, which is in era N";
static const char RELEASE[] =
    "hf_release: segment ADDR (bump memory of arena engine, 100 bytes, era N) ended with a reset of its arena, which is in era N";

int main(void) {
    stage_open(NULL);
    hf_segment old, young;
    MUST(hf_arena_allocate(stage_arena, 100, 8, &old));
    MUST(hf_arena_reset(stage_arena));
    MISTAKE(hf_check(&old), HF_STALE, SILENT, NULL, ORDINARY);
    MUST(hf_arena_allocate(stage_arena, 100, 8, &young));
    CHECK(young.address == old.address); /* or this program tests nothing */
    MUST(hf_write(&young, 0, "young", 6));
    MISTAKE(hf_write(&old, 0, "old", 4), HF_STALE, WRITE, old.address, ORDINARY);
    MISTAKE(hf_release(&old), HF_STALE, RELEASE, old.address, REPORTED);
    CHECK(strcmp(young.address, "young") == 0);
    return stage_close();
}
