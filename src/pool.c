/* SPDX-License-Identifier: MIT
 *
 * Pools: opening, closing, look-up and statistics. The hot paths are in allocate.c, the limit in budget.c.
 *
 * A close has phases, and an arena's close uses the same ones for each of its pools:
 *
 *     look      count pins and allocations in progress, changing nothing               (timeout 0 only)
 *     revoke    shut the gate, wait out the sections, turn every word to CLOSED         nothing new can begin
 *     drain     wait until no word has a pin and no call is inside                      (drain.c)
 *     finish    raise each range's base above its eras, give the ranges back, free the record
 *
 * Locks: the arena's before the pool's before the address space's. No lock is held in a callback.
 */
#include "pool.h"

#include <errno.h>
#include <string.h>

hf_pool_record hf_pools[HF_POOLS_MAX];

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t table_next; /* where the search for a place begins: places are used in turn */

/* ------------------------------------------------------------------------------------------------------------- the record */

/* Names the pool while its place has no other owner. The lock is held; record NULL: there is no such place. */
static hf_status pool_closed(const char *call, uint64_t id, const hf_pool_record *record) {
    hf_facts facts = { .call = call, .status = HF_CLOSED, .reason = HF_WHY_CLOSED_POOL, .a = id };
    if (record && record->incarnation == id >> HF_ID_PLACE_BITS) memcpy(facts.owner, record->name, sizeof facts.owner);
    return hf_fail(&facts);
}

static hf_status wrong_thread(const char *call, const hf_pool_record *record) {
    hf_facts facts = { .call = call, .status = HF_WRONG_THREAD, .reason = HF_WHY_WRONG_THREAD, .a = record->confined_to,
                       .b = hf_thread_serial() };
    memcpy(facts.owner, record->arena_name, sizeof facts.owner);
    return hf_fail(&facts);
}

hf_status hf_pool_lock(const char *call, hf_pool pool, hf_pool_record **result) {
    if (pool.id == 0) return hf_fail_text(call, HF_INVALID, "the pool is zero: it was never opened");
    hf_pool_record *record = hf_pool_at(pool.id);
    if (!record) return pool_closed(call, pool.id, NULL);
    pthread_mutex_lock(&record->lock);
    hf_status status = HF_OK;
    if (record->id != pool.id || record->life != HF_LIFE_OPEN) status = pool_closed(call, pool.id, record);
    else if (record->confined_to && record->confined_to != hf_thread_serial()) status = wrong_thread(call, record);
    if (status == HF_OK) {
        *result = record;
        return HF_OK;
    }
    pthread_mutex_unlock(&record->lock);
    if (status == HF_WRONG_THREAD) hf_misuse_report(status);
    return status;
}

void hf_pool_unlock(hf_pool_record *record) {
    bool fast =
        record->life == HF_LIFE_OPEN && !record->confined_to && record->waiters == 0 && record->charged_bytes <= record->limit_bytes;
    if (fast && record->gate == 0) hf_store_release(&record->gate, record->id);
    HF_ASSERT(fast || record->gate == 0);
    pthread_mutex_unlock(&record->lock);
}

uint64_t hf_pool_seize(hf_pool_record *record) {
    if (record->gate == 0) return 0; /* shut since it was last seized */
    hf_store_relaxed(&record->gate, 0);
    hf_os_heavy_barrier();
    uint64_t moved = 0;
    for (hf_cache *cache = record->caches; cache; cache = cache->next) {
        hf_cache_await(cache);
        for (uint32_t class = 0; class < record->sizes.count; class++) {
            hf_hold *hold;
            while ((hold = hf_magazine_pop(&cache->magazines[class]))) {
                hf_class_put_cached(&record->classes[class], hold, record->tick);
                moved++;
            }
        }
    }
    return moved;
}

/* ------------------------------------------------------------------------------------------------------------------- caches */

static pthread_mutex_t idle_caches_lock = PTHREAD_MUTEX_INITIALIZER;
static hf_cache *idle_caches; /* of ended threads */

static hf_cache *new_cache(void) {
    pthread_mutex_lock(&idle_caches_lock);
    hf_cache *cache = idle_caches;
    if (cache) idle_caches = cache->next;
    pthread_mutex_unlock(&idle_caches_lock);
    return cache ? cache : hf_space_record(sizeof *cache);
}

hf_cache *hf_pool_cache(hf_pool_record *record) {
    hf_thread *thread = record->confined_to ? NULL : hf_thread_self();
    if (!thread) return NULL;
    hf_cache **place = &thread->caches[record - hf_pools];
    if (!*place) {
        hf_cache *cache = new_cache();
        if (!cache) return NULL;
        cache->owner = thread;
        cache->next = record->caches;
        record->caches = cache;
        *place = cache;
    }
    return *place;
}

/* The counters of a cache that is emptied for good move to the pool's. */
static void fold_counters(hf_pool_record *record, hf_cache *cache) {
    for (uint32_t class = 0; class < HF_CLASSES_MAX; class++) {
        hf_magazine *magazine = &cache->magazines[class];
        record->counters[class].allocations += magazine->allocations;
        record->counters[class].releases += magazine->releases;
        hf_store_relaxed(&magazine->allocations, 0);
        hf_store_relaxed(&magazine->releases, 0);
    }
}

/* The thread's slots go to the shared lists. It is the owner and in no section, so nothing has to be seized. */
static void leave_pool(hf_thread *thread, hf_pool_record *record) {
    hf_cache *cache = thread->caches[record - hf_pools];
    if (!cache) return;
    pthread_mutex_lock(&record->lock);
    for (uint32_t class = 0; class < record->sizes.count; class++) {
        hf_hold *hold;
        while ((hold = hf_magazine_pop(&cache->magazines[class])))
            hf_class_put_cached(&record->classes[class], hold, record->tick);
    }
    fold_counters(record, cache);
    hf_cache **link = &record->caches;
    while (*link != cache) link = &(*link)->next;
    *link = cache->next;
    pthread_mutex_unlock(&record->lock);
    thread->caches[record - hf_pools] = NULL;
    pthread_mutex_lock(&idle_caches_lock);
    cache->next = idle_caches;
    idle_caches = cache;
    pthread_mutex_unlock(&idle_caches_lock);
}

static void thread_ends(hf_thread *thread) {
    for (uint32_t i = 0; i < HF_POOLS_MAX; i++) leave_pool(thread, &hf_pools[i]);
}

__attribute__((constructor)) static void watch_threads(void) {
    hf_thread_on_end(HF_ENDING_POOLS, thread_ends);
}

/* ------------------------------------------------------------------------------------------------------------------ opening */

static hf_status options_are_valid(const hf_pool_options *o, hf_size_classes *sizes) {
    const char *call = "hf_pool_open";
    unsigned wrong;
    if (!hf_size_classes_make(sizes, o->class_bytes, hf_os_page_bytes(), &wrong))
        return hf_fail(&(hf_facts){ .call = call, .status = HF_INVALID, .reason = HF_WHY_ELEMENT, .text = "class_bytes",
                                    .a = o->class_bytes[wrong], .b = wrong,
                                    .more = "a multiple of the page, above the one before it and at most 1 TiB; zeros come last" });
    for (size_t i = 0; i < sizeof o->reserved_; i++)
        if (o->reserved_[i]) return hf_fail_text(call, HF_INVALID, "a reserved option is not zero");
    return HF_OK;
}

/* A place in the table, taken by setting its arena. */
static hf_pool_record *new_record(hf_arena_record *arena) {
    pthread_mutex_lock(&table_lock);
    hf_pool_record *record = NULL;
    for (uint32_t tried = 0; tried < HF_POOLS_MAX && !record; tried++) {
        hf_pool_record *candidate = &hf_pools[table_next++ % HF_POOLS_MAX];
        if (!hf_load_acquire(&candidate->arena)) record = candidate;
    }
    if (record) hf_store_relaxed(&record->arena, arena);
    pthread_mutex_unlock(&table_lock);
    return record;
}

static void set_up(hf_pool_record *record, hf_arena_record *arena, const hf_pool_options *o, const hf_size_classes *sizes) {
    record->sizes = *sizes;
    memset(record->classes, 0, sizeof record->classes);
    memset(record->counters, 0, sizeof record->counters);
    for (uint32_t i = 0; i < sizes->count; i++) {
        record->classes[i].slot_bytes = sizes->bytes[i];
        record->classes[i].chunk_bytes = hf_chunk_bytes_for(sizes->bytes[i]);
        record->magazine_slots[i] = hf_magazine_capacity(sizes->bytes[i]);
    }
    record->confined_to = arena->kind == HF_CONFINED ? arena->owner : 0;
    record->view_flags = record->confined_to ? HF_VIEW_CONFINED : 0;
    record->ranges = NULL;
    record->next_index = record->charged_bytes = record->charged_peak_bytes = 0;
    record->limit_bytes = o->limit_bytes ? o->limit_bytes : hf_budget_default_limit();
    record->wait_ns = o->wait_ns;
    record->decay_ns = o->decay_ns ? o->decay_ns : UINT64_C(10) * 1000 * 1000 * 1000;
    record->tick_ns = hf_max(record->decay_ns / HF_DECAY_TICKS, 1000 * 1000);
    record->last_tick_ns = hf_os_now_ns();
    record->tick = 0;
    record->decay_left = false;
    record->keep_resident = o->keep_resident;
    record->decay_in_background = o->decay_in_background;
    record->pressure = NULL;
    record->pressure_calls = 0;
    record->refusals = (hf_refusals){ .count = 0 };
    record->next_range_bytes = hf_min(64 * HF_MIB, hf_max(2 * record->limit_bytes, HF_UNIT_BYTES));
    hf_name_copy(record->name, o->name, "pages");
    hf_name_copy(record->arena_name, arena->name, "");
}

hf_status hf_pool_open(hf_arena arena, const hf_pool_options *options, hf_pool *pool) {
    const char *call = "hf_pool_open";
    hf_pool_options o = HF_POOL_OPTIONS_INIT;
    hf_size_classes sizes;
    hf_arena_record *owner;
    if (!pool) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    if (options && !hf_options_read(&o, sizeof o, options))
        return hf_fail_text(call, HF_INVALID, "the options are not those of HF_POOL_OPTIONS_INIT, or fields are set that this library "
                                              "does not know");
    hf_status status = options_are_valid(&o, &sizes);
    if (status != HF_OK) return status;
    if (o.decay_in_background && !hf_budget_background()) return hf_fail_text(call, HF_SYSTEM, "no thread for the decay could be started");
    if ((status = hf_arena_lock(call, arena, &owner)) != HF_OK) return status;
    hf_pool_record *record = new_record(owner);
    if (!record) {
        hf_arena_unlock(owner);
        return hf_fail(&(hf_facts){ .call = call, .status = HF_LIMIT, .reason = HF_WHY_FULL, .text = "pools are open", .a = HF_POOLS_MAX });
    }
    pthread_mutex_lock(&record->lock);
    set_up(record, owner, &o, &sizes);
    hf_store_relaxed(&record->life, HF_LIFE_OPEN);
    record->next = owner->pools;
    owner->pools = record;
    hf_store_release(&record->id, ++record->incarnation << HF_ID_PLACE_BITS | (uint64_t)(record - hf_pools + 1));
    pool->id = record->id;
    hf_pool_unlock(record);
    hf_arena_unlock(owner);
    return HF_OK;
}

/* ------------------------------------------------------------------------------------------------------------------ growing */

/* Whole units from one of the pool's ranges, or from a new one, committed. */
static hf_range *carve(hf_pool_record *record, uint64_t bytes, uint64_t *unit, int *error) {
    hf_range *range = record->ranges;
    while (range && range->bytes - range->used_bytes < bytes) range = range->next;
    if (!range) {
        if ((*error = hf_arena_take_range(record->arena, bytes, record->next_range_bytes, &range)) != 0) return NULL;
        range->next = record->ranges;
        record->ranges = range;
        record->next_range_bytes = hf_min(range->bytes * 2, 16 * HF_GIB);
    }
    if ((*error = hf_space_commit(range, range->used_bytes + bytes)) != 0) return NULL;
    *unit = range->used_bytes >> HF_UNIT_SHIFT;
    range->used_bytes += bytes;
    return range;
}

/* A range for one chunk: for large requests, and classes of large slots. */
static hf_range *carve_alone(hf_pool_record *record, uint64_t bytes, int *error) {
    hf_range *range;
    if ((*error = hf_space_take(bytes, bytes, &record->arena->advice, &range)) != 0) return NULL;
    if ((*error = hf_space_commit(range, bytes)) != 0) {
        hf_space_give(range); /* nothing of it is in use, so nothing can be refused */
        return NULL;
    }
    range->used_bytes = range->bytes; /* no other chunk is carved from it */
    range->next = record->ranges;
    record->ranges = range;
    return range;
}

hf_hold *hf_pool_grow(hf_pool_record *record, uint32_t index, uint64_t bytes, int *error) {
    hf_class *class = &record->classes[index];
    hf_hold *hold = hf_class_take_empty(class, bytes);
    if (hold) return hold;
    uint64_t unit = 0;
    bool shares = class->slot_bytes && class->chunk_bytes <= HF_CHUNK_SHARES_RANGE_BYTES;
    hf_range *range = shares ? carve(record, class->chunk_bytes, &unit, error) : carve_alone(record, bytes, error);
    if (!range) return NULL;
    hf_chunk like = { .pool_id = record->id, .class_index = index, .first_index = record->next_index, .view_flags = record->view_flags };
    record->next_index += hf_class_add_chunk(class, range, unit, bytes, &like)->slot_count;
    hold = hf_class_take_empty(class, bytes);
    if (!hold) *error = ENOMEM;
    return hold;
}

/* ------------------------------------------------------------------------------------------------------------------ closing */

hf_pin_count hf_pool_pins(hf_pool_record *record) {
    hf_pin_count count = { 0, (uint64_t)record->waiters + record->pressure_inside };
    for (uint32_t index = 0; index <= record->sizes.count; index++) {
        for (hf_chunk *chunk = record->classes[index].chunks; chunk; chunk = chunk->next) {
            for (uint32_t slot = 0; slot < chunk->slot_count; slot++) {
                uint64_t word = hf_load_acquire(&hf_chunk_holds(chunk)[slot].word);
                if (HF_LIKELY(hf_hold_pins(word) == 0)) continue;
                ++*(hf_hold_state_of(word) == HF_HOLD_ISSUING ? &count.in_progress : &count.pins);
            }
        }
    }
    return count;
}

void hf_pool_revoke(hf_pool_record *record) {
    pthread_mutex_lock(&record->lock);
    if (record->life != HF_LIFE_NONE) {
        hf_store_relaxed(&record->life, HF_LIFE_REVOKED);
        hf_pool_seize(record);
        for (uint32_t index = 0; index <= record->sizes.count; index++)
            for (hf_chunk *chunk = record->classes[index].chunks; chunk; chunk = chunk->next)
                for (uint32_t slot = 0; slot < chunk->slot_count; slot++) hf_hold_revoke(&hf_chunk_holds(chunk)[slot]);
        hf_add_seq_cst(&record->release_sequence, 1);
        hf_os_wake_all(&record->release_sequence);
    }
    hf_pool_unlock(record);
}

/* Above every era in the range, for the next incarnation. */
static void raise_base(hf_chunk *chunk) {
    for (uint32_t slot = 0; slot < chunk->slot_count; slot++)
        chunk->range->base_era = hf_max(chunk->range->base_era, hf_hold_era(hf_load_relaxed(&hf_chunk_holds(chunk)[slot].word)));
}

int hf_pool_finish(hf_pool_record *record) {
    pthread_mutex_lock(&record->lock);
    for (uint32_t index = 0; index < HF_CLASS_ENTRIES; index++) {
        for (hf_chunk *chunk = record->classes[index].chunks; chunk; chunk = chunk->next) raise_base(chunk);
        memset(&record->classes[index], 0, sizeof record->classes[index]);
    }
    int error = 0;
    hf_range *refused = NULL;
    for (hf_range *range = record->ranges, *next; range; range = next) {
        next = range->next;
        int refusal = hf_space_give(range);
        if (refusal == 0) continue;
        error = refusal;
        range->next = refused;
        refused = range;
    }
    record->ranges = refused;
    if (error == 0) {
        for (hf_cache *cache = record->caches; cache; cache = cache->next) fold_counters(record, cache);
        hf_store_relaxed(&record->life, HF_LIFE_NONE);
        hf_store_release(&record->id, 0);
    }
    pthread_mutex_unlock(&record->lock);
    return error;
}

void hf_pool_forget(hf_pool_record *record) {
    hf_arena_record *arena = record->arena;
    pthread_mutex_lock(&arena->lock);
    hf_pool_record **link = &arena->pools;
    while (*link != record) link = &(*link)->next;
    *link = record->next;
    pthread_mutex_unlock(&arena->lock);
    hf_store_release(&record->arena, NULL);
}

static hf_status pinned(hf_pool_record *record, hf_status status, hf_reason reason, hf_pin_count count) {
    hf_facts facts = { .call = "hf_pool_close", .status = status, .reason = reason, .text = "pool", .a = count.pins,
                       .b = count.in_progress };
    memcpy(facts.owner, record->name, sizeof facts.owner);
    return hf_fail(&facts);
}

static hf_pin_count look(void *owner) {
    hf_pool_record *record = owner;
    pthread_mutex_lock(&record->lock);
    hf_pin_count count = hf_pool_pins(record);
    pthread_mutex_unlock(&record->lock);
    return count;
}

/* What a close may find wrong before anything has changed. The lock is held. */
static hf_status may_close(hf_pool_record *record, hf_pool pool, uint64_t timeout_ns) {
    const char *call = "hf_pool_close";
    if (record->id != pool.id) return pool_closed(call, pool.id, record);
    if (record->confined_to && record->confined_to != hf_thread_serial() && !record->arena->owner_ended)
        return wrong_thread(call, record);
    hf_thread *thread = hf_thread_known();
    if (thread && thread->in_pressure_of == pool.id)
        return hf_fail_text(call, HF_INVALID, "a pool can't be closed inside its own pressure callback");
    if (timeout_ns != 0 || record->life != HF_LIFE_OPEN) return HF_OK;
    hf_pin_count count = hf_pool_pins(record);
    return count.pins + count.in_progress == 0 ? HF_OK : pinned(record, HF_BUSY, HF_WHY_PINNED, count);
}

hf_status hf_pool_close(hf_pool pool, uint64_t timeout_ns) {
    const char *call = "hf_pool_close";
    uint64_t deadline_ns = hf_deadline_ns(timeout_ns);
    if (pool.id == 0) return hf_fail_text(call, HF_INVALID, "the pool is zero: it was never opened");
    hf_pool_record *record = hf_pool_at(pool.id);
    if (!record) return pool_closed(call, pool.id, NULL);
    pthread_mutex_lock(&record->lock);
    hf_status status = may_close(record, pool, timeout_ns);
    if (status == HF_OK) {
        status = hf_closer_begin(&record->closer, &record->lock, &record->id, deadline_ns);
        if (status == HF_CLOSED) pool_closed(call, pool.id, record);
        if (status == HF_TIMED_OUT) hf_fail_text(call, status, "another thread is closing the pool");
    }
    pthread_mutex_unlock(&record->lock);
    if (status == HF_WRONG_THREAD) hf_misuse_report(status);
    if (status != HF_OK) return status;

    hf_pool_revoke(record);
    hf_pin_count count;
    int error = 0;
    if (!hf_drain(look, record, deadline_ns, &count)) status = pinned(record, HF_TIMED_OUT, HF_WHY_NOT_DRAINED, count);
    if (status == HF_OK && (error = hf_pool_finish(record)) != 0)
        hf_fail_system(call, "mmap over the pool's address space", hf_ranges_bytes(record->ranges), error), status = HF_SYSTEM;
    pthread_mutex_lock(&record->lock);
    hf_closer_end(&record->closer);
    pthread_mutex_unlock(&record->lock);
    if (status == HF_OK) hf_pool_forget(record);
    return status;
}

/* ----------------------------------------------------------------------------------------------------------------- pressure */

hf_status hf_pool_on_pressure(hf_pool pool, hf_pressure *callback, void *context) {
    hf_pool_record *record;
    hf_status status = hf_pool_lock("hf_pool_on_pressure", pool, &record);
    if (status != HF_OK) return status;
    record->pressure = callback;
    record->pressure_context = context;
    hf_thread *thread = hf_thread_known();
    uint32_t own = thread && thread->in_pressure_of == pool.id;
    while (record->id == pool.id && record->pressure_inside > own) { /* calls of the former one, perhaps */
        uint32_t sequence = hf_load_acquire(&record->pressure_sequence);
        hf_pool_unlock(record);
        hf_os_wait(&record->pressure_sequence, sequence, HF_FOREVER);
        pthread_mutex_lock(&record->lock);
    }
    hf_pool_unlock(record);
    return HF_OK;
}

/* ------------------------------------------------------------------------------------------------------- look-up, statistics */

hf_status hf_pool_find(hf_pool pool, const void *address, hf_segment *segment) {
    const char *call = "hf_pool_find";
    hf_pool_record *record = NULL;
    if (!segment) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    hf_status status = hf_pool_lock(call, pool, &record);
    if (status != HF_OK) return status;
    hf_facts facts = { .call = call, .status = HF_FOREIGN, .reason = HF_WHY_FOREIGN, .address = address };
    memcpy(facts.owner, record->name, sizeof facts.owner);
    hf_range *range = hf_space_find(address);
    hf_chunk *chunk = range ? hf_chunk_at(range, address) : NULL;
    if (chunk && chunk->pool_id == pool.id) {
        uint64_t slot = (uint64_t)((const char *)address - chunk->base) / chunk->slot_bytes;
        if (slot < chunk->slot_count) {
            hf_hold *hold = &hf_chunk_holds(chunk)[slot];
            uint64_t word = hf_hold_load(hold);
            if (hf_hold_state_of(word) == HF_HOLD_LIVE) {
                *segment = (hf_segment){ hf_slot_address(chunk, (uint32_t)slot), chunk->slot_bytes, hold,
                                         hf_view_era(hf_hold_era(word), chunk->view_flags) };
                facts.status = HF_OK;
            } else {
                facts.status = HF_STALE;
                facts.reason = HF_WHY_NOT_ISSUED;
                facts.slot = chunk->first_index + slot;
            }
        }
    }
    hf_pool_unlock(record);
    if (facts.status == HF_OK) return HF_OK;
    return facts.status == HF_FOREIGN ? hf_fail_misuse(&facts) : hf_fail(&facts);
}

static void class_stats(hf_pool_record *record, uint32_t index, hf_class_stats *s) {
    hf_class *class = &record->classes[index];
    hf_class_counters *c = &record->counters[index];
    s->slot_bytes = class->slot_bytes;
    s->cached_slots = class->cached_slots;
    s->untouched_slots = class->untouched_slots;
    s->charged_bytes = class->charged_bytes;
    s->given_back_bytes = class->given_back_bytes;
    s->allocations = c->allocations;
    s->releases = c->releases;
    for (hf_cache *cache = record->caches; cache && index < record->sizes.count; cache = cache->next) {
        s->allocations += hf_load_relaxed(&cache->magazines[index].allocations);
        s->releases += hf_load_relaxed(&cache->magazines[index].releases);
        s->cached_slots += hf_load_relaxed(&cache->magazines[index].count);
    }
    s->lingering_slots = hf_load_relaxed(&c->lingering_slots);
    s->live_slots = s->allocations > s->releases ? s->allocations - s->releases : 0;
    s->waits = c->waits;
    s->refusals = c->refusals;
    s->misuse_stale = hf_load_relaxed(&c->misuse_stale);
    s->misuse_invalid = hf_load_relaxed(&c->misuse_invalid);
    s->misuse_read_only = hf_load_relaxed(&c->misuse_read_only);
    s->misuse_wrong_thread = hf_load_relaxed(&c->misuse_wrong_thread);
    s->misuse_foreign = hf_load_relaxed(&c->misuse_foreign);
}

static void add_class(hf_pool_record *record, uint32_t index, hf_pool_stats *s) {
    hf_class_stats *c = &s->classes[index];
    uint64_t lingering = hf_load_relaxed(&record->counters[index].lingering_bytes);
    uint64_t magazines = (c->cached_slots - record->classes[index].cached_slots) * c->slot_bytes;
    uint64_t cached = record->classes[index].cached_bytes + magazines, spent = record->counters[index].spent_bytes;
    s->cached_bytes += cached;
    s->lingering_bytes += lingering;
    s->retired_bytes += spent;
    s->live_bytes += c->charged_bytes - hf_min(c->charged_bytes, cached + lingering + spent);
    s->given_back_bytes += c->given_back_bytes;
    s->allocations += c->allocations;
    s->releases += c->releases;
    s->waits += c->waits;
    s->refusals += c->refusals;
    s->misuses += c->misuse_stale + c->misuse_invalid + c->misuse_read_only + c->misuse_wrong_thread + c->misuse_foreign;
}

hf_status hf_pool_get_stats(hf_pool pool, hf_pool_stats *stats) {
    const char *call = "hf_pool_get_stats";
    hf_pool_record *record;
    hf_pool_stats s = HF_POOL_STATS_INIT;
    if (!stats) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    hf_status status = hf_pool_lock(call, pool, &record);
    if (status != HF_OK) return status;
    s.limit_bytes = record->limit_bytes;
    s.charged_bytes = record->charged_bytes;
    s.charged_peak_bytes = record->charged_peak_bytes;
    s.class_count = record->sizes.count + 1;
    for (uint32_t index = 0; index < s.class_count; index++) {
        class_stats(record, index, &s.classes[index]);
        add_class(record, index, &s);
    }
    s.reserved_bytes = hf_ranges_bytes(record->ranges);
    s.metadata_bytes = hf_ranges_meta_bytes(record->ranges);
    s.pressure_calls = record->pressure_calls;
    s.refused_give_backs = record->refusals.count;
    hf_pool_unlock(record);
    if (!hf_stats_write(stats, &s, sizeof s)) return hf_fail_text(call, HF_INVALID, "struct_bytes is not set: use HF_POOL_STATS_INIT");
    return HF_OK;
}

/* --------------------------------------------------------------------------------------------------------------------- fork */

/* The child has one thread. Others' caches were emptied before the fork; waits, callbacks and closes of others are over. */
static void forget_other_threads(hf_pool_record *record) {
    hf_thread *self = hf_thread_known();
    for (hf_cache **link = &record->caches; *link;) {
        hf_cache *cache = *link;
        if (cache->owner == self) {
            link = &cache->next;
            continue;
        }
        *link = cache->next;
        fold_counters(record, cache);
        hf_store_relaxed(&cache->busy, 0);
        cache->next = idle_caches;
        idle_caches = cache;
    }
    record->waiters = 0;
    record->pressure_inside = self && record->id != 0 && self->in_pressure_of == record->id;
    if (record->closer.serial != hf_thread_serial()) record->closer.serial = 0;
}

void hf_pool_fork(hf_fork_phase phase) {
    static bool held[HF_POOLS_MAX]; /* a record's arena may change without its lock, so which ones were locked is kept */
    if (phase == HF_FORK_BEFORE) pthread_mutex_lock(&table_lock);
    else pthread_mutex_unlock(&idle_caches_lock);
    for (uint32_t i = 0; i < HF_POOLS_MAX; i++) {
        hf_pool_record *record = &hf_pools[i];
        if (phase == HF_FORK_BEFORE) {
            held[i] = hf_load_relaxed(&record->arena) || hf_load_relaxed(&record->caches);
            if (!held[i]) continue;
            pthread_mutex_lock(&record->lock);
            hf_pool_seize(record);
        } else if (held[i]) {
            if (phase == HF_FORK_CHILD) forget_other_threads(record);
            hf_pool_unlock(record);
        }
    }
    if (phase == HF_FORK_BEFORE) pthread_mutex_lock(&idle_caches_lock);
    else pthread_mutex_unlock(&table_lock);
}
