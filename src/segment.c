/* SPDX-License-Identifier: MIT
 *
 * Segments: slice, check, pin, and checked access.
 *
 * A view says by itself what it is: bump and adopted memory carry a flag, everything else is a slot, and a slot's hold word leads
 * to its chunk. Whether the chunk still belongs to the incarnation that issued the view is told by eras: the range keeps the base
 * of its incarnation, and an era at or below it is from an earlier one. So every question about a dead segment has an answer, and
 * none needs memory that could be gone.
 *
 * Checked access pins while it works. A pin that is full is waited out; two pins are taken in the order of their words' addresses,
 * so that two copies in opposite directions can't wait for each other.
 */
#include "segment.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------------------ whose is it? */

hf_pool_record *hf_view_pool(const hf_segment *segment) {
    if (segment->era & (HF_VIEW_BUMP | HF_VIEW_ADOPTED)) return NULL;
    hf_chunk *chunk = hf_chunk_of(segment->hold);
    uint64_t id = hf_load_relaxed(&chunk->pool_id);
    hf_range *range = hf_load_relaxed(&chunk->range);
    hf_pool_record *record = hf_pool_at(id);
    if (!range || !record || hf_load_acquire(&record->id) != id) return NULL;
    return hf_hold_era(segment->era) > hf_load_relaxed(&range->served_era) ? record : NULL;
}

static hf_status answer(hf_facts *facts, hf_status status, hf_reason reason, uint64_t word) {
    if (facts) {
        facts->status = status;
        facts->reason = reason;
        facts->word = hf_hold_era(word) << 1 | (hf_hold_pins(word) != 0);
    }
    return status;
}

hf_status hf_view_wrong_thread(hf_facts *facts, uint64_t owner, const char *name) {
    if (facts) {
        facts->kind = HF_MEMORY_CONFINED; /* the owner to name is the arena, whatever the memory is */
        facts->a = owner;
        facts->b = hf_thread_serial();
        memcpy(facts->owner, name, sizeof facts->owner);
    }
    return answer(facts, HF_WRONG_THREAD, HF_WHY_WRONG_THREAD, 0);
}

static hf_status arena_view_status(const hf_segment *segment, uint64_t word, hf_facts *facts) {
    hf_arena_record *arena = hf_arena_of(segment->hold);
    hf_arena_word which = segment->era & HF_VIEW_BUMP ? HF_WORD_BUMP : HF_WORD_ADOPTED;
    if (hf_hold_era(segment->era) < hf_load_relaxed(&arena->first_era[which])) return answer(facts, HF_STALE, HF_WHY_RECYCLED, word);
    uint64_t owner = hf_load_relaxed(&arena->owner);
    if (segment->era & HF_VIEW_CONFINED && hf_hold_state_of(word) == HF_HOLD_LIVE && owner != hf_thread_serial())
        return hf_view_wrong_thread(facts, owner, arena->name);
    if (hf_hold_matches(word, segment->era)) return HF_OK;
    if (hf_hold_state_of(word) == HF_HOLD_CLOSED) return answer(facts, HF_CLOSED, HF_WHY_CLOSED_SEGMENT, word);
    return answer(facts, HF_STALE, HF_WHY_RESET, word);
}

hf_status hf_view_status(const hf_segment *segment, hf_facts *facts) {
    uint64_t word = hf_hold_load(segment->hold);
    if (segment->era & (HF_VIEW_BUMP | HF_VIEW_ADOPTED)) return arena_view_status(segment, word, facts);
    hf_pool_record *record = hf_view_pool(segment);
    if (record && record->confined_to && record->confined_to != hf_thread_serial())
        return hf_view_wrong_thread(facts, record->confined_to, record->arena_name);
    if (hf_hold_matches(word, segment->era)) return HF_OK;
    if (record && hf_load_relaxed(&record->life) == HF_LIFE_OPEN && hf_hold_state_of(word) != HF_HOLD_CLOSED)
        return answer(facts, HF_STALE, HF_WHY_RELEASED, word);
    hf_range *range = hf_space_find(segment->hold);
    bool recycled = !range || hf_hold_era(segment->era) <= hf_load_relaxed(&range->served_era);
    return recycled ? answer(facts, HF_STALE, HF_WHY_RECYCLED, word) : answer(facts, HF_CLOSED, HF_WHY_CLOSED_SEGMENT, word);
}

bool hf_view_is_ours(const hf_segment *segment) {
    if (segment->era & (HF_VIEW_BUMP | HF_VIEW_ADOPTED)) return hf_arena_owns(segment->hold);
    hf_range *range = hf_space_find(segment->hold);
    uint64_t into = range ? (uint64_t)((const char *)segment->hold - range->meta) : 0;
    uint64_t place = into % HF_BLOCK_BYTES, end = HF_CHUNK_HOLDS + HF_CHUNK_SLOTS_MAX * sizeof(hf_hold);
    return range && (const char *)segment->hold >= range->meta && into < hf_load_acquire(&range->meta_committed_bytes) &&
           place >= HF_CHUNK_HOLDS && place < end && place % sizeof(hf_hold) == 0;
}

void hf_view_describe(const hf_segment *segment, hf_facts *facts) {
    facts->address = segment->address;
    facts->size = segment->size;
    facts->era = hf_hold_era(segment->era);
    hf_pool_record *record = hf_view_pool(segment);
    if (record) {
        hf_chunk *chunk = hf_chunk_of(segment->hold);
        facts->kind = HF_MEMORY_SLOT;
        facts->slot = hf_load_relaxed(&chunk->first_index) + hf_slot_of(chunk, segment->hold);
        memcpy(facts->owner, record->name, sizeof facts->owner);
    } else if (segment->era & (HF_VIEW_BUMP | HF_VIEW_ADOPTED)) {
        facts->kind = segment->era & HF_VIEW_BUMP ? HF_MEMORY_BUMP : HF_MEMORY_ADOPTED;
        memcpy(facts->owner, hf_arena_of(segment->hold)->name, sizeof facts->owner);
    }
}

/* Stores a failure that concerns a segment; call NULL: stores nothing. A wrong thread is misuse, the rest is ordinary life. */
HF_COLD static hf_status fail_view(const char *call, const hf_segment *segment, hf_status status, hf_reason reason, uint64_t a,
                                   uint64_t b) {
    if (!call) return status;
    hf_facts facts = { .call = call, .status = status, .reason = reason, .a = a, .b = b };
    hf_view_describe(segment, &facts);
    return hf_fail(&facts);
}

HF_COLD static hf_status fail_dead(const char *call, const hf_segment *segment) {
    hf_facts facts = { .call = call, .status = HF_CLOSED, .reason = HF_WHY_CLOSED_SEGMENT };
    hf_view_describe(segment, &facts);
    if (hf_view_status(segment, &facts) == HF_OK) return HF_OK;
    if (!call) return facts.status;
    return facts.status == HF_WRONG_THREAD ? hf_fail_misuse(&facts) : hf_fail(&facts);
}

HF_COLD static hf_status fail_zero(const char *call) {
    return hf_fail(&(hf_facts){ .call = call, .status = HF_INVALID, .reason = HF_WHY_ZERO_SEGMENT });
}

/* --------------------------------------------------------------------------------------------------------- views and checks */

hf_status hf_check_full_(const hf_segment *segment) {
    return segment && segment->hold ? hf_view_status(segment, NULL) : HF_INVALID;
}

static bool in_bounds(const hf_segment *segment, size_t offset, size_t size) {
    return offset <= segment->size && size <= segment->size - offset;
}

hf_status hf_slice(const hf_segment *segment, size_t offset, size_t size, hf_segment *slice) {
    const char *call = "hf_slice";
    if (!segment || !segment->hold) return fail_zero(call);
    if (!slice) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    if (!in_bounds(segment, offset, size)) return fail_view(call, segment, HF_OUT_OF_BOUNDS, HF_WHY_BOUNDS, offset, size);
    uint64_t interior = offset != 0 && !(segment->era & (HF_VIEW_BUMP | HF_VIEW_ADOPTED)) ? HF_VIEW_INTERIOR : 0;
    *slice = (hf_segment){ (char *)segment->address + offset, size, segment->hold, segment->era | interior };
    return HF_OK;
}

hf_status hf_as_read_only(const hf_segment *segment, hf_segment *view) {
    const char *call = "hf_as_read_only";
    if (!segment || !segment->hold) return fail_zero(call);
    if (!view) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    *view = (hf_segment){ segment->address, segment->size, segment->hold, segment->era | HF_VIEW_READ_ONLY | HF_VIEW_SPECIAL };
    return HF_OK;
}

hf_status hf_segment_slot(const hf_segment *segment, size_t *index) {
    const char *call = "hf_segment_slot";
    if (!segment || !segment->hold) return fail_zero(call);
    if (!index) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    if (segment->era & (HF_VIEW_BUMP | HF_VIEW_ADOPTED)) {
        hf_facts facts = { .call = call, .status = HF_INVALID, .reason = HF_WHY_NOT_A_SLOT, .text = "is not a pool's: it has no slot" };
        hf_view_describe(segment, &facts);
        return hf_fail(&facts);
    }
    hf_chunk *chunk = hf_chunk_of(segment->hold);
    size_t slot = hf_load_relaxed(&chunk->first_index) + hf_slot_of(chunk, segment->hold);
    hf_status status = fail_dead(call, segment); /* after the load: the number was this owner's */
    if (status == HF_OK) *index = slot;
    return status;
}

/* --------------------------------------------------------------------------------------------------------------------- pins */

/* A segment that somebody made up. Debug builds look before they write through its hold pointer. */
HF_COLD static hf_status fail_foreign(const char *call, const hf_segment *segment) {
    if (!call) return HF_FOREIGN;
    return hf_fail_misuse(&(hf_facts){ .call = call, .status = HF_FOREIGN, .reason = HF_WHY_MEMORY, .address = segment->address,
                                       .size = segment->size, .text = "was never handed out by this library" });
}

/* The thread that may touch a view of a confined arena, checked before the pin. */
static bool right_thread(const hf_segment *segment) {
    return !(segment->era & HF_VIEW_CONFINED) || hf_view_status(segment, NULL) != HF_WRONG_THREAD;
}

hf_status hf_pin(const hf_segment *segment, hf_pinned *pin) {
    const char *call = "hf_pin";
    if (HF_UNLIKELY(!segment || !segment->hold)) return fail_zero(call);
    if (HF_UNLIKELY(!pin)) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    if (HF_TESTING && !hf_view_is_ours(segment)) return fail_foreign(call, segment);
    if (HF_UNLIKELY(!right_thread(segment))) return fail_dead(call, segment);
    for (;;) {
        switch (hf_hold_pin(segment->hold, segment->era)) {
        case HF_HOLD_PINNED: *pin = (hf_pinned){ segment->address, segment->size, segment->hold, segment->era }; return HF_OK;
        case HF_HOLD_PINS_FULL: return fail_view(call, segment, HF_LIMIT, HF_WHY_PINS_FULL, HF_PINS_MAX, 0);
        case HF_HOLD_NOT_LIVE: {
            hf_status status = fail_dead(call, segment);
            if (status != HF_OK) return status;
        }
        }
    }
}

static inline hf_hold_unpinning unpin(hf_hold *hold, uint64_t era) {
    /* read before the unpin: afterwards the slot may be another pool's */
    uint64_t pool_id = era & (HF_VIEW_BUMP | HF_VIEW_ADOPTED) ? 0 : hf_load_relaxed(&hf_chunk_of(hold)->pool_id);
    hf_hold_unpinning how = hf_hold_unpin(hold, era);
    if (HF_UNLIKELY(how == HF_HOLD_UNPINNED_FREED)) hf_pool_freed_by_unpin(pool_id, hold);
    if (HF_UNLIKELY(how == HF_HOLD_UNPINNED_DRAINED)) hf_drain_notify();
    return how;
}

HF_COLD static hf_status unpin_refused(const hf_segment *segment, hf_hold_unpinning how) {
    hf_facts facts = { .call = "hf_unpin", .status = HF_INVALID, .reason = HF_WHY_NO_PIN };
    hf_view_describe(segment, &facts);
    if (how == HF_HOLD_OTHER_ERA) {
        facts.status = HF_STALE;
        facts.reason = HF_WHY_RELEASED;
        facts.word = hf_hold_era(hf_hold_load(segment->hold)) << 1;
    }
    hf_pool_record *record = hf_view_pool(segment);
    if (record) hf_add_relaxed(&record->counters[hf_min(hf_chunk_of(segment->hold)->class_index, HF_CLASSES_MAX)].misuse_invalid, 1);
    return hf_fail_misuse(&facts);
}

hf_status hf_unpin(hf_pinned *pin) {
    if (HF_UNLIKELY(!pin || !pin->hold))
        return hf_fail_misuse(&(hf_facts){ .call = "hf_unpin", .status = HF_INVALID, .reason = HF_WHY_ZERO_PIN });
    hf_hold_unpinning how = unpin(pin->hold, pin->era);
    if (HF_UNLIKELY(how == HF_HOLD_NO_PIN || how == HF_HOLD_OTHER_ERA))
        return unpin_refused(&(hf_segment){ pin->address, pin->size, pin->hold, pin->era }, how);
    *pin = (hf_pinned){ NULL, 0, NULL, 0 };
    return HF_OK;
}

/* ----------------------------------------------------------------------------------------------------------- checked access */

/* A part of a segment that a checked call wants to touch. call NULL: failures leave no message. */
typedef struct part {
    const char *call;
    const hf_segment *segment;
    size_t offset, size;
} part;

/* Rights and bounds. */
static inline hf_status part_allowed(const part *p, bool writes) {
    const hf_segment *segment = p->segment;
    if (HF_UNLIKELY(!segment || !segment->hold)) return p->call ? fail_zero(p->call) : HF_INVALID;
    if (HF_UNLIKELY(writes && segment->era & HF_VIEW_READ_ONLY))
        return fail_view(p->call, segment, HF_READ_ONLY, HF_WHY_READ_ONLY, 0, 0);
    if (HF_UNLIKELY(!in_bounds(segment, p->offset, p->size)))
        return fail_view(p->call, segment, HF_OUT_OF_BOUNDS, HF_WHY_BOUNDS, p->offset, p->size);
    return HF_OK;
}

/* Thread and validity: a pin. */
static inline hf_status part_pin(const part *p) {
    const hf_segment *segment = p->segment;
    if (HF_TESTING && !hf_view_is_ours(segment)) return fail_foreign(p->call, segment);
    if (HF_UNLIKELY(!right_thread(segment))) return fail_dead(p->call, segment);
    for (;;) {
        hf_hold_pinning how = hf_hold_pin(segment->hold, segment->era);
        if (HF_LIKELY(how == HF_HOLD_PINNED)) return HF_OK;
        if (how == HF_HOLD_PINS_FULL) {
            hf_os_yield();
        } else {
            hf_status status = fail_dead(p->call, segment);
            if (status != HF_OK) return status;
        }
    }
}

static inline void part_unpin(const part *p) {
    unpin(p->segment->hold, p->segment->era);
}

static inline char *part_address(const part *p) {
    return (char *)p->segment->address + p->offset;
}

static hf_status null_buffer(const char *call) {
    return hf_fail_text(call, HF_INVALID, "the buffer is NULL, and the length is above 0");
}

hf_status hf_fill(const hf_segment *segment, size_t offset, size_t size, unsigned char value) {
    part p = { "hf_fill", segment, offset, size };
    hf_status status = part_allowed(&p, true);
    if (status != HF_OK || (status = part_pin(&p)) != HF_OK) return status;
    memset(part_address(&p), value, size);
    part_unpin(&p);
    return HF_OK;
}

hf_status hf_read(const hf_segment *segment, size_t offset, void *to, size_t size) {
    part p = { "hf_read", segment, offset, size };
    if (HF_UNLIKELY(segment && segment->hold && !to && size)) return null_buffer(p.call);
    hf_status status = part_allowed(&p, false);
    if (status != HF_OK || (status = part_pin(&p)) != HF_OK) return status;
    if (size) memcpy(to, part_address(&p), size);
    part_unpin(&p);
    return HF_OK;
}

static inline hf_status write_part(const part *p, const void *from) {
    if (HF_UNLIKELY(p->segment && p->segment->hold && !from && p->size)) return null_buffer(p->call);
    hf_status status = part_allowed(p, true);
    if (status != HF_OK || (status = part_pin(p)) != HF_OK) return status;
    if (p->size) memcpy(part_address(p), from, p->size);
    part_unpin(p);
    return HF_OK;
}

hf_status hf_write(const hf_segment *segment, size_t offset, const void *from, size_t size) {
    return write_part(&(part){ "hf_write", segment, offset, size }, from);
}

#define DEFINE_SET(bits)                                                                          \
    hf_status hf_set_u##bits(const hf_segment *segment, size_t offset, uint##bits##_t value) {    \
        return write_part(&(part){ "hf_set_u" #bits, segment, offset, sizeof value }, &value);    \
    }
DEFINE_SET(8)
DEFINE_SET(16)
DEFINE_SET(32)
DEFINE_SET(64)

/* For what the inline hf_get_* leave over: special views, and every refusal. Stores no message. */
hf_status hf_get_full_(const hf_segment *segment, size_t offset, void *value, size_t size) {
    part p = { NULL, segment, offset, size };
    if (segment && segment->hold && !value) return HF_INVALID;
    hf_status status = part_allowed(&p, false);
    if (status != HF_OK || (status = part_pin(&p)) != HF_OK) return status;
    memcpy(value, part_address(&p), size);
    part_unpin(&p);
    return HF_OK;
}

/* Both parts pinned, or neither. One pin serves two parts of one segment. */
static hf_status pin_both(const part *a, const part *b) {
    const hf_segment *s = a->segment, *t = b->segment;
    if (s->hold == t->hold && ((s->era ^ t->era) & HF_HOLD_MASK & ~HF_VIEW_SPECIAL) == 0) return part_pin(a);
    const part *first = s->hold < t->hold ? a : b, *second = first == a ? b : a;
    hf_status status = part_pin(first);
    if (status == HF_OK && (status = part_pin(second)) != HF_OK) part_unpin(first);
    if (status == HF_OK || first == a) return status;
    hf_status of_a = fail_dead(a->call, s); /* with both dead, the first argument is the one to name */
    return of_a != HF_OK ? of_a : status;
}

static void unpin_both(const part *a, const part *b) {
    const hf_segment *s = a->segment, *t = b->segment;
    part_unpin(a);
    if (s->hold != t->hold || ((s->era ^ t->era) & HF_HOLD_MASK & ~HF_VIEW_SPECIAL) != 0) part_unpin(b);
}

hf_status hf_copy(const hf_segment *from, size_t from_offset, const hf_segment *to, size_t to_offset, size_t size) {
    part a = { "hf_copy", from, from_offset, size }, b = { "hf_copy", to, to_offset, size };
    hf_status status;
    if (HF_UNLIKELY(!from || !from->hold || !to || !to->hold)) return fail_zero(a.call);
    if ((status = part_allowed(&b, true)) != HF_OK || (status = part_allowed(&a, false)) != HF_OK) return status;
    if ((status = pin_both(&a, &b)) != HF_OK) return status;
    memmove(part_address(&b), part_address(&a), size);
    unpin_both(&a, &b);
    return HF_OK;
}

/* First place where two pieces of memory differ; size if they don't. */
static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t size) {
    size_t i = 0;
    for (uint64_t x, y; size - i >= sizeof x; i += sizeof x) {
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        if (x != y) break;
    }
    while (i < size && a[i] == b[i]) i++;
    return i;
}

hf_status hf_mismatch(const hf_segment *a, const hf_segment *b, size_t *where) {
    const char *call = "hf_mismatch";
    if (HF_UNLIKELY(!a || !a->hold || !b || !b->hold)) return fail_zero(call);
    if (HF_UNLIKELY(!where)) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    part p = { call, a, 0, a->size }, q = { call, b, 0, b->size };
    hf_status status = pin_both(&p, &q);
    if (status != HF_OK) return status;
    size_t shorter = hf_min(a->size, b->size), differ = first_difference(a->address, b->address, shorter);
    unpin_both(&p, &q);
    *where = differ == shorter && a->size == b->size ? SIZE_MAX : differ;
    return HF_OK;
}
