/* SPDX-License-Identifier: MIT
 *
 * The pinner's own segment was released by another. Its pin goes on working, but no new pin, check or checked call does.
 */
#include "misuse.h"

static const char PIN[] = "hf_pin: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is kept by its pins";
static const char READ[] = "hf_read: segment ADDR (pool pages, 64 KiB, slot 1, era N) was already released; the slot is kept by its pins";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page();
    hf_pinned pin, second;
    char bytes[5];
    MUST(hf_write(&page, 0, "kept", 5));
    MUST(hf_pin(&page, &pin));
    MUST(hf_release(&page));
    poison(&second, sizeof second);
    poison(bytes, sizeof bytes);
    MISTAKE(hf_pin(&page, &second), HF_STALE, PIN, page.address, ORDINARY);
    MISTAKE(hf_read(&page, 0, bytes, sizeof bytes), HF_STALE, READ, page.address, ORDINARY);
    MISTAKE(hf_check(&page), HF_STALE, SILENT, NULL, ORDINARY);
    CHECK_UNTOUCHED(second);
    CHECK_UNTOUCHED(bytes);
    CHECK(strcmp(pin.address, "kept") == 0);
    strcpy(pin.address, "used"); /* raw use of a pin is right whatever others do */
    CHECK(hf_unpin(&pin) == HF_OK);
    return stage_close();
}
