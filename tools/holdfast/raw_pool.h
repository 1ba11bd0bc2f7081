/* SPDX-License-Identifier: MIT
 *
 * The pool that holdfast was made against, for `holdfast lab` alone: segments sliced out of mapped memory, pooled in a list,
 * unmapped by hand. It is wrong on purpose, in the ways that were seen in a storage engine's public history:
 *
 *   RAW_SHARED  one region, owned by the pool; free unmaps it and leaves what is pooled in the list
 *   RAW_BY_HAND a region is unmapped as soon as all of its segments have come back; they stay in the list
 *   RAW_BUMP    no list: addresses are counted up, release does nothing; free unmaps the chunk and leaves the count
 *
 * So what it hands out after that is the address of nothing, and the next fill is the process's last act. (Worse, had somebody
 * else mapped memory there meanwhile: then the fill would be in a stranger's memory, and nobody would be told.)
 */
#ifndef HOLDFAST_RAW_POOL_H
#define HOLDFAST_RAW_POOL_H

#include <stdbool.h>
#include <stddef.h>

enum raw_way { RAW_SHARED, RAW_BY_HAND, RAW_BUMP };
enum { RAW_SLOTS = 16, RAW_SLOT_BYTES = 64 << 10 };

struct raw_pool {
    enum raw_way way;
    char *region;
    size_t used;            /* RAW_BUMP: slots counted up so far */
    size_t pooled;          /* the others: entries of free_list */
    void *free_list[RAW_SLOTS];
};

bool raw_pool_open(struct raw_pool *pool, enum raw_way way);
void *raw_pool_allocate(struct raw_pool *pool); /* NULL: none left */
void raw_pool_release(struct raw_pool *pool, void *slot);
void raw_pool_free(struct raw_pool *pool);

#endif
