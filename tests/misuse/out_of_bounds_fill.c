/* SPDX-License-Identifier: MIT
 *
 * A fill that is one byte too long writes no byte at all, not even those that would have fitted.
 */
#include "misuse.h"

static const char SAYS[] = "hf_fill: offset N and length N leave segment ADDR of 64 KiB";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page();
    MISTAKE(hf_fill(&page, 0, PAGE_BYTES + 1, 1), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_fill(&page, 1, PAGE_BYTES, 1), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_fill(&page, PAGE_BYTES + 1, 0, 1), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    CHECK(((char *)page.address)[0] == 0 && ((char *)page.address)[PAGE_BYTES - 1] == 0);
    CHECK(hf_fill(&page, 0, PAGE_BYTES, 1) == HF_OK);
    MUST(hf_release(&page));
    return stage_close();
}
