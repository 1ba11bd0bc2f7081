/* SPDX-License-Identifier: MIT
 *
 * NULL where a result or a segment belongs.
 */
#include "misuse.h"

static const char OPEN[] = "hf_arena_open: the place for the result is NULL";
static const char POOL_OPEN[] = "hf_pool_open: the place for the result is NULL";
static const char ALLOCATE[] = "hf_pool_allocate: the place for the result is NULL";
static const char BUMP[] = "hf_arena_allocate: the place for the result is NULL";
static const char STATS[] = "hf_pool_get_stats: the place for the result is NULL";
static const char ARENA_STATS[] = "hf_arena_get_stats: the place for the result is NULL";
static const char FIND[] = "hf_pool_find: the place for the result is NULL";
static const char SLICE[] = "hf_slice: the place for the result is NULL";
static const char VIEW[] = "hf_as_read_only: the place for the result is NULL";
static const char SLOT[] = "hf_segment_slot: the place for the result is NULL";
static const char PIN[] = "hf_pin: the place for the result is NULL";
static const char MISMATCH[] = "hf_mismatch: the place for the result is NULL";
static const char ON_CLOSE[] = "hf_arena_on_close: the action is NULL";
static const char READ[] = "hf_read: the buffer is NULL, and the length is above 0";
static const char WRITE[] = "hf_write: the buffer is NULL, and the length is above 0";
static const char RELEASE[] = "hf_release: the segment is zero: it was never allocated";
static const char UNPIN[] = "hf_unpin: the pin is zero: it was never taken, or is unpinned already";

int main(void) {
    stage_open(NULL);
    MISTAKE(hf_arena_open(NULL, NULL), HF_INVALID, OPEN, NULL, ORDINARY);
    MISTAKE(hf_pool_open(stage_arena, NULL, NULL), HF_INVALID, POOL_OPEN, NULL, ORDINARY);
    MISTAKE(hf_pool_allocate(stage_pool, 1, 0, NULL), HF_INVALID, ALLOCATE, NULL, ORDINARY);
    MISTAKE(hf_arena_allocate(stage_arena, 1, 1, NULL), HF_INVALID, BUMP, NULL, ORDINARY);
    MISTAKE(hf_pool_get_stats(stage_pool, NULL), HF_INVALID, STATS, NULL, ORDINARY);
    MISTAKE(hf_arena_get_stats(stage_arena, NULL), HF_INVALID, ARENA_STATS, NULL, ORDINARY);
    MISTAKE(hf_pool_find(stage_pool, stage_owner.address, NULL), HF_INVALID, FIND, NULL, ORDINARY);
    MISTAKE(hf_slice(&stage_owner, 0, 1, NULL), HF_INVALID, SLICE, NULL, ORDINARY);
    MISTAKE(hf_as_read_only(&stage_owner, NULL), HF_INVALID, VIEW, NULL, ORDINARY);
    MISTAKE(hf_segment_slot(&stage_owner, NULL), HF_INVALID, SLOT, NULL, ORDINARY);
    MISTAKE(hf_pin(&stage_owner, NULL), HF_INVALID, PIN, NULL, ORDINARY);
    MISTAKE(hf_mismatch(&stage_owner, &stage_owner, NULL), HF_INVALID, MISMATCH, NULL, ORDINARY);
    MISTAKE(hf_arena_on_close(stage_arena, NULL, NULL), HF_INVALID, ON_CLOSE, NULL, ORDINARY);
    MISTAKE(hf_read(&stage_owner, 0, NULL, 1), HF_INVALID, READ, NULL, ORDINARY);
    MISTAKE(hf_write(&stage_owner, 0, NULL, 1), HF_INVALID, WRITE, NULL, ORDINARY);
    MISTAKE(hf_get_u8(&stage_owner, 0, NULL), HF_INVALID, SILENT, NULL, ORDINARY);
    MISTAKE(hf_check(NULL), HF_INVALID, SILENT, NULL, ORDINARY);
    MISTAKE(hf_release(NULL), HF_INVALID, RELEASE, NULL, REPORTED);
    MISTAKE(hf_unpin(NULL), HF_INVALID, UNPIN, NULL, REPORTED);
    CHECK(hf_read(&stage_owner, 0, NULL, 0) == HF_OK); /* nothing to copy: NULL is fine */
    CHECK(hf_write(&stage_owner, 0, NULL, 0) == HF_OK);
    return stage_close();
}
