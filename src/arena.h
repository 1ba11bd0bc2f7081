/* SPDX-License-Identifier: MIT
 *
 * Arenas: lifetimes. The record behind a handle, and what pools and segments need of it.
 *
 * Records live in a table that is never freed. A handle is a place in the table and an incarnation; a handle whose incarnation is
 * over finds another id there: HF_CLOSED, always.
 *
 * States:  none -> OPEN -> REVOKED -> none. OPEN to REVOKED under the record's lock; from then on nothing new begins in the arena.
 *
 * An arena has two hold words of its own (hold.h), for segments that are no slots: `bump` for all bump memory, renewed by a reset,
 * and `adopted` for what it adopted. first_era says which eras of a word are this incarnation's.
 */
#ifndef HF_ARENA_H
#define HF_ARENA_H

#include <pthread.h>

#include "address_space.h"
#include "hold.h"
#include "status.h"

#define HF_ARENAS_MAX 4096
#define HF_ID_PLACE_BITS 16 /* of a handle's id: the place in the table plus 1; the rest is the incarnation */

typedef enum hf_life { HF_LIFE_NONE, HF_LIFE_OPEN, HF_LIFE_REVOKED } hf_life;

typedef enum hf_arena_word { HF_WORD_BUMP, HF_WORD_ADOPTED, HF_WORDS } hf_arena_word;

/* Who closes, one at a time; others wait for it to be done. Under the record's lock but for the waiting. */
typedef struct hf_closer {
    uint64_t serial;   /* thread at work, or 0 */
    uint32_t sequence; /* counts closers that stopped */
} hf_closer;

typedef struct hf_bump {
    hf_range *ranges;    /* in the order they were taken */
    hf_range *current;   /* allocations come from here; used_bytes of a range is how far */
    uint64_t next_bytes; /* size of the next range */
    uint64_t bytes, kept_bytes, allocations, releases, resets;
} hf_bump;

struct hf_pool_record;
struct hf_action;

typedef struct hf_arena_record {
    hf_hold words[HF_WORDS];
    uint64_t first_era[HF_WORDS];
    uint64_t id;          /* 0: nobody's */
    uint64_t incarnation;
    hf_life life;
    pthread_mutex_t lock; /* guards all that follows */
    hf_closer closer;
    bool cleaned;         /* the cleanup actions have run */
    bool owner_ended;     /* a confined arena's thread is gone */
    hf_arena_kind kind;
    uint64_t owner;       /* serial of the opening thread */
    struct hf_pool_record *pools;
    struct hf_action *actions; /* newest first */
    hf_range *reserved;        /* taken at open, for whoever needs address space first */
    hf_bump bump;
    uint64_t adopted_bytes, adopted_segments, action_count;
    hf_os_advice advice;
    char name[HF_NAME_BYTES];
    char range_name[HF_NAME_BYTES + 16];
} hf_arena_record;

/* Locks the record of an open arena that this thread may use; otherwise stores the failure and returns its status. */
hf_status hf_arena_lock(const char *call, hf_arena arena, hf_arena_record **record);
void hf_arena_unlock(hf_arena_record *record);

/* The arena whose word this is: for segments with HF_VIEW_BUMP or HF_VIEW_ADOPTED. */
hf_arena_record *hf_arena_of(const hf_hold *hold);
bool hf_arena_owns(const hf_hold *hold);

/* A range for a pool or bump memory: the reserved one if it is still there and large enough. Under the asker's lock. */
int hf_arena_take_range(hf_arena_record *record, uint64_t min_bytes, uint64_t preferred_bytes, hf_range **range);

/* The address space of an owner's list of ranges. */
uint64_t hf_ranges_bytes(const hf_range *ranges);
uint64_t hf_ranges_meta_bytes(const hf_range *ranges);

/* fork.c: starts the library, once: the port is probed, forks are watched. */
void hf_start(void);
void hf_arena_fork(hf_fork_phase phase);

/* bump.c: under the arena's lock, but for the zeroing. */
hf_status hf_bump_allocate(const char *call, hf_arena_record *record, uint64_t size, uint64_t alignment, hf_segment *segment);

/* What keeps an arena or a pool from being closed. */
typedef struct hf_pin_count {
    uint64_t pins;        /* segments with pins */
    uint64_t in_progress; /* allocations and callbacks */
} hf_pin_count;

/* drain.c: waits until nothing is pinned, as look says, which takes the locks it needs. False: the deadline came first. Whoever ends
 * the last pin of something revoked calls hf_drain_notify. */
typedef hf_pin_count hf_drain_look(void *owner);
bool hf_drain(hf_drain_look *look, void *owner, uint64_t deadline_ns, hf_pin_count *pinned);
void hf_drain_notify(void);

/* A caller's timeout as a deadline; 0 stays 0. */
uint64_t hf_deadline_ns(uint64_t timeout_ns);

/* Becomes the closer, waiting for another one until the deadline. HF_OK; HF_CLOSED: the other one finished; HF_TIMED_OUT. The lock
 * is held at entry and at return, not while waiting. id: the word that says whose record it is. */
hf_status hf_closer_begin(hf_closer *closer, pthread_mutex_t *lock, const uint64_t *id, uint64_t deadline_ns);
void hf_closer_end(hf_closer *closer); /* the lock is held */

#endif
