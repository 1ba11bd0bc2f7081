/* SPDX-License-Identifier: MIT
 *
 * The oldest mistake of all: a segment is released, and then released again by the same owner.
 */
#include "misuse.h"

static const char SAYS[] = "hf_release: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page();
    MUST(hf_release(&page));
    MISTAKE(hf_release(&page), HF_STALE, SAYS, page.address, REPORTED);
    CHECK_COUNTED(misuse_stale, 1);
    return stage_close();
}
