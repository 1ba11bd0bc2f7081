/* SPDX-License-Identifier: MIT
 *
 * An arena is closed twice, with and without a timeout. The second close is a status, and nothing of the first is done again.
 */
#include "misuse.h"

static const char SAYS[] = "hf_arena_close: arena engine is closed";

static unsigned ran;

static void action(void *context) {
    (void)context;
    ran++;
}

int main(void) {
    stage_open(NULL);
    MUST(hf_arena_on_close(stage_arena, action, NULL));
    MUST(hf_arena_close(stage_arena, 0));
    CHECK(ran == 1);
    MISTAKE(hf_arena_close(stage_arena, 0), HF_CLOSED, SAYS, NULL, ORDINARY);
    MISTAKE(hf_arena_close(stage_arena, HF_FOREVER), HF_CLOSED, SAYS, NULL, ORDINARY);
    CHECK(ran == 1);
    hf_arena next;
    MUST(hf_arena_open(NULL, &next)); /* the closed one's place is used again: the old handle must not close the new arena */
    MISTAKE(hf_arena_close(stage_arena, 0), HF_CLOSED, SILENT, NULL, ORDINARY);
    CHECK(hf_arena_is_open(next));
    MUST(hf_arena_close(next, 0));
    return stage_is_closed();
}
