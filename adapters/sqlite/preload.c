/* SPDX-License-Identifier: MIT
 *
 * libholdfast-sqlite.so, for LD_PRELOAD: SQLite on holdfast in a program that knows nothing of it.
 *
 * The task. sqlite3_config(SQLITE_CONFIG_PCACHE2) must be called on the program's copy of SQLite before its first use. A copy may
 * be linked (the sqlite3 shell), or come later by dlopen with RTLD_LOCAL as a library's library (Python's sqlite3 module), or
 * never.
 *
 * How. Symbols of a preloaded library come first in the look-up order of every object in the process, RTLD_LOCAL ones too. So this
 * library has an sqlite3_initialize, sqlite3_open, _open_v2 and _open16 of its own, which install first and then call the real
 * ones: every use of SQLite begins with one of them, because SQLite's own functions call sqlite3_initialize through the same
 * look-up. (A copy that binds its own calls to itself, -Bsymbolic, is caught by the opens, if nothing but opens come first.) A
 * linked copy is installed into by the constructor, before main, so that a program that asks for the page cache in force sees ours.
 *
 * Which real ones. In the order in which the dynamic linker would have looked, had we not been here: the global objects after us
 * (RTLD_NEXT); the caller's own dependencies (dlsym on the object that the return address lies in); any object whose name
 * begins with libsqlite3 (for function pointers handed around). The copy found is kept, with its address range: the call from
 * inside SQLite itself, which is the frequent one (sqlite3_malloc begins with it), is then two compares.
 *
 * A program that installs a page cache of its own keeps it: its sqlite3_config comes after ours, or we find it in force
 * (SQLITE_CONFIG_GETPCACHE2 answers methods that lie neither here nor in SQLite's own object) and leave it alone.
 *
 * States of a copy:  NEW -> INSTALLED -> IN_USE         after sqlite3_shutdown INSTALLED again
 *                       \-> OWN (the program's own), TOO_LATE (initialised before we saw it), FAILED (said on stderr): as it was
 *
 * Settings, read once, when the first copy is found: HOLDFAST_SQLITE_LIMIT and HOLDFAST_SQLITE_STATS, and no others. README.md has
 * the exact form of what is printed.
 *
 * Without SQLite in the process nothing is opened, read or printed. The names here are exported all the same; a program that
 * looks them up to find out whether it has SQLite gets SQLITE_ERROR from them.
 */
#define _GNU_SOURCE
#include "pcache.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COPIES_MAX = 8 };

enum copy_state { NEW, INSTALLED, IN_USE, OWN, TOO_LATE, FAILED };

struct copy {
    uintptr_t low, high;    /* the object's mapped range */
    int (*initialize)(void);
    int (*shutdown)(void);
    int (*config)(int, ...);
    int (*open)(const char *, sqlite3 **);
    int (*open_v2)(const char *, sqlite3 **, int, const char *);
    int (*open16)(const void *, sqlite3 **);
    int (*release_memory)(int);
    int state;              /* enum copy_state; atomic */
};

static struct copy copies[COPIES_MAX]; /* the first copy_count are complete but for `state`, and never change */
static unsigned copy_count;            /* atomic */
static pthread_mutex_t copies_lock = PTHREAD_MUTEX_INITIALIZER; /* adding, and changes of state; before process.c's lock */

static struct {
    bool read;
    bool stats;
    uint64_t limit_bytes;
    pid_t pid;
} settings;

/* --------------------------------------------------------------------------------------------------------------- settings */

/* "64M" -> 67108864. A number above 0 and K, M, G or nothing. */
static bool parse_bytes(const char *text, uint64_t *bytes) {
    static const char suffixes[] = "KMG";
    unsigned long long number;
    unsigned shift = 0;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (*end) {
        const char *suffix = strchr(suffixes, *end & ~0x20); /* lower case too */
        if (!suffix || !*suffix || end[1])
            return false;
        shift = 10 * (unsigned)(suffix - suffixes + 1);
    }
    if (errno || number == 0 || number > (UINT64_MAX >> 1) >> shift)
        return false;
    *bytes = (uint64_t)number << shift;
    return true;
}

static void read_settings(void) {
    const char *limit = secure_getenv("HOLDFAST_SQLITE_LIMIT"), *stats = secure_getenv("HOLDFAST_SQLITE_STATS");

    if (settings.read)
        return;
    settings.read = true;
    settings.pid = getpid();
    if (limit && *limit && !parse_bytes(limit, &settings.limit_bytes))
        dprintf(STDERR_FILENO,
                "holdfast-sqlite: error: HOLDFAST_SQLITE_LIMIT=%.64s is not a number of bytes above 0 with K, M, G or nothing after it "
                "(like 64M); using the default, half of the memory this process may use\n",
                limit);
    if (stats && strcmp(stats, "1") == 0)
        settings.stats = true;
    else if (stats && *stats && strcmp(stats, "0") != 0)
        dprintf(STDERR_FILENO,
                "holdfast-sqlite: error: HOLDFAST_SQLITE_STATS=%.64s is neither 1 (a summary at exit) nor 0; using the default, 0\n",
                stats);
}

/* ------------------------------------------------------------------------------------------------------ finding the real one */

struct range {
    uintptr_t address, low, high;
};

static int object_range(struct dl_phdr_info *info, size_t size, void *context) {
    struct range *range = context;
    uintptr_t low = UINTPTR_MAX, high = 0;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = (uintptr_t)info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD)
            continue;
        low = start < low ? start : low;
        high = start + segment->p_memsz > high ? start + segment->p_memsz : high;
    }
    if (range->address < low || range->address >= high)
        return 0;
    range->low = low;
    range->high = high;
    return 1;
}

static void *not_ours(void *symbol) { return symbol == (void *)(uintptr_t)&sqlite3_initialize ? NULL : symbol; }

static void *look_up_in(const char *object, const char *name) {
    void *handle = dlopen(object, RTLD_LAZY | RTLD_NOLOAD), *symbol;
    if (!handle)
        return NULL;
    symbol = dlsym(handle, name);
    dlclose(handle); /* the object stays: somebody else has it open */
    return symbol;
}

static int note_libsqlite3(struct dl_phdr_info *info, size_t size, void *context) {
    const char *slash = strrchr(info->dlpi_name, '/');
    (void)size;
    if (strncmp(slash ? slash + 1 : info->dlpi_name, "libsqlite3", 10) != 0)
        return 0;
    *(char **)context = strdup(info->dlpi_name); /* looked up after the walk: dlopen inside it would be asking for trouble */
    return 1;
}

/* The sqlite3_initialize that a caller at this address would have reached without us. NULL: there is none. */
static void *real_initialize(const void *caller) {
    static const char name[] = "sqlite3_initialize";
    void *symbol = not_ours(dlsym(RTLD_NEXT, name));
    char *library = NULL;
    Dl_info object;

    if (!symbol && caller && dladdr(caller, &object) && object.dli_fname)
        symbol = not_ours(look_up_in(object.dli_fname, name));
    if (!symbol && dl_iterate_phdr(note_libsqlite3, &library) && library) {
        symbol = not_ours(look_up_in(library, name));
        free(library);
    }
    return symbol;
}

/* Object and function pointers have the same size and form on every system with dlsym; memcpy says so without a cast. */
#define SET_FUNCTION(copy, member, object)                                     \
    do {                                                                       \
        void *symbol_ = look_up_in(object, "sqlite3_" #member);                \
        static_assert(sizeof symbol_ == sizeof(copy)->member, "POSIX: dlsym"); \
        memcpy(&(copy)->member, &symbol_, sizeof symbol_);                     \
    } while (0)

/* Under the lock. */
static struct copy *add_copy(void *initialize) {
    struct range range = { (uintptr_t)initialize, 0, 0 };
    struct copy *copy = &copies[copy_count];
    Dl_info object;

    if (copy_count == COPIES_MAX || !dladdr(initialize, &object) || !dl_iterate_phdr(object_range, &range))
        return NULL;
    SET_FUNCTION(copy, initialize, object.dli_fname);
    SET_FUNCTION(copy, shutdown, object.dli_fname);
    SET_FUNCTION(copy, config, object.dli_fname);
    SET_FUNCTION(copy, open, object.dli_fname);
    SET_FUNCTION(copy, open_v2, object.dli_fname);
    SET_FUNCTION(copy, open16, object.dli_fname);
    SET_FUNCTION(copy, release_memory, object.dli_fname);
    if (!copy->initialize || !copy->shutdown || !copy->config || !copy->open || !copy->open_v2)
        return NULL; /* something else that happens to have the name */
    copy->low = range.low;
    copy->high = range.high;
    __atomic_store_n(&copy_count, copy_count + 1, __ATOMIC_RELEASE);
    return copy;
}

static struct copy *known_copy(uintptr_t address) {
    unsigned count = __atomic_load_n(&copy_count, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < count; i++)
        if (address >= copies[i].low && address < copies[i].high)
            return &copies[i];
    return NULL;
}

/* The copy of SQLite that a caller at this address means; NULL if there is none. */
static struct copy *copy_of(const void *caller) {
    struct copy *copy = known_copy((uintptr_t)caller);
    void *initialize;

    if (__builtin_expect(copy != NULL, 1))
        return copy;
    initialize = real_initialize(caller);
    if (!initialize)
        return NULL;
    pthread_mutex_lock(&copies_lock);
    copy = known_copy((uintptr_t)initialize);
    if (!copy)
        copy = add_copy(initialize);
    pthread_mutex_unlock(&copies_lock);
    return copy;
}

/* ------------------------------------------------------------------------------------------------------------- installation */

static bool in_copy(const struct copy *copy, int (*function)(void *)) {
    return (uintptr_t)function >= copy->low && (uintptr_t)function < copy->high;
}

static int try_to_install(struct copy *copy) {
    sqlite3_pcache_methods2 there;
    hf_sqlite_options options = HF_SQLITE_OPTIONS_INIT;
    hf_status status;

    read_settings();
    if (copy->config(SQLITE_CONFIG_GETPCACHE2, &there) != SQLITE_OK)
        return TOO_LATE;
    if (there.xInit == hfs_methods.xInit)
        return INSTALLED; /* by the program, with our own hf_sqlite_install */
    if (!in_copy(copy, there.xInit))
        return OWN;
    options.limit_bytes = settings.limit_bytes;
    status = hfs_install_into(copy->config, &options, true);
    if (status == HF_OK)
        return INSTALLED;
    dprintf(STDERR_FILENO, "holdfast-sqlite: error: SQLite stays on its own page cache: %s: %s\n", hf_status_name(status),
            hf_sqlite_error_message());
    return FAILED;
}

/* The first use after an installation: is it still ours, or has the program put its own in place? */
static int check_installed(struct copy *copy) {
    sqlite3_pcache_methods2 there;
    if (copy->config(SQLITE_CONFIG_GETPCACHE2, &there) == SQLITE_OK && there.xInit != hfs_methods.xInit)
        return OWN;
    return IN_USE;
}

static __attribute__((noinline, cold)) void prepare_slow(struct copy *copy) {
    pthread_mutex_lock(&copies_lock);
    if (copy->state == NEW)
        __atomic_store_n(&copy->state, try_to_install(copy), __ATOMIC_RELEASE);
    if (copy->state == INSTALLED)
        __atomic_store_n(&copy->state, check_installed(copy), __ATOMIC_RELEASE);
    pthread_mutex_unlock(&copies_lock);
}

static inline void prepare(struct copy *copy) {
    if (__builtin_expect(__atomic_load_n(&copy->state, __ATOMIC_ACQUIRE) < IN_USE, 0))
        prepare_slow(copy);
}

/* -------------------------------------------------------------------------------------------------- SQLite's names, interposed */

#define CALLER __builtin_extract_return_addr(__builtin_return_address(0))

HF_API int sqlite3_initialize(void) {
    struct copy *copy = copy_of(CALLER);
    if (!copy)
        return SQLITE_ERROR;
    prepare(copy);
    return copy->initialize();
}

HF_API int sqlite3_shutdown(void) {
    struct copy *copy = copy_of(CALLER);
    int rc;

    if (!copy)
        return SQLITE_ERROR;
    rc = copy->shutdown();
    pthread_mutex_lock(&copies_lock);
    if (copy->state == TOO_LATE)
        __atomic_store_n(&copy->state, NEW, __ATOMIC_RELEASE); /* the second chance */
    else if (copy->state == IN_USE || copy->state == OWN)
        __atomic_store_n(&copy->state, INSTALLED, __ATOMIC_RELEASE); /* to be looked at again */
    pthread_mutex_unlock(&copies_lock);
    return rc;
}

HF_API int sqlite3_open(const char *file, sqlite3 **db) {
    struct copy *copy = copy_of(CALLER);
    if (!copy)
        return SQLITE_ERROR;
    prepare(copy);
    return copy->open(file, db);
}

HF_API int sqlite3_open_v2(const char *file, sqlite3 **db, int flags, const char *vfs) {
    struct copy *copy = copy_of(CALLER);
    if (!copy)
        return SQLITE_ERROR;
    prepare(copy);
    return copy->open_v2(file, db, flags, vfs);
}

HF_API int sqlite3_open16(const void *file, sqlite3 **db) {
    struct copy *copy = copy_of(CALLER);
    if (!copy || !copy->open16)
        return SQLITE_ERROR;
    prepare(copy);
    return copy->open16(file, db);
}

/* The real one knows SQLite's built-in page cache only. Ours is asked first, then it. */
HF_API int sqlite3_release_memory(int bytes) {
    struct copy *copy = copy_of(CALLER);
    size_t released = 0;
    int more = 0;

    if (bytes > 0 && hf_sqlite_release_memory((size_t)bytes, &released) != HF_OK)
        released = 0;
    if (released > INT32_MAX)
        released = INT32_MAX;
    if (copy && copy->release_memory && (size_t)(bytes > 0 ? bytes : 0) > released)
        more = copy->release_memory(bytes - (int)released);
    return (int)released + more;
}

/* ------------------------------------------------------------------------------------------------------------ start and end */

static __attribute__((constructor)) void start(void) {
    struct copy *copy;

    if (!dlsym(RTLD_NEXT, "sqlite3_initialize"))
        return; /* not linked; it may come later, by dlopen */
    copy = copy_of(NULL);
    if (!copy)
        return;
    pthread_mutex_lock(&copies_lock);
    if (copy->state == NEW)
        __atomic_store_n(&copy->state, try_to_install(copy), __ATOMIC_RELEASE);
    pthread_mutex_unlock(&copies_lock);
}

static const char *cache_in_use(void) {
    static const char *const names[] = { "unused", "unused", "holdfast", "program", "sqlite", "sqlite" };
    const char *name = "unused";

    for (unsigned i = 0; i < copy_count; i++) {
        if (copies[i].state == IN_USE)
            return names[IN_USE];
        if (copies[i].state > IN_USE)
            name = names[copies[i].state];
    }
    return name;
}

/* "64.0 MiB" */
static const char *human(uint64_t bytes, char text[static 32]) {
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes;
    unsigned unit = 0;

    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

static void print_stats(const char *cache, const hf_sqlite_stats *s) {
    static const char *const labels[] = { "limit", "peak", "live at exit", "given back" };
    const uint64_t bytes[] = { s->limit_bytes, s->peak_bytes, s->live_bytes, s->given_back_bytes };
    double fetches = (double)(s->hits + s->misses);
    char text[2048], size[32];
    int n = snprintf(text, sizeof text, "holdfast-sqlite: summary of process %d, page cache: %s\n", (int)getpid(), cache);

    for (unsigned i = 0; i < 4; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "  %-14s %16" PRIu64 "  %s\n", labels[i], bytes[i], human(bytes[i], size));
    n += snprintf(text + n, sizeof text - (size_t)n, "  %-14s %16" PRIu64 "  %.2f %% of fetches\n  %-14s %16" PRIu64 "\n", "hits", s->hits,
                  fetches > 0 ? 100.0 * (double)s->hits / fetches : 0.0, "misses", s->misses);
    n += snprintf(text + n, sizeof text - (size_t)n,
                  "holdfast-sqlite: cache %s limit %" PRIu64 " peak %" PRIu64 " live %" PRIu64 " hits %" PRIu64 " misses %" PRIu64
                  " given_back %" PRIu64 " segments %" PRIu64 " recycled %" PRIu64 " taken %" PRIu64 " refused %" PRIu64 " misuses %" PRIu64
                  "\n",
                  cache, s->limit_bytes, s->peak_bytes, s->live_bytes, s->hits, s->misses, s->given_back_bytes, s->blocks, s->recycled,
                  s->taken, s->refused, s->misuses);
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        return; /* stderr is closed: there is nobody to tell */
}

/* A forked child counts from 0, and speaks only if it used SQLite itself. */
static __attribute__((destructor)) void finish(void) {
    hf_sqlite_stats stats = HF_SQLITE_STATS_INIT;

    if (!settings.stats || hf_sqlite_get_stats(&stats) != HF_OK)
        return;
    if (getpid() != settings.pid && stats.hits + stats.misses == 0)
        return;
    if (strcmp(cache_in_use(), "unused") != 0)
        print_stats(cache_in_use(), &stats);
}
