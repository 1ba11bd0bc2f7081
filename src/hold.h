/* SPDX-License-Identifier: MIT
 *
 * THE room: the 64-bit hold word, and every transition of it. Nothing else writes a hold word.
 *
 * A slot has one word. It says which era is current, what state the slot is in, and how many pins it has:
 *
 *      63                                      20 19   17  16  15              0
 *     +------------------------------------------+-------+---+------------------+
 *     |                   era                    | state | 0 |       pins       |
 *     +------------------------------------------+-------+---+------------------+
 *      \______________ HF_HOLD_MASK: compared with a view's era ____/
 *
 * A segment carries the same picture in its era field: the era it was issued in, the state LIVE, bit 16 set if the view needs
 * more than the compare (HF_VIEW_SPECIAL: no word ever has it), and in the low 16 bits, which the compare leaves out, the view's
 * flags. So one load and one compare answer "is this still mine?" for every view.
 *
 * States. An era is the life of one issue of the slot; it begins at issue and ends at the first of release and revoke.
 *
 *     FREE       nobody's: in a cache, in the bitmaps of slots.c, or never issued (the word 0: era 0 is never issued)
 *     ISSUING    taken by one allocation that is zeroing it; has exactly one pin, the allocation's own
 *     LIVE       a segment of this era is valid
 *     LINGERING  released, but pins are left: nobody's to check, the pinners' to use
 *     CLOSED     revoked by a close; pins may be left
 *
 * Transitions, who makes them, and how:
 *
 *     name      from                    to                        by                            how
 *     issue     FREE(e), 0 pins         ISSUING(e+1), 1 pin       who popped the slot           store (1)
 *     issue     FREE(e), 0 pins         LIVE(e+1), 0 pins         who popped the slot           store (1), nothing to zero
 *     publish   ISSUING(e), 1 pin       LIVE(e), 0 pins           the same                      compare-and-swap
 *     abandon   ISSUING(e), 1 pin       FREE(e), 0 pins           the same (no memory)          compare-and-swap
 *     pin       LIVE(e), n              LIVE(e), n+1              anybody with a view of e      compare-and-swap
 *     unpin     LIVE|LINGERING|CLOSED,n the same, n-1             the pin's holder              compare-and-swap
 *     unpin     LINGERING(e), 1         FREE(e), 0                the last pin's holder         compare-and-swap
 *     release   LIVE(e), 0 pins         FREE(e), 0                anybody with a view of e      compare-and-swap
 *     release   LIVE(e), n > 0          LINGERING(e), n           anybody with a view of e      compare-and-swap
 *     revoke    LIVE|LINGERING|ISSUING  CLOSED(e), same pins      the closer                    compare-and-swap
 *     renew     LIVE(e), 0 pins         LIVE(e+1), 0 pins         reset of an arena's own word  compare-and-swap
 *
 * (1) A store, not a compare-and-swap, because it is made where a concurrent close provably waits: inside a thread's cache
 *     section (cache.h) or under the pool's lock. A closer first shuts the pool's gate, makes all threads see that (heavy
 *     barrier), waits until every section has been left, and takes the lock; only then does it scan the words and give the range
 *     away. So no thread that popped a slot in one life of a range can write the word in the next. Nobody else writes a FREE
 *     word: release, pin and unpin need a LIVE, LINGERING or CLOSED word of their own era, revoke leaves FREE words alone.
 *
 * What follows from the table (the numbers are referred to by docs/memory-model.md and by the tests):
 *
 *   1. One owner. A slot gets LIVE only by issue or publish of the one thread that popped it, and it is pushed again only by the
 *      thread whose compare-and-swap made it FREE. Exactly one can: release and the last unpin both expect the whole word.
 *   2. Exactly one release of an era wins. It moves the state away from LIVE, and no transition leads back to LIVE(e).
 *   3. A view of era e is valid from publish to the first of release, revoke and renew, never again: eras on a word only rise.
 *      Within an incarnation of the range by e+1; across incarnations because the range keeps a base above every era issued in
 *      it (address_space.h), and a word's first issue takes an era above the base.
 *   4. A pin taken on LIVE(e) keeps the word from FREE, and its slot from every list, until its unpin. ISSUING has a pin too: a
 *      closer that waits for pins waits for the allocation.
 *   5. An unpin can't borrow from the state or the era: it needs its own era and a count above 0.
 *   6. Nothing is zeroed but in ISSUING, or in a section of cache.h: always before the close that would give the slot away.
 *
 * Overflow. Pins: a full count refuses the pin (HF_LIMIT), it never carries. Eras: a word whose era is HF_ERA_MAX is never
 * issued again; the slot is given back and stays retired. A range whose base is past half of HF_ERA_MAX serves no further
 * arena. With 44 bits, a slot reissued every 10 ns lasts two days; then it is one slot less of the thousands in its range.
 *
 * Memory order (the partner of each, and what breaks without it):
 *
 *   release, unpin, revoke, renew   acq_rel. Release: the owner's writes are visible to whoever takes the slot next (partner:
 *       the acquire of that thread's lock or cache, and of pin). Then a release fence, whose partner is the acquire fence in
 *       hf_check: the next writer of the bytes (zeroing, the next owner, the purge) stores after it. An optimistic reader that
 *       saw such a byte and then fences and loads the word sees the era ended. Without it, on arm64, the word could become
 *       visible after the new bytes, and the reader would accept them.
 *   pin                             acquire: the pinner's accesses stay below it; sees what publish released.
 *   publish and issue               release: the zeroes are visible before the word says LIVE.
 *
 * Source of the idea: generational indices (slot maps), here with the generation, a reference count and a state in one word, so
 * that each change of ownership is one atomic step.
 */
#ifndef HF_HOLD_H
#define HF_HOLD_H

#include "atomics.h"

#define HF_HOLD_ERA_SHIFT 20
#define HF_HOLD_STATE_SHIFT 17
#define HF_HOLD_PIN_BITS 16

/* Small test builds set these lower, so that wrapping and full counts happen all the time; the layout stays. */
#ifndef HF_ERA_MAX
#define HF_ERA_MAX ((UINT64_C(1) << 44) - 1)
#endif
#ifndef HF_PINS_MAX
#define HF_PINS_MAX ((UINT64_C(1) << HF_HOLD_PIN_BITS) - 1)
#endif

typedef enum hf_hold_state {
    HF_HOLD_FREE = 0,
    HF_HOLD_ISSUING = 1,
    HF_HOLD_LIVE = 2,
    HF_HOLD_LINGERING = 3,
    HF_HOLD_CLOSED = 4
} hf_hold_state;

/* Flags of a view, in the bits of its era that the compare leaves out. */
#define HF_VIEW_READ_ONLY UINT64_C(1)
#define HF_VIEW_CONFINED UINT64_C(2)
#define HF_VIEW_ADOPTED UINT64_C(4)
#define HF_VIEW_BUMP UINT64_C(8)
#define HF_VIEW_INTERIOR UINT64_C(16) /* a slice that does not begin where its slot does */
#define HF_VIEW_NEEDS_SPECIAL (HF_VIEW_READ_ONLY | HF_VIEW_CONFINED | HF_VIEW_ADOPTED)

_Static_assert(HF_HOLD_MASK == ~((UINT64_C(1) << HF_HOLD_PIN_BITS) - 1), "the compare leaves out the pins and nothing else");
_Static_assert(HF_VIEW_SPECIAL == UINT64_C(1) << HF_HOLD_PIN_BITS, "the special bit is the lowest that is compared");
_Static_assert(HF_HOLD_STATE_SHIFT == HF_HOLD_PIN_BITS + 1 && HF_HOLD_ERA_SHIFT == HF_HOLD_STATE_SHIFT + 3, "no gaps, no overlap");
_Static_assert(HF_ERA_MAX <= UINT64_MAX >> HF_HOLD_ERA_SHIFT, "the largest era fits its field");
_Static_assert(HF_PINS_MAX >= 1 && HF_PINS_MAX <= ~HF_HOLD_MASK, "ISSUING needs one pin; a full count fits its field");
_Static_assert(sizeof(hf_hold) == 8, "one word");
_Static_assert(sizeof(hf_segment) == 32 && sizeof(hf_pinned) == 32, "handles are 32 bytes");

static inline uint64_t hf_hold_word(uint64_t era, hf_hold_state state, uint64_t pins) {
    return era << HF_HOLD_ERA_SHIFT | (uint64_t)state << HF_HOLD_STATE_SHIFT | pins;
}

static inline uint64_t hf_hold_era(uint64_t word) {
    return word >> HF_HOLD_ERA_SHIFT;
}

static inline hf_hold_state hf_hold_state_of(uint64_t word) {
    return (hf_hold_state)(word >> HF_HOLD_STATE_SHIFT & 7);
}

static inline uint64_t hf_hold_pins(uint64_t word) {
    return word & ~HF_HOLD_MASK;
}

/* The era field of a view with these flags. */
static inline uint64_t hf_view_era(uint64_t era, uint64_t flags) {
    return hf_hold_word(era, HF_HOLD_LIVE, flags) | (flags & HF_VIEW_NEEDS_SPECIAL ? HF_VIEW_SPECIAL : 0);
}

/* Does the word say LIVE in the view's era, whatever the view's flags? */
static inline bool hf_hold_matches(uint64_t word, uint64_t view_era) {
    return ((word ^ (view_era & ~HF_VIEW_SPECIAL)) & HF_HOLD_MASK) == 0;
}

static inline uint64_t hf_hold_load(const hf_hold *hold) {
    return hf_load_acquire(&hold->word);
}

/* -- the transitions -- */

/* The era of the next issue of a FREE word, in a range with this base; 0: the slot is used up. */
static inline uint64_t hf_hold_next_era(const hf_hold *hold, uint64_t base_era) {
    uint64_t era = hf_max(hf_hold_era(hf_load_relaxed(&hold->word)), base_era);
    return era < HF_ERA_MAX ? era + 1 : 0;
}

/* issue. Precondition: the caller popped the slot, and a close waits for it (note 1 above). */
static inline void hf_hold_issue(hf_hold *hold, uint64_t era, bool zeroing) {
    HF_ASSERT((hf_load_relaxed(&hold->word) & ((1u << HF_HOLD_ERA_SHIFT) - 1)) == hf_hold_word(0, HF_HOLD_FREE, 0));
    hf_store_release(&hold->word, zeroing ? hf_hold_word(era, HF_HOLD_ISSUING, 1) : hf_hold_word(era, HF_HOLD_LIVE, 0));
}

/* publish. False: a closer revoked it meanwhile; the caller ends its pin with hf_hold_unpin. */
static inline bool hf_hold_publish(hf_hold *hold, uint64_t era) {
    uint64_t expected = hf_hold_word(era, HF_HOLD_ISSUING, 1);
    return hf_cas_acq_rel(&hold->word, &expected, hf_hold_word(era, HF_HOLD_LIVE, 0));
}

/* abandon. True: the slot is FREE and the caller's to push. False: as publish. */
static inline bool hf_hold_abandon(hf_hold *hold, uint64_t era) {
    uint64_t expected = hf_hold_word(era, HF_HOLD_ISSUING, 1);
    return hf_cas_acq_rel(&hold->word, &expected, hf_hold_word(era, HF_HOLD_FREE, 0));
}

typedef enum hf_hold_pinning { HF_HOLD_PINNED, HF_HOLD_PINS_FULL, HF_HOLD_NOT_LIVE } hf_hold_pinning;

static inline hf_hold_pinning hf_hold_pin(hf_hold *hold, uint64_t view_era) {
    /* The common word is known without a load: LIVE in the view's era, no pins. A failed swap says what is there instead. A load in
     * front of the swap would wait for the locked instruction before it: 4 ns of 22 for a pin and its unpin. */
    uint64_t word = view_era & ~HF_VIEW_SPECIAL & HF_HOLD_MASK;
    do {
        if (!hf_hold_matches(word, view_era)) return HF_HOLD_NOT_LIVE;
        if (hf_hold_pins(word) >= HF_PINS_MAX) return HF_HOLD_PINS_FULL;
    } while (!hf_cas_acquire(&hold->word, &word, word + 1));
    return HF_HOLD_PINNED;
}

typedef enum hf_hold_unpinning {
    HF_HOLD_UNPINNED,
    HF_HOLD_UNPINNED_FREED,   /* the last pin of a released slot: the slot is the caller's to push */
    HF_HOLD_UNPINNED_DRAINED, /* the last pin of a revoked slot: a closer may be waiting */
    HF_HOLD_NO_PIN,           /* this era has no pin */
    HF_HOLD_OTHER_ERA
} hf_hold_unpinning;

static inline hf_hold_unpinning hf_hold_unpin(hf_hold *hold, uint64_t view_era) {
    uint64_t word = hf_hold_word(hf_hold_era(view_era), HF_HOLD_LIVE, 1), next; /* as in hf_hold_pin */
    hf_hold_unpinning result;
    do {
        if (hf_hold_era(word) != hf_hold_era(view_era)) return HF_HOLD_OTHER_ERA;
        if (hf_hold_pins(word) == 0) return HF_HOLD_NO_PIN;
        hf_hold_state state = hf_hold_state_of(word);
        next = word - 1;
        result = HF_HOLD_UNPINNED;
        if (hf_hold_pins(next) == 0 && state == HF_HOLD_LINGERING) {
            next = hf_hold_word(hf_hold_era(word), HF_HOLD_FREE, 0);
            result = HF_HOLD_UNPINNED_FREED;
        } else if (hf_hold_pins(next) == 0 && state == HF_HOLD_CLOSED) {
            result = HF_HOLD_UNPINNED_DRAINED;
        }
    } while (!hf_cas_acq_rel(&hold->word, &word, next));
    if (result == HF_HOLD_UNPINNED_FREED) hf_fence_release();
    return result;
}

typedef enum hf_hold_releasing {
    HF_HOLD_RELEASED,  /* FREE: the slot is the caller's to push */
    HF_HOLD_LINGERS,   /* the last unpin will push it */
    HF_HOLD_NOT_YOURS  /* somebody else ended this era */
} hf_hold_releasing;

/* release, for the path where nothing is pinned: one try. False: not so, or not yours. */
static inline bool hf_hold_release_unpinned(hf_hold *hold, uint64_t view_era) {
    uint64_t expected = view_era & HF_HOLD_MASK;
    bool released = hf_cas_acq_rel(&hold->word, &expected, hf_hold_word(hf_hold_era(view_era), HF_HOLD_FREE, 0));
    if (HF_LIKELY(released)) hf_fence_release();
    return released;
}

static inline hf_hold_releasing hf_hold_release(hf_hold *hold, uint64_t view_era) {
    uint64_t word = view_era & ~HF_VIEW_SPECIAL & HF_HOLD_MASK;
    for (;;) {
        bool pinned = hf_hold_pins(word) != 0;
        uint64_t next = hf_hold_word(hf_hold_era(word), pinned ? HF_HOLD_LINGERING : HF_HOLD_FREE, hf_hold_pins(word));
        if (hf_cas_acq_rel(&hold->word, &word, next)) {
            hf_fence_release();
            return pinned ? HF_HOLD_LINGERS : HF_HOLD_RELEASED;
        }
        if (!hf_hold_matches(word, view_era)) return HF_HOLD_NOT_YOURS;
    }
}

/* revoke. Returns true if pins are left. */
static inline bool hf_hold_revoke(hf_hold *hold) {
    uint64_t word = hf_hold_load(hold);
    for (;;) {
        hf_hold_state state = hf_hold_state_of(word);
        if (state == HF_HOLD_FREE || state == HF_HOLD_CLOSED) return hf_hold_pins(word) != 0;
        if (hf_cas_acq_rel(&hold->word, &word, hf_hold_word(hf_hold_era(word), HF_HOLD_CLOSED, hf_hold_pins(word)))) {
            hf_fence_release();
            return hf_hold_pins(word) != 0;
        }
    }
}

/* -- an arena's own words: one for its bump memory, one for what it adopted. Never FREE but before the first open. -- */

/* Opens the word for a new arena, or renews it for a reset. Era e must be below HF_ERA_MAX. */
static inline void hf_hold_open(hf_hold *hold) {
    hf_store_release(&hold->word, hf_hold_word(hf_hold_era(hf_load_relaxed(&hold->word)) + 1, HF_HOLD_LIVE, 0));
}

/* renew. False if pinned. */
static inline bool hf_hold_renew(hf_hold *hold) {
    uint64_t era = hf_hold_era(hf_load_relaxed(&hold->word)), expected = hf_hold_word(era, HF_HOLD_LIVE, 0);
    if (!hf_cas_acq_rel(&hold->word, &expected, hf_hold_word(era + 1, HF_HOLD_LIVE, 0))) return false;
    hf_fence_release();
    return true;
}

#endif
