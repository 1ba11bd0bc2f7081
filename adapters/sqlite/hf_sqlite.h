/* SPDX-License-Identifier: MIT
 *
 * SQLite on holdfast: SQLite's page cache, unmodified SQLite above it, in the memory of one holdfast pool under one byte limit.
 *
 * The whole of it:
 *
 *     hf_sqlite_options options = HF_SQLITE_OPTIONS_INIT;
 *     options.limit_bytes = 64u << 20;
 *     if (hf_sqlite_install(&options) != HF_OK) puts(hf_sqlite_error_message());
 *     sqlite3_open("some.db", &db);            // and everything else as ever
 *
 * A program that can't be changed gets the same from libholdfast-sqlite.so by LD_PRELOAD; README.md beside this file tells how.
 *
 * What changes for SQLite: nothing but where pages live and how many bytes they may be, over all connections of the process.
 * When the limit is reached, clean pages are recycled (this connection's, then the others'), dirty ones are spilled to the file,
 * and when neither is possible a statement fails with SQLITE_NOMEM, as SQLite does when malloc fails.
 *
 * Threads: any thread may call anything here. The conventions of holdfast.h hold.
 */
#ifndef HF_SQLITE_H
#define HF_SQLITE_H

#include <holdfast.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hf_sqlite_options {
    size_t struct_bytes;  /* sizeof(hf_sqlite_options), set by HF_SQLITE_OPTIONS_INIT */
    uint64_t limit_bytes; /* over all page caches of the process; 0: half of the memory this process may use */
} hf_sqlite_options;

#define HF_SQLITE_OPTIONS_INIT { sizeof(hf_sqlite_options), 0 }

typedef struct hf_sqlite_stats {
    size_t struct_bytes;        /* sizeof(hf_sqlite_stats), set by HF_SQLITE_STATS_INIT */
    uint64_t limit_bytes;
    uint64_t peak_bytes;        /* most that was ever held from the system for pages, free blocks included */
    uint64_t held_bytes;        /* held now: live and free blocks */
    uint64_t live_bytes;        /* in blocks that some page cache owns now; 0 when every connection is closed */
    uint64_t given_back_bytes;  /* returned to the operating system, ever */
    uint64_t hits;              /* page fetches that found their page */
    uint64_t misses;            /* pages that had to be made: SQLite then reads them from the file, or they are new */
    uint64_t recycled;          /* pages made in the place of the cache's least recently used one */
    uint64_t taken;             /* blocks taken from one cache for another, at the limit */
    uint64_t refused;           /* fetches refused for lack of memory; SQLite spills and asks again, or says "out of memory" */
    uint64_t caches;            /* page caches now: SQLite makes about one for each open database file */
    uint64_t pages;             /* pages in them now */
    uint64_t blocks;            /* holdfast segments in them now */
    uint64_t misuses;           /* releases that the pool refused: 0, or this adapter has a bug */
} hf_sqlite_stats;

#define HF_SQLITE_STATS_INIT { sizeof(hf_sqlite_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Makes holdfast SQLite's page cache, from the next sqlite3_initialize on (sqlite3_open calls it by itself). It stays so through
 * sqlite3_shutdown. Call it before the program's first use of SQLite.
 *
 * options   NULL: the default limit.
 * Errors    HF_BUSY (SQLite is already initialised: install before, or after sqlite3_shutdown; nothing has changed),
 *           HF_INVALID (options that this library does not know; already installed; no SQLite in this program),
 *           HF_NO_MEMORY and HF_SYSTEM as hf_arena_open and hf_pool_open have them.
 * Lifetime  the process. The arena is opened here and closed by sqlite3_shutdown, if no cache is left then. */
HF_API hf_status hf_sqlite_install(const hf_sqlite_options *options);

/* Fills *stats, whose struct_bytes is set. Counters of a moment while other threads are at work, exact at rest.
 * Errors: HF_INVALID. Before the first use of SQLite all is 0 but the limit asked for. */
HF_API hf_status hf_sqlite_get_stats(hf_sqlite_stats *stats);

/* Drops clean pages that nobody uses, of all caches, until bytes of memory are free or there are no more, and gives all free memory
 * back to the system: what sqlite3_release_memory is for. (SQLite's own function knows its built-in cache only, and nothing at all
 * unless it was compiled with SQLITE_ENABLE_MEMORY_MANAGEMENT. libholdfast-sqlite.so answers to that name, too.)
 *
 * released_bytes  may be NULL; the bytes given back to the system.
 * Errors          HF_CLOSED (not installed, or SQLite is not initialised), HF_SYSTEM (as hf_pool_trim). */
HF_API hf_status hf_sqlite_release_memory(size_t bytes, size_t *released_bytes);

/* This thread's last failure of a function of this header, as a whole sentence; valid until its next. */
HF_API const char *hf_sqlite_error_message(void);

#ifdef __cplusplus
}
#endif

#endif
