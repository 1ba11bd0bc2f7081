/* SPDX-License-Identifier: MIT
 *
 * Driving the page cache as SQLite's pcache.c does, without SQLite: its methods, called directly.
 */
#ifndef TEST_SQLITE_METHODS_H
#define TEST_SQLITE_METHODS_H

#include "pcache.h"

#include <string.h>

#define EXTRA_BYTES 216 /* what SQLite 3.40 asks for on 64-bit machines */
#define MIB ((uint64_t)1 << 20)

/* A config function in the place of sqlite3_config: remembers the methods, so that an installation needs no SQLite. */
static sqlite3_pcache_methods2 methods;

static int pretended_config(int option, ...) {
    __builtin_va_list arguments;
    __builtin_va_start(arguments, option);
    if (option == SQLITE_CONFIG_PCACHE2)
        methods = *__builtin_va_arg(arguments, const sqlite3_pcache_methods2 *);
    else if (option == SQLITE_CONFIG_GETPCACHE2)
        *__builtin_va_arg(arguments, sqlite3_pcache_methods2 *) = methods;
    __builtin_va_end(arguments);
    return SQLITE_OK;
}

/* SQLite's sqlite3_initialize, under this limit. Installs as the preload library does, which may do so again and again. */
static inline bool cache_start(uint64_t limit_bytes) {
    hf_sqlite_options options = HF_SQLITE_OPTIONS_INIT;
    options.limit_bytes = limit_bytes;
    return hfs_install_into(pretended_config, &options, true) == HF_OK && methods.xInit(methods.pArg) == SQLITE_OK;
}

static inline void cache_stop(void) { methods.xShutdown(methods.pArg); }

static inline hf_sqlite_stats stats_now(void) {
    hf_sqlite_stats stats = HF_SQLITE_STATS_INIT;
    if (hf_sqlite_get_stats(&stats) != HF_OK)
        memset(&stats, 0xff, sizeof stats);
    return stats;
}

/* Fills a page and its extra bytes with what only this cache, key and version have; the first 8 extra bytes too. */
static inline void page_write(sqlite3_pcache_page *page, size_t size, uint64_t mark) {
    for (size_t i = 0; i + 8 <= size; i += 8)
        memcpy((char *)page->pBuf + i, &(uint64_t){ mark * UINT64_C(0x9e3779b97f4a7c15) + i }, 8);
    for (size_t i = 0; i + 8 <= EXTRA_BYTES; i += 8)
        memcpy((char *)page->pExtra + i, &(uint64_t){ ~mark + i }, 8);
}

static inline bool page_is(const sqlite3_pcache_page *page, size_t size, uint64_t mark) {
    uint64_t seen;
    for (size_t i = 0; i + 8 <= size; i += 8) {
        memcpy(&seen, (const char *)page->pBuf + i, 8);
        if (seen != mark * UINT64_C(0x9e3779b97f4a7c15) + i)
            return false;
    }
    for (size_t i = 0; i + 8 <= EXTRA_BYTES; i += 8) {
        memcpy(&seen, (const char *)page->pExtra + i, 8);
        if (seen != ~mark + i)
            return false;
    }
    return true;
}

#endif
