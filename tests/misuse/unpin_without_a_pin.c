/* SPDX-License-Identifier: MIT
 *
 * A pin that is no pin: of a segment that nobody has pinned, and of one that was pinned and released long ago.
 */
#include "misuse.h"

static const char NO_PIN[] = "hf_unpin: segment ADDR (pool pages, 64 KiB, slot 0, era N) has no pin";
static const char STALE[] = "hf_unpin: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is in era N";

int main(void) {
    stage_open(NULL);
    hf_pinned pin, copy, old;
    MUST(hf_pin(&stage_owner, &pin));
    copy = pin;
    MUST(hf_unpin(&pin));
    MISTAKE(hf_unpin(&copy), HF_INVALID, NO_PIN, stage_owner.address, REPORTED);
    CHECK_COUNTED(misuse_invalid, 1);

    hf_segment page = stage_page();
    MUST(hf_pin(&page, &pin));
    old = pin;
    MUST(hf_unpin(&pin));
    MUST(hf_release(&page));
    hf_segment next = stage_page();
    CHECK(next.address == page.address); /* or the rest tests nothing */
    MUST(hf_pin(&next, &pin));
    MISTAKE(hf_unpin(&old), HF_STALE, STALE, page.address, REPORTED);
    MUST(hf_release(&next));
    hf_pool_stats stats = HF_POOL_STATS_INIT;
    MUST(hf_pool_get_stats(stage_pool, &stats));
    CHECK(stats.lingering_bytes == PAGE_BYTES); /* the real pin of the next owner still holds */
    MUST(hf_unpin(&pin));
    return stage_close();
}
