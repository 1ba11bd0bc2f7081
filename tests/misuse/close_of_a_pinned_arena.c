/* SPDX-License-Identifier: MIT
 *
 * An arena or pool with a pin is closed without waiting: HF_BUSY, and everything goes on as before.
 */
#include "misuse.h"

static const char ARENA[] = "hf_arena_close: arena engine has 1 pinned segment; nothing has changed";
static const char POOL[] = "hf_pool_close: pool pages has 1 pinned segment; nothing has changed";

int main(void) {
    stage_open(NULL);
    hf_pinned pin;
    MUST(hf_pin(&stage_owner, &pin));
    MISTAKE(hf_arena_close(stage_arena, 0), HF_BUSY, ARENA, NULL, ORDINARY);
    MISTAKE(hf_pool_close(stage_pool, 0), HF_BUSY, POOL, NULL, ORDINARY);
    CHECK(hf_arena_is_open(stage_arena));
    hf_segment page = stage_page();
    MUST(hf_release(&page));
    MUST(hf_unpin(&pin));
    return stage_close();
}
