/* SPDX-License-Identifier: MIT
 *
 * A segment that was never filled in: all zero. Every function that takes one says so.
 */
#include "misuse.h"

static const char RELEASE[] = "hf_release: the segment is zero: it was never allocated";
static const char RELEASE_DIRTY[] = "hf_release_dirty: the segment is zero: it was never allocated";
static const char PIN[] = "hf_pin: the segment is zero: it was never allocated";
static const char FILL[] = "hf_fill: the segment is zero: it was never allocated";
static const char READ[] = "hf_read: the segment is zero: it was never allocated";
static const char WRITE[] = "hf_write: the segment is zero: it was never allocated";
static const char SET[] = "hf_set_u32: the segment is zero: it was never allocated";
static const char COPY[] = "hf_copy: the segment is zero: it was never allocated";
static const char MISMATCH[] = "hf_mismatch: the segment is zero: it was never allocated";
static const char SLICE[] = "hf_slice: the segment is zero: it was never allocated";
static const char READ_ONLY[] = "hf_as_read_only: the segment is zero: it was never allocated";
static const char SLOT[] = "hf_segment_slot: the segment is zero: it was never allocated";

int main(void) {
    stage_open(NULL);
    hf_segment zero = { 0 }, result;
    hf_pinned pin;
    char bytes[8];
    size_t number;
    uint32_t value;
    poison(&result, sizeof result);
    poison(&pin, sizeof pin);
    poison(bytes, sizeof bytes);
    poison(&number, sizeof number);
    poison(&value, sizeof value);
    MISTAKE(hf_release(&zero), HF_INVALID, RELEASE, NULL, REPORTED);
    MISTAKE(hf_release_dirty(&zero, 1), HF_INVALID, RELEASE_DIRTY, NULL, REPORTED);
    MISTAKE(hf_check(&zero), HF_INVALID, SILENT, NULL, ORDINARY);
    MISTAKE(hf_pin(&zero, &pin), HF_INVALID, PIN, NULL, ORDINARY);
    MISTAKE(hf_fill(&zero, 0, 0, 1), HF_INVALID, FILL, NULL, ORDINARY);
    MISTAKE(hf_read(&zero, 0, bytes, 1), HF_INVALID, READ, NULL, ORDINARY);
    MISTAKE(hf_write(&zero, 0, bytes, 1), HF_INVALID, WRITE, NULL, ORDINARY);
    MISTAKE(hf_get_u32(&zero, 0, &value), HF_INVALID, SILENT, NULL, ORDINARY);
    MISTAKE(hf_set_u32(&zero, 0, 1), HF_INVALID, SET, NULL, ORDINARY);
    MISTAKE(hf_copy(&zero, 0, &stage_owner, 0, 1), HF_INVALID, COPY, NULL, ORDINARY);
    MISTAKE(hf_copy(&stage_owner, 0, &zero, 0, 1), HF_INVALID, COPY, NULL, ORDINARY);
    MISTAKE(hf_mismatch(&zero, &stage_owner, &number), HF_INVALID, MISMATCH, NULL, ORDINARY);
    MISTAKE(hf_mismatch(&stage_owner, &zero, &number), HF_INVALID, MISMATCH, NULL, ORDINARY);
    MISTAKE(hf_slice(&zero, 0, 0, &result), HF_INVALID, SLICE, NULL, ORDINARY);
    MISTAKE(hf_as_read_only(&zero, &result), HF_INVALID, READ_ONLY, NULL, ORDINARY);
    MISTAKE(hf_segment_slot(&zero, &number), HF_INVALID, SLOT, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK_UNTOUCHED(pin);
    CHECK_UNTOUCHED(bytes);
    CHECK_UNTOUCHED(number);
    CHECK_UNTOUCHED(value);
    return stage_close();
}
