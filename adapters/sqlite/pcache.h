/* SPDX-License-Identifier: MIT
 *
 * What pcache.c (one cache) and process.c (all caches of the process) know of each other. Both are explained in pcache.c.
 */
#ifndef HF_SQLITE_PCACHE_H
#define HF_SQLITE_PCACHE_H

#include "hf_sqlite.h"

#include <sqlite3.h>

enum { HFS_BLOCK_BYTES = 64 << 10, HFS_ODD_BLOCK_BYTES = 68 << 10 }; /* the two classes of the pool */

/* A page's header, 48 bytes, between the page and its extra bytes. SQLite sees `base` only. */
struct hfs_page {
    sqlite3_pcache_page base;    /* first: SQLite's pointer to it is ours. pBuf is the first byte of the cell */
    struct hfs_page *chain;      /* the next page of the hash bucket; of a free cell, the next free one of its block */
    struct hfs_page *newer;      /* neighbours in the order of use; NULL while pinned or free */
    struct hfs_page *older;
    uint32_t key;                /* page number; 0: the cell is free */
    uint32_t offset;             /* of the cell in its block: the way back to the block */
};

/* The head of a block: one holdfast segment, cut into equal cells. */
struct hfs_block {
    hf_segment segment;                    /* the block itself, to be released */
    struct hfs_block *next, *previous;     /* all blocks of the cache */
    struct hfs_block *roomy_next, *roomy_previous; /* the blocks with both pages and free cells */
    struct hfs_page *free_cells;
    uint32_t used;                         /* cells with a page */
    uint32_t carved;                       /* cells ever used; those above were never touched */
};

/* What a cell is, for one page size and number of extra bytes. */
struct hfs_geometry {
    uint32_t page_bytes;
    uint32_t extra_bytes;   /* at least 8, rounded up to 8 */
    uint32_t cell_bytes;
    uint32_t cells;         /* in a block */
    uint32_t block_bytes;
};

/* One page cache. The owner is whichever thread SQLite lets call its methods: one at a time. */
struct hfs_cache {
    uint32_t busy;               /* atomic: the owner is inside. Written by the owner only */
    uint32_t wanted;             /* atomic: a taker wants to be alone with it. Written under the process lock only */
    uint32_t bucket_mask;
    bool purgeable;
    bool shall_spill;            /* the last call was refused for the limit's sake: the next xPagecount makes SQLite spill */
    struct hfs_page **buckets;   /* a power of two of them */
    struct hfs_page order;       /* the ring of unpinned pages: order.older is the newest, order.newer the oldest */
    uint64_t hits;               /* the counters down to `refused`: written by the owner or a taker, read by anybody: relaxed */
    uint64_t pages;
    uint64_t recyclable;         /* pages in the order of use */
    uint64_t block_count;
    uint64_t misses;
    uint64_t recycled;
    uint64_t refused;
    uint64_t page_limit;         /* cachesize */
    uint64_t pinned_limit;       /* 90 % of it: beyond, a fetch that may be refused is refused, so that SQLite spills */
    uint32_t max_key;            /* no page has a larger one */
    uint32_t patience;           /* misses at the limit until it asks again for another cache's block */
    struct hfs_geometry geometry;
    struct hfs_block *blocks;
    struct hfs_block *roomy;     /* blocks with pages and free cells */
    struct hfs_block *spare;     /* the one block without a page that is kept; not among the roomy ones */
    struct hfs_cache *next, *previous; /* all caches; under the process lock */
    uint32_t tried;              /* the last search for a victim that looked here; under the process lock */
    bool lost;                   /* its owner was inside it, in another thread, when this process was forked; likewise */
};

/* Relaxed counters with one writer at a time: no locked instruction. */
static inline uint64_t hfs_get(const uint64_t *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }
static inline void hfs_set(uint64_t *counter, uint64_t value) { __atomic_store_n(counter, value, __ATOMIC_RELAXED); }
static inline void hfs_add(uint64_t *counter, uint64_t n) { hfs_set(counter, hfs_get(counter) + n); }
static inline void hfs_subtract(uint64_t *counter, uint64_t n) { hfs_set(counter, hfs_get(counter) - n); }

/* pcache.c: the methods, and what a taker may do to a cache that it has claimed (process.c). */
extern const sqlite3_pcache_methods2 hfs_methods;
bool hfs_cache_give_block(struct hfs_cache *cache); /* one block back to the pool, its pages dropped; false: all have a pinned page */
void hfs_cache_drop_unpinned(struct hfs_cache *cache, uint64_t blocks); /* until so many blocks went back, or nothing is left to drop */

#ifdef HFS_AUDIT
extern bool hfs_audit; /* a test may switch the walks off for a while */
#endif

/* process.c */
extern bool hfs_owner_fences; /* true: this kernel can't interrupt the owners for a taker, so they pay for a full fence */
int hfs_process_init(void *argument);
void hfs_process_shutdown(void *argument);
void hfs_process_add(struct hfs_cache *cache);
void hfs_process_remove(struct hfs_cache *cache);  /* no taker is inside it, or will be, on return */
bool hfs_process_allocate(size_t bytes, hf_segment *segment);
bool hfs_process_take(struct hfs_cache *asker, bool only_from_larger); /* a block of another cache's went back to the pool */
void hfs_process_trim(void);
void hfs_process_wait(void);                       /* returns when no taker is at work */
void hfs_process_release(const hf_segment *segment);

/* Installs into one copy of SQLite, given its sqlite3_config. automatic: by the preload library, which a program may overrule. */
hf_status hfs_install_into(int (*config)(int, ...), const hf_sqlite_options *options, bool automatic);

#endif
