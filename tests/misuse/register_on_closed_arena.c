/* SPDX-License-Identifier: MIT
 *
 * A cleanup action is registered, or memory adopted, after the arena's close: HF_CLOSED, the action never runs, the memory
 * stays the caller's.
 */
#include "misuse.h"

static const char ON_CLOSE[] = "hf_arena_on_close: arena engine is closed";
static const char ADOPT[] = "hf_arena_adopt: arena engine is closed";

static unsigned ran;
static char block[4096];

static void action(void *context) {
    (void)context;
    ran++;
}

int main(void) {
    stage_open(NULL);
    hf_segment result;
    poison(&result, sizeof result);
    MUST(hf_arena_close(stage_arena, 0));
    MISTAKE(hf_arena_on_close(stage_arena, action, NULL), HF_CLOSED, ON_CLOSE, NULL, ORDINARY);
    MISTAKE(hf_arena_adopt(stage_arena, block, sizeof block, action, NULL, &result), HF_CLOSED, ADOPT, NULL, ORDINARY);
    CHECK(hf_arena_close(stage_arena, 0) == HF_CLOSED);
    CHECK(ran == 0);
    CHECK_UNTOUCHED(result);
    return stage_is_closed();
}
