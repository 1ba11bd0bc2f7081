/* SPDX-License-Identifier: MIT
 *
 * Ranges, see address_space.h.
 *
 * From address to range: a table of three levels over 48 bits, like the processor's own, whose upper entries can point to a range
 * directly. A range of 1 TiB takes a few hundred entries, not half a million:
 *
 *     level 0   1024 entries of 256 GiB     level 1   256 entries of 1 GiB     level 2   512 entries of 2 MiB
 *
 * An entry is 0, a range, or a table (lowest bit set). Entries are written once, under the lock, and never change again; readers
 * load them with acquire (partner: the release that publishes an entry after what it points to; without it a reader on arm64
 * could see the entry and an unwritten range behind it).
 */
#include "address_space.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "hold.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void hf_space_fork(hf_fork_phase phase) {
    if (phase == HF_FORK_BEFORE) pthread_mutex_lock(&lock);
    else pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------------------------------------------------------ records */

#define RECORD_STEP_BYTES (UINT64_C(256) << 10)

static char *record_next, *record_end;

static void *record_locked(size_t bytes) {
    bytes = hf_round_up(bytes, HF_HOT_LINE);
    if (bytes > (size_t)(record_end - record_next)) {
        void *fresh;
        if (hf_os_metadata(hf_max(RECORD_STEP_BYTES, hf_round_up(bytes, hf_os_page_bytes())), &fresh) != 0) return NULL;
        record_next = fresh;
        record_end = record_next + hf_max(RECORD_STEP_BYTES, hf_round_up(bytes, hf_os_page_bytes()));
    }
    void *record = record_next;
    record_next += bytes;
    return record;
}

void *hf_space_record(size_t bytes) {
    pthread_mutex_lock(&lock);
    void *record = record_locked(bytes);
    pthread_mutex_unlock(&lock);
    return record;
}

/* ------------------------------------------------------------------------------------------------------- address to range */

#define LEVELS 3
#define TABLE_BIT UINT64_C(1)
#define ADDRESS_BITS 48

static const unsigned level_shift[LEVELS] = { 38, 30, HF_UNIT_SHIFT };
static const unsigned level_bits[LEVELS] = { ADDRESS_BITS - 38, 38 - 30, 30 - HF_UNIT_SHIFT };
static uint64_t root[1 << (ADDRESS_BITS - 38)];

static uint64_t *entry_in(uint64_t *table, unsigned level, uint64_t address) {
    return &table[(address >> level_shift[level]) & ((UINT64_C(1) << level_bits[level]) - 1)];
}

hf_range *hf_space_find(const void *address) {
    uint64_t at = (uintptr_t)address, *table = root;
    if (at >> ADDRESS_BITS) return NULL;
    for (unsigned level = 0; level < LEVELS; level++) {
        uint64_t entry = hf_load_acquire(entry_in(table, level, at));
        if (!(entry & TABLE_BIT)) return (hf_range *)(uintptr_t)entry;
        table = (uint64_t *)(uintptr_t)(entry & ~TABLE_BIT);
    }
    return NULL;
}

bool hf_space_overlaps(const void *address, uint64_t bytes) {
    uint64_t first = hf_round_down((uintptr_t)address, HF_UNIT_BYTES), end = (uintptr_t)address + bytes;
    for (uint64_t at = first; at < end && !(at >> ADDRESS_BITS);) {
        /* step by the largest entry that is empty, so that a mapping of terabytes is looked through quickly */
        uint64_t *table = root, step = 0;
        for (unsigned level = 0; level < LEVELS; level++) {
            uint64_t entry = hf_load_acquire(entry_in(table, level, at));
            if (entry && !(entry & TABLE_BIT)) return true;
            step = UINT64_C(1) << level_shift[level];
            if (!entry) break;
            table = (uint64_t *)(uintptr_t)(entry & ~TABLE_BIT);
        }
        at = hf_round_down(at, step) + step;
    }
    return false;
}

/* Makes the tables that the range's entries need; false if there is no memory. What is made early is found again later. */
static bool table_grow(uint64_t base, uint64_t bytes, hf_range *range) {
    for (uint64_t at = base, end = base + bytes; at < end;) {
        uint64_t *table = root;
        for (unsigned level = 0;; level++) {
            uint64_t step = UINT64_C(1) << level_shift[level], *entry = entry_in(table, level, at);
            if (at % step == 0 && end - at >= step) {
                if (range) hf_store_release(entry, (uint64_t)(uintptr_t)range);
                at += step;
                break;
            }
            if (!*entry) {
                void *fresh = record_locked(sizeof(uint64_t) << level_bits[level + 1]);
                if (!fresh) return false;
                hf_store_release(entry, (uint64_t)(uintptr_t)fresh | TABLE_BIT);
            }
            table = (uint64_t *)(uintptr_t)(*entry & ~TABLE_BIT);
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------------------- taking, giving */

typedef struct queue {
    hf_range *first, *last;
} queue;

static queue idle[64]; /* by log2 of the size */

static void idle_push(hf_range *range) {
    queue *q = &idle[hf_log2_ceil(range->bytes)];
    range->next = NULL;
    if (q->last) q->last->next = range;
    else q->first = range;
    q->last = range;
}

static hf_range *idle_pop(unsigned log2_bytes) {
    queue *q = &idle[log2_bytes];
    hf_range *range = q->first;
    if (!range) return NULL;
    q->first = range->next;
    if (!q->first) q->last = NULL;
    return range;
}

/* Reserves a new range: the data, and behind it the metadata, in one piece that is a whole number of units. */
static int reserve(unsigned log2_bytes, hf_range **result) {
    static hf_range *spare; /* a record whose reservation failed */
    if (!spare && !(spare = record_locked(sizeof *spare))) return ENOMEM;
    hf_range *range = spare;
    range->bytes = UINT64_C(1) << log2_bytes;
    uint64_t whole = hf_range_whole_bytes(range);
    void *base;
    int error = hf_os_reserve(whole, HF_UNIT_BYTES, &base);
    if (error != 0) return error;
    if (((uintptr_t)base + whole) >> ADDRESS_BITS || !table_grow((uintptr_t)base, whole, NULL)) {
        hf_os_unreserve(base, whole);
        return ENOMEM;
    }
    range->base = base;
    range->meta = range->base + range->bytes;
    table_grow((uintptr_t)base, whole, range);
    spare = NULL;
    *result = range;
    return 0;
}

static int take_locked(unsigned min, unsigned preferred, hf_range **range) {
    int error = ENOMEM;
    for (unsigned log2_bytes = preferred; log2_bytes >= min; log2_bytes--) {
        if ((*range = idle_pop(log2_bytes))) return 0;
        if ((error = reserve(log2_bytes, range)) == 0) return 0;
    }
    for (unsigned log2_bytes = preferred + 1; log2_bytes < ADDRESS_BITS; log2_bytes++)
        if ((*range = idle_pop(log2_bytes))) return 0;
    return error;
}

int hf_space_take(uint64_t min_bytes, uint64_t preferred_bytes, const hf_os_advice *advice, hf_range **result) {
    if (min_bytes > HF_RANGE_BYTES_MAX) return ENOMEM;
    unsigned min = hf_log2_ceil(hf_max(min_bytes, HF_UNIT_BYTES));
    unsigned preferred = hf_log2_ceil(hf_min(hf_max(preferred_bytes, UINT64_C(1) << min), HF_RANGE_BYTES_MAX));
    hf_range *range;
    pthread_mutex_lock(&lock);
    int error = take_locked(min, preferred, &range);
    pthread_mutex_unlock(&lock);
    if (error != 0) return error;
    if ((error = hf_os_advise(range->base, range->bytes, advice)) != 0) {
        pthread_mutex_lock(&lock);
        idle_push(range);
        pthread_mutex_unlock(&lock);
        return error;
    }
    range->committed_bytes = range->used_bytes = range->touched_bytes = 0;
    range->retired = false;
    range->next = NULL;
    hf_store_relaxed(&range->served_era, range->base_era);
    hf_store_release(&range->serving, true);
    *result = range;
    return 0;
}

/* Commits a growing prefix: at least up to end, in steps that keep the number of calls small and never pass the whole. */
static int commit_prefix(char *base, uint64_t whole, uint64_t *committed, uint64_t end, uint64_t step) {
    if (end <= *committed) return 0;
    uint64_t to = hf_min(hf_round_up(end, step), whole);
    int error = hf_os_commit(base + *committed, to - *committed);
    if (error == 0) hf_store_release(committed, to); /* read by hf_chunk_at */
    return error;
}

int hf_space_commit_data(hf_range *range, uint64_t end) {
    return commit_prefix(range->base, range->bytes, &range->committed_bytes, end, HF_UNIT_BYTES);
}

int hf_space_commit(hf_range *range, uint64_t end) {
    uint64_t units = (end + HF_UNIT_BYTES - 1) >> HF_UNIT_SHIFT;
    uint64_t meta_step = hf_max(8 * HF_BLOCK_BYTES, hf_os_page_bytes());
    int error = commit_prefix(range->meta, hf_range_meta_bytes(range), &range->meta_committed_bytes, units * HF_BLOCK_BYTES, meta_step);
    return error != 0 ? error : hf_space_commit_data(range, end);
}

int hf_space_give(hf_range *range) {
    int error;
    if (!range->retired && range->committed_bytes > 0) {
        if ((error = hf_os_retire(range->base, range->committed_bytes)) != 0) {
            hf_os_purge(range->base, range->committed_bytes); /* the pages at least; the caller reports the failure */
            return error;
        }
    }
    range->retired = true;
    /* Metadata of the units that were used. Nobody can change a word any more: no pin is left, and every other transition needs a
     * word that is LIVE. So zeroing by hand is as good as giving the pages back, where the kernel refuses that. */
    uint64_t meta_used = hf_min(range->meta_committed_bytes, ((range->used_bytes + HF_UNIT_BYTES - 1) >> HF_UNIT_SHIFT) * HF_BLOCK_BYTES);
    meta_used = hf_min(hf_round_up(meta_used, hf_os_page_bytes()), range->meta_committed_bytes);
    if (meta_used > 0 && hf_os_purge(range->meta, meta_used) != 0) memset(range->meta, 0, meta_used);
    hf_store_release(&range->serving, false);
    if (range->base_era > HF_ERA_MAX / 2) return 0; /* kept for ever, serves nobody: its eras are used up */
    pthread_mutex_lock(&lock);
    idle_push(range);
    pthread_mutex_unlock(&lock);
    return 0;
}
