/* SPDX-License-Identifier: MIT
 *
 * Pools: classes, caches and one byte limit. The record behind a handle, and what the pool's rooms share:
 *
 *     pool.c      open, close, look-up, statistics
 *     budget.c    the limit: shortage, giving back, waiting, trim, decay
 *     allocate.c  the hot paths: allocate and release
 *
 * Books. Under the lock, for each class (slots.h) and the sum over all:
 *
 *     charged = cached + in magazines + issuing + live + lingering + spent          charged <= limit, unless set_limit lowered it
 *
 * A slot is charged before its first issue and discharged after the kernel has taken its pages: resident <= charged always.
 */
#ifndef HF_POOL_H
#define HF_POOL_H

#include "arena.h"
#include "cache.h"
#include "size_class.h"

#define HF_CLASS_ENTRIES (HF_CLASSES_MAX + 1) /* the last one in use is for large requests */
#define HF_DECAY_TICKS 8                      /* the decay is kept in eighths */

typedef struct hf_class_counters {
    uint64_t allocations, releases; /* under the lock; the magazines count their own */
    uint64_t waits, refusals;
    uint64_t lingering_slots;       /* relaxed atomics from here on */
    uint64_t lingering_bytes;
    uint64_t misuse_stale, misuse_invalid, misuse_read_only, misuse_wrong_thread, misuse_foreign;
    uint64_t spent_bytes;           /* under the lock: slots out of eras that the kernel would not take back */
} hf_class_counters;

typedef struct hf_pool_record {
    uint64_t gate;            /* equals id while the fast paths may run (cache.h); written under the lock */
    uint64_t id;              /* 0: nobody's */
    hf_size_classes sizes;    /* these never change while the pool is open */
    uint32_t magazine_slots[HF_CLASSES_MAX];
    uint64_t view_flags;
    uint64_t confined_to;     /* thread serial, or 0 */

    pthread_mutex_t lock __attribute__((aligned(HF_HOT_LINE))); /* guards all that follows */
    hf_life life;
    hf_closer closer;
    uint64_t incarnation;
    hf_arena_record *arena;
    struct hf_pool_record *next; /* the arena's list, under the arena's lock */
    hf_cache *caches;            /* one for each thread that used this place in the table */
    hf_range *ranges;
    uint64_t next_range_bytes, next_index;

    uint64_t limit_bytes, charged_bytes, charged_peak_bytes;
    uint32_t waiters;            /* allocations waiting for memory */
    uint32_t release_sequence;   /* they wait on this */
    uint64_t wait_ns;

    uint64_t decay_ns, tick_ns, last_tick_ns;
    uint16_t tick;
    bool decay_left;             /* the last pass had more to give back than one call should */
    bool keep_resident, decay_in_background;

    hf_pressure *pressure;
    void *pressure_context;
    uint32_t pressure_inside;    /* calls in progress */
    uint32_t pressure_sequence;  /* counts calls that ended */
    uint64_t pressure_calls;
    hf_refusals refusals;

    char name[HF_NAME_BYTES], arena_name[HF_NAME_BYTES];
    hf_class classes[HF_CLASS_ENTRIES];
    hf_class_counters counters[HF_CLASS_ENTRIES];
} hf_pool_record;

extern hf_pool_record hf_pools[HF_POOLS_MAX];

/* -- pool.c -- */

/* The place in the table that an id points to; HF_POOLS_MAX or more if the id can't be a pool's. */
static inline uint64_t hf_pool_place(uint64_t id) {
    return (id & ((1u << HF_ID_PLACE_BITS) - 1)) - 1;
}

/* The record there, whatever it holds now; NULL if the id can't be one. */
static inline hf_pool_record *hf_pool_at(uint64_t id) {
    uint64_t place = hf_pool_place(id);
    return place < HF_POOLS_MAX ? &hf_pools[place] : NULL;
}

/* The calling thread's cache of the pool at that place, if it has one: for the fast paths. */
static inline hf_cache *hf_pool_known_cache(uint64_t place) {
    hf_thread *thread = hf_thread_known();
    return HF_LIKELY(thread && place < HF_POOLS_MAX) ? thread->caches[place] : NULL;
}

/* Locks the record of an open pool that this thread may use; otherwise stores the failure and returns its status. */
hf_status hf_pool_lock(const char *call, hf_pool pool, hf_pool_record **record);

/* Opens the gate if nothing speaks against it, and unlocks. */
void hf_pool_unlock(hf_pool_record *record);

/* Under the lock: shuts the gate and empties every cache into the bitmaps. Returns how many slots that were. */
uint64_t hf_pool_seize(hf_pool_record *record);

/* This thread's cache of the pool, made if need be; NULL if there is no memory for one, or the pool is confined. Under the lock. */
hf_cache *hf_pool_cache(hf_pool_record *record);

/* Phases of a close, for the arena's too. revoke may be repeated; finish wants that nothing is pinned, and may be repeated. */
hf_pin_count hf_pool_pins(hf_pool_record *record); /* under the lock */
void hf_pool_revoke(hf_pool_record *record);
int hf_pool_finish(hf_pool_record *record);
void hf_pool_forget(hf_pool_record *record); /* after finish: out of the arena's list, its place free */

/* A slot of the class that was never charged, in address space taken if need be. NULL, and *error, if there is none to be had. */
hf_hold *hf_pool_grow(hf_pool_record *record, uint32_t class, uint64_t bytes, int *error);

void hf_pool_fork(hf_fork_phase phase);

/* -- budget.c: all under the lock -- */

bool hf_budget_charge(hf_pool_record *record, uint64_t bytes);
void hf_budget_discharge(hf_pool_record *record, uint64_t bytes);

/* Gives free slots of all classes (but one, if not -1) back until want bytes are. Returns the bytes. */
uint64_t hf_budget_give_back(hf_pool_record *record, uint64_t want_bytes, int but_class, uint16_t min_age);

/* A freed slot: cached, or given back at once if the limit says so; wakes who waits. */
void hf_budget_put(hf_pool_record *record, uint32_t class, hf_hold *hold);

/* The decay, if it is time. Cheap if not. */
void hf_budget_tick(hf_pool_record *record);

uint64_t hf_budget_default_limit(void);

/* Starts the thread that does the decay of pools that ask for it, once. False: there is none to be had. No lock is held. */
bool hf_budget_background(void);
void hf_budget_fork(hf_fork_phase phase);

#endif
