/* SPDX-License-Identifier: MIT
 *
 * See raw_pool.h. There is nothing to learn here but what to avoid.
 */
#include "raw_pool.h"

#include <sys/mman.h>

bool raw_pool_open(struct raw_pool *pool, enum raw_way way) {
    *pool = (struct raw_pool){ .way = way };
    pool->region = mmap(NULL, (size_t)RAW_SLOTS * RAW_SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pool->region == MAP_FAILED) return false;
    if (way == RAW_BUMP) return true;
    for (size_t i = 0; i < RAW_SLOTS; i++) pool->free_list[pool->pooled++] = pool->region + i * RAW_SLOT_BYTES;
    return true;
}

void *raw_pool_allocate(struct raw_pool *pool) {
    if (pool->way == RAW_BUMP) return pool->used < RAW_SLOTS ? pool->region + pool->used++ * RAW_SLOT_BYTES : NULL;
    return pool->pooled > 0 ? pool->free_list[--pool->pooled] : NULL;
}

void raw_pool_release(struct raw_pool *pool, void *slot) {
    if (pool->way == RAW_BUMP) return;
    pool->free_list[pool->pooled++] = slot;
    if (pool->way == RAW_BY_HAND && pool->pooled == RAW_SLOTS) raw_pool_free(pool); /* all back: nobody can need it, surely */
}

void raw_pool_free(struct raw_pool *pool) {
    munmap(pool->region, (size_t)RAW_SLOTS * RAW_SLOT_BYTES);
}
