/* SPDX-License-Identifier: MIT
 *
 * A read-only view carries no right to release. Nor does a slice of one.
 */
#include "misuse.h"

static const char PAGE[] = "hf_release: segment ADDR (pool pages, 64 KiB, slot 1, era N) is a read-only view";
static const char SLICE[] = "hf_release: segment ADDR (pool pages, 4 KiB, slot 1, era N) is a read-only view";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page(), view, slice;
    MUST(hf_as_read_only(&page, &view));
    MUST(hf_slice(&view, 0, 4096, &slice));
    MISTAKE(hf_release(&view), HF_READ_ONLY, PAGE, page.address, REPORTED);
    MISTAKE(hf_release(&slice), HF_READ_ONLY, SLICE, page.address, REPORTED);
    CHECK_COUNTED(misuse_read_only, 2);
    CHECK(hf_check(&page) == HF_OK);
    MUST(hf_release(&page));
    return stage_close();
}
