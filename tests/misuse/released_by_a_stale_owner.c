/* SPDX-License-Identifier: MIT
 *
 * An owner lets go of its segment, the slot gets a new owner, and the old one releases once more: it must not free the new
 * owner's page.
 */
#include "misuse.h"

static const char SAYS[] = "hf_release: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is in era N";

int main(void) {
    stage_open(NULL);
    hf_segment old = stage_page();
    MUST(hf_release(&old));
    hf_segment young = stage_page();
    CHECK(young.address == old.address); /* or this program tests nothing */
    MUST(hf_write(&young, 0, "mine", 5));
    MISTAKE(hf_release(&old), HF_STALE, SAYS, old.address, REPORTED);
    CHECK_COUNTED(misuse_stale, 1);
    CHECK(hf_check(&young) == HF_OK);
    CHECK(memcmp(young.address, "mine", 5) == 0);
    MUST(hf_release(&young));
    return stage_close();
}
