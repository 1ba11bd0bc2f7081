/* SPDX-License-Identifier: MIT
 *
 * The port to Linux. Facts that shaped it, each tried on a kernel before it was relied on:
 *
 * - A PROT_NONE private mapping is charged to nobody, is not made resident by mlockall(MCL_FUTURE), and becomes ordinary memory
 *   by mprotect. So address space is reserved PROT_NONE in every mode of overcommit, and committed as a growing prefix: one
 *   mapping more per range, never one per slot.
 * - MADV_DONTNEED gives pages back but keeps the commit charge; mapping read-only zeros over the range gives both back.
 * - mlocked memory refuses MADV_DONTNEED (EINVAL) and takes MADV_DONTNEED_LOCKED.
 * - An anonymous mapping that mprotect turns writable under VM_LOCKED is made resident at once, unless it was locked on fault.
 * - Features are probed by what they do, never by the version number.
 */
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Values from the manual pages: neither an old header nor a libc without the kernel's headers takes a feature away. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif
#define HF_FUTEX_WAKE_PRIVATE (1 | 128)
#define HF_FUTEX_WAIT_BITSET_PRIVATE (9 | 128)
#define HF_FUTEX_MATCH_ANY 0xffffffffu
#define HF_MPOL_BIND 2
#define HF_MEMBARRIER_PRIVATE_EXPEDITED (1 << 3)
#define HF_MEMBARRIER_REGISTER_PRIVATE_EXPEDITED (1 << 4)

#if HF_TESTING
void (*hf_atomic_point)(void);

static uint64_t fail_first, fail_calls, fail_count;
static bool fail_on;

void hf_os_fail_at(uint64_t nth, bool from_then_on) {
    hf_store_seq_cst(&fail_first, 0);
    hf_store_seq_cst(&fail_calls, 0);
    hf_store_seq_cst(&fail_count, 0);
    hf_store_seq_cst(&fail_on, from_then_on);
    hf_store_seq_cst(&fail_first, nth);
}

uint64_t hf_os_calls(void) {
    return hf_load_seq_cst(&fail_calls);
}

uint64_t hf_os_failures(void) {
    return hf_load_seq_cst(&fail_count);
}

static bool made_to_fail(void) {
    uint64_t n = hf_add_seq_cst(&fail_calls, 1) + 1, first = hf_load_seq_cst(&fail_first);
    bool fails = first != 0 && (n == first || (n > first && hf_load_seq_cst(&fail_on)));
    if (fails) hf_add_seq_cst(&fail_count, 1);
    return fails;
}
#define MAY_FAIL()                         \
    do {                                   \
        if (made_to_fail()) return ENOMEM; \
    } while (0)
#else
#define MAY_FAIL() ((void)0)
#endif

/* ------------------------------------------------------------------------------------------------------------------- memory */

size_t hf_os_page_bytes(void) {
    static size_t page_bytes; /* every thread computes the same value */
    size_t bytes = hf_load_relaxed(&page_bytes);
    if (HF_UNLIKELY(bytes == 0)) {
        bytes = (size_t)sysconf(_SC_PAGESIZE);
        hf_store_relaxed(&page_bytes, bytes);
    }
    return bytes;
}

static void *map_anonymous(void *at, size_t bytes, int protection, int flags) {
    return mmap(at, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

/* Under mlockall(MCL_FUTURE) new mappings are locked, and a locked mapping that turns writable is made resident whole, above what
 * is charged. Locked on fault, it is made resident as it is touched, which is what the caller of mlockall gets everywhere else
 * but a moment later. Whether that mode is on can't be asked for, so a page is mapped and looked at. */
static void lock_on_fault_if_locked(void *address, size_t bytes) {
    size_t page = hf_os_page_bytes();
    unsigned char resident = 0;
    void *probe = map_anonymous(NULL, page, PROT_READ | PROT_WRITE, 0);
    if (probe == MAP_FAILED) return;
    bool locked = mincore(probe, page, &resident) == 0 && (resident & 1);
    munmap(probe, page);
    if (locked) syscall(SYS_mlock2, address, bytes, MLOCK_ONFAULT);
}

int hf_os_reserve(size_t bytes, size_t alignment, void **address) {
    MAY_FAIL();
    char *at = map_anonymous(NULL, bytes, PROT_NONE, 0);
    if (at == MAP_FAILED) return errno;
    if ((uintptr_t)at % alignment != 0) { /* once more, with room to choose from; what is cut off was never handed out */
        munmap(at, bytes);
        size_t room = bytes + alignment - hf_os_page_bytes();
        if (room < bytes) return ENOMEM;
        char *start = map_anonymous(NULL, room, PROT_NONE, 0);
        if (start == MAP_FAILED) return errno;
        at = (char *)hf_round_up((uintptr_t)start, alignment);
        if (at > start) munmap(start, (size_t)(at - start));
        if (at + bytes < start + room) munmap(at + bytes, (size_t)(start + room - (at + bytes)));
    }
    lock_on_fault_if_locked(at, bytes);
    *address = at;
    return 0;
}

void hf_os_unreserve(void *address, size_t bytes) {
    munmap(address, bytes);
}

int hf_os_commit(void *address, size_t bytes) {
    MAY_FAIL();
    return mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0 ? 0 : errno;
}

static void name_memory(void *address, size_t bytes, const char *name) {
    prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, bytes, name); /* refused where the kernel was built without names */
}

int hf_os_metadata(size_t bytes, void **address) {
    MAY_FAIL();
    void *at = map_anonymous(NULL, bytes, PROT_READ | PROT_WRITE, 0);
    if (at == MAP_FAILED) return errno;
    madvise(at, bytes, MADV_NOHUGEPAGE); /* a few bytes must stay a few bytes */
    name_memory(at, bytes, "holdfast:metadata");
    *address = at;
    return 0;
}

int hf_os_retire(void *address, size_t bytes) {
    MAY_FAIL();
    if (map_anonymous(address, bytes, PROT_READ, MAP_FIXED) == MAP_FAILED) return errno;
    unsigned char resident = 0; /* under mlockall(MCL_FUTURE) even this was filled in, and must become locked on fault */
    if (mincore(address, hf_os_page_bytes(), &resident) == 0 && (resident & 1)) syscall(SYS_mlock2, address, bytes, MLOCK_ONFAULT);
    return 0;
}

int hf_os_purge(void *address, size_t bytes) {
    MAY_FAIL();
    if (madvise(address, bytes, MADV_DONTNEED) == 0) return 0;
    if (errno != EINVAL || madvise(address, bytes, MADV_DONTNEED_LOCKED) != 0) return errno;
    unsigned char resident = 0; /* an emulator may accept the call and do nothing */
    return mincore(address, hf_os_page_bytes(), &resident) == 0 && (resident & 1) ? EINVAL : 0;
}

static bool populates; /* set by hf_os_start */

/* Does MADV_POPULATE_WRITE do what it says? An emulator may accept it and do nothing. */
static bool probe_populate(void) {
    size_t page = hf_os_page_bytes();
    unsigned char resident = 0;
    void *probe = map_anonymous(NULL, page, PROT_READ | PROT_WRITE, 0);
    if (probe == MAP_FAILED) return false;
    bool works = madvise(probe, page, MADV_POPULATE_WRITE) == 0 && mincore(probe, page, &resident) == 0 && (resident & 1);
    munmap(probe, page);
    return works;
}

int hf_os_populate(void *address, size_t bytes) {
    MAY_FAIL();
    int result = -1;
    errno = EINVAL;
    if (populates)
        do
            result = madvise(address, bytes, MADV_POPULATE_WRITE);
        while (result != 0 && errno == EINTR);
    if (result == 0) return 0;
    if (errno != EINVAL) return errno == EFAULT || errno == EHWPOISON ? ENOMEM : errno;
    for (size_t i = 0; i < bytes; i += hf_os_page_bytes()) { /* where the kernel does not: by hand, keeping what is there */
        volatile char *byte = (volatile char *)address + i;
        *byte = *byte;
    }
    return 0;
}

int hf_os_advise(void *address, size_t bytes, const hf_os_advice *advice) {
    madvise(address, bytes, MADV_NOHUGEPAGE); /* EINVAL where the kernel has no huge pages to keep out */
    madvise(address, bytes, advice->dumped ? MADV_DODUMP : MADV_DONTDUMP);
    name_memory(address, bytes, advice->name);
    if (advice->node_plus_one == 0) return 0;
    MAY_FAIL();
    unsigned node = advice->node_plus_one - 1;
    unsigned long mask[16] = { 0 };
    if (node >= sizeof mask * CHAR_BIT) return EINVAL;
    mask[node / (sizeof mask[0] * CHAR_BIT)] = 1ul << node % (sizeof mask[0] * CHAR_BIT);
    return syscall(SYS_mbind, address, bytes, HF_MPOL_BIND, mask, sizeof mask * CHAR_BIT, 0) == 0 ? 0 : errno;
}

/* -- how much memory there is -- */

static uint64_t read_limit(const char *path) {
    char text[64];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return UINT64_MAX;
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    if (got <= 0 || text[0] < '0' || text[0] > '9') return UINT64_MAX; /* "max" is no limit */
    text[got] = 0;
    return strtoull(text, NULL, 10);
}

/* The smallest limit from a group up to the root of its hierarchy. */
static uint64_t limit_of_group(const char *root, char *group, const char *file) {
    uint64_t limit = UINT64_MAX;
    for (;;) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s%s/%s", root, group, file) < (int)sizeof path) limit = hf_min(limit, read_limit(path));
        char *slash = strrchr(group, '/');
        if (!slash) return limit;
        *slash = 0;
    }
}

uint64_t hf_os_memory_bytes(void) {
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * hf_os_page_bytes();
    FILE *groups = fopen("/proc/self/cgroup", "re");
    if (!groups) return bytes;
    char line[2048];
    while (fgets(line, sizeof line, groups)) { /* "4:memory:/a/b" (version 1) or "0::/a/b" (version 2) */
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        if (strcmp(controllers, ":") == 0) bytes = hf_min(bytes, limit_of_group("/sys/fs/cgroup", group, "memory.max"));
        else if (strstr(controllers, "memory"))
            bytes = hf_min(bytes, limit_of_group("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
    fclose(groups);
    return bytes;
}

/* --------------------------------------------------------------------------------------------------------- time and waiting */

uint64_t hf_os_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void hf_os_wait(const uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
    struct timespec at, *until = NULL;
    if (deadline_ns != UINT64_MAX) {
        at = (struct timespec){ .tv_sec = (time_t)(deadline_ns / 1000000000u), .tv_nsec = (long)(deadline_ns % 1000000000u) };
        until = &at;
    }
    syscall(SYS_futex, word, HF_FUTEX_WAIT_BITSET_PRIVATE, expected, until, NULL, HF_FUTEX_MATCH_ANY); /* absolute, monotonic */
}

void hf_os_wake_all(const uint32_t *word) {
    syscall(SYS_futex, word, HF_FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void hf_os_yield(void) {
    sched_yield();
}

/* -------------------------------------------------------------------------------------------------- the asymmetric barrier */

bool hf_os_has_heavy_barrier;

void hf_os_start(void) {
    populates = probe_populate();
    hf_os_has_heavy_barrier = syscall(SYS_membarrier, HF_MEMBARRIER_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 &&
                              syscall(SYS_membarrier, HF_MEMBARRIER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void hf_os_heavy_barrier(void) {
    hf_fence_seq_cst();
    if (hf_os_has_heavy_barrier) syscall(SYS_membarrier, HF_MEMBARRIER_PRIVATE_EXPEDITED, 0, 0);
}

/* ------------------------------------------------------------------------------------------------------------------ threads */

static void *thread_main(void *run) {
    ((void (*)(void))run)();
    return NULL;
}

int hf_os_thread_start(void (*run)(void)) {
    MAY_FAIL();
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, thread_main, (void *)run);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) pthread_detach(thread);
    return error;
}
