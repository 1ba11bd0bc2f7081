/* SPDX-License-Identifier: MIT
 *
 * The port: everything holdfast asks of an operating system. os_linux.c is the only implementation.
 *
 * Preconditions, stated once for all calls that take memory: address and bytes are multiples of the page, bytes is not 0, and the
 * memory is a part of one earlier reservation. Calls return 0 or an errno value, and change nothing when they fail.
 *
 * Every call that can fail can be made to fail in test builds, by number, once or from then on (hf_os_fail_at).
 */
#ifndef HF_OS_H
#define HF_OS_H

#include "atomics.h"

/* -- memory -- */

size_t hf_os_page_bytes(void);

/* Address space, inaccessible and free of charge. Never given back. alignment: a power of two, at least the page. */
int hf_os_reserve(size_t bytes, size_t alignment, void **address);

/* Takes a reservation back that was never handed out. */
void hf_os_unreserve(void *address, size_t bytes);

/* Makes reserved memory readable and writable; zero until written. Charged by the kernel where it accounts strictly. */
int hf_os_commit(void *address, size_t bytes);

/* Committed memory that is the library's own bookkeeping. Never given back. */
int hf_os_metadata(size_t bytes, void **address);

/* Replaces memory by read-only zero pages in one step: pages and commit charge go back, the address space stays ours. */
int hf_os_retire(void *address, size_t bytes);

/* Gives pages back and keeps the mapping: reads zero afterwards. Keeps the commit charge. */
int hf_os_purge(void *address, size_t bytes);

/* Makes every page resident, writable and private now. ENOMEM if there is no memory for it. */
int hf_os_populate(void *address, size_t bytes);

/* How a range of memory is to behave, set while nothing of it is touched. Only binding to a node can fail. */
typedef struct hf_os_advice {
    const char *name;       /* for /proc/PID/maps, where the kernel keeps names */
    uint32_t node_plus_one; /* 0: any */
    bool dumped;            /* in core dumps */
} hf_os_advice;
int hf_os_advise(void *address, size_t bytes, const hf_os_advice *advice);

/* Bytes of memory this process may use: the machine's, or less by control groups. */
uint64_t hf_os_memory_bytes(void);

/* -- time and waiting -- */

uint64_t hf_os_now_ns(void); /* monotonic */

/* Sleeps until *word is not expected, a wake, or the deadline (a hf_os_now_ns time; UINT64_MAX: none). May return early. */
void hf_os_wait(const uint32_t *word, uint32_t expected, uint64_t deadline_ns);
void hf_os_wake_all(const uint32_t *word);
void hf_os_yield(void);

/* -- the asymmetric barrier --
 *
 * Two threads that each store a flag and then look at the other's need a full fence between store and load. Where one side is
 * hot and the other rare, the rare one can pay for both: membarrier(2) makes every running thread of the process execute a full
 * fence, and the hot side needs only to keep the compiler from reordering. Where the kernel lacks it, both sides fence.
 * Source: Dice, Huang, Yang, "Asymmetric Dekker synchronization", 2001; membarrier(2). */
extern bool hf_os_has_heavy_barrier; /* set once, before the first cache exists */
void hf_os_start(void);              /* probes; called by whoever opens the first arena, once, and by the child of a fork */

static inline void hf_os_light_barrier(void) {
    if (HF_LIKELY(hf_os_has_heavy_barrier)) hf_fence_compiler();
    else hf_fence_seq_cst();
}
void hf_os_heavy_barrier(void);

/* -- threads -- */

int hf_os_thread_start(void (*run)(void)); /* a detached thread that takes no signals */

/* -- failures on demand, in test builds --
 *
 * The nth call from now of a function above that can fail, fails (ENOMEM); also every later one if from_then_on. 0: none. */
#if HF_TESTING
void hf_os_fail_at(uint64_t nth, bool from_then_on);
uint64_t hf_os_calls(void);    /* failable calls since the last hf_os_fail_at */
uint64_t hf_os_failures(void); /* of those, how many were made to fail */
#endif

#endif
