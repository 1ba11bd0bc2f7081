/* SPDX-License-Identifier: MIT
 *
 * Releasing a bump segment is right and frees nothing: it is counted. So is releasing it twice; a slice of it counts as well.
 */
#include "misuse.h"

int main(void) {
    stage_open(NULL);
    hf_segment bump;
    hf_arena_stats stats = HF_ARENA_STATS_INIT;
    MUST(hf_arena_allocate(stage_arena, 100, 8, &bump));
    MUST(hf_write(&bump, 0, "kept", 5));
    CHECK(hf_release(&bump) == HF_OK);
    CHECK(hf_release(&bump) == HF_OK);
    CHECK(hf_release_dirty(&bump, 5) == HF_OK);
    CHECK(hf_check(&bump) == HF_OK && strcmp(bump.address, "kept") == 0);
    MUST(hf_arena_get_stats(stage_arena, &stats));
    CHECK(stats.bump_allocations == 1 && stats.bump_releases == 3);
    return stage_close();
}
