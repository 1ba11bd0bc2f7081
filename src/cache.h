/* SPDX-License-Identifier: MIT
 *
 * A thread's cache of free slots of one pool: a magazine for each class, in front of the shared slots.
 *
 * The owner works in it without a locked instruction; anybody who holds the pool's lock can take all caches away for a moment.
 * The two are kept apart by the pool's gate, a word that equals the pool's id while the fast paths may run:
 *
 *     owner, a section                       seizer, holding the pool's lock
 *     ----------------                       -------------------------------
 *     busy = 1                               gate = 0
 *     light barrier                          heavy barrier
 *     gate == id ?  no: busy = 0, slow path  for each cache: wait until busy == 0
 *     ... pop, push, issue, release ...      ... the caches are the seizer's ...
 *     busy = 0 (release)                     gate = id (release)
 *
 * Proof. Suppose the owner is in its section having seen gate == id, and the seizer found busy == 0 before. The heavy barrier is a
 * full fence on every processor at some moment between the seizer's store and its loads. Was the owner's busy = 1 before that
 * moment, the seizer's load sees it, or sees a later busy = 0 of a section that is over (whose work it then sees too: release and
 * acquire). Was it after, then the owner's load of the gate comes after as well (the compiler barrier) and sees 0. Either way the
 * two are never inside at once. Where the kernel has no membarrier the light barrier is a full fence, and the classic argument of
 * Dekker's algorithm holds.
 *
 * A section is short and never waits: no lock, no system call, no zeroing. So a seizer waits a few nanoseconds, or for a preempted
 * owner to run again. What follows:
 *   1. Stores to hold words in a section are made before a close that shuts the gate looks at the words (hold.h, note 1).
 *   2. Who holds the lock after seizing sees every free slot: in the bitmaps, or in a magazine. So "none is left" is exact.
 *   3. The check of the gate is also the check that the pool is open, that this is its incarnation, that nobody waits for memory and
 *      that the limit is kept: whoever needs the releases to come by shuts the gate, and all go through the lock.
 *
 * A cache stays with its thread and its pool's place in the table until the thread ends, whatever pool lives there; it is empty
 * whenever the gate is shut. Its slots are free for all: what one thread hoards, another thread's shortage takes.
 *
 * Source: magazines, Bonwick and Adams 2001; asymmetric synchronization, Dice, Huang and Yang 2001.
 */
#ifndef HF_CACHE_H
#define HF_CACHE_H

#include "slots.h"
#include "thread.h"

#define HF_MAGAZINE_SLOTS 64
#define HF_MAGAZINE_BYTES HF_MIB /* of slots at most, but one slot always */

typedef struct hf_magazine {
    uint32_t count;       /* written in sections; others read it for statistics */
    uint32_t unused;
    uint64_t allocations; /* the owner's, likewise */
    uint64_t releases;
    hf_hold *slots[HF_MAGAZINE_SLOTS];
} hf_magazine;

typedef struct hf_cache {
    uint32_t busy;         /* the owner is in a section */
    hf_thread *owner;
    struct hf_cache *next; /* the pool's list, under its lock */
    hf_magazine magazines[HF_CLASSES_MAX];
} hf_cache;

/* How many slots of a class a magazine may hold. */
static inline uint32_t hf_magazine_capacity(uint64_t slot_bytes) {
    return (uint32_t)hf_max(1, hf_min(HF_MAGAZINE_SLOTS, HF_MAGAZINE_BYTES / slot_bytes));
}

/* Begins a section; false if the gate does not say id. */
static inline bool hf_cache_enter(hf_cache *cache, const uint64_t *gate, uint64_t id) {
    hf_store_relaxed(&cache->busy, 1);
    hf_os_light_barrier();
    if (HF_LIKELY(hf_load_acquire(gate) == id)) return true;
    hf_store_release(&cache->busy, 0);
    return false;
}

static inline void hf_cache_leave(hf_cache *cache) {
    hf_store_release(&cache->busy, 0);
    HF_POINT(); /* whoever waited may come before all that follows */
}

/* The seizer's side: after the gate is shut and the heavy barrier made. */
static inline void hf_cache_await(const hf_cache *cache) {
    while (hf_load_acquire(&cache->busy)) hf_os_yield();
}

static inline hf_hold *hf_magazine_pop(hf_magazine *magazine) {
    uint32_t count = hf_load_relaxed(&magazine->count);
    if (count == 0) return NULL;
    hf_store_relaxed(&magazine->count, count - 1);
    return magazine->slots[count - 1];
}

static inline void hf_magazine_push(hf_magazine *magazine, hf_hold *hold) {
    uint32_t count = hf_load_relaxed(&magazine->count);
    magazine->slots[count] = hold;
    hf_store_relaxed(&magazine->count, count + 1);
}

#endif
