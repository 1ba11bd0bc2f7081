/* SPDX-License-Identifier: MIT
 *
 * The pool is closed, its arena lives on: the pool's segments are HF_CLOSED, the arena's other memory is not touched.
 */
#include "misuse.h"

static const char ALLOCATE[] = "hf_pool_allocate: pool pages is closed";
static const char RELEASE[] = "hf_release: segment ADDR (64 KiB, era N) ended with the close of its arena or pool";
static const char WRITE[] = "hf_write: segment ADDR (64 KiB, era N) ended with the close of its arena or pool";
static const char SLOT[] = "hf_segment_slot: segment ADDR (64 KiB, era N) ended with the close of its arena or pool";
static const char TRIM[] = "hf_pool_trim: pool pages is closed";
static const char SET_LIMIT[] = "hf_pool_set_limit: pool pages is closed";
static const char FIND[] = "hf_pool_find: pool pages is closed";
static const char CLOSE[] = "hf_pool_close: pool pages is closed";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page(), bump, result;
    size_t number;
    MUST(hf_arena_allocate(stage_arena, 100, 8, &bump));
    MUST(hf_write(&bump, 0, "alive", 6));
    poison(&result, sizeof result);
    poison(&number, sizeof number);
    MUST(hf_pool_close(stage_pool, 0));
    MISTAKE(hf_pool_allocate(stage_pool, PAGE_BYTES, 0, &result), HF_CLOSED, ALLOCATE, NULL, ORDINARY);
    MISTAKE(hf_check(&page), HF_CLOSED, SILENT, NULL, ORDINARY);
    MISTAKE(hf_release(&page), HF_CLOSED, RELEASE, page.address, ORDINARY);
    MISTAKE(hf_write(&page, 0, "x", 1), HF_CLOSED, WRITE, page.address, ORDINARY);
    MISTAKE(hf_segment_slot(&page, &number), HF_CLOSED, SLOT, page.address, ORDINARY);
    MISTAKE(hf_pool_trim(stage_pool, 0, &number), HF_CLOSED, TRIM, NULL, ORDINARY);
    MISTAKE(hf_pool_set_limit(stage_pool, 1), HF_CLOSED, SET_LIMIT, NULL, ORDINARY);
    MISTAKE(hf_pool_find(stage_pool, page.address, &result), HF_CLOSED, FIND, NULL, ORDINARY);
    MISTAKE(hf_pool_close(stage_pool, 0), HF_CLOSED, CLOSE, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK_UNTOUCHED(number);
    CHECK(hf_arena_is_open(stage_arena));
    CHECK(hf_check(&bump) == HF_OK && strcmp(bump.address, "alive") == 0);
    MUST(hf_arena_close(stage_arena, 0));
    return stage_is_closed();
}
