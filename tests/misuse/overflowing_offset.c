/* SPDX-License-Identifier: MIT
 *
 * Offset plus length wraps around the end of the address space and would look small. It is refused for what it is.
 */
#include "misuse.h"

static const char READ[] = "hf_read: offset N and length N leave segment ADDR of 64 KiB";
static const char WRITE[] = "hf_write: offset N and length N leave segment ADDR of 64 KiB";
static const char FILL[] = "hf_fill: offset N and length N leave segment ADDR of 64 KiB";
static const char COPY[] = "hf_copy: offset N and length N leave segment ADDR of 64 KiB";
static const char SLICE[] = "hf_slice: offset N and length N leave segment ADDR of 64 KiB";
static const char SET[] = "hf_set_u64: offset N and length 8 leave segment ADDR of 64 KiB";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page(), result;
    char bytes[32];
    uint64_t value;
    poison(&result, sizeof result);
    poison(bytes, sizeof bytes);
    poison(&value, sizeof value);
    MISTAKE(hf_read(&page, SIZE_MAX - 15, bytes, 32), HF_OUT_OF_BOUNDS, READ, page.address, ORDINARY);
    MISTAKE(hf_read(&page, 16, bytes, SIZE_MAX - 15), HF_OUT_OF_BOUNDS, READ, page.address, ORDINARY);
    MISTAKE(hf_write(&page, SIZE_MAX - 15, bytes, 32), HF_OUT_OF_BOUNDS, WRITE, page.address, ORDINARY);
    MISTAKE(hf_fill(&page, SIZE_MAX, 1, 1), HF_OUT_OF_BOUNDS, FILL, page.address, ORDINARY);
    MISTAKE(hf_fill(&page, 1, SIZE_MAX, 1), HF_OUT_OF_BOUNDS, FILL, page.address, ORDINARY);
    MISTAKE(hf_copy(&page, 0, &page, SIZE_MAX - 7, 8), HF_OUT_OF_BOUNDS, COPY, page.address, ORDINARY);
    MISTAKE(hf_copy(&page, SIZE_MAX - 7, &page, 0, 8), HF_OUT_OF_BOUNDS, COPY, page.address, ORDINARY);
    MISTAKE(hf_slice(&page, SIZE_MAX, 1, &result), HF_OUT_OF_BOUNDS, SLICE, page.address, ORDINARY);
    MISTAKE(hf_slice(&page, 4096, SIZE_MAX - 4095, &result), HF_OUT_OF_BOUNDS, SLICE, page.address, ORDINARY);
    MISTAKE(hf_get_u64(&page, SIZE_MAX - 3, &value), HF_OUT_OF_BOUNDS, SILENT, NULL, ORDINARY);
    MISTAKE(hf_set_u64(&page, SIZE_MAX - 3, 1), HF_OUT_OF_BOUNDS, SET, page.address, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK_UNTOUCHED(bytes);
    CHECK_UNTOUCHED(value);
    MUST(hf_release(&page));
    return stage_close();
}
