/* SPDX-License-Identifier: MIT
 *
 * A segment put together by hand around memory that never was the library's, and a question about such an address.
 */
#include "misuse.h"

static const char RELEASE[] = "hf_release: 4 KiB at ADDR was never handed out by this library";
static const char FIND[] = "hf_pool_find: address ADDR is not in pool pages";

static uint64_t strangers_memory[512];

int main(void) {
    stage_open(NULL);
    hf_segment invented = { strangers_memory, sizeof strangers_memory, (hf_hold *)strangers_memory, UINT64_C(7) << 16 };
    hf_segment found;
    poison(&found, sizeof found);
    poison(strangers_memory, sizeof strangers_memory);
    MISTAKE(hf_release(&invented), HF_FOREIGN, RELEASE, strangers_memory, REPORTED);
    CHECK_UNTOUCHED(strangers_memory);
    MISTAKE(hf_pool_find(stage_pool, strangers_memory, &found), HF_FOREIGN, FIND, strangers_memory, REPORTED);
    CHECK_UNTOUCHED(found);
    return stage_close();
}
