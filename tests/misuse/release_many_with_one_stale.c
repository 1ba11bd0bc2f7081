/* SPDX-License-Identifier: MIT
 *
 * One of many segments was released before. The others are released all the same, and the first bad status is told.
 */
#include "misuse.h"

static const char SAYS[] = "hf_release_many: segment ADDR (pool pages, 64 KiB, slot 2, era N) was already released; the slot is free";

static hf_status release_again(const hf_segment *pages, size_t *released) {
    return hf_release_many(pages, 1, released);
}

int main(void) {
    stage_open(NULL);
    hf_segment pages[3] = { stage_page(), stage_page(), stage_page() };
    size_t released = 0, again = 99;
    MUST(hf_release(&pages[1]));
    CHECK(hf_release_many(pages, 3, &released) == HF_STALE);
    CHECK(released == 2);
    CHECK(hf_check(&pages[0]) == HF_STALE && hf_check(&pages[2]) == HF_STALE);
    MISTAKE(release_again(&pages[1], &again), HF_STALE, SAYS, pages[1].address, REPORTED);
    CHECK(again == 0);
    CHECK_COUNTED(misuse_stale, 2);
    CHECK(hf_release_many(NULL, 0, &released) == HF_OK && released == 0);
    return stage_close();
}
