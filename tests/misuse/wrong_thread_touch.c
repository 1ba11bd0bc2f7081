/* SPDX-License-Identifier: MIT
 *
 * Another thread reads, writes, pins and checks a confined segment. Slicing it is allowed: a slice touches nothing.
 */
#include "misuse.h"

#define OFF ": arena engine is confined to thread N; this is thread N"
static const char WRITE[] = "hf_write: segment ADDR (confined, 64 KiB, era N)" OFF;
static const char READ[] = "hf_read: segment ADDR (confined, 64 KiB, era N)" OFF;
static const char FILL[] = "hf_fill: segment ADDR (confined, 64 KiB, era N)" OFF;
static const char SET[] = "hf_set_u16: segment ADDR (confined, 64 KiB, era N)" OFF;
static const char PIN[] = "hf_pin: segment ADDR (confined, 64 KiB, era N)" OFF;
static const char COPY[] = "hf_copy: segment ADDR (confined, 64 KiB, era N)" OFF;

static void elsewhere(void) {
    char bytes[8];
    hf_pinned pin;
    hf_segment slice, view;
    uint32_t value;
    poison(bytes, sizeof bytes);
    poison(&pin, sizeof pin);
    poison(&value, sizeof value);
    const void *at = stage_owner.address;
    MISTAKE(hf_write(&stage_owner, 0, "x", 1), HF_WRONG_THREAD, WRITE, at, REPORTED);
    MISTAKE(hf_read(&stage_owner, 0, bytes, 8), HF_WRONG_THREAD, READ, at, REPORTED);
    MISTAKE(hf_fill(&stage_owner, 0, 0, 1), HF_WRONG_THREAD, FILL, at, REPORTED);
    MISTAKE(hf_set_u16(&stage_owner, 0, 1), HF_WRONG_THREAD, SET, at, REPORTED);
    MISTAKE(hf_pin(&stage_owner, &pin), HF_WRONG_THREAD, PIN, at, REPORTED);
    MISTAKE(hf_copy(&stage_owner, 0, &stage_owner, 8, 8), HF_WRONG_THREAD, COPY, at, REPORTED);
    CHECK(hf_check(&stage_owner) == HF_WRONG_THREAD);
    CHECK(hf_get_u32(&stage_owner, 0, &value) == HF_WRONG_THREAD);
    CHECK_UNTOUCHED(bytes);
    CHECK_UNTOUCHED(pin);
    CHECK_UNTOUCHED(value);
    CHECK(hf_slice(&stage_owner, 0, 8, &slice) == HF_OK);
    CHECK(hf_as_read_only(&stage_owner, &view) == HF_OK);
    CHECK(hf_check(&slice) == HF_WRONG_THREAD);
    CHECK(hf_check(&view) == HF_WRONG_THREAD);
}

int main(void) {
    hf_arena_options confined = HF_ARENA_OPTIONS_INIT;
    confined.kind = HF_CONFINED;
    stage_open(&confined);
    on_another_thread(elsewhere);
    return stage_close();
}
