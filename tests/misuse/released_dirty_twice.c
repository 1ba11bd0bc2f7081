/* SPDX-License-Identifier: MIT
 *
 * The second release gives a dirty hint: it must neither win nor change what the first one said about the slot.
 */
#include "misuse.h"

static const char SAYS[] = "hf_release_dirty: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page();
    memset(page.address, 0x5a, page.size);
    MUST(hf_release(&page));
    MISTAKE(hf_release_dirty(&page, 0), HF_STALE, SAYS, page.address, REPORTED);
    CHECK_COUNTED(misuse_stale, 1);
    hf_segment next = stage_page();
    bool zero = true;
    for (size_t i = 0; i < next.size; i++)
        zero = zero && ((unsigned char *)next.address)[i] == 0;
    tap(zero, "the next owner's page is zero: the late hint was not believed");
    MUST(hf_release(&next));
    return stage_close();
}
