/* SPDX-License-Identifier: MIT
 *
 * Bump memory of an arena: allocated by moving a mark, ended all at once by reset or close.
 *
 *      range:  | allocated ... | used_bytes -> free ... | touched_bytes -> never used, zero | committed | not accessible |
 *
 * Ranges are in a list; the current one serves, those before it are full, those after it (kept by a reset) come next. What lies
 * below touched_bytes may be dirty from before a reset, and is zeroed when it is handed out: a reset costs nothing by itself.
 *
 * All of an arena's bump memory shares one hold word. An allocation that has to zero takes a pin on it while it still holds the
 * arena's lock and zeroes after letting go of it; a reset or close meanwhile finds the pin.
 */
#include <errno.h>
#include <string.h>

#include "arena.h"

#define FIRST_RANGE_BYTES HF_UNIT_BYTES
#define LAST_RANGE_BYTES HF_GIB

/* Where in the range an allocation would lie; false if it doesn't fit. */
static bool fits(const hf_range *range, uint64_t size, uint64_t alignment, uint64_t *start) {
    uint64_t base = (uintptr_t)range->base, at, end;
    if (!hf_round_up_checked(base + range->used_bytes, alignment, &at)) return false;
    if (__builtin_add_overflow(at, hf_max(size, 1), &end) || end > base + range->bytes) return false;
    *start = at - base;
    return true;
}

/* The range that the allocation comes from, made current; 0 or an errno value. */
static int find_range(hf_arena_record *record, uint64_t size, uint64_t alignment, uint64_t *start) {
    hf_bump *bump = &record->bump;
    hf_range *last = NULL;
    for (hf_range *range = bump->current; range; last = range, range = range->next) {
        if (!fits(range, size, alignment, start)) continue;
        bump->current = range;
        return 0;
    }
    uint64_t need = hf_max(size, 1);
    if (alignment > HF_UNIT_BYTES) need += alignment; /* ranges are aligned to a unit */
    hf_range *fresh;
    int error = hf_arena_take_range(record, need, hf_max(bump->next_bytes, FIRST_RANGE_BYTES), &fresh);
    if (error != 0) return error;
    if (last) last->next = fresh;
    else bump->ranges = fresh;
    bump->current = fresh;
    bump->next_bytes = hf_min(fresh->bytes * 2, LAST_RANGE_BYTES);
    return fits(fresh, size, alignment, start) ? 0 : ENOMEM;
}

hf_status hf_bump_allocate(const char *call, hf_arena_record *record, uint64_t size, uint64_t alignment, hf_segment *segment) {
    if (hf_max(size, alignment) > HF_RANGE_BYTES_MAX) {
        hf_arena_unlock(record);
        return hf_fail(&(hf_facts){ .call = call, .status = HF_NO_MEMORY, .reason = HF_WHY_TOO_LARGE, .size = hf_max(size, alignment) });
    }
    hf_bump *bump = &record->bump;
    hf_range *before = bump->current;
    uint64_t start = 0, end;
    int error = find_range(record, size, alignment, &start);
    hf_range *range = bump->current;
    if (error == 0) error = hf_space_commit_data(range, (end = start + hf_max(size, 1)));
    if (error != 0) {
        if (before) bump->current = before; /* a failed call changes nothing; a range taken in vain serves the next one */
        hf_arena_unlock(record);
        hf_fail_system(call, "mmap or mprotect for bump memory", size, error);
        return HF_NO_MEMORY;
    }
    hf_hold *hold = &record->words[HF_WORD_BUMP];
    uint64_t era = hf_view_era(hf_hold_era(hf_hold_load(hold)), HF_VIEW_BUMP | (record->kind == HF_CONFINED ? HF_VIEW_CONFINED : 0));
    uint64_t dirty_end = hf_min(end, range->touched_bytes);
    bool zeroing = dirty_end > start;
    if (zeroing && hf_hold_pin(hold, era) != HF_HOLD_PINNED) {
        bump->current = before;
        hf_arena_unlock(record);
        return hf_fail(&(hf_facts){ .call = call, .status = HF_LIMIT, .reason = HF_WHY_FULL, .text = "pins are on the arena's bump memory",
                                    .a = HF_PINS_MAX });
    }
    bump->bytes += end - range->used_bytes;
    range->used_bytes = end;
    if (end > range->touched_bytes) {
        bump->kept_bytes += end - range->touched_bytes;
        range->touched_bytes = end;
    }
    bump->allocations++;
    hf_arena_unlock(record);
    if (zeroing) {
        memset(range->base + start, 0, dirty_end - start);
        if (hf_hold_unpin(hold, era) == HF_HOLD_UNPINNED_DRAINED) hf_drain_notify();
    }
    *segment = (hf_segment){ range->base + start, size, hold, era };
    return HF_OK;
}
