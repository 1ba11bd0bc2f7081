/* SPDX-License-Identifier: MIT
 *
 * A pressure callback closes the pool that called it, or its arena: it would wait for itself.
 */
#include "misuse.h"

static const char POOL[] = "hf_pool_close: a pool can't be closed inside its own pressure callback";
static const char ARENA[] = "hf_arena_close: an arena can't be closed inside the pressure callback of its own pool";

static unsigned calls;

static void pressure(hf_pool pool, size_t wanted_bytes, void *context) {
    (void)context;
    calls++;
    CHECK(pool.id == stage_pool.id && wanted_bytes == PAGE_BYTES);
    MISTAKE(hf_pool_close(pool, 0), HF_INVALID, POOL, NULL, ORDINARY);
    MISTAKE(hf_pool_close(pool, HF_FOREVER), HF_INVALID, POOL, NULL, ORDINARY);
    MISTAKE(hf_arena_close(stage_arena, 0), HF_INVALID, ARENA, NULL, ORDINARY);
    MISTAKE(hf_arena_close(stage_arena, HF_FOREVER), HF_INVALID, ARENA, NULL, ORDINARY);
}

int main(void) {
    stage_open(NULL);
    hf_segment pages[STAGE_LIMIT_BYTES / PAGE_BYTES];
    size_t got;
    MUST(hf_pool_on_pressure(stage_pool, pressure, NULL));
    CHECK(hf_pool_allocate_many(stage_pool, PAGE_BYTES, 0, STAGE_LIMIT_BYTES / PAGE_BYTES, pages, &got) == HF_NO_MEMORY);
    CHECK(got == STAGE_LIMIT_BYTES / PAGE_BYTES - 1 && calls == 1);
    CHECK(hf_release_many(pages, got, &got) == HF_OK);
    MUST(hf_pool_on_pressure(stage_pool, NULL, NULL));
    return stage_close();
}
