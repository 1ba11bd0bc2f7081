/* SPDX-License-Identifier: MIT
 *
 * A view without the right to write is written through, by every function that writes; its slices inherit the rule.
 */
#include "misuse.h"

static const char WRITE[] = "hf_write: segment ADDR (pool pages, 64 KiB, slot 1, era N) is a read-only view";
static const char SLICE[] = "hf_write: segment ADDR (pool pages, 128 bytes, slot 1, era N) is a read-only view";
static const char FILL[] = "hf_fill: segment ADDR (pool pages, 64 KiB, slot 1, era N) is a read-only view";
static const char SET_U8[] = "hf_set_u8: segment ADDR (pool pages, 64 KiB, slot 1, era N) is a read-only view";
static const char SET_U64[] = "hf_set_u64: segment ADDR (pool pages, 64 KiB, slot 1, era N) is a read-only view";
static const char COPY[] = "hf_copy: segment ADDR (pool pages, 64 KiB, slot 1, era N) is a read-only view";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page(), view, slice;
    char bytes[8];
    size_t where;
    MUST(hf_as_read_only(&page, &view));
    MUST(hf_slice(&view, 128, 128, &slice));
    MISTAKE(hf_write(&view, 0, "x", 1), HF_READ_ONLY, WRITE, page.address, ORDINARY);
    MISTAKE(hf_write(&slice, 0, "x", 1), HF_READ_ONLY, SLICE, slice.address, ORDINARY);
    MISTAKE(hf_write(&view, 0, "x", 0), HF_READ_ONLY, WRITE, page.address, ORDINARY); /* nothing to write is still a write */
    MISTAKE(hf_fill(&view, 0, 1, 1), HF_READ_ONLY, FILL, page.address, ORDINARY);
    MISTAKE(hf_set_u8(&view, 0, 1), HF_READ_ONLY, SET_U8, page.address, ORDINARY);
    MISTAKE(hf_set_u64(&view, 0, 1), HF_READ_ONLY, SET_U64, page.address, ORDINARY);
    MISTAKE(hf_copy(&stage_owner, 0, &view, 0, 8), HF_READ_ONLY, COPY, page.address, ORDINARY);
    CHECK(hf_read(&view, 0, bytes, sizeof bytes) == HF_OK); /* reading is what the view is for */
    CHECK(hf_copy(&view, 0, &page, 8, 8) == HF_OK);
    CHECK(hf_mismatch(&view, &page, &where) == HF_OK && where == SIZE_MAX);
    bool zero = true;
    for (size_t i = 0; i < page.size; i++)
        zero = zero && ((unsigned char *)page.address)[i] == 0;
    tap(zero, "no byte of the page was written");
    CHECK_COUNTED(misuse_read_only, 0);
    MUST(hf_release(&page));
    return stage_close();
}
