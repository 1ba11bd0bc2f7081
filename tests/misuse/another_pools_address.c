/* SPDX-License-Identifier: MIT
 *
 * An address of one pool is looked up in another: hf_pool_find answers for its own pool only.
 */
#include "misuse.h"

static const char SAYS[] = "hf_pool_find: address ADDR is not in pool pages";

int main(void) {
    stage_open(NULL);
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    hf_pool other;
    hf_segment theirs, found;
    options.name = "theirs";
    options.limit_bytes = STAGE_LIMIT_BYTES;
    MUST(hf_pool_open(stage_arena, &options, &other));
    MUST(hf_pool_allocate(other, PAGE_BYTES, 0, &theirs));
    poison(&found, sizeof found);
    MISTAKE(hf_pool_find(stage_pool, theirs.address, &found), HF_FOREIGN, SAYS, theirs.address, REPORTED);
    CHECK_UNTOUCHED(found);
    MUST(hf_release(&theirs));
    MUST(hf_pool_close(other, 0));
    return stage_close();
}
