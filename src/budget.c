/* SPDX-License-Identifier: MIT
 *
 * The byte limit of a pool: charging, giving back, the decay, trim.
 *
 * One counter under one lock. A slot is charged whole at its first issue, and discharged when the kernel has taken its pages:
 *
 *     empty --charge--> live <--> cached --purge, then discharge--> empty
 *
 * so that at every moment  resident <= charged <= limit.  Both moves happen under the pool's lock, so "it does not fit" is a fact,
 * not a guess: with one class, exactly limit / class allocations succeed, however many threads try.
 *
 * Why the gate is shut while the limit is not kept or somebody waits: on the fast paths a release puts its slot into the thread's
 * own magazine and looks at nothing. With the gate shut every release comes here (hf_budget_put), gives back what is above the
 * limit, and wakes who waits. The gate opens again when neither holds (hf_pool_unlock).
 *
 * The decay. Time is cut into ticks of an eighth of decay_ns. A slot is stamped with the tick in which it was cached; at each tick
 * the caches are emptied, so that no slot hides in one, and slots older than eight full ticks go back: between one decay and a
 * quarter more after their release. A pass gives back a bounded amount, the rest waits for the next calls.
 * Source of the idea: jemalloc's decay, here with exact ages instead of a curve.
 */
#include "pool.h"

#include <errno.h>

#define PASS_BYTES (8 * HF_MIB)      /* the most that one call gives back for the decay */
#define TRIM_STEP_BYTES (64 * HF_MIB) /* the most that trim gives back without letting others have the lock */

/* Half of what the process may use, asked for once: the answer takes files. */
uint64_t hf_budget_default_limit(void) {
    static uint64_t limit;
    uint64_t bytes = hf_load_relaxed(&limit);
    if (bytes == 0) {
        bytes = hf_round_down(hf_os_memory_bytes() / 2, hf_os_page_bytes());
        hf_store_relaxed(&limit, bytes);
    }
    return bytes;
}

bool hf_budget_charge(hf_pool_record *record, uint64_t bytes) {
    if (record->charged_bytes > record->limit_bytes || bytes > record->limit_bytes - record->charged_bytes) return false;
    record->charged_bytes += bytes;
    return true;
}

void hf_budget_discharge(hf_pool_record *record, uint64_t bytes) {
    HF_ASSERT(bytes <= record->charged_bytes);
    record->charged_bytes -= bytes;
}

uint64_t hf_budget_give_back(hf_pool_record *record, uint64_t want_bytes, int but_class, uint16_t min_age) {
    uint64_t given = 0;
    if (record->keep_resident) return 0;
    for (int index = (int)record->sizes.count; index >= 0 && given < want_bytes; index--) { /* large ones first: fewer calls */
        if (index == but_class) continue;
        given += hf_class_give_back(&record->classes[index], want_bytes - given, record->tick, min_age, &record->refusals);
    }
    hf_budget_discharge(record, given);
    return given;
}

/* A slot that has used up its eras is never issued again: its memory goes back at once. If the kernel refuses, it stays charged. */
static void put_spent(hf_pool_record *record, uint32_t class, hf_hold *hold) {
    hf_chunk *chunk = hf_chunk_of(hold);
    if (!record->keep_resident && hf_os_purge(hf_slot_address(chunk, hf_slot_of(chunk, hold)), chunk->slot_bytes) == 0) {
        record->classes[class].charged_slots--;
        record->classes[class].charged_bytes -= chunk->slot_bytes;
        record->classes[class].given_back_bytes += chunk->slot_bytes;
        hf_budget_discharge(record, chunk->slot_bytes);
    } else {
        record->counters[class].spent_bytes += chunk->slot_bytes;
    }
}

void hf_budget_put(hf_pool_record *record, uint32_t class, hf_hold *hold) {
    if (hf_hold_next_era(hold, 0) == 0) put_spent(record, class, hold);
    else hf_class_put_cached(&record->classes[class], hold, record->tick);
    if (record->charged_bytes > record->limit_bytes) hf_budget_give_back(record, record->charged_bytes - record->limit_bytes, -1, 0);
    if (record->waiters == 0) return;
    hf_add_seq_cst(&record->release_sequence, 1);
    hf_os_wake_all(&record->release_sequence);
}

/* -------------------------------------------------------------------------------------------------------------------- decay */

void hf_budget_tick(hf_pool_record *record) {
    if (record->decay_ns == HF_NEVER || record->keep_resident) return;
    uint64_t ticks = (hf_os_now_ns() - record->last_tick_ns) / record->tick_ns;
    if (ticks == 0 && !record->decay_left) return;
    if (ticks > 0) {
        record->last_tick_ns += ticks * record->tick_ns;
        record->tick = (uint16_t)(record->tick + hf_min(ticks, 4 * HF_DECAY_TICKS)); /* far from wrapping: old is old */
        hf_pool_seize(record);
    }
    record->decay_left = hf_budget_give_back(record, PASS_BYTES, -1, HF_DECAY_TICKS + 1) >= PASS_BYTES;
}

static void background(void) {
    for (;;) {
        uint64_t next_ns = UINT64_C(1000) * 1000 * 1000;
        for (uint32_t i = 0; i < HF_POOLS_MAX; i++) {
            hf_pool_record *record = &hf_pools[i];
            if (hf_load_acquire(&record->id) == 0) continue;
            pthread_mutex_lock(&record->lock);
            if (record->life == HF_LIFE_OPEN && record->decay_in_background) {
                hf_budget_tick(record);
                next_ns = hf_min(next_ns, record->decay_left ? 1000 * 1000 : record->tick_ns);
            }
            hf_pool_unlock(record);
        }
        static const uint32_t never;
        hf_os_wait(&never, 0, hf_os_now_ns() + next_ns);
    }
}

static pthread_mutex_t background_lock = PTHREAD_MUTEX_INITIALIZER;
static bool background_runs;

bool hf_budget_background(void) {
    pthread_mutex_lock(&background_lock);
    if (!background_runs) background_runs = hf_os_thread_start(background) == 0;
    bool runs = background_runs;
    pthread_mutex_unlock(&background_lock);
    return runs;
}

void hf_budget_fork(hf_fork_phase phase) {
    if (phase == HF_FORK_BEFORE) pthread_mutex_lock(&background_lock);
    else pthread_mutex_unlock(&background_lock);
    if (phase == HF_FORK_CHILD) background_runs = false; /* the next pool that asks starts it again */
}

/* ---------------------------------------------------------------------------------------------------------- limit and trim */

hf_status hf_pool_set_limit(hf_pool pool, size_t bytes) {
    hf_pool_record *record;
    hf_status status = hf_pool_lock("hf_pool_set_limit", pool, &record);
    if (status != HF_OK) return status;
    record->limit_bytes = bytes ? bytes : hf_budget_default_limit();
    if (record->charged_bytes > record->limit_bytes) {
        hf_pool_seize(record);
        hf_budget_give_back(record, record->charged_bytes - record->limit_bytes, -1, 0);
    }
    if (record->waiters) { /* a higher limit may let them through */
        hf_add_seq_cst(&record->release_sequence, 1);
        hf_os_wake_all(&record->release_sequence);
    }
    hf_pool_unlock(record);
    return HF_OK;
}

static uint64_t cached_bytes(const hf_pool_record *record) {
    uint64_t bytes = 0;
    for (uint32_t index = 0; index <= record->sizes.count; index++) bytes += record->classes[index].cached_bytes;
    return bytes;
}

hf_status hf_pool_trim(hf_pool pool, size_t keep_bytes, size_t *given_back) {
    const char *call = "hf_pool_trim";
    uint64_t given = 0, refused = 0;
    int error = 0;
    for (bool more = true; more;) { /* in steps, so that others get the lock in between */
        hf_pool_record *record;
        hf_status status = hf_pool_lock(call, pool, &record);
        if (status != HF_OK) return status;
        hf_pool_seize(record);
        uint64_t free_bytes = cached_bytes(record);
        hf_refusals before = record->refusals;
        uint64_t want = free_bytes > keep_bytes ? hf_min(free_bytes - keep_bytes, TRIM_STEP_BYTES) : 0;
        uint64_t step = want && !record->keep_resident ? hf_budget_give_back(record, want, -1, 0) : 0;
        if (record->refusals.count != before.count) {
            refused = record->refusals.bytes - before.bytes; /* what is refused is tried in each step anew */
            error = record->refusals.error;
        }
        given += step;
        more = want == TRIM_STEP_BYTES && step > 0;
        hf_pool_unlock(record);
    }
    if (given_back) *given_back = given;
    if (error == 0) return HF_OK;
    hf_fail_system(call, "madvise(MADV_DONTNEED)", refused, error);
    return HF_SYSTEM;
}
