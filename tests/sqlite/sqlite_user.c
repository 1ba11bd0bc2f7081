/* SPDX-License-Identifier: MIT
 *
 *     sqlite_user WHAT
 *
 * A program that uses SQLite in one of the ways that the preload library must survive. It is linked with libsqlite3 and nothing of
 * holdfast; what it prints is the same with the library and without, but for `release`.
 *
 *   wrap       puts counting methods around the page cache in force, and uses that
 *   own        installs a page cache of its own, and uses that
 *   release    asks sqlite3_release_memory for everything, and prints whether bytes came back
 *   leave      ends with two databases open, in the middle of a transaction
 *   shutdown   uses SQLite, shuts it down, configures it anew, uses it again
 *   fork       forks with a database open; the child uses one of its own and ends through exit()
 *   threads    ends while other threads are inside SQLite
 *   unused     is linked with SQLite and never calls it
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILL                                                                             \
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b);"                                          \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"     \
    "INSERT INTO t SELECT i, zeroblob(200) FROM n;"

static sqlite3_pcache_methods2 in_force;
static unsigned long fetches;

static sqlite3_pcache_page *counting_fetch(sqlite3_pcache *cache, unsigned key, int create) {
    fetches++;
    return in_force.xFetch(cache, key, create);
}

static int print_row(void *context, int columns, char **values, char **names) {
    (void)context;
    (void)names;
    for (int i = 0; i < columns; i++)
        printf("%s ", values[i] ? values[i] : "NULL");
    putchar('\n');
    return 0;
}

static sqlite3 *use(const char *file, const char *sql) {
    sqlite3 *db = NULL;
    if (sqlite3_open(file, &db) != SQLITE_OK || sqlite3_exec(db, sql, print_row, NULL, NULL) != SQLITE_OK)
        printf("error: %s\n", sqlite3_errmsg(db));
    if (sqlite3_exec(db, "SELECT count(*), sum(length(b)) FROM t; PRAGMA integrity_check", print_row, NULL, NULL) != SQLITE_OK)
        printf("error: %s\n", sqlite3_errmsg(db));
    return db;
}

static void use_mine(const sqlite3_pcache_methods2 *mine) {
    if (sqlite3_config(SQLITE_CONFIG_PCACHE2, mine) != SQLITE_OK)
        puts("sqlite3_config failed");
    sqlite3_close(use(":memory:", FILL));
    puts(fetches > 1000 ? "my page cache was used" : "my page cache was not used");
}

static void wrap(void) {
    sqlite3_pcache_methods2 mine;
    sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &in_force);
    mine = in_force;
    mine.xFetch = counting_fetch;
    use_mine(&mine);
}

/* The simplest page cache there is: it never lets a page go before the end, unless it is told to. */
struct simple_page {
    sqlite3_pcache_page base;
    struct simple_page *next;
    unsigned key;
};

struct simple_cache {
    struct simple_page *pages[1024];
    size_t page_bytes, extra_bytes;
    int count;
};

static int simple_init(void *context) { return context ? SQLITE_ERROR : SQLITE_OK; }
static void simple_size(sqlite3_pcache *cache, int pages) { (void)cache, (void)pages; }
static void simple_shrink(sqlite3_pcache *cache) { (void)cache; }
static int simple_count(sqlite3_pcache *cache) { return ((struct simple_cache *)(void *)cache)->count; }

static sqlite3_pcache *simple_create(int page_bytes, int extra_bytes, int purgeable) {
    struct simple_cache *cache = calloc(1, sizeof *cache);
    (void)purgeable;
    cache->page_bytes = (size_t)page_bytes;
    cache->extra_bytes = (size_t)extra_bytes;
    return (sqlite3_pcache *)(void *)cache;
}

static sqlite3_pcache_page *simple_fetch(sqlite3_pcache *handle, unsigned key, int create) {
    struct simple_cache *cache = (struct simple_cache *)(void *)handle;
    struct simple_page **bucket = &cache->pages[key % 1024], *page = *bucket;
    fetches++;
    while (page && page->key != key)
        page = page->next;
    if (page || !create)
        return page ? &page->base : NULL;
    page = calloc(1, sizeof *page + cache->page_bytes + cache->extra_bytes);
    page->base.pBuf = page + 1;
    page->base.pExtra = (char *)(page + 1) + cache->page_bytes;
    page->key = key;
    page->next = *bucket;
    *bucket = page;
    cache->count++;
    return &page->base;
}

static void simple_drop(struct simple_cache *cache, unsigned from, unsigned to) {
    for (int i = 0; i < 1024; i++)
        for (struct simple_page **link = &cache->pages[i]; *link;) {
            struct simple_page *page = *link;
            if (page->key < from || page->key > to) {
                link = &page->next;
                continue;
            }
            *link = page->next;
            free(page);
            cache->count--;
        }
}

static void simple_unpin(sqlite3_pcache *cache, sqlite3_pcache_page *page, int discard) {
    unsigned key = ((struct simple_page *)(void *)page)->key;
    if (discard)
        simple_drop((struct simple_cache *)(void *)cache, key, key);
}

static void simple_rekey(sqlite3_pcache *handle, sqlite3_pcache_page *base, unsigned old_key, unsigned new_key) {
    struct simple_cache *cache = (struct simple_cache *)(void *)handle;
    struct simple_page *page = (struct simple_page *)(void *)base, **link = &cache->pages[old_key % 1024];
    while (*link != page)
        link = &(*link)->next;
    *link = page->next;
    simple_drop(cache, new_key, new_key);
    page->key = new_key;
    page->next = cache->pages[new_key % 1024];
    cache->pages[new_key % 1024] = page;
}

static void simple_truncate(sqlite3_pcache *cache, unsigned from) { simple_drop((struct simple_cache *)(void *)cache, from, ~0u); }

static void simple_destroy(sqlite3_pcache *cache) {
    simple_truncate(cache, 0);
    free(cache);
}

static void own(void) {
    static const sqlite3_pcache_methods2 mine = {
        .iVersion = 1,
        .xInit = simple_init,
        .xCreate = simple_create,
        .xCachesize = simple_size,
        .xPagecount = simple_count,
        .xFetch = simple_fetch,
        .xUnpin = simple_unpin,
        .xRekey = simple_rekey,
        .xTruncate = simple_truncate,
        .xDestroy = simple_destroy,
        .xShrink = simple_shrink,
    };
    use_mine(&mine);
}

static void release(void) {
    sqlite3 *db = use("release.db", "PRAGMA cache_size=10000; " FILL);
    printf("released %s\n", sqlite3_release_memory(1 << 30) > 400000 ? "much" : "nothing");
    printf("and again %s\n", sqlite3_release_memory(1 << 30) > 400000 ? "much" : "nothing");
    sqlite3_close(db);
    sqlite3_close(use("release.db", ""));
}

static void leave(void) {
    use("leave.db", FILL "BEGIN; UPDATE t SET b = 'never'");
    use(":memory:", FILL "BEGIN; DELETE FROM t WHERE a % 2");
}

static void shut_down(void) {
    for (int i = 0; i < 3; i++) {
        sqlite3_close(use(":memory:", FILL));
        printf("shutdown %d\n", sqlite3_shutdown());
        printf("config %d\n", sqlite3_config(i % 2 ? SQLITE_CONFIG_SERIALIZED : SQLITE_CONFIG_MULTITHREAD));
        printf("initialize %d\n", sqlite3_initialize());
    }
}

static void do_fork(void) {
    sqlite3 *db = use("fork.db", FILL);
    pid_t child;
    int status = -1;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        sqlite3_close(use("child.db", FILL));
        exit(0);
    }
    waitpid(child, &status, 0);
    printf("child ended with %d\n", status);
    sqlite3_exec(db, "SELECT sum(a) FROM t", print_row, NULL, NULL);
    sqlite3_close(db);
}

static void *for_ever(void *argument) {
    sqlite3 *db = NULL;
    sqlite3_open(":memory:", &db);
    sqlite3_exec(db, "PRAGMA cache_size=10;" FILL, NULL, NULL, NULL);
    __atomic_add_fetch((int *)argument, 1, __ATOMIC_RELEASE);
    for (;;)
        sqlite3_exec(db, "UPDATE t SET b = zeroblob(a % 700)", NULL, NULL, NULL);
    return NULL;
}

static void threads(void) {
    static int ready;
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        if (pthread_create(&thread, NULL, for_ever, &ready) != 0)
            puts("no thread");
    while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < 3)
        usleep(1000);
    puts("three threads are inside");
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } ways[] = {
        { "wrap", wrap },
        { "own", own },
        { "release", release },
        { "leave", leave },
        { "shutdown", shut_down },
        { "fork", do_fork },
        { "threads", threads },
    };

    if (argc == 2 && strcmp(argv[1], "unused") == 0)
        return puts("unused") < 0;
    for (size_t i = 0; argc == 2 && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(argv[1], ways[i].name) == 0) {
            ways[i].run();
            return 0; /* through exit(), whatever is still open */
        }
    fputs("usage: sqlite_user wrap|own|release|leave|shutdown|fork|threads|unused\n", stderr);
    return 2;
}
