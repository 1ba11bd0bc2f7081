/* SPDX-License-Identifier: MIT
 *
 * More segments at once than the limit has room for: the first ones are given and kept, and the count says how many.
 */
#include "misuse.h"

static const char SAYS[] =
    "hf_pool_allocate_many: 64 KiB do not fit: pool pages has 1 MiB charged (1 MiB of it in use) of a limit of 1 MiB";

enum { FIT = STAGE_LIMIT_BYTES / 65536 - 1 }; /* the owner has one */

int main(void) {
    stage_open(NULL);
    hf_segment pages[FIT + 2];
    size_t got = 99;
    poison(&pages[FIT], 2 * sizeof *pages);
    CHECK(hf_pool_allocate_many(stage_pool, PAGE_BYTES, 0, FIT + 2, pages, &got) == HF_NO_MEMORY);
    CHECK(got == FIT);
    CHECK(is_poison(&pages[FIT], 2 * sizeof *pages));
    MISTAKE(hf_pool_allocate_many(stage_pool, PAGE_BYTES, 0, 2, &pages[FIT], &got), HF_NO_MEMORY, SAYS, NULL, ORDINARY);
    CHECK(got == 0);
    for (unsigned i = 0; i < FIT; i++)
        if (hf_release(&pages[i]) != HF_OK)
            tap(false, "each of the pages given can be released");
    return stage_close();
}
