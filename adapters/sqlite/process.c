/* SPDX-License-Identifier: MIT
 *
 * All page caches of the process: the pool they share, its limit, taking from one for another, statistics, installation.
 *
 * One lock, `process.lock`, protects the list of caches, every cache's `wanted`, `tried` and `lost`, the pool's opening and
 * closing, and the totals of closed caches. It comes after nothing and before the locks inside holdfast; it is taken when a cache
 * is made or destroyed, when one takes from another, and for statistics: never when a page is found or a free cell is used.
 * pcache.c explains how a taker and an owner exclude each other; the taker's half is claim() and disclaim() here.
 *
 * Who gives at the limit: the cache with the most bytes that can be recycled, if it will give a whole block; then the next. A cache
 * that still has pages of its own to recycle asks only caches that are at least two blocks larger than itself, so that sizes
 * converge and no two caches take from each other in turn.
 *
 * Fork. The child has a copy of all memory, and only the forking thread. The lock is held over the fork, so the list is whole. A
 * cache whose owner was inside, in a thread that the child does not have, may be in any state: nothing is taken from it in the
 * child. (SQLite forbids to use it there, anyhow.) The child's counters begin at 0.
 */
#define _GNU_SOURCE
#include "pcache.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum installation { NOT_INSTALLED, INSTALLED_BY_PRELOAD, INSTALLED_BY_PROGRAM };

static struct {
    pthread_mutex_t lock;
    enum installation installed;
    uint64_t limit_bytes;      /* as asked for */
    bool open;                 /* arena and pool are open */
    hf_arena arena;
    hf_pool pool;              /* set before the first cache, changed after the last: read without the lock in between */
    uint32_t users;            /* copies of SQLite that are initialised */
    uint32_t search;           /* number of the last search for a victim */
    struct hfs_cache *caches;
    hf_sqlite_stats closed;    /* counters of the caches and pools that are no more */
    uint64_t taken;
    uint64_t misuses;          /* atomic */
    bool fork_handled;
} process = { .lock = PTHREAD_MUTEX_INITIALIZER, .closed = HF_SQLITE_STATS_INIT };

bool hfs_owner_fences;

static __thread char message[320] = "no failure on this thread";

const char *hf_sqlite_error_message(void) { return message; }

static __attribute__((format(printf, 2, 3))) hf_status fail(hf_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return status;
}

static void lock(void) { pthread_mutex_lock(&process.lock); }
static void unlock(void) { pthread_mutex_unlock(&process.lock); }

/* ---------------------------------------------------------------------------------------------------------- claiming caches */

static bool barrier_in_all_threads(void) {
    if (hfs_owner_fences)
        return true;
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0)
        return true;
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 &&
           syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

static void disclaim(struct hfs_cache *cache) { __atomic_store_n(&cache->wanted, 0, __ATOMIC_RELEASE); }

/* Alone with the cache, until disclaim. False if the kernel refuses the barrier, or for ever after a fork. */
static bool claim(struct hfs_cache *cache) {
    if (cache->lost)
        return false;
    __atomic_store_n(&cache->wanted, 1, __ATOMIC_SEQ_CST);
    if (!barrier_in_all_threads()) {
        disclaim(cache);
        return false;
    }
    while (__atomic_load_n(&cache->busy, __ATOMIC_SEQ_CST)) /* an owner inside blocks on nothing but the pool */
        sched_yield();
    return true;
}

void hfs_process_wait(void) {
    lock();
    unlock();
}

void hfs_process_add(struct hfs_cache *cache) {
    lock();
    cache->next = process.caches;
    if (process.caches)
        process.caches->previous = cache;
    process.caches = cache;
    unlock();
}

static void count_cache(hf_sqlite_stats *stats, const struct hfs_cache *cache) {
    stats->hits += hfs_get(&cache->hits);
    stats->misses += hfs_get(&cache->misses);
    stats->recycled += hfs_get(&cache->recycled);
    stats->refused += hfs_get(&cache->refused);
}

void hfs_process_remove(struct hfs_cache *cache) {
    lock();
    if (cache->previous)
        cache->previous->next = cache->next;
    else
        process.caches = cache->next;
    if (cache->next)
        cache->next->previous = cache->previous;
    count_cache(&process.closed, cache);
    unlock();
}

static uint64_t block_bytes_of(const struct hfs_cache *cache) { return hfs_get(&cache->block_count) * cache->geometry.block_bytes; }

/* The cache, not yet tried in this search, with the most bytes to recycle; NULL if there is none. */
static struct hfs_cache *next_victim(const struct hfs_cache *asker, bool only_from_larger) {
    struct hfs_cache *best = NULL;
    uint64_t best_bytes = 0, enough = block_bytes_of(asker) + 2 * (uint64_t)asker->geometry.block_bytes;

    for (struct hfs_cache *cache = process.caches; cache; cache = cache->next) {
        uint64_t pages = hfs_get(&cache->recyclable), bytes;
        if (cache == asker || !cache->purgeable || cache->lost || cache->tried == process.search)
            continue;
        if (only_from_larger && block_bytes_of(cache) < enough)
            continue;
        if (hfs_get(&cache->pages) == 0)
            pages += hfs_get(&cache->block_count); /* a spare block to give */
        bytes = pages * cache->geometry.cell_bytes;
        if (bytes > best_bytes) {
            best = cache;
            best_bytes = bytes;
        }
    }
    return best;
}

bool hfs_process_take(struct hfs_cache *asker, bool only_from_larger) {
    struct hfs_cache *victim;
    bool taken = false;

    lock();
    process.search++;
    while (!taken && (victim = next_victim(asker, only_from_larger)) != NULL) {
        victim->tried = process.search;
        if (!claim(victim))
            continue;
        taken = hfs_cache_give_block(victim);
        disclaim(victim);
    }
    process.taken += taken;
    unlock();
    return taken;
}

/* ------------------------------------------------------------------------------------------------------------- the pool */

bool hfs_process_allocate(size_t bytes, hf_segment *segment) {
    return hf_pool_allocate(process.pool, bytes, HF_UNINITIALISED | HF_NO_WAIT, segment) == HF_OK;
}

void hfs_process_release(const hf_segment *segment) {
    if (hf_release(segment) != HF_OK)
        (void)__atomic_add_fetch(&process.misuses, 1, __ATOMIC_RELAXED);
}

void hfs_process_trim(void) { (void)hf_pool_trim(process.pool, 0, NULL); /* what the kernel refuses stays charged, and is tried again */ }

static size_t whole_pages(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

/* Under the lock. */
static hf_status open_memory(void) {
    hf_arena_options arena_options = HF_ARENA_OPTIONS_INIT;
    hf_pool_options pool_options = HF_POOL_OPTIONS_INIT;
    hf_arena arena;
    hf_status status;

    if (process.open)
        return HF_OK;
    arena_options.name = "sqlite";
    status = hf_arena_open(&arena_options, &arena);
    if (status != HF_OK)
        return status;
    pool_options.name = "sqlite-pages";
    pool_options.limit_bytes = process.limit_bytes;
    pool_options.class_bytes[0] = whole_pages(HFS_BLOCK_BYTES);
    pool_options.class_bytes[1] = whole_pages(HFS_ODD_BLOCK_BYTES);
    status = hf_pool_open(arena, &pool_options, &process.pool);
    if (status != HF_OK) {
        (void)hf_arena_close(arena, 0);
        return status;
    }
    process.arena = arena;
    process.open = true;
    return HF_OK;
}

static void count_pool(hf_sqlite_stats *stats) {
    hf_pool_stats pool = HF_POOL_STATS_INIT;

    if (!process.open || hf_pool_get_stats(process.pool, &pool) != HF_OK)
        return;
    stats->limit_bytes = pool.limit_bytes;
    if (pool.charged_peak_bytes > stats->peak_bytes)
        stats->peak_bytes = pool.charged_peak_bytes;
    stats->held_bytes = pool.charged_bytes;
    stats->live_bytes = pool.live_bytes;
    stats->given_back_bytes += pool.given_back_bytes;
}

/* Under the lock. The arena's close gives the rest back to the system. */
static void close_memory(void) {
    count_pool(&process.closed);
    if (!process.open || hf_arena_close(process.arena, 0) != HF_OK)
        return; /* not closed: it serves on, and its given_back is counted when it does close */
    process.closed.given_back_bytes += process.closed.held_bytes;
    process.closed.held_bytes = process.closed.live_bytes = 0;
    process.open = false;
}

/* ---------------------------------------------------------------------------------------------------- SQLite's start and end */

static void before_fork(void) { lock(); }
static void after_fork_in_parent(void) { unlock(); }

static void after_fork_in_child(void) {
    uint64_t limit_bytes = process.closed.limit_bytes;
    hf_sqlite_stats zero = HF_SQLITE_STATS_INIT;

    for (struct hfs_cache *cache = process.caches; cache; cache = cache->next) {
        cache->lost = __atomic_load_n(&cache->busy, __ATOMIC_RELAXED) != 0;
        cache->hits = cache->misses = cache->recycled = cache->refused = 0;
    }
    process.closed = zero;
    process.closed.limit_bytes = limit_bytes;
    process.taken = 0;
    unlock();
}

int hfs_process_init(void *argument) {
    hf_status status;

    (void)argument;
    lock();
    if (!process.fork_handled) {
        hfs_owner_fences = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0;
        process.fork_handled = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0;
    }
    status = open_memory();
    process.users += status == HF_OK;
    unlock();
    return status == HF_OK ? SQLITE_OK : SQLITE_NOMEM;
}

void hfs_process_shutdown(void *argument) {
    (void)argument;
    lock();
    if (process.users > 0)
        process.users--;
    if (process.users == 0 && !process.caches)
        close_memory();
    else if (process.open)
        hfs_process_trim();
    unlock();
}

/* --------------------------------------------------------------------------------------------------------------- the public */

static bool tail_is_zero(const void *options, size_t known, size_t given) {
    for (size_t i = known; i < given; i++)
        if (((const unsigned char *)options)[i] != 0)
            return false;
    return true;
}

/* Reads options of any age; false if they ask for what this library does not know. */
static bool read_options(const hf_sqlite_options *given, hf_sqlite_options *options) {
    hf_sqlite_options defaults = HF_SQLITE_OPTIONS_INIT;

    *options = defaults;
    if (!given)
        return true;
    if (given->struct_bytes < sizeof(size_t) || !tail_is_zero(given, sizeof *options, given->struct_bytes))
        return false;
    memcpy(options, given, given->struct_bytes < sizeof *options ? given->struct_bytes : sizeof *options);
    options->struct_bytes = sizeof *options;
    return true;
}

/* Under the lock. On failure what was opened here is closed again. */
static hf_status install_locked(int (*config)(int, ...), uint64_t limit_bytes) {
    bool was_open = process.open;
    uint64_t before_bytes = process.limit_bytes;
    hf_status status;
    int rc;

    process.limit_bytes = limit_bytes;
    status = was_open ? hf_pool_set_limit(process.pool, (size_t)limit_bytes) : open_memory();
    if (status != HF_OK) {
        process.limit_bytes = before_bytes;
        return fail(status, "hf_sqlite_install: no memory for pages could be set up: %s", hf_error_message());
    }
    rc = config(SQLITE_CONFIG_PCACHE2, &hfs_methods);
    if (rc == SQLITE_OK)
        return HF_OK;
    process.limit_bytes = before_bytes;
    if (was_open)
        (void)hf_pool_set_limit(process.pool, (size_t)before_bytes);
    else
        close_memory();
    return fail(HF_SYSTEM, "hf_sqlite_install: sqlite3_config(SQLITE_CONFIG_PCACHE2) answered %d", rc);
}

hf_status hfs_install_into(int (*config)(int, ...), const hf_sqlite_options *given, bool automatic) {
    sqlite3_pcache_methods2 there;
    hf_sqlite_options options;
    hf_status status;

    if (!read_options(given, &options))
        return fail(HF_INVALID, "hf_sqlite_install: the options (%zu bytes) hold what this library (%zu bytes) does not know",
                    given->struct_bytes, sizeof options);
    if (config(SQLITE_CONFIG_GETPCACHE2, &there) != SQLITE_OK)
        return fail(HF_BUSY, "hf_sqlite_install: SQLite is already initialised; install before its first use, or after sqlite3_shutdown");
    lock();
    if (!automatic && process.installed == INSTALLED_BY_PROGRAM) {
        status = fail(HF_INVALID, "hf_sqlite_install: already installed, with a limit of %llu bytes (0: the default)",
                      (unsigned long long)process.limit_bytes);
    } else {
        /* The preload library comes second to the program, and may come again, for another copy of SQLite. */
        bool keep = automatic && process.installed == INSTALLED_BY_PROGRAM;
        status = install_locked(config, keep ? process.limit_bytes : options.limit_bytes);
        if (status == HF_OK && process.installed != INSTALLED_BY_PROGRAM)
            process.installed = automatic ? INSTALLED_BY_PRELOAD : INSTALLED_BY_PROGRAM;
    }
    unlock();
    return status;
}

/* Weak: the preload library must load into programs without SQLite. */
extern int sqlite3_config(int option, ...) __attribute__((weak));

hf_status hf_sqlite_install(const hf_sqlite_options *options) {
    if (!sqlite3_config)
        return fail(HF_INVALID, "hf_sqlite_install: this program is not linked with SQLite (sqlite3_config was not found)");
    return hfs_install_into(sqlite3_config, options, false);
}

hf_status hf_sqlite_get_stats(hf_sqlite_stats *stats) {
    hf_sqlite_stats now;
    size_t struct_bytes;

    if (!stats || stats->struct_bytes < sizeof(size_t))
        return fail(HF_INVALID, "hf_sqlite_get_stats: no statistics to fill, or struct_bytes is not set: use HF_SQLITE_STATS_INIT");
    lock();
    now = process.closed;
    if (!process.open)
        now.limit_bytes = now.limit_bytes ? now.limit_bytes : process.limit_bytes;
    count_pool(&now);
    now.taken = process.taken;
    now.misuses = __atomic_load_n(&process.misuses, __ATOMIC_RELAXED);
    for (struct hfs_cache *cache = process.caches; cache; cache = cache->next) {
        count_cache(&now, cache);
        now.caches++;
        now.pages += hfs_get(&cache->pages);
        now.blocks += hfs_get(&cache->block_count);
    }
    unlock();
    struct_bytes = stats->struct_bytes;
    if (struct_bytes > sizeof now)
        memset((char *)stats + sizeof now, 0, struct_bytes - sizeof now);
    memcpy(stats, &now, struct_bytes < sizeof now ? struct_bytes : sizeof now);
    stats->struct_bytes = struct_bytes;
    return HF_OK;
}

/* Under the lock: drops pages of every cache in turn until so many bytes are in the pool's hands. */
static void drop_everywhere(uint64_t bytes) {
    uint64_t dropped = 0;

    for (struct hfs_cache *cache = process.caches; cache && dropped < bytes; cache = cache->next) {
        uint64_t before, wanted = (bytes - dropped - 1) / cache->geometry.block_bytes + 1;
        if (!cache->purgeable || !claim(cache))
            continue;
        before = block_bytes_of(cache);
        hfs_cache_drop_unpinned(cache, wanted);
        dropped += before - block_bytes_of(cache);
        disclaim(cache);
    }
}

hf_status hf_sqlite_release_memory(size_t bytes, size_t *released_bytes) {
    size_t given_back = 0;
    hf_status status;

    lock();
    if (!process.open) {
        unlock();
        return fail(HF_CLOSED, "hf_sqlite_release_memory: holdfast holds no pages of SQLite: not installed, or SQLite is not initialised");
    }
    if (bytes > 0)
        drop_everywhere(bytes);
    status = hf_pool_trim(process.pool, 0, &given_back);
    unlock();
    if (released_bytes && (status == HF_OK || status == HF_SYSTEM))
        *released_bytes = given_back;
    return status == HF_OK ? HF_OK : fail(status, "hf_sqlite_release_memory: %s", hf_error_message());
}
