/* SPDX-License-Identifier: MIT
 *
 * Every handle and segment of a closed arena answers HF_CLOSED, for ever and without a fault; no result is written.
 */
#include "misuse.h"

static const char ALLOCATE[] = "hf_pool_allocate: pool pages is closed";
static const char BUMP[] = "hf_arena_allocate: arena engine is closed";
static const char RESET[] = "hf_arena_reset: arena engine is closed";
static const char POOL_OPEN[] = "hf_pool_open: arena engine is closed";
static const char RELEASE[] = "hf_release: segment ADDR (64 KiB, era N) ended with the close of its arena or pool";
static const char WRITE[] = "hf_write: segment ADDR (64 KiB, era N) ended with the close of its arena or pool";
static const char READ[] = "hf_read: segment ADDR (64 KiB, era N) ended with the close of its arena or pool";
static const char PIN[] = "hf_pin: segment ADDR (64 KiB, era N) ended with the close of its arena or pool";
static const char STATS[] = "hf_pool_get_stats: pool pages is closed";

int main(void) {
    stage_open(NULL);
    hf_segment page = stage_page(), bump, result;
    hf_pool pool;
    hf_pinned pin;
    hf_pool_stats stats = HF_POOL_STATS_INIT;
    char bytes[8];
    MUST(hf_arena_allocate(stage_arena, 100, 8, &bump));
    poison(&result, sizeof result);
    poison(&pool, sizeof pool);
    poison(&pin, sizeof pin);
    poison(bytes, sizeof bytes);
    MUST(hf_arena_close(stage_arena, 0));
    CHECK(!hf_arena_is_open(stage_arena));
    MISTAKE(hf_pool_allocate(stage_pool, PAGE_BYTES, 0, &result), HF_CLOSED, ALLOCATE, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, 1, 1, &result), HF_CLOSED, BUMP, NULL, ORDINARY);
    MISTAKE(hf_arena_reset(stage_arena), HF_CLOSED, RESET, NULL, ORDINARY);
    MISTAKE(hf_pool_open(stage_arena, NULL, &pool), HF_CLOSED, POOL_OPEN, NULL, ORDINARY);
    MISTAKE(hf_check(&page), HF_CLOSED, SILENT, NULL, ORDINARY);
    MISTAKE(hf_check(&bump), HF_CLOSED, SILENT, NULL, ORDINARY);
    MISTAKE(hf_release(&page), HF_CLOSED, RELEASE, page.address, ORDINARY);
    MISTAKE(hf_release(&page), HF_CLOSED, RELEASE, page.address, ORDINARY); /* and again: a close is not a release */
    MISTAKE(hf_write(&page, 0, "x", 1), HF_CLOSED, WRITE, page.address, ORDINARY);
    MISTAKE(hf_read(&page, 0, bytes, 1), HF_CLOSED, READ, page.address, ORDINARY);
    MISTAKE(hf_pin(&page, &pin), HF_CLOSED, PIN, page.address, ORDINARY);
    MISTAKE(hf_pool_get_stats(stage_pool, &stats), HF_CLOSED, STATS, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK_UNTOUCHED(pool);
    CHECK_UNTOUCHED(pin);
    CHECK_UNTOUCHED(bytes);
    CHECK(stats.struct_bytes == sizeof stats && stats.limit_bytes == 0);
    CHECK(*(volatile char *)page.address == 0); /* a stale raw read sees zeros, not a fault */
    return stage_is_closed();
}
