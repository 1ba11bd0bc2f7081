/* SPDX-License-Identifier: MIT
 *
 * The slots of one size class: where they are, which are free, and what of them is dirty.
 *
 * A chunk is a whole number of units of a range, cut into slots of one class. Its block (address_space.h) is all there is about it:
 *
 *     +--------+-------------------------+-------------------------+----------------------------+
 *     | header | dirty, 512 of 2 bytes   | stamps, 512 of 2 bytes  | hold words, 512 of 8 bytes |     8 KiB
 *     +--------+-------------------------+-------------------------+----------------------------+
 *      0        448                       1472                      2496                     6592
 *
 * The places are the same whatever the number of slots: a stale handle of an earlier incarnation, cut into other slots, may read and
 * compare-and-swap its hold word for ever, so such a word must never be anything but a hold word. A chunk of up to 200 slots
 * touches one page of its block.
 *
 * A free slot is in one of three places, and never in two:
 *
 *     empty     not charged: never issued, or given back; reads as zeros         chunk's bitmap
 *     cached    charged, free for reuse, dirty as its dirty entry says           chunk's bitmap
 *     magazine  the same, in a thread's cache (cache.h)                          that cache's array
 *
 * Whoever took a slot out of its place owns it, with its dirty and stamp entries, until it puts it back or it becomes LIVE.
 * Bitmaps, lists and counters belong to the pool's lock.
 *
 * Dirty. An entry counts the 64-byte lines from the slot's start that may be other than zero; DIRTY_ALL: any. It is set at release
 * (all, or the caller's hint, never less than what was left from before), read and reset by the zeroing of the next issue. So a
 * zeroed allocation costs what was dirtied, and a slot fresh from the system costs nothing.
 *
 * Order. Cached slots are taken lowest address first within the chunk released into last, so that neighbours' hold words, which
 * share a cache line, go to one thread in a run. Empty slots are taken lowest address first in the chunk opened last.
 */
#ifndef HF_SLOTS_H
#define HF_SLOTS_H

#include "address_space.h"
#include "hold.h"

#define HF_CHUNK_SLOTS_MAX 512
#define HF_CHUNK_HEADER_BYTES 448
#define HF_CHUNK_DIRTY HF_CHUNK_HEADER_BYTES
#define HF_CHUNK_STAMPS (HF_CHUNK_DIRTY + HF_CHUNK_SLOTS_MAX * 2)
#define HF_CHUNK_HOLDS (HF_CHUNK_STAMPS + HF_CHUNK_SLOTS_MAX * 2)
#define HF_DIRTY_LINE 64
#define HF_DIRTY_ALL 0xffffu

typedef struct hf_bitmap {
    uint64_t words[HF_CHUNK_SLOTS_MAX / 64];
} hf_bitmap;

typedef struct hf_chunk {
    struct hf_chunk *head;  /* of a chunk of several units: in the blocks of the others, the way to the first. Itself in the first */
    char *base;             /* these eight are read without a lock, by stale handles too: relaxed atomics. They never change while */
    uint64_t slot_bytes;    /* the range serves, but slot_bytes of a chunk for one large request, between two issues */
    uint64_t pool_id;
    uint64_t first_index;   /* of slot 0 in the pool */
    uint64_t view_flags;
    hf_range *range;
    uint32_t slot_count;
    uint32_t class_index;

    struct hf_chunk *next;                        /* all chunks of the class */
    struct hf_chunk *cached_next, *cached_before; /* chunks with cached slots, released into last first */
    struct hf_chunk *empty_next, *empty_before;   /* chunks with empty slots */
    uint16_t *dirty;
    uint16_t *stamps;                             /* tick in which a slot was cached, for the decay */
    uint32_t cached_count, empty_count;
    hf_bitmap cached, empty;
} hf_chunk;

_Static_assert(sizeof(hf_chunk) <= HF_CHUNK_HEADER_BYTES, "the header fits before the hold words");
_Static_assert(HF_CHUNK_HOLDS + HF_CHUNK_SLOTS_MAX * sizeof(hf_hold) <= HF_BLOCK_BYTES, "a block holds all of a chunk");
_Static_assert(HF_CHUNK_HOLDS % sizeof(hf_hold) == 0, "hold words are aligned");
_Static_assert(HF_CHUNK_SLOTS_MAX * 4096 >= HF_UNIT_BYTES, "a unit of the smallest slots is one chunk");

typedef struct hf_class {
    uint64_t slot_bytes;  /* 0: the class of large requests; each of its chunks is one slot in a range of its own */
    uint64_t chunk_bytes;
    hf_chunk *chunks, *cached, *cached_last, *empty;
    uint64_t cached_slots, untouched_slots, charged_slots; /* charged: cached, in magazines, or out */
    uint64_t cached_bytes, charged_bytes;
    uint64_t given_back_bytes;
} hf_class;

/* Where things are. */
static inline hf_chunk *hf_chunk_of(const hf_hold *hold) {
    return (hf_chunk *)hf_round_down((uintptr_t)hold, HF_BLOCK_BYTES);
}

static inline hf_hold *hf_chunk_holds(const hf_chunk *chunk) {
    return (hf_hold *)((uintptr_t)chunk + HF_CHUNK_HOLDS);
}

static inline uint32_t hf_slot_of(const hf_chunk *chunk, const hf_hold *hold) {
    return (uint32_t)(hold - hf_chunk_holds(chunk));
}

static inline char *hf_slot_address(const hf_chunk *chunk, uint32_t slot) {
    return hf_load_relaxed(&chunk->base) + slot * hf_load_relaxed(&chunk->slot_bytes);
}

/* What may be dirty of a slot, in bytes; and how it becomes so. */
static inline uint64_t hf_slot_dirty_bytes(const hf_chunk *chunk, uint32_t slot) {
    uint16_t lines = chunk->dirty[slot];
    return lines == HF_DIRTY_ALL ? chunk->slot_bytes : hf_min((uint64_t)lines * HF_DIRTY_LINE, chunk->slot_bytes);
}

static inline void hf_slot_dirtied(hf_chunk *chunk, uint32_t slot, uint64_t bytes) {
    uint64_t lines = bytes / HF_DIRTY_LINE + (bytes % HF_DIRTY_LINE != 0);
    uint16_t entry = lines < HF_DIRTY_ALL ? (uint16_t)lines : HF_DIRTY_ALL;
    if (entry > chunk->dirty[slot]) chunk->dirty[slot] = entry;
}

/* The chunk that holds an address in a serving range; NULL if that unit has none. */
hf_chunk *hf_chunk_at(hf_range *range, const void *address);

/* Bytes of a chunk of this class: whole units, 2 MiB for all the small ones. A chunk above 64 MiB has a range of its own, as every
 * large request has: then only the first block is touched, and hf_chunk_at finds it from anywhere in the range. */
#define HF_CHUNK_SHARES_RANGE_BYTES (64 * HF_MIB)
uint64_t hf_chunk_bytes_for(uint64_t slot_bytes);

/* Makes committed, carved units [unit, ...) of a range into a chunk of the class, all slots empty. Returns the chunk. */
hf_chunk *hf_class_add_chunk(hf_class *class, hf_range *range, uint64_t unit, uint64_t slot_bytes, const hf_chunk *like);

/* Takes cached slots: as many as there are, up to count. The class of large requests takes one of just that size. */
uint32_t hf_class_take_cached(hf_class *class, uint64_t size, hf_hold **holds, uint32_t count);

/* Takes an empty slot, or returns NULL. For the class of large requests: one whose range holds size; its slot gets that size. */
hf_hold *hf_class_take_empty(hf_class *class, uint64_t size);

/* Puts slots back: charged and cached; or not charged and empty, of a slot just taken with take_empty and never issued. */
void hf_class_put_cached(hf_class *class, hf_hold *hold, uint16_t stamp);
void hf_class_put_empty(hf_class *class, hf_hold *hold);

/* Gives cached slots back to the system, least recently released chunks first, until at least want bytes are, of slots that are
 * older than min_age ticks. Returns the bytes; counts the system's refusals, whose slots stay as they were. */
typedef struct hf_refusals {
    uint64_t count, bytes; /* ever */
    int error;             /* of the last */
} hf_refusals;
uint64_t hf_class_give_back(hf_class *class, uint64_t want_bytes, uint16_t now, uint16_t min_age, hf_refusals *refusals);

#endif
