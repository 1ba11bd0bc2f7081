/* SPDX-License-Identifier: MIT
 *
 * Arenas and pools are closed under threads that allocate, stamp, read, pin and release, with handles that others release too.
 *
 * Every issue of a slot has a number, written at its start and its end by its owner. What a read of the owner's handle returns with
 * HF_OK, and what a pin shows, must be that number: anything else is a slot with two owners. A seeded scheduler yields at the
 * library's atomic operations, so that what is rare happens often. At the end the books must close.
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "atomics.h"
#include "suite.h"

enum { THREADS = 6, HELD = 24, SHARED = 64, ROUNDS = 100 };

static hf_arena arena;
static hf_pool pool;
static pthread_mutex_t place_lock = PTHREAD_MUTEX_INITIALIZER; /* of the two above, and of what is shared */
static hf_segment shared[SHARED];
static uint64_t last_number, stop, wrong;
static __thread uint32_t chance;

static uint32_t draw(uint32_t below) {
    chance = chance * 1664525u + 1013904223u;
    return (chance >> 8) % below;
}

static void yield_now_and_then(void) {
    if (draw(97) == 0) sched_yield();
    if (draw(5000) == 0) usleep(6000); /* long enough for a whole close */
}

static void expect(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "# %s: %s\n", what, hf_error_message());
    __atomic_add_fetch(&wrong, 1, __ATOMIC_SEQ_CST);
}

static hf_pool current_pool(void) {
    pthread_mutex_lock(&place_lock);
    hf_pool now = pool;
    pthread_mutex_unlock(&place_lock);
    return now;
}

static bool ended(hf_status status) {
    return status == HF_STALE || status == HF_CLOSED;
}

static uint64_t issue(hf_segment *segment) {
    size_t size = draw(5) == 0 ? 300000 : (size_t)4096 << draw(5);
    hf_status status = hf_pool_allocate(current_pool(), size, draw(3) ? 0 : HF_UNINITIALISED, segment);
    if (status != HF_OK) {
        expect(status == HF_NO_MEMORY || status == HF_CLOSED, "allocate");
        return 0;
    }
    uint64_t number = __atomic_add_fetch(&last_number, 1, __ATOMIC_SEQ_CST);
    hf_status first = hf_set_u64(segment, 0, number), last = hf_set_u64(segment, segment->size - 8, number);
    expect(first == HF_OK || ended(first), "the first stamp");
    expect(last == HF_OK || ended(last), "the last stamp");
    if (draw(4) == 0) {
        pthread_mutex_lock(&place_lock);
        shared[draw(SHARED)] = *segment;
        pthread_mutex_unlock(&place_lock);
    }
    return number;
}

/* False: the segment has ended, by a close or by another thread's release. */
static bool look(const hf_segment *segment, uint64_t number) {
    uint64_t first = number, last = number;
    hf_status a = hf_get_u64(segment, 0, &first), b = hf_read(segment, segment->size - 8, &last, 8);
    expect(first == number && last == number, "another owner's bytes in a checked read");
    expect((a == HF_OK || ended(a)) && (b == HF_OK || ended(b)), "a checked read");
    return a == HF_OK && b == HF_OK;
}

static void look_pinned(const hf_segment *segment, uint64_t number, bool release) {
    hf_pinned pin;
    uint64_t seen;
    if (hf_pin(segment, &pin) != HF_OK) return;
    if (release) hf_release(segment);
    sched_yield();
    memcpy(&seen, pin.address, sizeof seen);
    expect(seen == number, "another owner's bytes under a pin");
    expect(hf_unpin(&pin) == HF_OK, "unpin");
}

static void release_what_is_shared(void) {
    pthread_mutex_lock(&place_lock);
    hf_segment segment = shared[draw(SHARED)];
    pthread_mutex_unlock(&place_lock);
    if (segment.hold) hf_release(&segment);
}

static void *work(void *seed) {
    hf_segment segments[HELD];
    uint64_t numbers[HELD] = { 0 };
    chance = (uint32_t)(uintptr_t)seed;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        uint32_t i = draw(HELD), what = draw(100);
        if (numbers[i] == 0) numbers[i] = issue(&segments[i]);
        else if (what < 40) numbers[i] = look(&segments[i], numbers[i]) ? numbers[i] : 0;
        else if (what < 55) look_pinned(&segments[i], numbers[i], what < 45), numbers[i] = what < 45 ? 0 : numbers[i];
        else if (what < 60) release_what_is_shared();
        else if (what < 62) hf_pool_trim(current_pool(), 0, NULL);
        else if (what < 63) hf_pool_set_limit(current_pool(), (2 + draw(6)) * MIB);
        else {
            hf_status status = hf_release(&segments[i]);
            expect(status == HF_OK || ended(status), "release");
            numbers[i] = 0;
        }
    }
    return NULL;
}

static void open_anew(uint64_t wait_ns) {
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    hf_arena new_arena;
    hf_pool new_pool;
    options.limit_bytes = 4 * MIB;
    options.wait_ns = wait_ns;
    options.decay_ns = wait_ns ? 8000000 : HF_NEVER;
    expect(hf_arena_open(NULL, &new_arena) == HF_OK && hf_pool_open(new_arena, &options, &new_pool) == HF_OK, "open");
    pthread_mutex_lock(&place_lock);
    arena = new_arena;
    pool = new_pool;
    pthread_mutex_unlock(&place_lock);
}

static void close_all(hf_arena old_arena, hf_pool old_pool, bool pool_first, uint64_t timeout_ns) {
    hf_status status = HF_OK;
    while (pool_first && ((status = hf_pool_close(old_pool, timeout_ns)) == HF_BUSY || status == HF_TIMED_OUT)) {}
    expect(status == HF_OK, "close of the pool");
    while ((status = hf_arena_close(old_arena, timeout_ns)) == HF_BUSY || status == HF_TIMED_OUT) {}
    expect(status == HF_OK, "close of the arena");
}

static void close_under_threads(uint64_t wait_ns) {
    pthread_t threads[THREADS];
    stop = wrong = 0;
    hf_atomic_point = yield_now_and_then;
    memset(shared, 0, sizeof shared);
    open_anew(wait_ns);
    for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)(i * 7919 + 1));
    for (uint32_t round = 0; round < ROUNDS && !__atomic_load_n(&wrong, __ATOMIC_SEQ_CST); round++) {
        hf_arena old_arena = arena;
        hf_pool old_pool = pool;
        usleep(5000);
        open_anew(wait_ns);
        close_all(old_arena, old_pool, round % 2, round % 5 ? 1000000 : 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    hf_atomic_point = NULL;
    assert_int_equal(wrong, 0);
    hf_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.charged_bytes, stats.live_bytes + stats.cached_bytes + stats.lingering_bytes + stats.retired_bytes);
    assert_ok(hf_arena_close(arena, HF_FOREVER));
}

static void one_owner_while_arenas_and_pools_close(void **state) {
    (void)state;
    close_under_threads(0);
}

static void one_owner_while_allocations_wait_and_memory_decays(void **state) {
    (void)state;
    close_under_threads(200000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_owner_while_arenas_and_pools_close),
        cmocka_unit_test(one_owner_while_allocations_wait_and_memory_decays),
    };
    return cmocka_run_group_tests_name("race_close_under_threads", tests, NULL, NULL);
}
