/* SPDX-License-Identifier: MIT
 *
 * Numbers written where fewer bytes are left than the number has: not one byte is written.
 */
#include "misuse.h"

static const char SET_U8[] = "hf_set_u8: offset N and length 1 leave segment ADDR of 64 KiB";
static const char SET_U16[] = "hf_set_u16: offset N and length 2 leave segment ADDR of 64 KiB";
static const char SET_U32[] = "hf_set_u32: offset N and length 4 leave segment ADDR of 64 KiB";
static const char SET_U64[] = "hf_set_u64: offset N and length 8 leave segment ADDR of 64 KiB";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page();
    MISTAKE(hf_set_u8(&page, PAGE_BYTES, 1), HF_OUT_OF_BOUNDS, SET_U8, page.address, ORDINARY);
    MISTAKE(hf_set_u16(&page, PAGE_BYTES - 1, UINT16_MAX), HF_OUT_OF_BOUNDS, SET_U16, page.address, ORDINARY);
    MISTAKE(hf_set_u32(&page, PAGE_BYTES - 3, UINT32_MAX), HF_OUT_OF_BOUNDS, SET_U32, page.address, ORDINARY);
    MISTAKE(hf_set_u64(&page, PAGE_BYTES - 7, UINT64_MAX), HF_OUT_OF_BOUNDS, SET_U64, page.address, ORDINARY);
    uint64_t last = 1;
    CHECK(hf_get_u64(&page, PAGE_BYTES - 8, &last) == HF_OK && last == 0);
    MUST(hf_release(&page));
    return stage_close();
}
