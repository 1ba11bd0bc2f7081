/* SPDX-License-Identifier: MIT
 *
 * Writes past the segment's last byte: the neighbouring slot keeps every byte. The rightful owner of the stage is that
 * neighbour.
 */
#include "misuse.h"

static const char SAYS[] = "hf_write: offset N and length N leave segment ADDR of 64 KiB";
static const char SLICE[] = "hf_write: offset N and length N leave segment ADDR of 16 bytes";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page(), slice;
    char bytes[64] = { 1 };
    MUST(hf_slice(&page, 32, 16, &slice));
    MISTAKE(hf_write(&page, PAGE_BYTES, bytes, 1), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_write(&page, PAGE_BYTES - 63, bytes, 64), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_write(&page, PAGE_BYTES + 1, bytes, 0), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    /* inside the slot, outside the view */
    MISTAKE(hf_write(&slice, 1, bytes, 16), HF_OUT_OF_BOUNDS, SLICE, slice.address, ORDINARY);
    CHECK(((char *)page.address)[PAGE_BYTES - 63] == 0);
    CHECK(((char *)page.address)[33] == 0);
    CHECK(hf_write(&page, PAGE_BYTES, bytes, 0) == HF_OK);
    MUST(hf_release(&page));
    return stage_close();
}
