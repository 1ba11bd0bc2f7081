/* SPDX-License-Identifier: MIT
 *
 * holdfast: page memory for storage engines.
 *
 * A storage engine maps large regions of memory, slices them into page-sized segments, hands them out and takes them back.
 * Every such pool written by hand meets the same bugs: a segment used after its release, released twice, released by a stale
 * owner after its slot has a new one, or used after the memory under it was unmapped. holdfast is that pool, once, with every
 * one of those mistakes turned into a status.
 *
 * Four nouns:
 *   arena    owns address space and memory, and decides how long they live. Closing it is the only way memory ends.
 *   segment  a view of memory with bounds and a lifetime: a plain 32-byte value that knows when it is no longer valid.
 *   pool     size classes of reusable segments in an arena, under one byte limit.
 *   pin      a short promise that a segment's memory stays yours while a raw pointer is in use.
 *
 * The smallest program:
 *
 *     hf_arena arena;  hf_pool pool;  hf_segment page;
 *     hf_arena_open(NULL, &arena);
 *     hf_pool_open(arena, NULL, &pool);
 *     if (hf_pool_allocate(pool, 65536, 0, &page) != HF_OK) puts(hf_error_message());
 *     hf_write(&page, 0, "hello", 5);
 *     hf_release(&page);              // HF_OK
 *     hf_release(&page);              // HF_STALE: nothing happened, and hf_error_message() says why
 *     hf_arena_close(arena, 0);
 *
 * This header reads in that order: statuses, arenas, pools, segments, pins, statistics; the simple thing first, the expert's last.
 *
 * Conventions, true of every function unless it says otherwise:
 *   results  come through the last parameters and are untouched on failure. A failed call changes nothing.
 *   threads  any thread may call anything; what only the opening thread may do (arenas of kind HF_CONFINED) answers
 *            HF_WRONG_THREAD to the others.
 *   blocking no call waits for another thread longer than a bounded piece of work takes, but those that take a time.
 *   signals  nothing here may be called from a signal handler.
 *   options  and statistics begin with their own size. Zero means the default; NULL means all defaults; a larger struct than
 *            this library knows is fine while its tail is zero.
 *   effects  nothing is printed, no signal is installed, no thread is started and no environment is read unless a call asks.
 */
#ifndef HOLDFAST_H
#define HOLDFAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_VERSION_MAJOR 0
#define HF_VERSION_MINOR 1
#define HF_VERSION_PATCH 0

#if defined(__GNUC__)
#define HF_API __attribute__((visibility("default")))
#else
#error "holdfast needs gcc or clang: the header uses the __atomic builtins"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------------------------- statuses */

/* What a call has to say. The values are part of the ABI. */
typedef enum hf_status {
    HF_OK = 0,
    HF_INVALID = 1,       /* an argument is outside what the function documents; a zero segment or pin */
    HF_NO_MEMORY = 2,     /* the limit, the address space or the system has no memory to give */
    HF_CLOSED = 3,        /* the arena or pool is closed, or revoked */
    HF_STALE = 4,         /* the segment was released; its slot may have another owner */
    HF_OUT_OF_BOUNDS = 5, /* offset and length leave the segment */
    HF_MISALIGNED = 6,
    HF_READ_ONLY = 7,
    HF_WRONG_THREAD = 8,  /* a confined arena's memory, touched off its thread */
    HF_BUSY = 9,          /* pinned, and the call does not wait; nothing has changed */
    HF_TIMED_OUT = 10,    /* revoked, but not yet drained: call again */
    HF_FOREIGN = 11,      /* the address is not this pool's */
    HF_LIMIT = 12,        /* a documented counter is full (pins on one segment, arenas, pools) */
    HF_SYSTEM = 13        /* a system call failed; hf_error_message() names it and its errno */
} hf_status;

/* The status as it is written in this header: "HF_STALE". Never NULL; "HF_?" for a value this library does not know. */
HF_API const char *hf_status_name(hf_status status);

/* This thread's last failure as a whole sentence with the facts in it, until the thread's next failure:
 *
 *     hf_release: segment 0x7f0012340000 (pool pages, 64 KiB, slot 1234, era 7) was already released; the slot is in era 9
 *
 * A failure stores facts only; the sentence is made here. hf_check and hf_get_* store none. "no failure on this thread" before
 * the first. The text belongs to the thread and is valid until its next call of this function. */
HF_API const char *hf_error_message(void);

/* The version of the library that is linked: "0.1.0". Compare with HF_VERSION_MAJOR and its siblings, the header's. */
HF_API const char *hf_version(void);

/* Misuse is a status, never an abort: a release that is neither HF_OK nor HF_CLOSED, an unpin without a pin, a wrong thread, a
 * foreign address. A program that prefers to stop registers a callback here and stops in it. HF_STALE from a check, pin or
 * access is ordinary life, not misuse, and is not reported.
 *
 * callback  runs on the misusing thread, with no lock held, before the call returns; NULL removes it. One for the process.
 * message   is hf_error_message()'s sentence.
 * Returns HF_OK. */
typedef void hf_misuse(hf_status status, const char *message, void *context);
HF_API hf_status hf_on_misuse(hf_misuse *callback, void *context);

/* ------------------------------------------------------------------------------------------------------------------- values */

typedef struct hf_arena { uint64_t id; } hf_arena; /* 0 is no arena; using one after its close is HF_CLOSED */
typedef struct hf_pool { uint64_t id; } hf_pool;   /* 0 is no pool; likewise */

typedef struct hf_hold hf_hold; /* opaque: the 64-bit word that decides whether a segment is valid. Never unmapped. */

/* A view of memory. Copy it, slice it, keep it anywhere; pass it by pointer (by value costs ten times the check).
 * Valid if and only if ((hold->word ^ era) & HF_HOLD_MASK) == 0: one load and one compare. Altering the fields by hand is
 * outside every promise of this library. */
typedef struct hf_segment {
    void *address; /* first byte */
    size_t size;   /* bytes in this view */
    hf_hold *hold; /* the word that decides */
    uint64_t era;  /* era and flags of this view */
} hf_segment;

/* A pin: raw use of address .. address + size is right until hf_unpin, which zeroes it. Don't copy it. */
typedef struct hf_pinned {
    void *address;
    size_t size;
    hf_hold *hold;
    uint64_t era;
} hf_pinned;

#define HF_HOLD_MASK UINT64_C(0xffffffffffff0000) /* the one ABI constant of the hold word's layout */

#define HF_NEVER UINT64_MAX   /* a decay that never comes */
#define HF_FOREVER UINT64_MAX /* a timeout that never ends */

/* ------------------------------------------------------------------------------------------------------------------- arenas */

typedef enum hf_arena_kind {
    HF_SHARED = 0,   /* any thread may touch it and close it */
    HF_CONFINED = 1, /* the opening thread only; after that thread has ended, any thread may close */
    HF_GLOBAL = 2    /* any thread may touch it; never closed */
} hf_arena_kind;

typedef enum hf_fork_rule {
    HF_FORK_COPY = 0, /* the child of a fork has a private copy */
    HF_FORK_NONE = 1  /* in the child all of it is HF_CLOSED; not in this release: HF_INVALID */
} hf_fork_rule;

#define HF_NODE(n) ((uint32_t)(n) + 1u) /* for hf_arena_options.numa_node */

typedef struct hf_arena_options {
    size_t struct_bytes;        /* sizeof(hf_arena_options), set by HF_ARENA_OPTIONS_INIT */
    const char *name;           /* shown in messages and, where the kernel can, in /proc/PID/maps; 31 bytes are kept */
    uint64_t reserve_bytes;     /* address space to take now, for the first pool (or bump memory, if that comes first);
                                   0: start small. It grows past it either way. Costs the same for 1 MiB and 1 TiB. */
    uint32_t kind;              /* hf_arena_kind */
    uint32_t fork;              /* hf_fork_rule */
    uint32_t guard_one_in;      /* guard mode; not in this release: anything but 0 is HF_INVALID */
    uint32_t numa_node;         /* 0: any; HF_NODE(n): memory from node n, or HF_SYSTEM */
    bool seal;                  /* nobody else can unmap it; not in this release: true is HF_INVALID */
    bool huge_pages;            /* false: 4 KiB pages (MADV_NOHUGEPAGE), exact books; true: not in this release: HF_INVALID */
    bool pages_in_core_dump;    /* false: pages stay out of core dumps, metadata is always in */
    bool reserved_[5];          /* zero */
} hf_arena_options;

#define HF_ARENA_OPTIONS_INIT \
    { sizeof(hf_arena_options), 0, 0, 0, 0, 0, 0, false, false, false, { false, false, false, false, false } }

typedef struct hf_arena_stats {
    size_t struct_bytes;        /* sizeof(hf_arena_stats), set by HF_ARENA_STATS_INIT */
    uint64_t reserved_bytes;    /* address space held, pools included: virtual, not memory */
    uint64_t bump_bytes;        /* bytes of the bump segments handed out since open or the last reset, with their alignment gaps */
    uint64_t bump_kept_bytes;   /* bytes of bump memory touched and kept for reuse: at most this much is resident */
    uint64_t bump_allocations;  /* hf_arena_allocate that succeeded, ever */
    uint64_t bump_releases;     /* hf_release on bump segments, ever: only counted */
    uint64_t resets;
    uint64_t adopted_bytes;     /* foreign memory with this arena's lifetime */
    uint64_t adopted_segments;
    uint64_t cleanups;          /* actions registered and not yet run, adopted ones included */
    uint64_t pools;             /* open pools */
    uint64_t metadata_bytes;    /* address space for hold words and the like; a fraction of it is touched */
} hf_arena_stats;

#define HF_ARENA_STATS_INIT { sizeof(hf_arena_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Opens an arena. The cost is the same whatever the capacity.
 *
 * options   NULL: a shared arena that starts small.
 * arena     the handle: a value, copied freely, never dangling.
 * Errors    HF_INVALID (an option out of range), HF_LIMIT (4,096 arenas are open), HF_NO_MEMORY (no address space for
 *           reserve_bytes), HF_SYSTEM (the NUMA node was refused).
 * Lifetime  until hf_arena_close says HF_OK.
 * Source    arenas that decide validity: java.lang.foreign (JEP 454); regions: Tofte and Talpin 1997. */
HF_API hf_status hf_arena_open(const hf_arena_options *options, hf_arena *arena);

/* Closes an arena: every segment becomes HF_CLOSED, cleanup actions run once (newest first, on this thread, no lock held), and
 * every page goes back to the system. Address space is kept, as read-only zeros, and recycled for other arenas, oldest first: a
 * stale address never points into a stranger's mapping.
 *
 * timeout_ns  0: looks first. Any pin, or an allocation in progress: HF_BUSY, and nothing has changed. Otherwise revokes, which
 *             can't be undone; a pin that slipped in between gives HF_TIMED_OUT.
 *             else: revokes at once and waits so long for the pins. HF_FOREVER waits without end.
 * Errors      HF_INVALID (no arena, a global one, or called inside a pressure callback of one of its pools), HF_CLOSED (already;
 *             also for a closer that met another, once that one is done; and inside its own cleanup actions), HF_WRONG_THREAD,
 *             HF_BUSY, HF_TIMED_OUT (revoked, call again: any thread may continue), HF_SYSTEM (revoked and cleaned up, but the
 *             kernel refused to replace a range: call again).
 * Blocks      up to timeout_ns, for pins; never for idle threads. */
HF_API hf_status hf_arena_close(hf_arena arena, uint64_t timeout_ns);

/* True until the arena is revoked or closed. Ordinary life: stores no failure. */
HF_API bool hf_arena_is_open(hf_arena arena);

/* Bump allocation: memory that lives as long as the arena, or until its reset. No pool, no reuse: hf_release on such a segment
 * is HF_OK and only counted.
 *
 * size       any, 0 included (a distinct address). The memory is zero.
 * alignment  a power of two.
 * Errors     HF_INVALID, HF_CLOSED, HF_WRONG_THREAD, HF_NO_MEMORY, HF_LIMIT (65,535 pins and allocations at once).
 * Source     obstacks; java.lang.foreign's arena allocation. */
HF_API hf_status hf_arena_allocate(hf_arena arena, size_t size, size_t alignment, hf_segment *segment);

/* Makes every bump segment stale and keeps the memory, zeroed again, for reuse. Pools and adopted memory are untouched.
 *
 * Errors  HF_INVALID (no arena), HF_CLOSED, HF_WRONG_THREAD, HF_BUSY (a bump segment is pinned or being allocated; nothing has
 *         changed), HF_LIMIT (2^44 resets: the eras of this arena's word are used up). */
HF_API hf_status hf_arena_reset(hf_arena arena);

typedef void hf_cleanup(void *context);

/* Gives foreign memory (a mapped file, a DMA buffer, another library's block) the arena's lifetime: a segment that is valid until
 * the arena closes; then cleanup(context) runs once, in turn with the actions of hf_arena_on_close.
 *
 * address, size  memory of the caller's, not NULL, size not 0, not overlapping the library's own.
 * cleanup        may be NULL.
 * Errors         HF_INVALID, HF_CLOSED (never runs; the caller keeps the memory), HF_WRONG_THREAD, HF_NO_MEMORY.
 * Lifetime       ends with close; hf_release on it is HF_INVALID. Reset leaves it alone. */
HF_API hf_status hf_arena_adopt(hf_arena arena, void *address, size_t size, hf_cleanup *cleanup, void *context, hf_segment *segment);

/* Registers an action to run once at close: HF_OK (it will run), or HF_CLOSED, HF_WRONG_THREAD, HF_NO_MEMORY, HF_INVALID (it
 * never runs). Newest first. It may use other arenas; its own answers HF_CLOSED. */
HF_API hf_status hf_arena_on_close(hf_arena arena, hf_cleanup *cleanup, void *context);

/* Fills *stats, whose struct_bytes is set. Errors: HF_INVALID, HF_CLOSED, HF_WRONG_THREAD. Costs nothing on any path but its own. */
HF_API hf_status hf_arena_get_stats(hf_arena arena, hf_arena_stats *stats);

/* -------------------------------------------------------------------------------------------------------------------- pools */

#define HF_CLASSES_MAX 32

typedef struct hf_pool_options {
    size_t struct_bytes;                  /* sizeof(hf_pool_options), set by HF_POOL_OPTIONS_INIT */
    const char *name;                     /* shown in messages; 31 bytes are kept */
    uint64_t limit_bytes;                 /* 0: half of the memory this process may use, cgroup limits included */
    uint64_t class_bytes[HF_CLASSES_MAX]; /* rising multiples of the page, then zeros; all 0: 4, 8, 16, 32, 64, 128, 256 KiB */
    uint64_t wait_ns;                     /* how long an allocation that does not fit waits for a release; 0: not at all */
    uint64_t decay_ns;                    /* free slots that nobody wanted for so long go back; 0: 10 s; HF_NEVER */
    bool keep_resident;                   /* never given back: for memory registered with devices */
    bool decay_in_background;             /* a thread of the library's does the decay of pools nobody calls; false: calls do it */
    bool reserved_[6];                    /* zero */
} hf_pool_options;

#define HF_POOL_OPTIONS_INIT \
    { sizeof(hf_pool_options), 0, 0, { 0 }, 0, 0, false, false, { false, false, false, false, false, false } }

/* Figures of one size class. At rest: live + lingering + cached slots are all that is charged. */
typedef struct hf_class_stats {
    uint64_t slot_bytes;           /* 0 in the entry for requests above the largest class */
    uint64_t live_slots;           /* owned by somebody */
    uint64_t cached_slots;         /* free and charged: ready for the next allocation */
    uint64_t lingering_slots;      /* released while pinned; freed by the last unpin */
    uint64_t untouched_slots;      /* address space ready, never issued */
    uint64_t charged_bytes;        /* bytes of the slots above but the untouched ones */
    uint64_t allocations;          /* that succeeded, ever */
    uint64_t releases;             /* that won, ever */
    uint64_t given_back_bytes;     /* returned to the system, ever */
    uint64_t waits;                /* allocations that had to wait, ever */
    uint64_t refusals;             /* HF_NO_MEMORY, ever */
    uint64_t misuse_stale;         /* releases of segments already released */
    uint64_t misuse_invalid;       /* releases not at the slot's first byte; unpins without a pin */
    uint64_t misuse_read_only;     /* releases through a read-only view */
    uint64_t misuse_wrong_thread;
    uint64_t misuse_foreign;       /* releases of an address that is not the slot's pool's */
} hf_class_stats;

typedef struct hf_pool_stats {
    size_t struct_bytes;           /* sizeof(hf_pool_stats), set by HF_POOL_STATS_INIT */
    uint64_t limit_bytes;
    uint64_t charged_bytes;        /* live + lingering + retired + cached: never above the limit; resident memory is at most this */
    uint64_t charged_peak_bytes;
    uint64_t live_bytes;
    uint64_t cached_bytes;
    uint64_t lingering_bytes;
    uint64_t retired_bytes;        /* waiting for sections to end; 0 in this release */
    uint64_t given_back_bytes;     /* ever */
    uint64_t reserved_bytes;       /* address space: virtual, not memory */
    uint64_t metadata_bytes;       /* address space for hold words and the like; a fraction of it is touched */
    uint64_t allocations;          /* the sums over the classes */
    uint64_t releases;
    uint64_t waits;
    uint64_t refusals;
    uint64_t misuses;              /* of every kind */
    uint64_t pressure_calls;       /* calls of the pressure callback */
    uint64_t refused_give_backs;   /* times the kernel would not take memory back: the slot stayed cached, to be tried again */
    uint32_t class_count;          /* entries in use below; the last one is for requests above the largest class */
    uint32_t reserved_;
    hf_class_stats classes[HF_CLASSES_MAX + 1];
} hf_pool_stats;

#define HF_POOL_STATS_INIT \
    { sizeof(hf_pool_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
      { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } } }

/* Opens a pool in an arena: no memory is taken until the first allocation.
 *
 * Errors    HF_INVALID, HF_CLOSED, HF_WRONG_THREAD, HF_LIMIT (1,024 pools are open).
 * Lifetime  until hf_pool_close or the arena's close.
 * Source    size classes and per-thread magazines in front of shared slots: Bonwick and Adams, "Magazines and Vmem", 2001. */
HF_API hf_status hf_pool_open(hf_arena arena, const hf_pool_options *options, hf_pool *pool);

/* As hf_arena_close, for the segments of one pool. The arena stays open. HF_INVALID inside the pool's own pressure callback. */
HF_API hf_status hf_pool_close(hf_pool pool, uint64_t timeout_ns);

#define HF_UNINITIALISED 1u /* contents unspecified, but never another live owner's */
#define HF_POPULATE 2u      /* every page resident before the call returns, or HF_NO_MEMORY */
#define HF_NO_WAIT 4u       /* as if wait_ns were 0, for this call */

/* Hands out a segment of the smallest class that holds size bytes; the segment's size is the class's. A request above the largest
 * class gets pages of its own, size rounded up to the page, under the same limit and rules.
 *
 * size     above 0.
 * flags    0 (all zero bytes; the price follows what was dirtied) or a sum of the three above.
 * Limit    charged bytes never exceed it. When a request does not fit: this class's free slots, other classes' free slots (given
 *          back), other threads' caches, the pressure callback, a wait of up to wait_ns that a release ends, then HF_NO_MEMORY.
 * Errors   HF_INVALID (size 0, unknown flags), HF_CLOSED, HF_WRONG_THREAD, HF_NO_MEMORY.
 * Blocks   up to wait_ns. */
HF_API hf_status hf_pool_allocate(hf_pool pool, size_t size, unsigned flags, hf_segment *segment);

/* count segments at once. HF_OK: all. Otherwise the status of the one that failed; the first *got segments were given and are
 * the caller's. *got is written either way, unless HF_INVALID. count 0 is HF_OK. */
HF_API hf_status hf_pool_allocate_many(hf_pool pool, size_t size, unsigned flags, size_t count, hf_segment *segments, size_t *got);

/* Gives a segment back. Any thread may. Exactly one release of an issue wins (HF_OK), all others get HF_STALE; after the close of
 * the arena or pool HF_CLOSED, until the memory serves another arena, then HF_STALE. The slot's class decides, never the view's size.
 *
 * Of a pinned segment: from then on every check, pin and checked call is HF_STALE, the pinner's too; raw use of the pin and its
 * hf_unpin go on working; the last unpin frees the slot, which is charged as lingering until then.
 * Of a bump segment: HF_OK, only counted.
 *
 * Errors, in order  HF_INVALID (a zero segment), HF_WRONG_THREAD, HF_INVALID (not at the slot's first byte; adopted memory),
 *                   HF_FOREIGN (an address outside the library's memory), HF_READ_ONLY, HF_STALE or HF_CLOSED. */
HF_API hf_status hf_release(const hf_segment *segment);

/* As hf_release, and says that only the first dirty_bytes of the slot were written since it was handed out, so that the next
 * zeroing costs no more than that. A wrong hint hands your bytes to the next owner. Ignored if the segment is pinned. */
HF_API hf_status hf_release_dirty(const hf_segment *segment, size_t dirty_bytes);

/* Releases each; *released says how many of them won. HF_OK: all; else the first status that was not. It does not stop there. */
HF_API hf_status hf_release_many(const hf_segment *segments, size_t count, size_t *released);

/* Changes the limit. Below what is in use it succeeds, gives back what is free, and refuses allocations until below.
 * 0: the default limit again. Errors: HF_INVALID, HF_CLOSED, HF_WRONG_THREAD. */
HF_API hf_status hf_pool_set_limit(hf_pool pool, size_t bytes);

/* Gives free slots back to the system now, until at most keep_bytes of them are left. *given_back (may be NULL) gets the bytes.
 * Never waits for pins. Errors: HF_INVALID, HF_CLOSED, HF_WRONG_THREAD, HF_SYSTEM (the kernel refused some: they stay cached,
 * books right; *given_back is written and says what did go). */
HF_API hf_status hf_pool_trim(hf_pool pool, size_t keep_bytes, size_t *given_back);

/* Called when an allocation does not fit, before it waits or fails: a chance to release segments of this pool.
 * wanted_bytes is the slot that did not fit. Runs on the allocating thread with no lock held; several threads may be inside.
 * An allocation inside it acts as HF_NO_WAIT and calls no callback. Closing the pool or its arena inside is HF_INVALID. */
typedef void hf_pressure(hf_pool pool, size_t wanted_bytes, void *context);

/* Sets the pool's pressure callback; NULL removes it. Returns when no call of the former one is in progress, but one's own.
 * Errors: HF_INVALID, HF_CLOSED, HF_WRONG_THREAD. */
HF_API hf_status hf_pool_on_pressure(hf_pool pool, hf_pressure *callback, void *context);

/* The current owner's whole segment for any address inside it. HF_STALE: released or never issued; HF_FOREIGN: not this pool's.
 * It can't know which owner the caller means: a release through it is outside the promises. */
HF_API hf_status hf_pool_find(hf_pool pool, const void *address, hf_segment *segment);

/* A number for the segment's slot, dense from 0 in its pool and the same for the pool's life: the place of an engine's own frame
 * header in an array. HF_INVALID for bump and adopted segments, HF_STALE or HF_CLOSED when it is not yours any more. */
HF_API hf_status hf_segment_slot(const hf_segment *segment, size_t *index);

/* Fills *stats, whose struct_bytes is set. Exact when no other thread is at work; a moment's view otherwise, but charged_bytes
 * and its limit, which are always exact. Errors: HF_INVALID, HF_CLOSED, HF_WRONG_THREAD. */
HF_API hf_status hf_pool_get_stats(hf_pool pool, hf_pool_stats *stats);

/* ----------------------------------------------------------------------------------------------------------------- segments */

/* Five ways to touch memory, and when each is right:
 *
 *   owned       who allocated a segment, shared it with nobody, and knows that nobody closes or resets its arena or pool, uses
 *               segment.address as any pointer. Costs nothing.
 *   optimistic  read through segment.address (relaxed atomic or volatile loads, or hf_get_*), then hf_check: HF_OK means the same
 *               owner throughout. It says nothing of what that owner wrote meanwhile. It never faults on an arena's own memory,
 *               even after close. Not for adopted memory. Costs a load and a compare.
 *   section     for pages that all threads read at once. Not in this release.
 *   pinned      between hf_pin and hf_unpin the memory is neither given to another owner nor taken back; as long as an I/O takes,
 *               if need be. Costs two locked instructions.
 *   checked     hf_write, hf_set_*, hf_fill, hf_copy, hf_read and hf_mismatch pin while they work, hf_get_* validate: a stale or
 *               concurrent release can never make them touch another owner's bytes. The price of a pin. */

/* A narrower view: offset .. offset + size of the segment. Also of a dead segment. HF_INVALID, HF_OUT_OF_BOUNDS. */
HF_API hf_status hf_slice(const hf_segment *segment, size_t offset, size_t size, hf_segment *slice);

/* The same view without the right to write or release; its slices inherit that. HF_INVALID. */
HF_API hf_status hf_as_read_only(const hf_segment *segment, hf_segment *view);

/* Pins: the memory stays yours, and mapped, until hf_unpin, whatever others do.
 * Errors: HF_INVALID, HF_WRONG_THREAD, HF_STALE, HF_CLOSED, HF_LIMIT (65,535 pins on one segment). Never blocks. */
HF_API hf_status hf_pin(const hf_segment *segment, hf_pinned *pin);

/* Ends a pin, from any thread, and zeroes it: a second unpin is HF_INVALID. Works after the segment's release and the arena's
 * close; the last one frees what waited for it. Errors: HF_INVALID (zero, or no pin is held), HF_STALE (a pin of an era that is over). */
HF_API hf_status hf_unpin(hf_pinned *pin);

/* Checked access. The checks come in this order: rights (HF_READ_ONLY), bounds (HF_OUT_OF_BOUNDS), thread (HF_WRONG_THREAD),
 * validity (HF_STALE, HF_CLOSED), which is looked at whatever the length. HF_INVALID before all for a zero segment or a NULL
 * buffer of a length above 0. A full pin count is waited out. */
HF_API hf_status hf_fill(const hf_segment *segment, size_t offset, size_t size, unsigned char value);
HF_API hf_status hf_read(const hf_segment *segment, size_t offset, void *to, size_t size);
HF_API hf_status hf_write(const hf_segment *segment, size_t offset, const void *from, size_t size);
HF_API hf_status hf_copy(const hf_segment *from, size_t from_offset, const hf_segment *to, size_t to_offset, size_t size); /* memmove */
HF_API hf_status hf_mismatch(const hf_segment *a, const hf_segment *b, size_t *where); /* the first difference, or the shorter length;
                                                                                           SIZE_MAX if they are equal */

/* Checked stores of one number in the machine's byte order, at any offset, aligned or not. */
HF_API hf_status hf_set_u8(const hf_segment *segment, size_t offset, uint8_t value);
HF_API hf_status hf_set_u16(const hf_segment *segment, size_t offset, uint16_t value);
HF_API hf_status hf_set_u32(const hf_segment *segment, size_t offset, uint32_t value);
HF_API hf_status hf_set_u64(const hf_segment *segment, size_t offset, uint64_t value);

#ifdef __cplusplus
}
#endif

#include "holdfast/inline.h" /* hf_check and hf_get_u8 .. hf_get_u64 */

#endif
