/* SPDX-License-Identifier: MIT
 *
 * Arenas: opening, closing, adopting, statistics. Bump memory is in bump.c, waiting in drain.c.
 *
 * A close, in the order that makes it safe:
 *
 *     1. be the closer: one at a time, others wait for it
 *     2. look (timeout 0 only): any pin or allocation in progress is HF_BUSY, and nothing has changed
 *     3. life = REVOKED, under the lock: nothing new begins in the arena
 *     4. revoke: every pool's gate and words, then the arena's own words
 *     5. drain: until no word has a pin and no allocation is inside
 *     6. cleanup actions, newest first, no lock held
 *     7. finish: every range becomes read-only zeros and is given back; the record is free
 *
 * Stopped after 3 by its timeout, or in 7 by the kernel, a close leaves the arena revoked, and any thread's next close goes on: each
 * step can be repeated, and 6 happens once.
 */
#include "arena.h"

#include <string.h>

#include "pool.h"
#include "segment.h"

typedef struct hf_action {
    struct hf_action *next;
    hf_cleanup *cleanup;
    void *context;
} hf_action;

static hf_arena_record arenas[HF_ARENAS_MAX];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static bool taken[HF_ARENAS_MAX]; /* under the table's lock */
static uint32_t table_next;       /* places are used in turn, so that a closed one's words stay as they are for long */

/* --------------------------------------------------------------------------------------------------------------- the record */

/* Names the arena while its place has no other owner. The lock is held; record NULL: there is no such place. */
static hf_status arena_closed(const char *call, uint64_t id, const hf_arena_record *record) {
    hf_facts facts = { .call = call, .status = HF_CLOSED, .reason = HF_WHY_CLOSED_ARENA, .a = id };
    if (record && record->incarnation == id >> HF_ID_PLACE_BITS) memcpy(facts.owner, record->name, sizeof facts.owner);
    return hf_fail(&facts);
}

static hf_status wrong_thread(const char *call, const hf_arena_record *record) {
    hf_facts facts = { .call = call, .status = HF_WRONG_THREAD, .reason = HF_WHY_WRONG_THREAD, .a = record->owner,
                       .b = hf_thread_serial() };
    memcpy(facts.owner, record->name, sizeof facts.owner);
    return hf_fail(&facts);
}

/* The locked record of this id, whatever its state; NULL, and the failure stored, if it is not there. */
static hf_arena_record *lock_record(const char *call, hf_arena arena, hf_status *status) {
    uint64_t place = (arena.id & ((1u << HF_ID_PLACE_BITS) - 1)) - 1;
    if (arena.id == 0) {
        *status = hf_fail_text(call, HF_INVALID, "the arena is zero: it was never opened");
        return NULL;
    }
    hf_arena_record *record = place < HF_ARENAS_MAX ? &arenas[place] : NULL;
    if (record) pthread_mutex_lock(&record->lock);
    if (record && record->id == arena.id) return record;
    *status = arena_closed(call, arena.id, record);
    if (record) pthread_mutex_unlock(&record->lock);
    return NULL;
}

hf_status hf_arena_lock(const char *call, hf_arena arena, hf_arena_record **result) {
    hf_status status = HF_OK;
    hf_arena_record *record = lock_record(call, arena, &status);
    if (!record) return status;
    if (record->life != HF_LIFE_OPEN) status = arena_closed(call, arena.id, record);
    else if (record->kind == HF_CONFINED && record->owner != hf_thread_serial()) status = wrong_thread(call, record);
    if (status == HF_OK) {
        *result = record;
        return HF_OK;
    }
    hf_arena_unlock(record);
    if (status == HF_WRONG_THREAD) hf_misuse_report(status);
    return status;
}

void hf_arena_unlock(hf_arena_record *record) {
    pthread_mutex_unlock(&record->lock);
}

hf_arena_record *hf_arena_of(const hf_hold *hold) {
    return &arenas[((uintptr_t)hold - (uintptr_t)arenas) / sizeof arenas[0]];
}

bool hf_arena_owns(const hf_hold *hold) {
    uint64_t into = (uintptr_t)hold - (uintptr_t)arenas;
    return into < sizeof arenas && into % sizeof arenas[0] < sizeof arenas[0].words && into % sizeof(hf_hold) == 0;
}

bool hf_arena_is_open(hf_arena arena) {
    uint64_t place = (arena.id & ((1u << HF_ID_PLACE_BITS) - 1)) - 1;
    return arena.id != 0 && place < HF_ARENAS_MAX && hf_load_acquire(&arenas[place].id) == arena.id &&
           hf_load_acquire(&arenas[place].life) == HF_LIFE_OPEN;
}

int hf_arena_take_range(hf_arena_record *record, uint64_t min_bytes, uint64_t preferred_bytes, hf_range **range) {
    hf_range *reserved = hf_load_acquire(&record->reserved); /* the pools of the arena may ask at once: one gets it */
    if (reserved && reserved->bytes >= min_bytes && hf_cas_acquire(&record->reserved, &reserved, NULL)) {
        *range = reserved;
        return 0;
    }
    return hf_space_take(min_bytes, preferred_bytes, &record->advice, range);
}

uint64_t hf_ranges_bytes(const hf_range *ranges) {
    uint64_t bytes = 0;
    for (; ranges; ranges = ranges->next) bytes += ranges->bytes;
    return bytes;
}

uint64_t hf_ranges_meta_bytes(const hf_range *ranges) {
    return hf_ranges_bytes(ranges) / HF_UNIT_BYTES * HF_BLOCK_BYTES;
}

/* ------------------------------------------------------------------------------------------------------------------- actions */

static pthread_mutex_t actions_lock = PTHREAD_MUTEX_INITIALIZER;
static hf_action *unused_actions;

static hf_action *action_new(void) {
    pthread_mutex_lock(&actions_lock);
    hf_action *action = unused_actions;
    if (action) unused_actions = action->next;
    pthread_mutex_unlock(&actions_lock);
    return action ? action : hf_space_record(sizeof *action);
}

static void action_free(hf_action *action) {
    pthread_mutex_lock(&actions_lock);
    action->next = unused_actions;
    unused_actions = action;
    pthread_mutex_unlock(&actions_lock);
}

/* Under the arena's lock; false: no memory. */
static bool action_add(hf_arena_record *record, hf_cleanup *cleanup, void *context) {
    hf_action *action = action_new();
    if (!action) return false;
    *action = (hf_action){ record->actions, cleanup, context };
    record->actions = action;
    record->action_count++;
    return true;
}

static void run_actions(hf_arena_record *record) {
    for (;;) {
        pthread_mutex_lock(&record->lock);
        hf_action *action = record->actions;
        if (action) {
            record->actions = action->next;
            record->action_count--;
        }
        pthread_mutex_unlock(&record->lock);
        if (!action) return;
        hf_cleanup *cleanup = action->cleanup;
        void *context = action->context;
        action_free(action);
        cleanup(context);
    }
}

hf_status hf_arena_on_close(hf_arena arena, hf_cleanup *cleanup, void *context) {
    const char *call = "hf_arena_on_close";
    hf_arena_record *record;
    if (!cleanup) return hf_fail_text(call, HF_INVALID, "the action is NULL");
    hf_status status = hf_arena_lock(call, arena, &record);
    if (status != HF_OK) return status;
    bool added = action_add(record, cleanup, context);
    hf_arena_unlock(record);
    return added ? HF_OK : hf_fail_text(call, HF_NO_MEMORY, "there is no memory for the action's record");
}

hf_status hf_arena_adopt(hf_arena arena, void *address, size_t size, hf_cleanup *cleanup, void *context, hf_segment *segment) {
    const char *call = "hf_arena_adopt";
    hf_arena_record *record;
    uint64_t end;
    if (!segment) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    if (!address) return hf_fail_text(call, HF_INVALID, "the address is NULL");
    if (size == 0) return hf_fail_text(call, HF_INVALID, "the size is 0");
    bool wraps = __builtin_add_overflow((uintptr_t)address, size, &end);
    if (wraps || hf_space_overlaps(address, size))
        return hf_fail(&(hf_facts){ .call = call, .status = HF_INVALID, .reason = HF_WHY_MEMORY, .address = address, .size = size,
                                    .text = wraps ? "ends past the address space" : "overlaps the library's own memory" });
    hf_status status = hf_arena_lock(call, arena, &record);
    if (status != HF_OK) return status;
    if (cleanup && !action_add(record, cleanup, context)) {
        hf_arena_unlock(record);
        return hf_fail_text(call, HF_NO_MEMORY, "there is no memory for the cleanup action's record");
    }
    record->adopted_bytes += size;
    record->adopted_segments++;
    hf_hold *hold = &record->words[HF_WORD_ADOPTED];
    uint64_t flags = HF_VIEW_ADOPTED | (record->kind == HF_CONFINED ? HF_VIEW_CONFINED : 0);
    *segment = (hf_segment){ address, size, hold, hf_view_era(hf_hold_era(hf_hold_load(hold)), flags) };
    hf_arena_unlock(record);
    return HF_OK;
}

/* ------------------------------------------------------------------------------------------------------------------ opening */

static hf_status check_options(const hf_arena_options *o) {
    const char *call = "hf_arena_open";
    if (o->kind > HF_GLOBAL)
        return hf_fail(&(hf_facts){ .call = call, .status = HF_INVALID, .reason = HF_WHY_VALUE, .text = "kind", .a = o->kind,
                                    .more = "HF_SHARED, HF_CONFINED or HF_GLOBAL" });
    if (o->fork != HF_FORK_COPY) return hf_fail_text(call, HF_INVALID, "this release has no fork rule but HF_FORK_COPY");
    if (o->seal) return hf_fail_text(call, HF_INVALID, "this release can't seal arenas");
    if (o->guard_one_in) return hf_fail_text(call, HF_INVALID, "this release has no guard mode");
    if (o->huge_pages) return hf_fail_text(call, HF_INVALID, "this release has no huge pages");
    for (size_t i = 0; i < sizeof o->reserved_; i++)
        if (o->reserved_[i]) return hf_fail_text(call, HF_INVALID, "a reserved option is not zero");
    return HF_OK;
}

static bool eras_left(const hf_arena_record *record) {
    for (int i = 0; i < HF_WORDS; i++)
        if (hf_hold_era(hf_load_relaxed(&record->words[i].word)) >= HF_ERA_MAX) return false;
    return true;
}

/* A place in the table whose words have eras left; NULL if there is none. */
static hf_arena_record *take_place(void) {
    hf_arena_record *record = NULL;
    pthread_mutex_lock(&table_lock);
    for (uint32_t tried = 0; tried < HF_ARENAS_MAX && !record; tried++) {
        uint32_t place = table_next++ % HF_ARENAS_MAX;
        if (taken[place] || !eras_left(&arenas[place])) continue;
        taken[place] = true;
        record = &arenas[place];
    }
    pthread_mutex_unlock(&table_lock);
    return record;
}

static void free_place(hf_arena_record *record) {
    pthread_mutex_lock(&table_lock);
    taken[record - arenas] = false;
    pthread_mutex_unlock(&table_lock);
}

static void set_up(hf_arena_record *record, const hf_arena_options *o) {
    pthread_mutex_lock(&record->lock); /* against those who ask for the former arena's name */
    record->incarnation++;
    hf_name_copy(record->name, o->name, "main");
    memcpy(record->range_name, "holdfast:", 9);
    hf_name_copy(record->range_name + 9, record->name, "");
    for (char *c = record->range_name; *c; c++)
        if (*c < ' ' || *c > '~' || strchr("\\`$[]", *c)) *c = '_'; /* the kernel refuses these */
    record->advice = (hf_os_advice){ record->range_name, o->numa_node, o->pages_in_core_dump };
    record->kind = (hf_arena_kind)o->kind;
    hf_store_relaxed(&record->owner, hf_thread_serial());
    record->cleaned = record->owner_ended = false;
    record->pools = NULL;
    record->actions = NULL;
    record->reserved = NULL;
    record->bump = (hf_bump){ .next_bytes = 0 };
    record->adopted_bytes = record->adopted_segments = record->action_count = 0;
    pthread_mutex_unlock(&record->lock);
}

hf_status hf_arena_open(const hf_arena_options *options, hf_arena *arena) {
    const char *call = "hf_arena_open";
    hf_arena_options o = HF_ARENA_OPTIONS_INIT;
    if (!arena) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    if (options && !hf_options_read(&o, sizeof o, options))
        return hf_fail_text(call, HF_INVALID, "the options are not those of HF_ARENA_OPTIONS_INIT, or fields are set that this library "
                                              "does not know");
    hf_status status = check_options(&o);
    if (status != HF_OK) return status;
    hf_start();
    hf_thread *thread = o.kind == HF_CONFINED ? hf_thread_self() : NULL; /* its end is what lets others close the arena */
    if (o.kind == HF_CONFINED && !thread) return hf_fail_text(call, HF_NO_MEMORY, "there is no memory for the thread's record");
    hf_arena_record *record = take_place();
    if (!record)
        return hf_fail(&(hf_facts){ .call = call, .status = HF_LIMIT, .reason = HF_WHY_FULL, .text = "arenas are open",
                                    .a = HF_ARENAS_MAX });
    set_up(record, &o);
    uint64_t reserve = o.numa_node ? hf_max(o.reserve_bytes, HF_UNIT_BYTES) : o.reserve_bytes; /* a node is tried out at once */
    int error = reserve ? hf_space_take(reserve, reserve, &record->advice, &record->reserved) : 0;
    if (error != 0) {
        free_place(record);
        return hf_fail_system(call, o.numa_node ? "mmap and mbind to that node" : "mmap for address space", reserve, error);
    }
    if (thread) thread->confined_arenas++;
    pthread_mutex_lock(&record->lock);
    for (int i = 0; i < HF_WORDS; i++) {
        hf_hold_open(&record->words[i]);
        hf_store_relaxed(&record->first_era[i], hf_hold_era(hf_load_relaxed(&record->words[i].word)));
    }
    hf_store_release(&record->life, HF_LIFE_OPEN);
    hf_store_release(&record->id, record->incarnation << HF_ID_PLACE_BITS | (uint64_t)(record - arenas + 1));
    arena->id = record->id;
    hf_arena_unlock(record);
    return HF_OK;
}

/* A thread with confined arenas ends: from now on any thread may close them. */
static void thread_ends(hf_thread *thread) {
    for (uint32_t i = 0; i < HF_ARENAS_MAX && thread->confined_arenas > 0; i++) {
        if (hf_load_acquire(&arenas[i].id) == 0) continue;
        pthread_mutex_lock(&arenas[i].lock);
        if (arenas[i].id != 0 && arenas[i].kind == HF_CONFINED && arenas[i].owner == thread->serial) {
            arenas[i].owner_ended = true;
            thread->confined_arenas--;
        }
        pthread_mutex_unlock(&arenas[i].lock);
    }
    thread->confined_arenas = 0;
}

__attribute__((constructor)) static void watch_threads(void) {
    hf_thread_on_end(HF_ENDING_ARENAS, thread_ends);
}

/* ----------------------------------------------------------------------------------------------------- bump memory, releases */

hf_status hf_arena_allocate(hf_arena arena, size_t size, size_t alignment, hf_segment *segment) {
    const char *call = "hf_arena_allocate";
    hf_arena_record *record;
    if (!segment) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    if (!hf_is_power_of_two(alignment))
        return hf_fail(&(hf_facts){ .call = call, .status = HF_INVALID, .reason = HF_WHY_VALUE, .text = "alignment", .a = alignment,
                                    .more = "a power of two" });
    hf_status status = hf_arena_lock(call, arena, &record);
    return status == HF_OK ? hf_bump_allocate(call, record, size, alignment, segment) : status;
}

hf_status hf_arena_reset(hf_arena arena) {
    const char *call = "hf_arena_reset";
    hf_arena_record *record;
    hf_status status = hf_arena_lock(call, arena, &record);
    if (status != HF_OK) return status;
    hf_hold *hold = &record->words[HF_WORD_BUMP];
    uint64_t word = hf_hold_load(hold);
    hf_facts facts = { .call = call, .status = HF_OK, .text = "arena", .a = 1 };
    memcpy(facts.owner, record->name, sizeof facts.owner);
    if (hf_hold_era(word) >= HF_ERA_MAX) {
        facts.status = HF_LIMIT;
        facts.reason = HF_WHY_FULL;
        facts.text = "resets were made";
        facts.a = record->bump.resets;
    } else if (!hf_hold_renew(hold)) {
        facts.status = HF_BUSY;
        facts.reason = HF_WHY_PINNED;
    } else {
        for (hf_range *range = record->bump.ranges; range; range = range->next) range->used_bytes = 0;
        record->bump.current = record->bump.ranges;
        record->bump.bytes = 0;
        record->bump.resets++;
    }
    hf_arena_unlock(record);
    return facts.status == HF_OK ? HF_OK : hf_fail(&facts);
}

hf_status hf_arena_release(const hf_segment *segment, hf_facts *facts) {
    hf_status status = hf_view_status(segment, facts);
    if (status == HF_WRONG_THREAD) return status;
    if (segment->era & HF_VIEW_ADOPTED) {
        facts->reason = HF_WHY_NOT_A_SLOT;
        facts->text = "is adopted memory, which ends with its arena: it can't be released";
        return HF_INVALID;
    }
    if (segment->era & HF_VIEW_READ_ONLY) {
        facts->reason = HF_WHY_READ_ONLY;
        return HF_READ_ONLY;
    }
    if (status == HF_OK) hf_add_relaxed(&hf_arena_of(segment->hold)->bump.releases, 1);
    return status;
}

/* ------------------------------------------------------------------------------------------------------------------ closing */

/* Under the arena's lock. */
static hf_pin_count count_pins(hf_arena_record *record) {
    hf_pin_count count = { 0, 0 };
    for (hf_pool_record *pool = record->pools; pool; pool = pool->next) {
        pthread_mutex_lock(&pool->lock);
        hf_pin_count more = hf_pool_pins(pool);
        pthread_mutex_unlock(&pool->lock);
        count.pins += more.pins;
        count.in_progress += more.in_progress;
    }
    for (int i = 0; i < HF_WORDS; i++) count.pins += hf_hold_pins(hf_hold_load(&record->words[i]));
    return count;
}

static hf_pin_count look(void *owner) {
    hf_arena_record *record = owner;
    pthread_mutex_lock(&record->lock);
    hf_pin_count count = count_pins(record);
    pthread_mutex_unlock(&record->lock);
    return count;
}

static hf_status pinned(hf_arena_record *record, hf_status status, hf_reason reason, hf_pin_count count) {
    hf_facts facts = { .call = "hf_arena_close", .status = status, .reason = reason, .text = "arena", .a = count.pins,
                       .b = count.in_progress };
    memcpy(facts.owner, record->name, sizeof facts.owner);
    return hf_fail(&facts);
}

static hf_status never_closed(hf_arena_record *record) {
    hf_facts facts = { .call = "hf_arena_close", .status = HF_INVALID, .reason = HF_WHY_NEVER_CLOSED };
    memcpy(facts.owner, record->name, sizeof facts.owner);
    return hf_fail(&facts);
}

static bool inside_own_pressure(hf_arena_record *record) {
    hf_thread *thread = hf_thread_known();
    for (hf_pool_record *pool = record->pools; thread && thread->in_pressure_of && pool; pool = pool->next)
        if (pool->id == thread->in_pressure_of) return true;
    return false;
}

/* What is wrong before anything has changed. The lock is held. */
static hf_status may_close(hf_arena_record *record, uint64_t timeout_ns) {
    const char *call = "hf_arena_close";
    if (record->kind == HF_GLOBAL) return never_closed(record);
    if (record->kind == HF_CONFINED && record->owner != hf_thread_serial() && !record->owner_ended) return wrong_thread(call, record);
    if (inside_own_pressure(record))
        return hf_fail_text(call, HF_INVALID, "an arena can't be closed inside the pressure callback of its own pool");
    if (timeout_ns != 0 || record->life != HF_LIFE_OPEN) return HF_OK;
    hf_pin_count count = count_pins(record);
    return count.pins + count.in_progress == 0 ? HF_OK : pinned(record, HF_BUSY, HF_WHY_PINNED, count);
}

static void revoke(hf_arena_record *record) {
    pthread_mutex_lock(&record->lock);
    for (hf_pool_record *pool = record->pools; pool; pool = pool->next) hf_pool_revoke(pool);
    for (int i = 0; i < HF_WORDS; i++) hf_hold_revoke(&record->words[i]);
    pthread_mutex_unlock(&record->lock);
}

/* Pools of the arena end; one that another thread is closing is waited for. */
static hf_status finish_pools(hf_arena_record *record, uint64_t deadline_ns, int *error) {
    for (;;) {
        pthread_mutex_lock(&record->lock);
        hf_pool_record *pool = record->pools;
        if (pool) pthread_mutex_lock(&pool->lock); /* before the arena's is let go: the pool can't be forgotten in between */
        pthread_mutex_unlock(&record->lock);
        if (!pool) return HF_OK;
        hf_status status = pool->id ? hf_closer_begin(&pool->closer, &pool->lock, &pool->id, deadline_ns) : HF_CLOSED;
        pthread_mutex_unlock(&pool->lock);
        if (status == HF_CLOSED) { /* its own closer finished it, and is about to forget it */
            hf_os_yield();
            continue;
        }
        if (status != HF_OK)
            return hf_fail_text("hf_arena_close", status, "another thread is closing a pool of the arena; it is revoked, call again");
        *error = hf_pool_finish(pool);
        pthread_mutex_lock(&pool->lock);
        hf_closer_end(&pool->closer);
        pthread_mutex_unlock(&pool->lock);
        if (*error != 0) return HF_SYSTEM;
        hf_pool_forget(pool);
    }
}

/* Gives a list of ranges back; what the kernel refused stays in it. */
static int give_ranges(hf_range **ranges) {
    int error = 0;
    for (hf_range **link = ranges; *link;) {
        hf_range *range = *link, *next = range->next;
        int refusal = hf_space_give(range);
        if (refusal == 0) *link = next;
        else error = refusal, link = &range->next;
    }
    return error;
}

static hf_status finish(hf_arena_record *record, uint64_t deadline_ns) {
    int error = 0;
    hf_status status = finish_pools(record, deadline_ns, &error);
    if (status == HF_OK && (error = give_ranges(&record->bump.ranges)) == 0) error = give_ranges(&record->reserved);
    if (error != 0) {
        hf_fail_system("hf_arena_close", "mmap over the arena's address space", hf_ranges_bytes(record->bump.ranges), error);
        return HF_SYSTEM;
    }
    return status;
}

hf_status hf_arena_close(hf_arena arena, uint64_t timeout_ns) {
    const char *call = "hf_arena_close";
    uint64_t deadline_ns = hf_deadline_ns(timeout_ns);
    hf_status status = HF_OK;
    hf_arena_record *record = lock_record(call, arena, &status);
    if (!record) return status;
    status = may_close(record, timeout_ns);
    if (status == HF_OK) {
        status = hf_closer_begin(&record->closer, &record->lock, &record->id, deadline_ns);
        if (status == HF_CLOSED) arena_closed(call, arena.id, record);
        if (status == HF_TIMED_OUT) hf_fail_text(call, status, "another thread is closing the arena");
    }
    if (status == HF_OK) hf_store_release(&record->life, HF_LIFE_REVOKED);
    hf_arena_unlock(record);
    if (status == HF_WRONG_THREAD) hf_misuse_report(status);
    if (status != HF_OK) return status;

    revoke(record);
    hf_pin_count count;
    if (!hf_drain(look, record, deadline_ns, &count)) status = pinned(record, HF_TIMED_OUT, HF_WHY_NOT_DRAINED, count);
    if (status == HF_OK && !record->cleaned) {
        run_actions(record);
        record->cleaned = true;
    }
    if (status == HF_OK) status = finish(record, deadline_ns);
    pthread_mutex_lock(&record->lock);
    if (status == HF_OK) {
        hf_thread *thread = hf_thread_known();
        if (record->kind == HF_CONFINED && thread && thread->serial == record->owner) thread->confined_arenas--;
        hf_store_relaxed(&record->life, HF_LIFE_NONE);
        hf_store_release(&record->id, 0);
    }
    hf_closer_end(&record->closer);
    pthread_mutex_unlock(&record->lock);
    if (status == HF_OK) free_place(record);
    return status;
}

/* --------------------------------------------------------------------------------------------------------------- statistics */

hf_status hf_arena_get_stats(hf_arena arena, hf_arena_stats *stats) {
    const char *call = "hf_arena_get_stats";
    hf_arena_record *record;
    hf_arena_stats s = HF_ARENA_STATS_INIT;
    if (!stats) return hf_fail_text(call, HF_INVALID, "the place for the result is NULL");
    hf_status status = hf_arena_lock(call, arena, &record);
    if (status != HF_OK) return status;
    hf_range *reserved = hf_load_acquire(&record->reserved);
    s.reserved_bytes = hf_ranges_bytes(record->bump.ranges) + (reserved ? reserved->bytes : 0);
    s.metadata_bytes = hf_ranges_meta_bytes(record->bump.ranges) + (reserved ? hf_range_meta_bytes(reserved) : 0);
    for (hf_pool_record *pool = record->pools; pool; pool = pool->next) {
        pthread_mutex_lock(&pool->lock);
        s.reserved_bytes += hf_ranges_bytes(pool->ranges);
        s.metadata_bytes += hf_ranges_meta_bytes(pool->ranges);
        s.pools += pool->life == HF_LIFE_OPEN;
        pthread_mutex_unlock(&pool->lock);
    }
    s.bump_bytes = record->bump.bytes;
    s.bump_kept_bytes = record->bump.kept_bytes;
    s.bump_allocations = record->bump.allocations;
    s.bump_releases = hf_load_relaxed(&record->bump.releases);
    s.resets = record->bump.resets;
    s.adopted_bytes = record->adopted_bytes;
    s.adopted_segments = record->adopted_segments;
    s.cleanups = record->action_count;
    hf_arena_unlock(record);
    if (!hf_stats_write(stats, &s, sizeof s)) return hf_fail_text(call, HF_INVALID, "struct_bytes is not set: use HF_ARENA_STATS_INIT");
    return HF_OK;
}

/* --------------------------------------------------------------------------------------------------------------------- fork */

void hf_arena_fork(hf_fork_phase phase) {
    if (phase == HF_FORK_BEFORE) pthread_mutex_lock(&table_lock);
    for (uint32_t i = 0; i < HF_ARENAS_MAX; i++) {
        if (!taken[i]) continue;
        if (phase == HF_FORK_BEFORE) {
            pthread_mutex_lock(&arenas[i].lock);
            continue;
        }
        if (phase == HF_FORK_CHILD) {
            if (arenas[i].closer.serial != hf_thread_serial()) arenas[i].closer.serial = 0; /* anyone may go on */
            if (arenas[i].owner != hf_thread_serial()) arenas[i].owner_ended = true;
        }
        pthread_mutex_unlock(&arenas[i].lock);
    }
    if (phase == HF_FORK_BEFORE) pthread_mutex_lock(&actions_lock);
    else pthread_mutex_unlock(&actions_lock), pthread_mutex_unlock(&table_lock);
}
