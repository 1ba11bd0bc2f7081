/* SPDX-License-Identifier: MIT
 *
 * One page cache of SQLite's on holdfast: sqlite3_pcache_methods2, all of it. process.c beside it knows all caches of the process.
 *
 * What SQLite asks for. A cache is a set of pages by number. A fetched page is pinned until one unpin, however often it was
 * fetched. An unpinned page is clean, and may be dropped at any time; a pinned one never. A cache that is not purgeable (an
 * in-memory database, whose pages are the only copy) has no unpinned pages at all. SQLite lets one thread at a time into a cache,
 * and says nothing of two caches.
 *
 * A page in memory
 * ----------------
 * A cache owns blocks, each one holdfast segment of one pool, cut into equal cells, a cell for each page:
 *
 *     block  | head | cell 0 | cell 1 | ...          | cell n-1 | waste |
 *     cell   | page_bytes: the page | 48 bytes: struct hfs_page | extra_bytes: SQLite's own, PgHdr first |
 *              ^ base.pBuf            ^ what SQLite holds         ^ base.pExtra
 *
 * The b-tree may read up to 16 bytes past the end of a corrupt page: it reads our header there, which is readable and in the same
 * segment. Header and extra bytes are neighbours because a fetch touches both. Cells are 8-byte aligned and not a power of two
 * apart, so that the beginnings of pages do not compete for the same few lines of the processor's cache, as they do in a frame
 * array.
 *
 * The memory of a block is touched ("owned", in the words of holdfast.h) without pins and checks: the cache allocated it, shares it
 * with nobody, and the arena is closed only when there is no cache. So a fetch that finds its page calls nothing at all.
 *
 * Block sizes: 64 KiB, or 17 pages (68 KiB) where powers of two fit badly: 8, 4, 2, 1 cells of 8, 16, 32, 64 KiB pages with some
 * 260 bytes each. The smaller loss wins (choose_geometry); with the 216 extra bytes of SQLite 3.40 block heads, headers, waste and
 * the table of buckets together are 1.6 % (4 KiB pages) to 8.8 % (512 bytes) above page + extra bytes, on a system with 4 KiB
 * pages.
 *
 * Why a block belongs to one cache: closing a connection is then a few releases, a page needs no pointer to its cache, and a
 * cell needs no lock. The price is that an open connection holds at least one block; SQLite's own cache starts with 20 pages.
 *
 * States of a cell:  untouched -> pinned <-> unpinned (in the order of use) -> free -> pinned ...
 *                                    \________________________________________^  discard, truncate, rekey onto it
 *   key 0           free (or untouched: index >= carved)
 *   newer == NULL   pinned or free
 *   newer != NULL   unpinned: in the ring `order`, least recently used last
 * Equations (check_cache has them in the same order; tests check after each operation but a hit: HFS_AUDIT):
 *   pages = used cells over all blocks = pages in the buckets;   recyclable = pages in the ring <= pages;
 *   a block is in `roomy` iff 0 < used < cells;  used == 0 only for `spare`. Pages of a cache that is not purgeable are never
 *   taken.
 *
 * Which page goes, when a new one is wanted
 * -----------------------------------------
 *   1. At or above cachesize: the least recently used unpinned page of this cache makes way.
 *   2. Below it: a free cell, or a new block, if the pool has one.
 *   3. The pool has none (the limit of the process): own unpinned pages again. Every PATIENCE of these it asks whether a larger
 *      cache has a block to spare, so that a connection that came late gets its share. With createFlag 1 this is done only while at
 *      least half of the pages are unpinned; else NULL, and SQLite spills a dirty page.
 *   4. createFlag 2, and nothing of its own: a block of any other cache whose pages are all unpinned goes back to the pool.
 *   5. NULL. SQLite says "out of memory".
 * One white lie belongs to step 3. After a refusal SQLite spills only if xPagecount is above cachesize, so with a generous
 * cachesize it would never spill at the limit of the process, and run out of memory with a cache full of pages that could be
 * written out. So the one xPagecount that follows such a refusal says INT_MAX. In SQLite the two calls are a few lines apart
 * (sqlite3PcacheFetch and sqlite3PcacheFetchStress); a fetch in between takes the lie back.
 *
 * createFlag 1 is also refused when nine tenths of cachesize are pinned: that is the moment when SQLite should spill, and the rule
 * is that of SQLite's own cache (pcache1.c), so that the same statements spill.
 *
 * Who may touch what
 * ------------------
 * SQLite's own cache, per connection, takes no lock at all, and a locked instruction costs about as much as finding a page. Yet
 * another thread must be able to take blocks from a cache whose connection sleeps. So the lock is lopsided: the owner announces
 * itself with plain stores (`busy`), and the taker pays. Proof obligation: owner and taker are never both inside.
 *
 *     owner   busy = 1;  if (wanted) { busy = 0; wait for the process lock; again }  ... work ...  busy = 0 (release)
 *     taker   takes the process lock;  wanted = 1;  barrier in all threads (membarrier);  wait until busy == 0 (acquire);
 *             ... take ...  wanted = 0 (release);  gives the lock back
 *
 *   (1) If the owner's load of `wanted` comes before the taker's barrier, its store to `busy` does, too, and the taker sees it and
 *       waits.
 *   (2) If it comes after, the owner sees wanted == 1 and stays out.
 *   (3) An owner that wants the process lock (only to take from others) is outside by then (busy == 0), so takers never wait for
 *       one that waits for them; and a busy owner never blocks on anything but the pool. So both waits end.
 *   (4) The taker's writes happen before the owner's next visit: it reads wanted == 0 (acquire) or has had the process lock.
 * Where the kernel has no membarrier the owner uses a locked exchange instead (hfs_owner_fences). tests/sqlite/threads.c fails
 * under ThreadSanitizer without the owner's look at `wanted`, without the taker's wait, and without either release; that the
 * barrier in (1) is there no test shows, because ThreadSanitizer does not model the processor's store buffer.
 *
 * How memory goes back. A block whose last page goes is kept if it is the only such (`spare`), else released to the pool. xShrink
 * drops all unpinned pages and the spare, and trims the pool; so does hf_sqlite_release_memory, over all caches.
 *
 * Considered and not done: cells shared by all caches of a geometry (one partly filled block less per connection, but a lock on every
 * miss, and closing a connection walks its pages).
 *
 * Sources: the rules of spilling from SQLite's pcache1.c; the lopsided lock is Dekker's with the fences on one side, as in biased
 * locking (Kawachiya, Koseki, Onodera 2002) and membarrier(2). No code is taken from either.
 */
#include "pcache.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = sizeof(struct hfs_page), HEAD_BYTES = sizeof(struct hfs_block), FIRST_BUCKETS = 64, PATIENCE = 64, LOOKS = 16 };

static_assert(sizeof(struct hfs_page) <= 48 || sizeof(void *) != 8, "the ten percent are counted with 48 bytes of header per page");
static_assert(sizeof(struct hfs_page) % 8 == 0 && sizeof(struct hfs_block) % 8 == 0, "page and extra bytes are 8-byte aligned");
static_assert(offsetof(struct hfs_page, base) == 0, "SQLite's pointer to a page is ours");

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* ------------------------------------------------------------------------------------------------------------- in and out */

static __attribute__((noinline, cold)) void enter_slow(struct hfs_cache *cache) {
    do {
        __atomic_store_n(&cache->busy, 0, __ATOMIC_RELEASE);
        hfs_process_wait();
        (void)__atomic_exchange_n(&cache->busy, 1, __ATOMIC_SEQ_CST);
    } while (__atomic_load_n(&cache->wanted, __ATOMIC_SEQ_CST));
}

static inline void enter(struct hfs_cache *cache) {
    if (UNLIKELY(hfs_owner_fences))
        (void)__atomic_exchange_n(&cache->busy, 1, __ATOMIC_SEQ_CST);
    else
        __atomic_store_n(&cache->busy, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the compiler keeps the order; the taker's membarrier makes the processor */
    if (UNLIKELY(__atomic_load_n(&cache->wanted, __ATOMIC_SEQ_CST)))
        enter_slow(cache);
}

static inline void leave(struct hfs_cache *cache) {
    __atomic_store_n(&cache->busy, 0, __ATOMIC_RELEASE); /* partner: the taker's acquire load in process.c, claim() */
}

/* ------------------------------------------------------------------------------------------------------- the order of use */

static inline bool is_unpinned(const struct hfs_page *page) { return page->newer != NULL; }

static inline void order_remove(struct hfs_cache *cache, struct hfs_page *page) {
    page->newer->older = page->older;
    page->older->newer = page->newer;
    page->newer = NULL;
    hfs_subtract(&cache->recyclable, 1);
}

static inline void order_add_newest(struct hfs_cache *cache, struct hfs_page *page) {
    page->newer = &cache->order;
    page->older = cache->order.older;
    page->older->newer = page;
    cache->order.older = page;
    hfs_add(&cache->recyclable, 1);
}

static inline bool can_recycle(const struct hfs_cache *cache) { return cache->purgeable && hfs_get(&cache->recyclable) > 0; }

/* ------------------------------------------------------------------------------------------------------- blocks and cells */

static inline struct hfs_page *page_at(const struct hfs_cache *cache, struct hfs_block *block, uint32_t cell) {
    const struct hfs_geometry *geometry = &cache->geometry;
    return (struct hfs_page *)(void *)((char *)block + HEAD_BYTES + (size_t)cell * geometry->cell_bytes + geometry->page_bytes);
}

static inline struct hfs_block *block_of(const struct hfs_page *page) {
    return (struct hfs_block *)(void *)((char *)page->base.pBuf - page->offset);
}

static void roomy_add(struct hfs_cache *cache, struct hfs_block *block) {
    block->roomy_next = cache->roomy;
    block->roomy_previous = NULL;
    if (cache->roomy)
        cache->roomy->roomy_previous = block;
    cache->roomy = block;
}

static void roomy_remove(struct hfs_cache *cache, struct hfs_block *block) {
    if (block->roomy_previous)
        block->roomy_previous->roomy_next = block->roomy_next;
    else
        cache->roomy = block->roomy_next;
    if (block->roomy_next)
        block->roomy_next->roomy_previous = block->roomy_previous;
}

/* Takes a block from the pool; it becomes the spare. */
static bool add_block(struct hfs_cache *cache) {
    hf_segment segment;
    struct hfs_block *block;

    assert(!cache->spare && !cache->roomy);
    if (!hfs_process_allocate(cache->geometry.block_bytes, &segment))
        return false;
    block = segment.address;
    memset(block, 0, sizeof *block);
    block->segment = segment;
    block->next = cache->blocks;
    if (cache->blocks)
        cache->blocks->previous = block;
    cache->blocks = block;
    cache->spare = block;
    hfs_add(&cache->block_count, 1);
    return true;
}

static void release_block(struct hfs_cache *cache, struct hfs_block *block) {
    hf_segment segment = block->segment; /* out of the memory that it gives back */

    assert(block->used == 0);
    if (block->previous)
        block->previous->next = block->next;
    else
        cache->blocks = block->next;
    if (block->next)
        block->next->previous = block->previous;
    hfs_subtract(&cache->block_count, 1);
    hfs_process_release(&segment);
}

static bool release_spare(struct hfs_cache *cache) {
    struct hfs_block *spare = cache->spare;
    if (!spare)
        return false;
    cache->spare = NULL;
    release_block(cache, spare);
    return true;
}

static struct hfs_page *carve(struct hfs_cache *cache, struct hfs_block *block) {
    uint32_t cell = block->carved++;
    struct hfs_page *page = page_at(cache, block, cell);

    page->offset = (uint32_t)(HEAD_BYTES + cell * cache->geometry.cell_bytes);
    page->base.pBuf = (char *)block + page->offset;
    page->base.pExtra = (char *)page + HEADER_BYTES;
    page->newer = page->older = NULL;
    return page;
}

/* A free cell, or NULL if no block has one. Blocks that hold pages are filled first. */
static struct hfs_page *take_cell(struct hfs_cache *cache) {
    struct hfs_block *block = cache->roomy;
    struct hfs_page *page;

    if (!block) {
        block = cache->spare;
        if (!block)
            return NULL;
        cache->spare = NULL;
        roomy_add(cache, block);
    }
    page = block->free_cells;
    if (page)
        block->free_cells = page->chain;
    else
        page = carve(cache, block);
    if (++block->used == cache->geometry.cells)
        roomy_remove(cache, block);
    return page;
}

static void free_cell(struct hfs_cache *cache, struct hfs_page *page) {
    struct hfs_block *block = block_of(page);

    page->key = 0;
    page->chain = block->free_cells;
    block->free_cells = page;
    if (block->used-- == cache->geometry.cells)
        roomy_add(cache, block);
    if (block->used > 0)
        return;
    roomy_remove(cache, block);
    if (cache->spare)
        release_block(cache, block);
    else
        cache->spare = block;
}

/* ---------------------------------------------------------------------------------------------------------------- buckets */

static inline struct hfs_page **bucket_of(const struct hfs_cache *cache, uint32_t key) { return &cache->buckets[key & cache->bucket_mask]; }

static inline struct hfs_page *find(const struct hfs_cache *cache, uint32_t key) {
    struct hfs_page *page = *bucket_of(cache, key);
    while (page && page->key != key)
        page = page->chain;
    return page;
}

/* Twice as many buckets. Without memory for them the chains grow longer instead. */
static __attribute__((noinline, cold)) void grow_buckets(struct hfs_cache *cache) {
    size_t count = (size_t)cache->bucket_mask + 1;
    struct hfs_page **old = cache->buckets;
    struct hfs_page **buckets = count < (UINT32_C(1) << 30) ? calloc(2 * count, sizeof *buckets) : NULL;

    if (!buckets)
        return;
    cache->buckets = buckets;
    cache->bucket_mask = (uint32_t)(2 * count - 1);
    for (size_t i = 0; i < count; i++) {
        struct hfs_page *next;
        for (struct hfs_page *page = old[i]; page; page = next) {
            struct hfs_page **bucket = bucket_of(cache, page->key);
            next = page->chain;
            page->chain = *bucket;
            *bucket = page;
        }
    }
    free(old);
}

static inline void bucket_add(struct hfs_cache *cache, struct hfs_page *page, uint32_t key) {
    struct hfs_page **bucket;

    if (UNLIKELY(hfs_get(&cache->pages) > cache->bucket_mask))
        grow_buckets(cache);
    bucket = bucket_of(cache, key);
    page->key = key;
    page->chain = *bucket;
    *bucket = page;
    if (key > cache->max_key)
        cache->max_key = key;
    hfs_add(&cache->pages, 1);
}

static inline void bucket_remove(struct hfs_cache *cache, struct hfs_page *page) {
    struct hfs_page **link = bucket_of(cache, page->key);
    while (*link != page)
        link = &(*link)->chain;
    *link = page->chain;
    hfs_subtract(&cache->pages, 1);
}

/* ------------------------------------------------------------------------------------------------------- whole operations */

#ifdef HFS_AUDIT
bool hfs_audit = true;

/* The equations of the essay, in its order. Walks everything: tests only. */
static void check_cache(const struct hfs_cache *cache) {
    uint64_t used = 0, in_buckets = 0, in_ring = 0, blocks = 0;
    if (!hfs_audit)
        return;
    for (struct hfs_block *block = cache->blocks; block; block = block->next, blocks++) {
        uint32_t pages = 0;
        for (uint32_t i = 0; i < block->carved; i++)
            pages += page_at(cache, block, i)->key != 0;
        assert(pages == block->used && block->carved <= cache->geometry.cells);
        assert(block->used > 0 || block == cache->spare);
        used += pages;
    }
    for (uint32_t i = 0; i <= cache->bucket_mask; i++)
        for (struct hfs_page *page = cache->buckets[i]; page; page = page->chain, in_buckets++)
            assert(page->key != 0 && page->key <= cache->max_key && (page->key & cache->bucket_mask) == i);
    for (struct hfs_page *page = cache->order.older; page != &cache->order; page = page->older, in_ring++)
        assert(page->key != 0 && page->newer->older == page);
    for (struct hfs_block *block = cache->roomy; block; block = block->roomy_next)
        assert(block->used > 0 && block->used < cache->geometry.cells);
    assert(used == cache->pages && in_buckets == cache->pages);
    assert(in_ring == cache->recyclable && blocks == cache->block_count);
}
#else
#define check_cache(cache) ((void)0)
#endif

static void drop_page(struct hfs_cache *cache, struct hfs_page *page) {
    if (is_unpinned(page))
        order_remove(cache, page);
    bucket_remove(cache, page);
    free_cell(cache, page);
}

static inline struct hfs_page *oldest(const struct hfs_cache *cache) { return cache->order.newer; }

/* Drops least recently used pages until the cache is within its size. */
static void enforce_size(struct hfs_cache *cache) {
    while (can_recycle(cache) && hfs_get(&cache->pages) > cache->page_limit)
        drop_page(cache, oldest(cache));
}

/* The cell of the least recently used page, for another page. */
static inline struct hfs_page *recycle(struct hfs_cache *cache) {
    struct hfs_page *page = oldest(cache);
    order_remove(cache, page);
    bucket_remove(cache, page);
    hfs_add(&cache->recycled, 1);
    return page;
}

static struct hfs_page *take_or_add(struct hfs_cache *cache) {
    struct hfs_page *page = take_cell(cache);
    if (!page && add_block(cache))
        page = take_cell(cache);
    return page;
}

/* The pool has nothing: steps 3 to 5 of the essay. Leaves the cache while it takes from others, so anything may have been taken from
 * it when it is back; but only an owner adds pages, so the key that is wanted is still not there. */
static __attribute__((noinline)) struct hfs_page *cell_at_limit(struct hfs_cache *cache, int create) {
    uint64_t recyclable = hfs_get(&cache->recyclable);
    struct hfs_page *page = NULL;
    bool taken;

    if (create == 1 && (!can_recycle(cache) || recyclable < hfs_get(&cache->pages) - recyclable)) {
        cache->shall_spill = true;
        return NULL;
    }
    if (can_recycle(cache) && cache->patience > 0) {
        cache->patience--;
        return recycle(cache);
    }
    cache->patience = PATIENCE;
    do {
        bool starving = !can_recycle(cache);
        leave(cache);
        taken = hfs_process_take(cache, !starving);
        enter(cache);
        page = take_or_add(cache);
        if (!page && can_recycle(cache))
            page = recycle(cache);
    } while (!page && taken);
    return page;
}

static inline struct hfs_page *new_cell(struct hfs_cache *cache, int create) {
    uint64_t pages = hfs_get(&cache->pages);
    struct hfs_page *page;

    if (create == 1 && cache->purgeable && pages - hfs_get(&cache->recyclable) >= cache->pinned_limit)
        return NULL;
    if (pages >= cache->page_limit && can_recycle(cache))
        return recycle(cache);
    page = take_or_add(cache);
    return LIKELY(page) ? page : cell_at_limit(cache, create);
}

static __attribute__((noinline)) struct hfs_page *make_page(struct hfs_cache *cache, uint32_t key, int create) {
    struct hfs_page *page = new_cell(cache, create);

    if (UNLIKELY(!page)) {
        hfs_add(&cache->refused, 1);
        return NULL;
    }
    hfs_add(&cache->misses, 1);
    bucket_add(cache, page, key);
    memset(page->base.pExtra, 0, 8); /* how SQLite knows a new page */
    check_cache(cache);
    return page;
}

/* --------------------------------------------------------------------------------------- for a taker that has claimed the cache */

static bool block_is_unpinned(const struct hfs_cache *cache, struct hfs_block *block) {
    for (uint32_t i = 0; i < block->carved; i++) {
        struct hfs_page *page = page_at(cache, block, i);
        if (page->key != 0 && !is_unpinned(page))
            return false;
    }
    return true;
}

static void empty_block(struct hfs_cache *cache, struct hfs_block *block) {
    for (uint32_t i = 0, carved = block->carved, left = block->used; i < carved && left > 0; i++) {
        struct hfs_page *page = page_at(cache, block, i);
        if (page->key == 0)
            continue;
        left--; /* the last one's free_cell gives the block away: it is not looked at again */
        drop_page(cache, page);
    }
}

/* The block of the oldest page whose neighbours are all unpinned, too; after a few looks, any such block. */
static struct hfs_block *coldest_block(const struct hfs_cache *cache) {
    struct hfs_page *page = oldest(cache);
    for (int i = 0; i < LOOKS && page != &cache->order; i++, page = page->newer)
        if (block_is_unpinned(cache, block_of(page)))
            return block_of(page);
    for (struct hfs_block *block = cache->blocks; block; block = block->next)
        if (block_is_unpinned(cache, block))
            return block;
    return NULL;
}

bool hfs_cache_give_block(struct hfs_cache *cache) {
    struct hfs_block *block;

    if (release_spare(cache))
        return true;
    block = can_recycle(cache) ? coldest_block(cache) : NULL;
    if (!block)
        return false;
    empty_block(cache, block);
    release_spare(cache);
    check_cache(cache);
    return true;
}

void hfs_cache_drop_unpinned(struct hfs_cache *cache, uint64_t blocks) {
    uint64_t before = hfs_get(&cache->block_count);
    while (can_recycle(cache) && before - hfs_get(&cache->block_count) + (cache->spare != NULL) < blocks)
        drop_page(cache, oldest(cache));
    release_spare(cache);
    check_cache(cache);
}

/* ------------------------------------------------------------------------------------------------------------ the methods */

static inline struct hfs_cache *cache_of(sqlite3_pcache *cache) { return (struct hfs_cache *)(void *)cache; }
static inline struct hfs_page *page_of(sqlite3_pcache_page *page) { return (struct hfs_page *)(void *)page; }

static uint32_t round_up(uint32_t n, uint32_t to) { return (n + to - 1) / to * to; }

/* Of the two block sizes the one that loses less; for cells larger than both, one cell in whole pages. */
static struct hfs_geometry choose_geometry(uint32_t page_bytes, uint32_t extra_bytes) {
    static const uint32_t sizes[] = { HFS_BLOCK_BYTES, HFS_ODD_BLOCK_BYTES };
    struct hfs_geometry best = { 0, 0, 0, 0, 0 };
    struct hfs_geometry g = { page_bytes, extra_bytes < 8 ? 8 : round_up(extra_bytes, 8), 0, 0, 0 };

    g.cell_bytes = g.page_bytes + HEADER_BYTES + g.extra_bytes;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        g.block_bytes = sizes[i];
        g.cells = (sizes[i] - HEAD_BYTES) / g.cell_bytes;
        if ((uint64_t)g.cells * (best.cells ? best.block_bytes : 1) > (uint64_t)best.cells * g.block_bytes)
            best = g;
    }
    if (best.cells > 0)
        return best;
    g.cells = 1;
    g.block_bytes = round_up(HEAD_BYTES + g.cell_bytes, 4096);
    return g;
}

static sqlite3_pcache *cache_create(int page_bytes, int extra_bytes, int purgeable) {
    struct hfs_cache *cache;

    if (page_bytes <= 0 || page_bytes > 1 << 24 || extra_bytes < 0 || extra_bytes > 1 << 24)
        return NULL;
    cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->buckets = calloc(FIRST_BUCKETS, sizeof *cache->buckets);
    if (!cache->buckets) {
        free(cache);
        return NULL;
    }
    cache->bucket_mask = FIRST_BUCKETS - 1;
    cache->purgeable = purgeable != 0;
    cache->page_limit = 100; /* until SQLite says */
    cache->pinned_limit = 90;
    cache->geometry = choose_geometry((uint32_t)page_bytes, (uint32_t)extra_bytes);
    cache->order.newer = cache->order.older = &cache->order;
    hfs_process_add(cache);
    return (sqlite3_pcache *)(void *)cache;
}

static void cache_set_size(sqlite3_pcache *handle, int pages) {
    struct hfs_cache *cache = cache_of(handle);
    enter(cache);
    cache->page_limit = pages > 0 ? (uint64_t)pages : 0;
    cache->pinned_limit = cache->page_limit * 9 / 10;
    enforce_size(cache);
    check_cache(cache);
    leave(cache);
}

static int cache_page_count(sqlite3_pcache *handle) {
    struct hfs_cache *cache = cache_of(handle);
    uint64_t pages = hfs_get(&cache->pages);

    if (UNLIKELY(cache->shall_spill)) {
        cache->shall_spill = false;
        return INT_MAX;
    }
    return pages < INT_MAX ? (int)pages : INT_MAX;
}

static sqlite3_pcache_page *cache_fetch(sqlite3_pcache *handle, unsigned key, int create) {
    struct hfs_cache *cache = cache_of(handle);
    struct hfs_page *page;

    enter(cache);
    cache->shall_spill = false;
    page = find(cache, key);
    if (LIKELY(page)) {
        if (is_unpinned(page))
            order_remove(cache, page);
        hfs_add(&cache->hits, 1);
    } else if (create) {
        page = make_page(cache, key, create);
    }
    leave(cache);
    return page ? &page->base : NULL;
}

static void cache_unpin(sqlite3_pcache *handle, sqlite3_pcache_page *base, int discard) {
    struct hfs_cache *cache = cache_of(handle);
    struct hfs_page *page = page_of(base);

    enter(cache);
    if (UNLIKELY(discard)) {
        drop_page(cache, page);
    } else if (!is_unpinned(page)) {
        order_add_newest(cache, page);
        if (UNLIKELY(hfs_get(&cache->pages) > cache->page_limit))
            enforce_size(cache);
    }
    leave(cache);
}

static void cache_rekey(sqlite3_pcache *handle, sqlite3_pcache_page *base, unsigned old_key, unsigned new_key) {
    struct hfs_cache *cache = cache_of(handle);
    struct hfs_page *page = page_of(base), *there;

    enter(cache);
    assert(page->key == old_key);
    (void)old_key;
    there = find(cache, new_key);
    if (there != page) {
        if (there)
            drop_page(cache, there);
        bucket_remove(cache, page);
        bucket_add(cache, page, new_key);
    }
    check_cache(cache);
    leave(cache);
}

static void truncate_bucket(struct hfs_cache *cache, struct hfs_page **bucket, uint32_t from) {
    struct hfs_page *next;
    for (struct hfs_page *page = *bucket; page; page = next) {
        next = page->chain;
        if (page->key >= from)
            drop_page(cache, page);
    }
}

/* Drops all pages from number `from` on, pinned ones too. */
static void cache_truncate(sqlite3_pcache *handle, unsigned from) {
    struct hfs_cache *cache = cache_of(handle);

    enter(cache);
    if (from <= cache->max_key) {
        uint64_t span = (uint64_t)cache->max_key - from + 1;
        uint64_t count = (uint64_t)cache->bucket_mask + 1;
        for (uint64_t i = 0; i < (span < count ? span : count); i++) /* consecutive keys lie in consecutive buckets */
            truncate_bucket(cache, bucket_of(cache, (uint32_t)(from + i)), from);
        cache->max_key = from > 0 ? from - 1 : 0;
    }
    check_cache(cache);
    leave(cache);
}

static void cache_destroy(sqlite3_pcache *handle) {
    struct hfs_cache *cache = cache_of(handle);
    struct hfs_block *next;

    hfs_process_remove(cache);
    for (struct hfs_block *block = cache->blocks; block; block = next) {
        next = block->next;
        block->used = 0;
        release_block(cache, block);
    }
    free(cache->buckets);
    free(cache);
}

static void cache_shrink(sqlite3_pcache *handle) {
    struct hfs_cache *cache = cache_of(handle);
    enter(cache);
    hfs_cache_drop_unpinned(cache, UINT64_MAX);
    leave(cache);
    hfs_process_trim();
}

const sqlite3_pcache_methods2 hfs_methods = {
    .iVersion = 1,
    .pArg = NULL,
    .xInit = hfs_process_init,
    .xShutdown = hfs_process_shutdown,
    .xCreate = cache_create,
    .xCachesize = cache_set_size,
    .xPagecount = cache_page_count,
    .xFetch = cache_fetch,
    .xUnpin = cache_unpin,
    .xRekey = cache_rekey,
    .xTruncate = cache_truncate,
    .xDestroy = cache_destroy,
    .xShrink = cache_shrink,
};
