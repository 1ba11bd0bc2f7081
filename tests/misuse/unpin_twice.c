/* SPDX-License-Identifier: MIT
 *
 * A pin is ended twice. The first unpin zeroes it, so the second finds nothing to end, and somebody else's pin stays.
 */
#include "misuse.h"

static const char SAYS[] = "hf_unpin: the pin is zero: it was never taken, or is unpinned already";

int main(void) {
    stage_open(NULL);
    hf_pinned mine, theirs;
    MUST(hf_pin(&stage_owner, &mine));
    MUST(hf_pin(&stage_owner, &theirs));
    MUST(hf_unpin(&mine));
    hf_pinned zero = { 0 };
    CHECK(memcmp(&mine, &zero, sizeof mine) == 0);
    MISTAKE(hf_unpin(&mine), HF_INVALID, SAYS, NULL, REPORTED);
    CHECK(hf_arena_close(stage_arena, 0) == HF_BUSY); /* their pin is still there */
    MUST(hf_unpin(&theirs));
    return stage_close();
}
