/* SPDX-License-Identifier: MIT
 *
 * A slice can only narrow: past the end, or wider than what it is cut from, is refused, of a dead segment too.
 */
#include "misuse.h"

static const char SAYS[] = "hf_slice: offset N and length N leave segment ADDR of 64 KiB";
static const char NARROW[] = "hf_slice: offset N and length N leave segment ADDR of 4 KiB";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page(), narrow, result;
    MUST(hf_slice(&page, 4096, 4096, &narrow));
    poison(&result, sizeof result);
    MISTAKE(hf_slice(&page, PAGE_BYTES, 1, &result), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_slice(&page, PAGE_BYTES + 1, 0, &result), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_slice(&page, 0, PAGE_BYTES + 1, &result), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    MISTAKE(hf_slice(&narrow, 0, 4097, &result), HF_OUT_OF_BOUNDS, NARROW, narrow.address, ORDINARY);
    MUST(hf_release(&page));
    MISTAKE(hf_slice(&page, PAGE_BYTES, 1, &result), HF_OUT_OF_BOUNDS, SAYS, page.address, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK(hf_slice(&page, PAGE_BYTES, 0, &result) == HF_OK && result.size == 0);
    return stage_close();
}
