/* SPDX-License-Identifier: MIT
 *
 * More than there is: one byte above the limit, SIZE_MAX, and what a caller gets who computed -5.
 */
#include "misuse.h"

static const char OVER[] = "hf_pool_allocate: 1028 KiB do not fit: pool pages has 64 KiB charged (64 KiB of it in use) of a limit of 1 MiB";
static const char HUGE_SIZE[] =
    "hf_pool_allocate: N bytes do not fit: pool pages has 64 KiB charged (64 KiB of it in use) of a limit of 1 MiB";
static const char BUMP[] = "hf_arena_allocate: N bytes are more than the address space can hold";

int main(void) {
    stage_open(NULL);
    hf_segment result;
    poison(&result, sizeof result);
    MISTAKE(hf_pool_allocate(stage_pool, STAGE_LIMIT_BYTES + 1, 0, &result), HF_NO_MEMORY, OVER, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate(stage_pool, SIZE_MAX, 0, &result), HF_NO_MEMORY, HUGE_SIZE, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate(stage_pool, (size_t)-5, 0, &result), HF_NO_MEMORY, HUGE_SIZE, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate(stage_pool, (size_t)-5, HF_POPULATE, &result), HF_NO_MEMORY, HUGE_SIZE, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate(stage_pool, SIZE_MAX / 2 + 1, 0, &result), HF_NO_MEMORY, SILENT, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, SIZE_MAX, 1, &result), HF_NO_MEMORY, BUMP, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, (size_t)-5, 4096, &result), HF_NO_MEMORY, BUMP, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, 1, SIZE_MAX / 2 + 1, &result), HF_NO_MEMORY, SILENT, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    hf_pool_stats stats = HF_POOL_STATS_INIT;
    MUST(hf_pool_get_stats(stage_pool, &stats));
    CHECK(stats.refusals == 5 && stats.classes[stats.class_count - 1].refusals == 5);
    return stage_close();
}
