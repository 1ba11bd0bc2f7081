/* SPDX-License-Identifier: MIT */
#include "slots.h"

/* ------------------------------------------------------------------------------------------------------------------ bitmaps */

static inline bool bit_test(const hf_bitmap *map, uint32_t i) {
    return map->words[i / 64] >> i % 64 & 1;
}

static inline void bit_set(hf_bitmap *map, uint32_t i) {
    HF_ASSERT(!bit_test(map, i));
    map->words[i / 64] |= UINT64_C(1) << i % 64;
}

static inline void bit_clear(hf_bitmap *map, uint32_t i) {
    HF_ASSERT(bit_test(map, i));
    map->words[i / 64] &= ~(UINT64_C(1) << i % 64);
}

/* The lowest set bit; the map is not empty. */
static uint32_t bit_lowest(const hf_bitmap *map) {
    uint32_t word = 0;
    while (!map->words[word]) word++;
    return word * 64 + (uint32_t)__builtin_ctzll(map->words[word]);
}

/* -------------------------------------------------------------------------------------------------------------------- lists */

static void cached_link(hf_class *class, hf_chunk *chunk) {
    chunk->cached_before = NULL;
    chunk->cached_next = class->cached;
    if (class->cached) class->cached->cached_before = chunk;
    else class->cached_last = chunk;
    class->cached = chunk;
}

static void cached_unlink(hf_class *class, hf_chunk *chunk) {
    if (chunk->cached_before) chunk->cached_before->cached_next = chunk->cached_next;
    else class->cached = chunk->cached_next;
    if (chunk->cached_next) chunk->cached_next->cached_before = chunk->cached_before;
    else class->cached_last = chunk->cached_before;
}

static void empty_link(hf_class *class, hf_chunk *chunk) {
    chunk->empty_before = NULL;
    chunk->empty_next = class->empty;
    if (class->empty) class->empty->empty_before = chunk;
    class->empty = chunk;
}

static void empty_unlink(hf_class *class, hf_chunk *chunk) {
    if (chunk->empty_before) chunk->empty_before->empty_next = chunk->empty_next;
    else class->empty = chunk->empty_next;
    if (chunk->empty_next) chunk->empty_next->empty_before = chunk->empty_before;
}

/* The four moves of a slot between its places; lists and counters follow. */
static void enter_cached(hf_class *class, hf_chunk *chunk, uint32_t slot) {
    bit_set(&chunk->cached, slot);
    if (chunk->cached_count++ == 0) cached_link(class, chunk);
    class->cached_slots++;
    class->cached_bytes += chunk->slot_bytes;
}

static void leave_cached(hf_class *class, hf_chunk *chunk, uint32_t slot) {
    bit_clear(&chunk->cached, slot);
    if (--chunk->cached_count == 0) cached_unlink(class, chunk);
    class->cached_slots--;
    class->cached_bytes -= chunk->slot_bytes;
}

static void enter_empty(hf_class *class, hf_chunk *chunk, uint32_t slot) {
    bit_set(&chunk->empty, slot);
    if (chunk->empty_count++ == 0) empty_link(class, chunk);
}

static void leave_empty(hf_class *class, hf_chunk *chunk, uint32_t slot) {
    bit_clear(&chunk->empty, slot);
    if (--chunk->empty_count == 0) empty_unlink(class, chunk);
}

static bool never_issued(const hf_chunk *chunk, uint32_t slot) {
    return hf_load_relaxed(&hf_chunk_holds(chunk)[slot].word) == 0;
}

/* ------------------------------------------------------------------------------------------------------------------- chunks */

uint64_t hf_chunk_bytes_for(uint64_t slot_bytes) {
    return hf_round_up(slot_bytes, HF_UNIT_BYTES);
}

hf_chunk *hf_class_add_chunk(hf_class *class, hf_range *range, uint64_t unit, uint64_t slot_bytes, const hf_chunk *like) {
    hf_chunk *chunk = hf_range_block(range, unit);
    uint64_t units = hf_chunk_bytes_for(slot_bytes) >> HF_UNIT_SHIFT;
    hf_store_relaxed(&chunk->base, range->base + (unit << HF_UNIT_SHIFT));
    hf_store_relaxed(&chunk->slot_bytes, slot_bytes);
    hf_store_relaxed(&chunk->slot_count, class->slot_bytes ? (uint32_t)((units << HF_UNIT_SHIFT) / slot_bytes) : 1);
    hf_store_relaxed(&chunk->class_index, like->class_index);
    hf_store_relaxed(&chunk->first_index, like->first_index);
    hf_store_relaxed(&chunk->view_flags, like->view_flags);
    hf_store_relaxed(&chunk->range, range);
    hf_store_relaxed(&chunk->pool_id, like->pool_id);
    chunk->dirty = (uint16_t *)((uintptr_t)chunk + HF_CHUNK_DIRTY);
    chunk->stamps = (uint16_t *)((uintptr_t)chunk + HF_CHUNK_STAMPS);
    if (class->slot_bytes && class->chunk_bytes <= HF_CHUNK_SHARES_RANGE_BYTES)
        for (uint64_t i = 1; i < units; i++) hf_store_release(&((hf_chunk *)hf_range_block(range, unit + i))->head, chunk);
    for (uint32_t slot = 0; slot < chunk->slot_count; slot += 64)
        chunk->empty.words[slot / 64] = chunk->slot_count - slot < 64 ? (UINT64_C(1) << (chunk->slot_count - slot)) - 1 : UINT64_MAX;
    chunk->empty_count = chunk->slot_count;
    chunk->next = class->chunks;
    class->chunks = chunk;
    empty_link(class, chunk);
    class->untouched_slots += chunk->slot_count;
    hf_store_release(&chunk->head, chunk); /* for hf_chunk_at, which takes no lock: the header is complete */
    return chunk;
}

hf_chunk *hf_chunk_at(hf_range *range, const void *address) {
    uint64_t offset = (uint64_t)((const char *)address - range->base);
    if (offset >= range->bytes) return NULL;
    uint64_t block_end = ((offset >> HF_UNIT_SHIFT) + 1) * HF_BLOCK_BYTES;
    if (block_end > hf_load_relaxed(&range->meta_committed_bytes)) return NULL;
    hf_chunk *chunk = hf_load_acquire(&((hf_chunk *)hf_range_block(range, offset >> HF_UNIT_SHIFT))->head);
    if (!chunk) { /* perhaps a later unit of a chunk that has the range for itself */
        chunk = hf_load_acquire(&((hf_chunk *)hf_range_block(range, 0))->head);
        if (chunk && offset >= chunk->slot_bytes * chunk->slot_count) chunk = NULL;
    }
    return chunk;
}

/* ----------------------------------------------------------------------------------------------------------- taking, putting */

/* Of the large ones: one of just this size. Others are given back when there is need. */
static hf_chunk *cached_large(const hf_class *class, uint64_t size) {
    for (hf_chunk *chunk = class->cached; chunk; chunk = chunk->cached_next)
        if (chunk->slot_bytes == size) return chunk;
    return NULL;
}

uint32_t hf_class_take_cached(hf_class *class, uint64_t size, hf_hold **holds, uint32_t count) {
    uint32_t taken = 0;
    while (taken < count) {
        hf_chunk *chunk = class->slot_bytes ? class->cached : cached_large(class, size);
        if (!chunk) break;
        do {
            uint32_t slot = bit_lowest(&chunk->cached);
            leave_cached(class, chunk, slot);
            holds[taken++] = &hf_chunk_holds(chunk)[slot];
        } while (taken < count && chunk->cached_count > 0);
    }
    return taken;
}

hf_hold *hf_class_take_empty(hf_class *class, uint64_t size) {
    hf_chunk *chunk = class->empty;
    if (!class->slot_bytes)
        while (chunk && chunk->range->bytes < size) chunk = chunk->empty_next;
    if (!chunk) return NULL;
    uint32_t slot = bit_lowest(&chunk->empty);
    if (!class->slot_bytes) {
        if (hf_space_commit(chunk->range, size) != 0) return NULL;
        hf_store_relaxed(&chunk->slot_bytes, size);
    }
    leave_empty(class, chunk, slot);
    if (never_issued(chunk, slot)) class->untouched_slots--;
    class->charged_slots++;
    class->charged_bytes += chunk->slot_bytes;
    return &hf_chunk_holds(chunk)[slot];
}

void hf_class_put_cached(hf_class *class, hf_hold *hold, uint16_t stamp) {
    hf_chunk *chunk = hf_chunk_of(hold);
    uint32_t slot = hf_slot_of(chunk, hold);
    chunk->stamps[slot] = stamp;
    enter_cached(class, chunk, slot);
}

void hf_class_put_empty(hf_class *class, hf_hold *hold) {
    hf_chunk *chunk = hf_chunk_of(hold);
    uint32_t slot = hf_slot_of(chunk, hold);
    class->charged_slots--;
    class->charged_bytes -= chunk->slot_bytes;
    if (never_issued(chunk, slot)) class->untouched_slots++;
    enter_empty(class, chunk, slot);
}

/* -------------------------------------------------------------------------------------------------------------- giving back */

static bool old_enough(const hf_chunk *chunk, uint32_t slot, uint16_t now, uint16_t min_age) {
    return (uint16_t)(now - chunk->stamps[slot]) >= min_age;
}

/* One run of neighbours with one call. A slot whose eras are used up goes too, and stays out of every list. */
static uint64_t give_back_run(hf_class *class, hf_chunk *chunk, uint32_t first, uint32_t count, hf_refusals *refusals) {
    uint64_t bytes = count * chunk->slot_bytes;
    int error = hf_os_purge(hf_slot_address(chunk, first), bytes);
    if (error != 0) {
        *refusals = (hf_refusals){ refusals->count + 1, refusals->bytes + bytes, error };
        return 0;
    }
    for (uint32_t slot = first; slot < first + count; slot++) {
        leave_cached(class, chunk, slot);
        chunk->dirty[slot] = 0;
        if (hf_hold_next_era(&hf_chunk_holds(chunk)[slot], 0) != 0) enter_empty(class, chunk, slot);
    }
    class->charged_slots -= count;
    class->charged_bytes -= bytes;
    class->given_back_bytes += bytes;
    return bytes;
}

static uint64_t give_back_chunk(hf_class *class, hf_chunk *chunk, uint64_t want_bytes, uint16_t now, uint16_t min_age,
                                hf_refusals *refusals) {
    uint64_t given = 0;
    for (uint32_t slot = 0; slot < chunk->slot_count && given < want_bytes;) {
        uint32_t first = slot;
        while (slot < chunk->slot_count && given + (slot - first) * chunk->slot_bytes < want_bytes &&
               bit_test(&chunk->cached, slot) && old_enough(chunk, slot, now, min_age))
            slot++;
        if (slot == first) {
            slot++;
            continue;
        }
        given += give_back_run(class, chunk, first, slot - first, refusals);
    }
    return given;
}

uint64_t hf_class_give_back(hf_class *class, uint64_t want_bytes, uint16_t now, uint16_t min_age, hf_refusals *refusals) {
    uint64_t given = 0;
    for (hf_chunk *chunk = class->cached_last, *before; chunk && given < want_bytes; chunk = before) {
        before = chunk->cached_before;
        given += give_back_chunk(class, chunk, want_bytes - given, now, min_age, refusals);
    }
    return given;
}
