/* SPDX-License-Identifier: MIT
 *
 * A global arena is never closed; its pools are.
 */
#include "misuse.h"

static const char SAYS[] = "hf_arena_close: arena engine is global: it is never closed";

int main(void) {
    hf_arena_options global = HF_ARENA_OPTIONS_INIT;
    global.kind = HF_GLOBAL;
    stage_open(&global);
    MISTAKE(hf_arena_close(stage_arena, 0), HF_INVALID, SAYS, NULL, ORDINARY);
    MISTAKE(hf_arena_close(stage_arena, HF_FOREVER), HF_INVALID, SAYS, NULL, ORDINARY);
    CHECK(hf_arena_is_open(stage_arena));
    CHECK(hf_check(&stage_owner) == HF_OK);
    MUST(hf_release(&stage_owner));
    MUST(hf_pool_close(stage_pool, 0));
    CHECK(hf_arena_is_open(stage_arena));
    return stage_is_closed();
}
