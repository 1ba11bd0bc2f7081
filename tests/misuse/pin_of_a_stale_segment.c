/* SPDX-License-Identifier: MIT
 *
 * A pin is asked for through a segment whose slot has a new owner: refused, and the new owner is not kept from releasing.
 */
#include "misuse.h"

static const char SAYS[] = "hf_pin: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is in era N";

int main(void) {
    stage_open(NULL);
    hf_segment old = stage_page();
    hf_pinned pin;
    MUST(hf_release(&old));
    hf_segment young = stage_page();
    CHECK(young.address == old.address);
    poison(&pin, sizeof pin);
    MISTAKE(hf_pin(&old, &pin), HF_STALE, SAYS, old.address, ORDINARY);
    CHECK_UNTOUCHED(pin);
    MUST(hf_release(&young));
    hf_pool_stats stats = HF_POOL_STATS_INIT;
    MUST(hf_pool_get_stats(stage_pool, &stats));
    CHECK(stats.lingering_bytes == 0);
    return stage_close();
}
