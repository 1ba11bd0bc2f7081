/* SPDX-License-Identifier: MIT
 *
 * Allocation flags that this library does not know: a program built for a later one must be told, not half obeyed.
 */
#include "misuse.h"

static const char SAYS[] = "hf_pool_allocate: flags is N; it must be a sum of HF_UNINITIALISED, HF_POPULATE and HF_NO_WAIT";
static const char MANY[] = "hf_pool_allocate_many: flags is N; it must be a sum of HF_UNINITIALISED, HF_POPULATE and HF_NO_WAIT";

int main(void) {
    stage_open(NULL);
    hf_segment result;
    size_t got;
    poison(&result, sizeof result);
    poison(&got, sizeof got);
    MISTAKE(hf_pool_allocate(stage_pool, 1, 8, &result), HF_INVALID, SAYS, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate(stage_pool, 1, HF_NO_WAIT | 0x80000000u, &result), HF_INVALID, SAYS, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate_many(stage_pool, 1, 8, 1, &result, &got), HF_INVALID, MANY, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK_UNTOUCHED(got);
    return stage_close();
}
