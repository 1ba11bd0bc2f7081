/* SPDX-License-Identifier: MIT
 *
 * Segments: what a view is, and whether it still is. Shared by segment.c, allocate.c and arena.c.
 */
#ifndef HF_SEGMENT_H
#define HF_SEGMENT_H

#include "pool.h"

/* The pool that issued the segment, if its incarnation is still there: open, or being closed. NULL otherwise, and for segments
 * that are no slots. */
hf_pool_record *hf_view_pool(const hf_segment *segment);

/* The right thread, and still valid? HF_OK, HF_WRONG_THREAD, HF_STALE or HF_CLOSED; the reason goes into facts (may be NULL). */
hf_status hf_view_status(const hf_segment *segment, hf_facts *facts);

/* Fills in HF_WRONG_THREAD and its reason, and returns it. */
hf_status hf_view_wrong_thread(hf_facts *facts, uint64_t owner, const char *arena_name);

/* Does the hold pointer lead anywhere into the library's memory? A segment that somebody made up fails here. */
bool hf_view_is_ours(const hf_segment *segment);

/* Who the segment is, as far as can be told, for a sentence. */
void hf_view_describe(const hf_segment *segment, hf_facts *facts);

/* allocate.c: the slot of a released segment after its last unpin. pool_id was read before that unpin. */
void hf_pool_freed_by_unpin(uint64_t pool_id, hf_hold *hold);

/* arena.c: a release of bump or adopted memory. */
hf_status hf_arena_release(const hf_segment *segment, hf_facts *facts);

#endif
