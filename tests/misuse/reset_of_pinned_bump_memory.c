/* SPDX-License-Identifier: MIT
 *
 * An arena is reset while one of its bump segments is pinned. A pinned pool segment is no reason to refuse.
 */
#include "misuse.h"

static const char SAYS[] = "hf_arena_reset: arena engine has 1 pinned segment; nothing has changed";

int main(void) {
    stage_open(NULL);
    hf_segment bump;
    hf_pinned pin, other;
    MUST(hf_arena_allocate(stage_arena, 100, 8, &bump));
    MUST(hf_write(&bump, 0, "kept", 5));
    MUST(hf_pin(&bump, &pin));
    MISTAKE(hf_arena_reset(stage_arena), HF_BUSY, SAYS, NULL, ORDINARY);
    CHECK(hf_check(&bump) == HF_OK && strcmp(bump.address, "kept") == 0);
    MUST(hf_unpin(&pin));
    MUST(hf_pin(&stage_owner, &other));
    CHECK(hf_arena_reset(stage_arena) == HF_OK);
    CHECK(hf_check(&bump) == HF_STALE);
    CHECK(hf_check(&stage_owner) == HF_OK);
    MUST(hf_unpin(&other));
    return stage_close();
}
