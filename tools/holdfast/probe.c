/* SPDX-License-Identifier: MIT
 *
 * See probe.h. Version numbers say little: features are configured out, filtered by containers, and emulators answer 0 and do
 * nothing. So each probe uses the feature and looks at its effect. The values of newer constants are the kernel's, from its manual
 * pages, so that an old header hides nothing.
 */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <holdfast.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ADVICE_POPULATE_WRITE = 23,
    ADVICE_DONTNEED_LOCKED = 24,
    ADVICE_GUARD_INSTALL = 102,
    SET_VMA = 0x53564d41,
    LOCK_ON_FAULT = 1,
    POLICY_BIND = 2,
    NUMBER_OF_MSEAL = 462, /* on every architecture: it came after the numbers were unified */
    BARRIER_QUERY = 0,
    BARRIER_EXPEDITED = 1 << 3,
    BARRIER_REGISTER_EXPEDITED = 1 << 4,
    BARRIER_EXPEDITED_RSEQ = 1 << 7,
    BARRIER_REGISTER_EXPEDITED_RSEQ = 1 << 8,
    PAGES = 4
};

int probe_in_child(probe *ask) {
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) return PROBE_UNKNOWN;
    if (child == 0) {
        struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_CORE, &none);
        prctl(PR_SET_DUMPABLE, 0);
        _exit(ask());
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return PROBE_UNKNOWN;
    return WIFEXITED(status) ? WEXITSTATUS(status) : PROBE_UNKNOWN;
}

static size_t page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Four pages, writable; NULL with errno. */
static char *some_pages(int protection) {
    void *at = mmap(NULL, PAGES * page_bytes(), protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static int resident(char *at) {
    unsigned char pages[PAGES] = { 0 };
    int count = 0;
    if (mincore(at, PAGES * page_bytes(), pages) != 0) return -1;
    for (int i = 0; i < PAGES; i++) count += pages[i] & 1;
    return count;
}

/* -- what the library uses -- */

int probe_reserve(void) {
    void *at = mmap(NULL, (size_t)1 << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? errno : 0;
}

int probe_commit(void) {
    char *at = some_pages(PROT_NONE);
    if (!at || mprotect(at, page_bytes(), PROT_READ | PROT_WRITE) != 0) return errno;
    at[0] = 1;
    return at[0] == 1 ? 0 : PROBE_NO_EFFECT;
}

int probe_retire(void) {
    char *at = some_pages(PROT_READ | PROT_WRITE);
    if (!at) return errno;
    memset(at, 1, PAGES * page_bytes());
    if (mmap(at, PAGES * page_bytes(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        return errno;
    return *(volatile char *)at == 0 ? 0 : PROBE_NO_EFFECT;
}

static int give_back(char *at, int advice) {
    at[0] = 1;
    if (madvise(at, PAGES * page_bytes(), advice) != 0) return errno;
    return *(volatile char *)at == 0 ? 0 : PROBE_NO_EFFECT;
}

int probe_dontneed(void) {
    char *at = some_pages(PROT_READ | PROT_WRITE);
    return at ? give_back(at, MADV_DONTNEED) : errno;
}

int probe_dontneed_locked(void) {
    char *at = some_pages(PROT_READ | PROT_WRITE);
    if (!at || mlock(at, PAGES * page_bytes()) != 0) return PROBE_UNKNOWN; /* no right to lock a page: nothing to be seen */
    return give_back(at, ADVICE_DONTNEED_LOCKED);
}

int probe_lock_on_fault(void) {
    char *at = some_pages(PROT_READ | PROT_WRITE);
    if (!at) return errno;
    if (syscall(SYS_mlock2, at, PAGES * page_bytes(), LOCK_ON_FAULT) != 0)
        return errno == EPERM || errno == ENOMEM ? PROBE_UNKNOWN : errno;
    return resident(at) == 0 ? 0 : PROBE_NO_EFFECT;
}

int probe_populate(void) {
    char *at = some_pages(PROT_READ | PROT_WRITE);
    if (!at || madvise(at, PAGES * page_bytes(), ADVICE_POPULATE_WRITE) != 0) return errno;
    return resident(at) == PAGES ? 0 : PROBE_NO_EFFECT;
}

/* The flags of the mapping at an address, as smaps spells them: " rd wr mr ". "" where it can't be had. */
static void mapping_flags(const void *at, char *flags, size_t size) {
    char line[512];
    bool here = false;
    FILE *smaps = fopen("/proc/self/smaps", "re");
    flags[0] = 0;
    while (smaps && !flags[0] && fgets(line, sizeof line, smaps)) {
        unsigned long long low, high;
        if (sscanf(line, "%llx-%llx ", &low, &high) == 2) here = low <= (uintptr_t)at && (uintptr_t)at < high;
        else if (here && strncmp(line, "VmFlags:", 8) == 0) snprintf(flags, size, "%s", line + 8);
    }
    if (smaps) fclose(smaps);
}

static int advice_with_flag(int advice, const char *flag) {
    char flags[512], *at = some_pages(PROT_READ | PROT_WRITE);
    if (!at || madvise(at, PAGES * page_bytes(), advice) != 0) return errno;
    mapping_flags(at, flags, sizeof flags);
    return !flags[0] ? PROBE_UNKNOWN : strstr(flags, flag) ? 0 : PROBE_NO_EFFECT;
}

int probe_nohugepage(void) {
    return advice_with_flag(MADV_NOHUGEPAGE, " nh");
}

int probe_dontdump(void) {
    return advice_with_flag(MADV_DONTDUMP, " dd");
}

int probe_name(void) {
    char line[512], *at = some_pages(PROT_READ | PROT_WRITE);
    if (!at || prctl(SET_VMA, 0, at, PAGES * page_bytes(), "holdfast:probe") != 0) return errno;
    FILE *maps = fopen("/proc/self/maps", "re");
    bool found = false;
    if (!maps) return PROBE_UNKNOWN;
    while (!found && fgets(line, sizeof line, maps)) found = strstr(line, "holdfast:probe") != NULL;
    fclose(maps);
    return found ? 0 : PROBE_NO_EFFECT;
}

int probe_bind(void) {
    unsigned long nodes = 1;
    char *at = some_pages(PROT_READ | PROT_WRITE);
    if (!at) return errno;
    return syscall(SYS_mbind, at, PAGES * page_bytes(), POLICY_BIND, &nodes, 8 * sizeof nodes, 0) == 0 ? 0 : errno;
}

static int barrier(int enlist, int command) {
    if (syscall(SYS_membarrier, enlist, 0, 0) != 0 || syscall(SYS_membarrier, command, 0, 0) != 0) return errno;
    return 0;
}

int probe_membarrier(void) {
    return barrier(BARRIER_REGISTER_EXPEDITED, BARRIER_EXPEDITED);
}

int probe_arena_of_1_tib(void) {
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    options.reserve_bytes = UINT64_C(1) << 40;
    hf_arena arena;
    hf_status status = hf_arena_open(&options, &arena);
    return status == HF_OK ? (int)hf_arena_close(arena, 0) : (int)status;
}

/* -- what later releases want to use -- */

int probe_membarrier_rseq(void) {
    return barrier(BARRIER_REGISTER_EXPEDITED_RSEQ, BARRIER_EXPEDITED_RSEQ);
}

/* glibc 2.35 and later registers every thread, and says so. (musl: nobody does.) */
extern const unsigned int __rseq_size __attribute__((weak));

int probe_rseq(void) {
    return &__rseq_size && __rseq_size > 0 ? 0 : ENOSYS;
}

int probe_process_madvise(void) {
#if defined(SYS_process_madvise) && defined(SYS_pidfd_open)
    char *at = some_pages(PROT_READ | PROT_WRITE);
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (!at || self < 0) return errno;
    at[0] = 1;
    struct iovec piece = { at, PAGES * page_bytes() };
    if (syscall(SYS_process_madvise, self, &piece, 1, MADV_DONTNEED, 0) < 0) return errno;
    return *(volatile char *)at == 0 ? 0 : PROBE_NO_EFFECT;
#else
    return PROBE_UNKNOWN;
#endif
}

static void guarded(int number) {
    (void)number;
    _exit(0);
}

int probe_guard(void) {
    char *at = some_pages(PROT_READ | PROT_WRITE);
    if (!at || madvise(at, page_bytes(), ADVICE_GUARD_INSTALL) != 0) return errno;
    signal(SIGSEGV, guarded); /* the fault is the proof */
    *(volatile char *)at = 1;
    return PROBE_NO_EFFECT;
}

int probe_mseal(void) {
    char *at = some_pages(PROT_READ | PROT_WRITE);
    if (!at || syscall(NUMBER_OF_MSEAL, at, PAGES * page_bytes(), 0) != 0) return errno;
    return munmap(at, PAGES * page_bytes()) != 0 && errno == EPERM ? 0 : PROBE_NO_EFFECT;
}
