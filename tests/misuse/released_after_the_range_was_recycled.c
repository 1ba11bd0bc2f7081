/* SPDX-License-Identifier: MIT
 *
 * A stale owner releases after its arena has closed and the address space serves another arena: HF_STALE, and the new arena's
 * owner keeps its page.
 */
#include "misuse.h"

static const char SAYS[] = "hf_release: segment ADDR (64 KiB, era N) ended with the close of its arena or pool; "
                           "its address serves another one now";

enum { ATTEMPTS = 4096 }; /* ranges are recycled oldest first: at worst every range there ever was comes before ours */

int main(void) {
    stage_open(NULL);
    hf_arena first, next;
    hf_pool pool;
    hf_segment old, young = { 0 };
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.limit_bytes = STAGE_LIMIT_BYTES;
    MUST(hf_arena_open(NULL, &first));
    MUST(hf_pool_open(first, &options, &pool));
    MUST(hf_pool_allocate(pool, PAGE_BYTES, 0, &old));
    MUST(hf_arena_close(first, 0));
    CHECK(hf_release(&old) == HF_CLOSED);
    for (unsigned i = 0; i < ATTEMPTS && young.address != old.address; i++) {
        if (i)
            MUST(hf_arena_close(next, 0));
        MUST(hf_arena_open(NULL, &next));
        MUST(hf_pool_open(next, &options, &pool));
        MUST(hf_pool_allocate(pool, PAGE_BYTES, 0, &young));
    }
    CHECK(young.address == old.address); /* or this program tests nothing */
    MUST(hf_write(&young, 0, "mine", 5));
    MISTAKE(hf_release(&old), HF_STALE, SAYS, old.address, REPORTED);
    CHECK(hf_check(&old) == HF_STALE);
    CHECK(hf_write(&old, 0, "lost", 5) == HF_STALE);
    CHECK(hf_check(&young) == HF_OK && strcmp(young.address, "mine") == 0);
    CHECK(hf_release(&young) == HF_OK);
    MUST(hf_arena_close(next, 0));
    return stage_close();
}
