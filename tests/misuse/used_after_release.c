/* SPDX-License-Identifier: MIT
 *
 * A segment is used after its release. That is ordinary life in a cache, so it is a status and no misuse; and nothing is read
 * or written.
 */
#include "misuse.h"

static const char PIN[] = "hf_pin: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";
static const char READ[] = "hf_read: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";
static const char WRITE[] = "hf_write: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";
static const char FILL[] = "hf_fill: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";
static const char SET[] = "hf_set_u64: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";
static const char COPY[] = "hf_copy: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";
static const char MISMATCH[] = "hf_mismatch: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";
static const char SLOT[] = "hf_segment_slot: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is free";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page();
    hf_pinned pin;
    char bytes[8];
    size_t number;
    uint64_t value;
    poison(&pin, sizeof pin);
    poison(bytes, sizeof bytes);
    poison(&number, sizeof number);
    poison(&value, sizeof value);
    MUST(hf_release(&page));
    MISTAKE(hf_check(&page), HF_STALE, SILENT, page.address, ORDINARY);
    MISTAKE(hf_pin(&page, &pin), HF_STALE, PIN, page.address, ORDINARY);
    MISTAKE(hf_read(&page, 0, bytes, sizeof bytes), HF_STALE, READ, page.address, ORDINARY);
    MISTAKE(hf_read(&page, 0, bytes, 0), HF_STALE, READ, page.address, ORDINARY); /* validity is looked at whatever the length */
    MISTAKE(hf_write(&page, 0, "x", 1), HF_STALE, WRITE, page.address, ORDINARY);
    MISTAKE(hf_write(&page, 0, NULL, 0), HF_STALE, WRITE, page.address, ORDINARY);
    MISTAKE(hf_fill(&page, 0, page.size, 1), HF_STALE, FILL, page.address, ORDINARY);
    MISTAKE(hf_get_u64(&page, 0, &value), HF_STALE, SILENT, page.address, ORDINARY);
    MISTAKE(hf_set_u64(&page, 0, 1), HF_STALE, SET, page.address, ORDINARY);
    MISTAKE(hf_copy(&page, 0, &stage_owner, 0, 8), HF_STALE, COPY, page.address, ORDINARY);
    MISTAKE(hf_copy(&stage_owner, 0, &page, 0, 8), HF_STALE, COPY, page.address, ORDINARY);
    MISTAKE(hf_copy(&page, 0, &stage_owner, 0, 0), HF_STALE, COPY, page.address, ORDINARY);
    MISTAKE(hf_mismatch(&page, &stage_owner, &number), HF_STALE, MISMATCH, page.address, ORDINARY);
    MISTAKE(hf_segment_slot(&page, &number), HF_STALE, SLOT, page.address, ORDINARY);
    CHECK_UNTOUCHED(pin);
    CHECK_UNTOUCHED(bytes);
    CHECK_UNTOUCHED(number);
    CHECK_UNTOUCHED(value);
    CHECK_COUNTED(misuse_stale, 0);
    return stage_close();
}
