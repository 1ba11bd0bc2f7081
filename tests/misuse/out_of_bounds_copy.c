/* SPDX-License-Identifier: MIT
 *
 * A copy that leaves either of its two segments copies nothing.
 */
#include "misuse.h"

static const char SAYS[] = "hf_copy: offset N and length N leave segment ADDR of 64 KiB";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page();
    MISTAKE(hf_copy(&stage_owner, PAGE_BYTES - 7, &page, 0, 8), HF_OUT_OF_BOUNDS, SAYS, stage_owner.address, ORDINARY);
    MISTAKE(hf_copy(&stage_owner, 0, &page, PAGE_BYTES - 7, 8), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_copy(&stage_owner, PAGE_BYTES + 1, &page, 0, 0), HF_OUT_OF_BOUNDS, SAYS, stage_owner.address, ORDINARY);
    MISTAKE(hf_copy(&stage_owner, 0, &page, 0, PAGE_BYTES + 1), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    CHECK(((char *)page.address)[0] == 0 && ((char *)page.address)[PAGE_BYTES - 7] == 0);
    CHECK(hf_copy(&stage_owner, PAGE_BYTES, &page, PAGE_BYTES, 0) == HF_OK);
    MUST(hf_release(&page));
    return stage_close();
}
