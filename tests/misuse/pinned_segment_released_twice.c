/* SPDX-License-Identifier: MIT
 *
 * A pinned segment is released, which is right, and then released again while the pin still holds it.
 */
#include "misuse.h"

static const char SAYS[] =
    "hf_release: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is kept by its pins";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page();
    hf_pinned pin;
    MUST(hf_pin(&page, &pin));
    MUST(hf_release(&page));
    MISTAKE(hf_release(&page), HF_STALE, SAYS, page.address, REPORTED);
    CHECK_COUNTED(misuse_stale, 1);
    MUST(hf_unpin(&pin));
    return stage_close();
}
