/* SPDX-License-Identifier: MIT
 *
 * Address space: ranges taken from the system once, and recycled among arenas for ever.
 *
 * A range is a power of two of address space, 2 MiB at least, with the metadata of the slots that may lie in it. It serves one
 * owner (a pool, or an arena's bump memory) from hf_space_take to hf_space_give; that time is an incarnation.
 *
 *      base                     committed_bytes                  bytes
 *       |  readable and writable      |  not accessible, or zeros  |
 *       |  unit 0  |  unit 1  | ...   |                            |        a unit is 2 MiB
 *
 *      meta                     meta_committed_bytes
 *       |  block 0 |  block 1 | ...   |                            |        a block is 8 KiB, for one unit
 *
 * A block holds what slots.h keeps of the slots in its unit: the hold words first of all. 8 KiB for 2 MiB is 0.4 %, touched page by
 * page as slots are issued. Blocks are aligned to their size, so that a hold word's address leads to its block with one mask.
 *
 * Life of a range:
 *
 *     reserved (inaccessible)  --take-->  serving  --give-->  idle (read-only zeros)  --take-->  serving  --> ...
 *
 * Invariants:
 *   - Nothing is ever unmapped. Every byte of a range that was once handed out stays readable for ever: while serving it is
 *     memory, when idle it reads as zeros. So a stale raw read can't fault, and a stale address never means a stranger's mapping.
 *   - base_era is above every era ever issued in the range. While serving, served_era is the base at take: an era at or below it
 *     belongs to an earlier incarnation. When idle the metadata is zero again: base_era is all that is kept of the past.
 *   - Idle ranges wait in queues by size and are taken oldest first, so that a stale handle says "closed" as long as can be.
 *   - The table from address to range only grows; it is read without a lock.
 */
#ifndef HF_ADDRESS_SPACE_H
#define HF_ADDRESS_SPACE_H

#include "os.h"

#define HF_UNIT_SHIFT 21
#define HF_UNIT_BYTES (UINT64_C(1) << HF_UNIT_SHIFT)
#define HF_BLOCK_BYTES (UINT64_C(8) << 10)
#define HF_RANGE_BYTES_MAX (UINT64_C(1) << 46)

typedef struct hf_range {
    char *base;
    char *meta;
    uint64_t bytes;
    uint64_t committed_bytes;      /* owner's lock: prefix that is readable and writable in this incarnation */
    uint64_t used_bytes;           /* owner's lock: prefix that the owner has carved */
    uint64_t touched_bytes;        /* owner's lock: prefix that may be other than zero; bump memory keeps this */
    uint64_t meta_committed_bytes; /* prefix that was ever committed; never shrinks */
    uint64_t base_era;             /* above every era ever issued here */
    uint64_t served_era;           /* read by anyone: base_era at the last take */
    bool serving;                  /* read by anyone */
    bool retired;                  /* owner: the data is replaced already, by a give that failed later on */
    struct hf_range *next;         /* owner's list, or the queue of idle ranges */
} hf_range;

/* A range of at least min_bytes, preferred_bytes if it can be had (both any size; rounded up to powers of two). Inaccessible but
 * for what hf_space_commit makes accessible. Returns 0 or an errno value. */
int hf_space_take(uint64_t min_bytes, uint64_t preferred_bytes, const hf_os_advice *advice, hf_range **range);

/* Makes bytes [0, end) of the range accessible; the first form also the blocks of their units. */
int hf_space_commit(hf_range *range, uint64_t end);
int hf_space_commit_data(hf_range *range, uint64_t end);

/* Ends the incarnation: every page goes back, the data becomes read-only zeros, the metadata zero. The owner has raised base_era to
 * the highest era issued. On failure the pages are given back if the kernel would do at least that; the range stays the owner's, to
 * try again. */
int hf_space_give(hf_range *range);

/* The range that an address lies in, data or metadata, or NULL. Any address, any thread, no lock. */
hf_range *hf_space_find(const void *address);

/* Does [address, address + bytes) touch any range? */
bool hf_space_overlaps(const void *address, uint64_t bytes);

/* The block of a unit, and the unit a byte lies in. */
static inline void *hf_range_block(const hf_range *range, uint64_t unit) {
    return range->meta + unit * HF_BLOCK_BYTES;
}

static inline uint64_t hf_range_meta_bytes(const hf_range *range) {
    return (range->bytes >> HF_UNIT_SHIFT) * HF_BLOCK_BYTES;
}

/* What is reserved for a range: the data, then the metadata, a whole number of units. */
static inline uint64_t hf_range_whole_bytes(const hf_range *range) {
    return hf_round_up(range->bytes + hf_range_meta_bytes(range), HF_UNIT_BYTES);
}

/* For records that live as long as the process, zero at first. NULL: no memory. */
void *hf_space_record(size_t bytes);

void hf_space_fork(hf_fork_phase phase);

#endif
