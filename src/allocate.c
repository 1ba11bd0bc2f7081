/* SPDX-License-Identifier: MIT
 *
 * Allocate and release: the hot paths, and what stands behind them.
 *
 *     hf_pool_allocate                                        hf_release
 *       section of this thread's cache (cache.h)                section of this thread's cache
 *         gate says id?        no -> slow                         gate says id?         no -> slow
 *         pop a magazine       empty -> slow                      magazine full?        yes -> slow
 *         issue: a store                                          release: one compare-and-swap
 *       leave                                                     push
 *       zero what is dirty, publish                             leave
 *
 * The slow paths do the same under the pool's lock, and move slots between magazines and the shared lists by half a magazine at a
 * time. A shortage goes through the stages that the header names, each tried only when the ones before gave nothing.
 */
#include <errno.h>
#include <string.h>

#include "pool.h"
#include "segment.h"

#define ALL_FLAGS (HF_UNINITIALISED | HF_POPULATE | HF_NO_WAIT)
#define TICK_EVERY 1024 /* fast allocations between two looks at the clock */

/* -------------------------------------------------------------------------------------------------------- issuing a slot */

/* What was popped and is on its way to a segment. */
typedef struct hf_issue {
    const char *call;
    hf_hold *hold;
    hf_chunk *chunk;
    uint32_t slot;
    bool zeroing;      /* ISSUING, not yet LIVE */
    uint64_t era;
    uint64_t dirty_bytes;
    hf_segment segment;
} hf_issue;

/* In a section or under the lock: from here on a close sees it. The segment is made here too: a slot that needs no zeroing is LIVE and
 * has no pin, so once the section is left its pool may be closed and the chunk's header gone. */
static inline void issue_begin(hf_issue *issue, const char *call, hf_hold *hold, unsigned flags) {
    issue->call = call;
    issue->hold = hold;
    issue->chunk = hf_chunk_of(hold);
    issue->slot = hf_slot_of(issue->chunk, hold);
    issue->era = hf_hold_next_era(hold, issue->chunk->range->served_era);
    issue->dirty_bytes = flags & HF_UNINITIALISED ? 0 : hf_slot_dirty_bytes(issue->chunk, issue->slot);
    issue->zeroing = issue->dirty_bytes != 0 || flags & HF_POPULATE;
    issue->segment = (hf_segment){ hf_slot_address(issue->chunk, issue->slot), issue->chunk->slot_bytes, hold,
                                   hf_view_era(issue->era, issue->chunk->view_flags) };
    hf_hold_issue(hold, issue->era, issue->zeroing);
}

/* A closer took it away meanwhile; the pin of the allocation was what it still waits for. */
HF_COLD static hf_status issue_revoked(const hf_issue *issue, hf_pool pool) {
    hf_hold_unpin(issue->hold, hf_view_era(issue->era, 0));
    hf_drain_notify();
    return hf_fail(&(hf_facts){ .call = issue->call, .status = HF_CLOSED, .reason = HF_WHY_CLOSED_POOL, .a = pool.id });
}

/* No memory for HF_POPULATE: the slot goes back, charged for what the kernel did make resident. */
HF_COLD static hf_status issue_unpopulated(const hf_issue *issue, hf_pool pool, uint64_t bytes, int error) {
    hf_pool_record *record = hf_pool_at(pool.id);
    pthread_mutex_lock(&record->lock); /* the pin keeps the pool from ending before this */
    bool mine = hf_hold_abandon(issue->hold, issue->era);
    if (mine) {
        hf_slot_dirtied(issue->chunk, issue->slot, issue->dirty_bytes);
        hf_budget_put(record, issue->chunk->class_index, issue->hold);
        record->counters[issue->chunk->class_index].refusals++;
        record->counters[issue->chunk->class_index].allocations--; /* it did not succeed after all */
    }
    hf_pool_unlock(record);
    if (!mine) return issue_revoked(issue, pool);
    hf_fail_system(issue->call, "madvise(MADV_POPULATE_WRITE)", bytes, error);
    return error == ENOMEM || error == EAGAIN ? HF_NO_MEMORY : HF_SYSTEM;
}

static inline hf_status issue_end(const hf_issue *issue, hf_pool pool, unsigned flags, hf_segment *segment) {
    if (issue->zeroing) {
        if (flags & HF_POPULATE) {
            int error = hf_os_populate(issue->segment.address, issue->segment.size);
            if (HF_UNLIKELY(error != 0)) return issue_unpopulated(issue, pool, issue->segment.size, error);
        }
        if (issue->dirty_bytes) {
            memset(issue->segment.address, 0, issue->dirty_bytes);
            issue->chunk->dirty[issue->slot] = 0;
        }
        if (HF_UNLIKELY(!hf_hold_publish(issue->hold, issue->era))) return issue_revoked(issue, pool);
    }
    *segment = issue->segment;
    return HF_OK;
}

/* --------------------------------------------------------------------------------------------------------------- allocating */

typedef struct hf_request {
    const char *call;
    hf_pool pool;
    uint64_t size;
    unsigned flags;
    uint32_t class;
    uint64_t bytes; /* of the slot */
    bool grown, asked;
    int error;      /* why the address space did not grow */
    uint64_t deadline_ns;
} hf_request;

/* Out of one magazine's worth of shared slots, the first is returned and the others go to the thread's magazine. */
static hf_hold *take_cached(hf_pool_record *record, const hf_request *r) {
    hf_hold *holds[HF_MAGAZINE_SLOTS];
    hf_class *class = &record->classes[r->class];
    hf_cache *cache = r->class < record->sizes.count && class->cached_slots > 1 ? hf_pool_cache(record) : NULL;
    hf_magazine *magazine = cache && record->gate ? &cache->magazines[r->class] : NULL;
    uint32_t want = magazine && magazine->count == 0 ? record->magazine_slots[r->class] / 2 + 1 : 1;
    uint32_t got = hf_class_take_cached(class, r->size, holds, (uint32_t)hf_min(want, HF_MAGAZINE_SLOTS));
    for (uint32_t i = got; i-- > 1;) hf_magazine_push(magazine, holds[i]);
    return got ? holds[0] : NULL;
}

/* A slot that was never charged, charged. */
static hf_hold *take_empty(hf_pool_record *record, hf_request *r) {
    if (!hf_budget_charge(record, r->bytes)) return NULL;
    hf_hold *hold = hf_pool_grow(record, r->class, r->bytes, &r->error);
    if (!hold) hf_budget_discharge(record, r->bytes);
    record->charged_peak_bytes = hf_max(record->charged_peak_bytes, record->charged_bytes);
    return hold;
}

/* The stages that need no other thread's help. True: try again. */
static bool make_room(hf_pool_record *record, hf_request *r) {
    if (r->error == 0) { /* else it is not the limit */
        /* of large requests' free ranges those that fitted were tried: the others may go */
        int but = r->class < record->sizes.count ? (int)r->class : -1;
        uint64_t want = record->charged_bytes + r->bytes - record->limit_bytes;
        if (hf_budget_give_back(record, want, but, 0) >= want) return true;
    }
    if (hf_pool_seize(record) > 0) {
        r->error = 0;
        return true;
    }
    return false;
}

/* The pressure callback, without the lock. True: try again. */
static bool ask_for_room(hf_pool_record *record, hf_request *r) {
    hf_thread *thread = hf_thread_self();
    hf_pressure *callback = record->pressure;
    void *context = record->pressure_context;
    if (r->asked || !callback || !thread || thread->in_pressure_of) return false;
    r->asked = true;
    record->pressure_inside++;
    record->pressure_calls++;
    hf_pool_unlock(record);
    thread->in_pressure_of = r->pool.id;
    callback(r->pool, r->bytes, context);
    thread->in_pressure_of = 0;
    pthread_mutex_lock(&record->lock);
    record->pressure_inside--;
    hf_add_seq_cst(&record->pressure_sequence, 1);
    hf_os_wake_all(&record->pressure_sequence);
    hf_drain_notify();
    r->error = 0;
    return true;
}

/* Until a release. True: try again. Whoever waits is counted, and a close waits for it: the record stays this pool's. */
static bool wait_for_room(hf_pool_record *record, hf_request *r) {
    hf_thread *thread = hf_thread_known();
    if (r->flags & HF_NO_WAIT || record->wait_ns == 0 || (thread && thread->in_pressure_of)) return false;
    if (r->deadline_ns == 0) {
        r->deadline_ns = hf_deadline_ns(record->wait_ns);
        record->counters[r->class].waits++;
    } else if (r->deadline_ns != HF_FOREVER && hf_os_now_ns() >= r->deadline_ns) {
        return false;
    }
    if (hf_pool_seize(record) > 0) return true; /* from now on every release comes by */
    record->waiters++;
    uint32_t sequence = hf_load_acquire(&record->release_sequence);
    hf_pool_unlock(record);
    hf_os_wait(&record->release_sequence, sequence, r->deadline_ns);
    pthread_mutex_lock(&record->lock);
    record->waiters--;
    hf_drain_notify();
    r->error = 0;
    return true;
}

static hf_status refuse(hf_pool_record *record, const hf_request *r) {
    record->counters[r->class].refusals++;
    if (r->error != 0) return hf_fail_system(r->call, "mmap for address space", r->bytes, ENOMEM);
    hf_facts facts = { .call = r->call, .status = HF_NO_MEMORY, .reason = HF_WHY_POOL_FULL, .size = r->bytes };
    facts.a = record->charged_bytes;
    facts.b = record->limit_bytes;
    facts.c = record->charged_bytes;
    for (uint32_t index = 0; index <= record->sizes.count; index++) facts.c -= record->classes[index].cached_bytes;
    memcpy(facts.owner, record->name, sizeof facts.owner);
    return hf_fail(&facts);
}

/* Under the lock: a slot, or the status that says why not. */
static hf_status obtain(hf_pool_record *record, hf_request *r, hf_hold **hold) {
    for (;;) {
        if (record->life != HF_LIFE_OPEN)
            return hf_fail(&(hf_facts){ .call = r->call, .status = HF_CLOSED, .reason = HF_WHY_CLOSED_POOL, .a = r->pool.id });
        if (r->bytes > record->limit_bytes) return refuse(record, r);
        bool within_limit = record->charged_bytes <= record->limit_bytes;
        if (within_limit && ((*hold = take_cached(record, r)) || (*hold = take_empty(record, r)))) return HF_OK;
        if (make_room(record, r)) continue;
        if (ask_for_room(record, r)) continue;
        if (!wait_for_room(record, r)) return refuse(record, r);
    }
}

HF_COLD static hf_status check_arguments(const char *call, size_t size, unsigned flags, const hf_segment *segment) {
    if (size == 0) return hf_fail_text(call, HF_INVALID, "the size is 0");
    if (flags & ~ALL_FLAGS)
        return hf_fail(&(hf_facts){ .call = call, .status = HF_INVALID, .reason = HF_WHY_VALUE, .text = "flags", .a = flags,
                                    .more = "a sum of HF_UNINITIALISED, HF_POPULATE and HF_NO_WAIT" });
    if (!segment) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    return HF_OK;
}

HF_COLD static hf_status allocate_slow(const char *call, hf_pool pool, size_t size, unsigned flags, hf_segment *segment) {
    hf_pool_record *record;
    hf_issue issue;
    hf_request r = { .call = call, .pool = pool, .size = size, .flags = flags };
    hf_status status = check_arguments(call, size, flags, segment);
    if (status != HF_OK) return status;
    if ((status = hf_pool_lock(call, pool, &record)) != HF_OK) return status;
    r.class = hf_size_class_of(&record->sizes, size);
    if (r.class < record->sizes.count) r.bytes = record->sizes.bytes[r.class];
    else if (!hf_round_up_checked(size, hf_os_page_bytes(), &r.bytes)) r.bytes = UINT64_MAX;
    hf_budget_tick(record);
    hf_hold *hold = NULL;
    status = obtain(record, &r, &hold);
    if (status == HF_OK) {
        record->counters[r.class].allocations++;
        issue_begin(&issue, call, hold, flags);
    }
    hf_pool_unlock(record);
    return status == HF_OK ? issue_end(&issue, pool, flags, segment) : status;
}

HF_COLD static void tick(hf_pool pool) {
    hf_pool_record *record = hf_pool_at(pool.id);
    pthread_mutex_lock(&record->lock);
    if (record->id == pool.id && record->life == HF_LIFE_OPEN) hf_budget_tick(record);
    hf_pool_unlock(record);
}

/* In a section: out of the thread's own magazine. */
static inline bool allocate_fast(const char *call, hf_pool pool, size_t size, unsigned flags, hf_issue *issue, uint64_t *allocations) {
    uint64_t place = hf_pool_place(pool.id);
    hf_cache *cache = hf_pool_known_cache(place);
    if (!cache || !hf_cache_enter(cache, &hf_pools[place].gate, pool.id)) return false;
    hf_pool_record *record = &hf_pools[place];
    uint32_t class = hf_size_class_of(&record->sizes, size);
    hf_hold *hold = class < record->sizes.count ? hf_magazine_pop(&cache->magazines[class]) : NULL;
    if (hold) {
        issue_begin(issue, call, hold, flags);
        hf_bump_counter(&cache->magazines[class].allocations);
        *allocations = cache->magazines[class].allocations;
    }
    hf_cache_leave(cache);
    return hold != NULL;
}

static inline hf_status allocate(const char *call, hf_pool pool, size_t size, unsigned flags, hf_segment *segment) {
    hf_issue issue;
    uint64_t allocations;
    if (HF_LIKELY(size != 0 && !(flags & ~ALL_FLAGS) && segment && allocate_fast(call, pool, size, flags, &issue, &allocations))) {
        hf_status status = issue_end(&issue, pool, flags, segment);
        if (HF_UNLIKELY(allocations % TICK_EVERY == 0)) tick(pool);
        return status;
    }
    return allocate_slow(call, pool, size, flags, segment);
}

hf_status hf_pool_allocate(hf_pool pool, size_t size, unsigned flags, hf_segment *segment) {
    return allocate("hf_pool_allocate", pool, size, flags, segment);
}

hf_status hf_pool_allocate_many(hf_pool pool, size_t size, unsigned flags, size_t count, hf_segment *segments, size_t *got) {
    const char *call = "hf_pool_allocate_many";
    if (!got || (!segments && count)) return hf_fail_text(call, HF_INVALID, "the place for a result is NULL");
    hf_status status = HF_OK;
    size_t given = 0;
    while (given < count && (status = allocate(call, pool, size, flags, &segments[given])) == HF_OK) given++;
    if (status != HF_INVALID) *got = given;
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------- releasing */

/* In a section: the common release. False: the slow path looks at it anew. */
static inline bool release_fast(const hf_segment *segment, uint64_t dirty_bytes) {
    if (HF_TESTING && !hf_view_is_ours(segment)) return false; /* where a debug build can afford it */
    hf_chunk *chunk = hf_chunk_of(segment->hold);
    uint64_t id = hf_load_relaxed(&chunk->pool_id), place = hf_pool_place(id);
    hf_cache *cache = hf_pool_known_cache(place);
    if (!cache || !hf_cache_enter(cache, &hf_pools[place].gate, id)) return false;
    hf_pool_record *record = &hf_pools[place];
    bool released = false;
    uint32_t slot = hf_slot_of(chunk, segment->hold), class = hf_load_relaxed(&chunk->class_index);
    if (HF_LIKELY(segment->address == hf_slot_address(chunk, slot) && class < record->sizes.count &&
                  cache->magazines[class].count < record->magazine_slots[class] && hf_hold_era(segment->era) < HF_ERA_MAX) &&
        hf_hold_release_unpinned(segment->hold, segment->era)) {
        hf_slot_dirtied(chunk, slot, dirty_bytes);
        hf_magazine_push(&cache->magazines[class], segment->hold);
        hf_bump_counter(&cache->magazines[class].releases);
        released = true;
    }
    hf_cache_leave(cache);
    return released;
}

/* Half of a full magazine goes to the shared lists, with the slot that did not fit. */
static void overflow(hf_pool_record *record, uint32_t class) {
    hf_cache *cache = class < record->sizes.count && record->gate ? hf_pool_cache(record) : NULL;
    if (!cache || cache->magazines[class].count < record->magazine_slots[class]) return;
    hf_magazine *magazine = &cache->magazines[class];
    uint32_t move = (magazine->count + 1) / 2;
    for (uint32_t i = 0; i < move; i++) hf_class_put_cached(&record->classes[class], magazine->slots[i], record->tick);
    memmove(magazine->slots, magazine->slots + move, (magazine->count - move) * sizeof magazine->slots[0]);
    hf_store_relaxed(&magazine->count, magazine->count - move);
}

/* Under the lock, with all checks made but validity. */
static bool release_locked(hf_pool_record *record, hf_chunk *chunk, const hf_segment *segment, uint64_t dirty_bytes) {
    uint32_t slot = hf_slot_of(chunk, segment->hold), class = chunk->class_index;
    hf_class_counters *counters = &record->counters[class];
    hf_hold_releasing how = hf_hold_release(segment->hold, segment->era);
    if (how == HF_HOLD_NOT_YOURS) return false;
    counters->releases++;
    if (how == HF_HOLD_LINGERS) {
        hf_add_relaxed(&counters->lingering_slots, 1);
        hf_add_relaxed(&counters->lingering_bytes, chunk->slot_bytes);
        return true;
    }
    hf_slot_dirtied(chunk, slot, dirty_bytes);
    overflow(record, class);
    hf_budget_put(record, class, segment->hold);
    hf_budget_tick(record);
    return true;
}

void hf_pool_freed_by_unpin(uint64_t pool_id, hf_hold *hold) {
    hf_pool_record *record = hf_pool_at(pool_id);
    pthread_mutex_lock(&record->lock);
    if (record->id == pool_id && record->life == HF_LIFE_OPEN) { /* else the memory is on its way back already */
        hf_chunk *chunk = hf_chunk_of(hold);
        hf_class_counters *counters = &record->counters[chunk->class_index];
        hf_sub_relaxed(&counters->lingering_slots, 1);
        hf_sub_relaxed(&counters->lingering_bytes, chunk->slot_bytes);
        hf_slot_dirtied(chunk, hf_slot_of(chunk, hold), chunk->slot_bytes);
        hf_budget_put(record, chunk->class_index, hold);
    }
    hf_pool_unlock(record);
}

/* What the header lists before validity. record: the slot's pool, NULL if that is gone. HF_OK: go on. */
static hf_status release_allowed(const hf_pool_record *record, const hf_segment *segment, hf_facts *facts) {
    if (record && record->confined_to && record->confined_to != hf_thread_serial())
        return hf_view_wrong_thread(facts, record->confined_to, record->arena_name);
    const hf_chunk *chunk = hf_chunk_of(segment->hold);
    facts->a = record ? (uint64_t)((const char *)segment->address - hf_slot_address(chunk, hf_slot_of(chunk, segment->hold))) : 0;
    if (facts->a != 0 && hf_view_pool(segment) != record) facts->a = 0; /* closed and cut anew meanwhile: validity will say so */
    if (segment->era & HF_VIEW_INTERIOR || facts->a != 0) {
        bool ours = segment->era & HF_VIEW_INTERIOR || hf_space_find(segment->address);
        facts->reason = ours ? HF_WHY_INTERIOR : HF_WHY_MEMORY;
        facts->text = "is not the memory of its slot";
        return ours ? HF_INVALID : HF_FOREIGN;
    }
    facts->reason = HF_WHY_READ_ONLY;
    return segment->era & HF_VIEW_READ_ONLY ? HF_READ_ONLY : HF_OK;
}

/* Stores the failure, counts it for the pool, and tells the misuse callback, unless it is only closed. */
static hf_status release_refused(hf_facts *facts, hf_status status, hf_pool_record *record, const hf_segment *segment) {
    facts->status = status;
    if (status == HF_CLOSED) return hf_fail(facts);
    if (record) {
        hf_class_counters *c = &record->counters[hf_min(hf_load_relaxed(&hf_chunk_of(segment->hold)->class_index), HF_CLASSES_MAX)];
        hf_add_relaxed(status == HF_STALE          ? &c->misuse_stale
                       : status == HF_READ_ONLY    ? &c->misuse_read_only
                       : status == HF_WRONG_THREAD ? &c->misuse_wrong_thread
                       : status == HF_FOREIGN      ? &c->misuse_foreign
                                                   : &c->misuse_invalid,
                       1);
    }
    return hf_fail_misuse(facts);
}

HF_COLD static hf_status release_slow(const char *call, const hf_segment *segment, uint64_t dirty_bytes) {
    hf_facts facts = { .call = call, .status = HF_INVALID, .reason = HF_WHY_ZERO_SEGMENT };
    if (!segment || !segment->hold) return hf_fail_misuse(&facts);
    if (!hf_view_is_ours(segment)) {
        facts.status = HF_FOREIGN;
        facts.reason = HF_WHY_MEMORY;
        facts.address = segment->address;
        facts.size = segment->size;
        facts.text = "was never handed out by this library";
        return hf_fail_misuse(&facts);
    }
    hf_view_describe(segment, &facts);
    if (segment->era & (HF_VIEW_ADOPTED | HF_VIEW_BUMP)) {
        hf_status status = hf_arena_release(segment, &facts);
        return status == HF_OK ? HF_OK : release_refused(&facts, status, NULL, segment);
    }
    hf_pool_record *record = hf_view_pool(segment);
    uint64_t id = hf_load_relaxed(&hf_chunk_of(segment->hold)->pool_id);
    hf_status status = release_allowed(record, segment, &facts);
    if (status != HF_OK) return release_refused(&facts, status, record, segment);
    if (record) {
        pthread_mutex_lock(&record->lock);
        bool released =
            record->id == id && record->life == HF_LIFE_OPEN && release_locked(record, hf_chunk_of(segment->hold), segment, dirty_bytes);
        hf_pool_unlock(record);
        if (released) return HF_OK;
    }
    status = hf_view_status(segment, &facts);
    if (status == HF_OK) { /* its close has begun and has not come to this slot yet */
        status = HF_CLOSED;
        facts.reason = HF_WHY_CLOSED_SEGMENT;
    }
    return release_refused(&facts, status, record, segment);
}

static inline hf_status release(const char *call, const hf_segment *segment, uint64_t dirty_bytes) {
    if (HF_LIKELY(segment && segment->hold && !(segment->era & (HF_VIEW_SPECIAL | HF_VIEW_BUMP)) &&
                  release_fast(segment, dirty_bytes)))
        return HF_OK;
    return release_slow(call, segment, dirty_bytes);
}

hf_status hf_release(const hf_segment *segment) {
    return release("hf_release", segment, UINT64_MAX);
}

hf_status hf_release_dirty(const hf_segment *segment, size_t dirty_bytes) {
    return release("hf_release_dirty", segment, dirty_bytes);
}

hf_status hf_release_many(const hf_segment *segments, size_t count, size_t *released) {
    if ((!segments && count) || !released)
        return hf_fail_text("hf_release_many", HF_INVALID, "segments, or the place for the result, is NULL");
    hf_status first_failure = HF_OK;
    size_t won = 0;
    for (size_t i = 0; i < count; i++) {
        hf_status status = release("hf_release_many", &segments[i], UINT64_MAX);
        if (status == HF_OK) won++;
        else if (first_failure == HF_OK) first_failure = status;
    }
    *released = won;
    return first_failure;
}
