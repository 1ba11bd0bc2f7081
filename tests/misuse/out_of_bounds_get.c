/* SPDX-License-Identifier: MIT
 *
 * Numbers read where fewer bytes are left than the number has.
 */
#include "misuse.h"

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page(), tiny, empty;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    MUST(hf_slice(&page, 0, 3, &tiny));
    MUST(hf_slice(&page, 3, 0, &empty));
    poison(&u8, sizeof u8);
    poison(&u16, sizeof u16);
    poison(&u32, sizeof u32);
    poison(&u64, sizeof u64);
    MISTAKE(hf_get_u8(&page, PAGE_BYTES, &u8), HF_OUT_OF_BOUNDS, SILENT, NULL, ORDINARY);
    MISTAKE(hf_get_u16(&page, PAGE_BYTES - 1, &u16), HF_OUT_OF_BOUNDS, SILENT, NULL, ORDINARY);
    MISTAKE(hf_get_u32(&page, PAGE_BYTES - 3, &u32), HF_OUT_OF_BOUNDS, SILENT, NULL, ORDINARY);
    MISTAKE(hf_get_u64(&page, PAGE_BYTES - 7, &u64), HF_OUT_OF_BOUNDS, SILENT, NULL, ORDINARY);
    MISTAKE(hf_get_u32(&tiny, 0, &u32), HF_OUT_OF_BOUNDS, SILENT, NULL, ORDINARY);
    MISTAKE(hf_get_u8(&empty, 0, &u8), HF_OUT_OF_BOUNDS, SILENT, NULL, ORDINARY);
    CHECK_UNTOUCHED(u8);
    CHECK_UNTOUCHED(u16);
    CHECK_UNTOUCHED(u32);
    CHECK_UNTOUCHED(u64);
    CHECK(hf_get_u64(&page, PAGE_BYTES - 8, &u64) == HF_OK && u64 == 0);
    CHECK(hf_get_u16(&tiny, 1, &u16) == HF_OK && u16 == 0);
    MUST(hf_release(&page));
    return stage_close();
}
