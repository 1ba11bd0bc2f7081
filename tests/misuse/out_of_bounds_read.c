/* SPDX-License-Identifier: MIT
 *
 * Reads that begin or end past the segment's last byte. A read of nothing at the very end is allowed.
 */
#include "misuse.h"

static const char SAYS[] = "hf_read: offset N and length N leave segment ADDR of 64 KiB";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page();
    char bytes[8];
    poison(bytes, sizeof bytes);
    MISTAKE(hf_read(&page, PAGE_BYTES, bytes, 1), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_read(&page, PAGE_BYTES - 7, bytes, 8), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_read(&page, PAGE_BYTES + 1, bytes, 0), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_read(&page, 0, bytes, PAGE_BYTES + 1), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    CHECK_UNTOUCHED(bytes);
    CHECK(hf_read(&page, PAGE_BYTES, bytes, 0) == HF_OK);
    CHECK(hf_read(&page, PAGE_BYTES - 8, bytes, 8) == HF_OK);
    MUST(hf_release(&page));
    return stage_close();
}
