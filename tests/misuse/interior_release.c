/* SPDX-License-Identifier: MIT
 *
 * A release of a slice that does not begin where the slot begins.
 */
#include "misuse.h"

static const char SAYS[] = "hf_release: segment ADDR (pool pages, 4 KiB, slot 1, era N) begins at byte 4096 of its slot; "
                           "only a view from the first byte can be released";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page(), inside;
    MUST(hf_slice(&page, 4096, 4096, &inside));
    MISTAKE(hf_release(&inside), HF_INVALID, SAYS, inside.address, REPORTED);
    CHECK_COUNTED(misuse_invalid, 1);
    CHECK(hf_check(&page) == HF_OK);
    MUST(hf_release(&page));
    return stage_close();
}
