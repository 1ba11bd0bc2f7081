/* SPDX-License-Identifier: MIT
 *
 * Random programs of calls, and a plain model that knows what each call must answer.
 *
 * A program is a seed. It makes some thousand calls, on two threads that take turns (never two at once), over several arenas (shared,
 * confined, global), pools (different classes and limits), and every sort of handle: whole, sliced, read-only, bump, adopted, stale,
 * closed, zero. The model is random_model.h: arrays of what is open and who owns what, and a copy of every byte. It knows the header,
 * and of the library's insides only the hold word's eras: that they never repeat, that HF_ERA_MAX ends them, and HF_PINS_MAX the pins.
 *
 * Checked at each call: the status; that the results of a failed call are untouched; that a new segment is zero, aligned, of the
 * right size, and overlaps nobody's memory. Checked all the time: the bytes of segments taken at random, the books of pools and
 * arenas, the order in which cleanup actions run. At the end of a program everything closes, and every byte is looked at before.
 *
 * Where the contract leaves two answers the model allows both, and only there: a closed segment is HF_CLOSED or, once its memory can
 * have gone to somebody else, HF_STALE (and then for ever); of two segments that are refused either may be the reason; off a confined
 * arena's thread a revoked segment may be HF_CLOSED or HF_WRONG_THREAD.
 *
 * In the tiny build a checked call on a word whose one pin is taken would wait for ever, by contract: such calls are left out.
 *
 * A failure prints the seed and the last calls. HOLDFAST_RANDOM_SEED=17 runs that program alone; HOLDFAST_RANDOM_PROGRAMS=1000 runs
 * the first thousand instead of the usual few.
 */
#include "suite.h"

#include "random_model.h"

enum { PROGRAMS = HF_ERA_MAX < 100 ? 200 : 300, STEPS = 1500 };

/* ------------------------------------------------------------------------------------------------------------ arenas, pools */

static void step_arena_open(world *w) {
    if (w->arena_count == MAX_ARENAS || open_arenas(w) >= 5) return;
    hf_arena_options o = HF_ARENA_OPTIONS_INIT;
    marena *a = &w->arenas[w->arena_count];
    *a = (marena){ .owner = w->me };
    a->kind = one_in(w, 25) ? HF_GLOBAL : one_in(w, 3) ? HF_CONFINED : HF_SHARED;
    o.kind = (uint32_t)a->kind;
    o.name = one_in(w, 4) ? "a name that is longer than the thirty-one bytes that are kept of it" : NULL;
    if (one_in(w, 3)) o.reserve_bytes = UINT64_C(1) << below(w, 41);
    unsigned expected = M(HF_OK);
    switch (below(w, 12)) {
    case 0: o.kind = 3, expected = M(HF_INVALID); break;
    case 1: o.struct_bytes = below(w, 8), expected = M(HF_INVALID); break;
    case 2: o.reserve_bytes = UINT64_MAX - below(w, 3), expected = M(HF_NO_MEMORY); break;
    case 3: o.reserved_[2] = true, expected = M(HF_INVALID); break;
    }
    hf_arena got = { POISON };
    hf_status status = CALL(hf_arena_open(&o, &got), expected);
    if (status != HF_OK) {
        MUST(got.id == POISON);
        return;
    }
    MUST(got.id != 0 && hf_arena_is_open(got));
    a->handle = got;
    a->state = OPEN;
    a->bump_era = a->first_era = ++place_eras[got.id & 0xffff];
    MUST(a->bump_era <= HF_ERA_MAX);
    w->takes++;
    w->arena_count++;
}

static void step_arena_close(world *w) {
    int n = pick_arena(w);
    marena *a = n < 0 ? NULL : &w->arenas[n];
    uint64_t timeout_ns = below(w, 3) == 0;
    hf_arena handle = a ? a->handle : (hf_arena){ 0 };
    if (a && a->state == OPEN && !one_in(w, 3)) return; /* not too often */
    unsigned pins = a ? arena_pins(w, n) : 0, expected;
    if (!a) expected = M(HF_INVALID);
    else if (a->state == CLOSED) expected = M(HF_CLOSED);
    else if (a->kind == HF_GLOBAL) expected = M(HF_INVALID);
    else if (stranger(w, a)) expected = M(HF_WRONG_THREAD);
    else if (pins) expected = a->state == OPEN && timeout_ns == 0 ? M(HF_BUSY) : M(HF_TIMED_OUT);
    else expected = M(HF_OK);
    if (expected == M(HF_OK)) look_at_all_of(w, n, -1);
    w->closing = n;
    hf_status status = CALL(hf_arena_close(handle, timeout_ns), expected);
    w->closing = -1;
    if (status == HF_TIMED_OUT) arena_becomes(w, n, REVOKED);
    if (status == HF_OK) arena_becomes(w, n, CLOSED);
    if (a) MUST(hf_arena_is_open(handle) == (a->state == OPEN));
    if (status == HF_OK) MUST(a->cleanup_count == 0);
}

static void step_pool_open(world *w) {
    static const uint64_t lists[][6] = {
        { 0 }, { 4096 }, { 8192 }, { 16384, 65536 }, { 4096, 12288, 20480 }, { 65536 }, { 4096, 8192, 16384, 3 * MIB },
    };
    int n = pick_arena(w);
    if (w->pool_count == MAX_POOLS || open_pools(w) >= 10) return;
    marena *a = n < 0 ? NULL : &w->arenas[n];
    mpool *p = &w->pools[w->pool_count];
    hf_pool_options o = HF_POOL_OPTIONS_INIT;
    *p = (mpool){ .arena = n };
    const uint64_t *list = lists[below(w, sizeof lists / sizeof lists[0])];
    memcpy(o.class_bytes, list, sizeof lists[0]);
    for (; list[p->class_count]; p->class_count++) p->class_bytes[p->class_count] = list[p->class_count];
    for (uint64_t size = 4096; list[0] == 0 && size <= 262144; size *= 2) p->class_bytes[p->class_count++] = size;
    o.limit_bytes = p->limit_bytes = one_in(w, 4) ? 1 + below(w, 20000) : 65536 + below(w, 4 * MIB);
    o.keep_resident = p->keep_resident = one_in(w, 6);
    o.decay_ns = one_in(w, 4) ? 1 : HF_NEVER; /* the decay only changes what is cached */
    unsigned expected = arena_expected(w, n);
    switch (below(w, 12)) {
    case 0: o.class_bytes[1] = 100, expected = M(HF_INVALID); break;
    case 1: o.class_bytes[0] = 8192, o.class_bytes[1] = 8192, expected = M(HF_INVALID); break;
    case 2: o.class_bytes[31] = 1u << 20, expected = M(HF_INVALID); break;
    case 3: o.reserved_[5] = true, expected = M(HF_INVALID); break;
    }
    hf_pool got = { POISON };
    if (CALL(hf_pool_open(a ? a->handle : (hf_arena){ 0 }, &o, &got), expected) != HF_OK) {
        MUST(got.id == POISON);
        return;
    }
    p->handle = got;
    p->state = OPEN;
    w->pool_count++;
}

static void step_pool_close(world *w) {
    int n = pick_pool(w);
    mpool *p = n < 0 ? NULL : &w->pools[n];
    uint64_t timeout_ns = below(w, 3) == 0;
    if (p && p->state == OPEN && !one_in(w, 3)) return;
    unsigned pins = p ? pool_pins(w, n) : 0, expected;
    if (!p) expected = M(HF_INVALID);
    else if (p->state == CLOSED) expected = M(HF_CLOSED);
    else if (stranger(w, &w->arenas[p->arena])) expected = M(HF_WRONG_THREAD);
    else if (pins) expected = p->state == OPEN && timeout_ns == 0 ? M(HF_BUSY) : M(HF_TIMED_OUT);
    else expected = M(HF_OK);
    if (expected == M(HF_OK)) look_at_all_of(w, -1, n);
    hf_status status = CALL(hf_pool_close(p ? p->handle : (hf_pool){ 0 }, timeout_ns), expected);
    if (status == HF_TIMED_OUT) pool_becomes(w, n, REVOKED);
    if (status == HF_OK) pool_becomes(w, n, CLOSED);
}

static void step_set_limit(world *w) {
    int n = pick_pool(w);
    if (!one_in(w, 4)) return;
    uint64_t bytes = 1 + below(w, one_in(w, 2) ? 100000 : 4 * MIB);
    if (CALL(hf_pool_set_limit(pool_handle(w, n), bytes), pool_expected(w, n)) == HF_OK) w->pools[n].limit_bytes = bytes;
}

static void step_trim(world *w) {
    int n = pick_pool(w);
    size_t given = POISON, keep = one_in(w, 2) ? 0 : below(w, 300000);
    hf_pool_stats before = HF_POOL_STATS_INIT, after = HF_POOL_STATS_INIT;
    hf_status known = hf_pool_get_stats(pool_handle(w, n), &before);
    if (CALL(hf_pool_trim(pool_handle(w, n), keep, &given), pool_expected(w, n)) != HF_OK) {
        MUST(given == POISON);
        return;
    }
    MUST(known == HF_OK && hf_pool_get_stats(pool_handle(w, n), &after) == HF_OK);
    MUST(before.charged_bytes - after.charged_bytes == given);
    MUST(after.given_back_bytes - before.given_back_bytes == given);
    MUST(w->pools[n].keep_resident ? given == 0 : after.cached_bytes <= keep);
}

/* --------------------------------------------------------------------------------------------------------------- allocating */

static size_t random_size(world *w, const mpool *p) {
    uint64_t largest = p->class_bytes[p->class_count - 1];
    switch (below(w, 12)) {
    case 0: return 0;
    case 1: return p->keep_resident ? largest : largest + 1 + below(w, 2 * MIB); /* what a kept large range is good for, is open */
    case 2: return p->keep_resident ? largest : (UINT64_C(1) << (36 + below(w, 28))) + below(w, 3);
    case 3: return p->keep_resident ? 1 : SIZE_MAX - below(w, 5000);
    default: {
        uint64_t of = p->class_bytes[below(w, p->class_count)];
        return one_in(w, 2) ? of - below(w, 2) : 1 + below(w, of);
    }
    }
}

/* The slot of a request; UINT64_MAX: more than there is. */
static uint64_t slot_for(const mpool *p, size_t size, bool *large) {
    *large = false;
    for (unsigned i = 0; i < p->class_count; i++)
        if (p->class_bytes[i] >= size) return p->class_bytes[i];
    *large = true;
    return size > SIZE_MAX - 4096 ? UINT64_MAX : (size + 4095) / 4096 * 4096;
}

static unsigned expected_of_allocation(world *w, int n, size_t size, unsigned flags, uint64_t *slot_bytes) {
    const mpool *p = &w->pools[n];
    bool large = false;
    if (size == 0 || flags > 7) return M(HF_INVALID);
    if (pool_expected(w, n) != M(HF_OK)) return pool_expected(w, n);
    *slot_bytes = slot_for(p, size, &large);
    if (*slot_bytes > p->limit_bytes) return M(HF_NO_MEMORY);
    uint64_t used = p->live_bytes + p->lingering_bytes;
    if (p->keep_resident) { /* free slots are for their own class only: how many there are the library must say */
        hf_pool_stats s = HF_POOL_STATS_INIT;
        MUST(hf_pool_get_stats(p->handle, &s) == HF_OK);
        uint32_t class = 0;
        while (s.classes[class].slot_bytes != *slot_bytes) class++;
        if (s.charged_bytes > p->limit_bytes) return M(HF_NO_MEMORY);
        if (s.classes[class].cached_slots > 0) return M(HF_OK);
        used = s.charged_bytes;
    }
    return used <= p->limit_bytes && *slot_bytes <= p->limit_bytes - used ? M(HF_OK) : M(HF_NO_MEMORY);
}

static void allocated(world *w, int n, const hf_segment *s, uint64_t slot_bytes, unsigned flags) {
    mpool *p = &w->pools[n];
    MUST(s->size == slot_bytes);
    uint64_t aligned = slot_bytes & (~slot_bytes + 1);
    MUST((uintptr_t)s->address % (aligned > 2 * MIB ? 2 * MIB : aligned) == 0);
    p->live_bytes += s->size;
    p->allocations++;
    w->takes++;
    new_issue(w, SLOT, p->arena, n, s, !(flags & HF_UNINITIALISED));
}

static void step_allocate(world *w) {
    int n = pick_pool(w);
    hf_segment got;
    memset(&got, 0xa5, sizeof got);
    const hf_segment untouched = got;
    unsigned flags = one_in(w, 3) ? (unsigned)below(w, 8) : 0;
    if (one_in(w, 50)) flags = 8u << below(w, 29);
    size_t size = n < 0 ? 100 : random_size(w, &w->pools[n]);
    uint64_t slot_bytes = 0;
    unsigned expected = n < 0 ? M(HF_INVALID) : expected_of_allocation(w, n, size, flags, &slot_bytes);
    if (!room_for_issues(w, 1)) return;
    if (CALL(hf_pool_allocate(pool_handle(w, n), size, flags, &got), expected) == HF_OK) allocated(w, n, &got, slot_bytes, flags);
    else MUST(memcmp(&got, &untouched, sizeof got) == 0);
}

static void step_allocate_many(world *w) {
    int n = pick_pool(w);
    enum { MANY = 24 };
    hf_segment segments[MANY];
    memset(segments, 0xa5, sizeof segments);
    const hf_segment untouched = segments[0];
    size_t count = below(w, MANY + 1), got = POISON, size = n < 0 ? 100 : random_size(w, &w->pools[n]);
    uint64_t slot_bytes = 0;
    if (!room_for_issues(w, MANY) || (n >= 0 && w->pools[n].keep_resident)) return;
    unsigned one = n < 0 ? M(HF_INVALID) : expected_of_allocation(w, n, size, 0, &slot_bytes);
    size_t fit = one == M(HF_OK) ? (w->pools[n].limit_bytes - w->pools[n].live_bytes - w->pools[n].lingering_bytes) / slot_bytes : 0;
    unsigned expected = count == 0 || fit >= count ? M(HF_OK) : one == M(HF_OK) ? M(HF_NO_MEMORY) : one;
    hf_status status = CALL(hf_pool_allocate_many(pool_handle(w, n), size, 0, count, segments, &got), expected);
    if (status == HF_INVALID) {
        MUST(got == POISON);
        return;
    }
    MUST(got == (fit < count ? fit : count));
    for (size_t i = 0; i < count && i < MANY; i++) {
        if (i < got) allocated(w, n, &segments[i], slot_bytes, 0);
        else MUST(memcmp(&segments[i], &untouched, sizeof untouched) == 0);
    }
}

static void step_bump(world *w) {
    int n = pick_arena(w);
    marena *a = n < 0 ? NULL : &w->arenas[n];
    size_t size = one_in(w, 10) ? 0 : below(w, one_in(w, 8) ? 3 * MIB : 20000);
    size_t alignment = (size_t)1 << below(w, one_in(w, 10) ? 23 : 13);
    unsigned expected = arena_expected(w, n);
    bool too_much = false;
    switch (below(w, 16)) {
    case 0: alignment = 0, expected = M(HF_INVALID); break;
    case 1: alignment = 24, expected = M(HF_INVALID); break;
    case 2: size = (UINT64_C(1) << (47 + below(w, 17))) + below(w, 100), too_much = true; break;
    case 3: alignment = UINT64_C(1) << (48 + below(w, 16)), too_much = true; break;
    }
    if (too_much && expected == M(HF_OK)) expected = M(HF_NO_MEMORY);
    /* memory from before a reset is zeroed under a pin, and there may be none left */
    if (expected == M(HF_OK) && a->bump_pins >= HF_PINS_MAX && a->resets > 0) expected |= M(HF_LIMIT);
    hf_segment got;
    memset(&got, 0xa5, sizeof got);
    const hf_segment untouched = got;
    if (!room_for_issues(w, 1)) return;
    if (CALL(hf_arena_allocate(a ? a->handle : (hf_arena){ 0 }, size, alignment, &got), expected) != HF_OK) {
        MUST(memcmp(&got, &untouched, sizeof got) == 0);
        return;
    }
    MUST(got.size == size && (uintptr_t)got.address % alignment == 0);
    a->bump_allocations++;
    w->takes++;
    new_issue(w, BUMP, n, -1, &got, true);
}

static void step_reset(world *w) {
    int n = pick_arena(w);
    marena *a = n < 0 ? NULL : &w->arenas[n];
    if (!one_in(w, 3)) return;
    unsigned expected = arena_expected(w, n);
    if (expected == M(HF_OK) && a->bump_era >= HF_ERA_MAX) expected = M(HF_LIMIT);
    else if (expected == M(HF_OK) && a->bump_pins) expected = M(HF_BUSY);
    if (CALL(hf_arena_reset(a ? a->handle : (hf_arena){ 0 }), expected) != HF_OK) return;
    a->resets++;
    place_eras[a->handle.id & 0xffff] = ++a->bump_era;
    for (int i = 0; i < w->issue_count; i++)
        if (w->issues[i].kind == BUMP && w->issues[i].arena == n) issue_ends(&w->issues[i]);
}

/* ------------------------------------------------------------------------------------------------------- adopting, cleanups */

static void clean(void *context) {
    mcleanup *c = context;
    world *w = c->world;
    marena *a = &w->arenas[c->arena];
    MUST(w->closing == c->arena);
    MUST(a->cleanup_count > 0 && a->cleanups[a->cleanup_count - 1] == c); /* newest first, each once */
    a->cleanup_count--;
    MUST(hf_arena_reset(a->handle) == HF_CLOSED && hf_arena_close(a->handle, 0) == HF_CLOSED);
    free(c->memory);
    c->memory = NULL;
}

static void step_adopt(world *w) {
    int n = pick_arena(w);
    marena *a = n < 0 ? NULL : &w->arenas[n];
    if (w->cleanup_count == MAX_CLEANUPS || !room_for_issues(w, 1)) return;
    mcleanup *c = &w->cleanups[w->cleanup_count];
    size_t size = 1 + below(w, 9000);
    *c = (mcleanup){ .world = w, .arena = n, .memory = malloc(size) };
    void *address = c->memory;
    unsigned expected = arena_expected(w, n);
    int other = pick_issue(w);
    switch (below(w, 10)) {
    case 0: address = NULL, expected = M(HF_INVALID); break;
    case 1:
        if (other < 0 || w->issues[other].kind == ADOPTED) break;
        address = w->issues[other].at; /* the library's own, whoever's it is now */
        expected = M(HF_INVALID);
        break;
    }
    hf_segment got;
    memset(&got, 0xa5, sizeof got);
    const hf_segment untouched = got;
    for (size_t i = 0; i < size; i++) c->memory[i] = (unsigned char)(size + i);
    if (CALL(hf_arena_adopt(a ? a->handle : (hf_arena){ 0 }, address, size, clean, c, &got), expected) != HF_OK) {
        MUST(memcmp(&got, &untouched, sizeof got) == 0);
        free(c->memory);
        return;
    }
    MUST(got.address == address && got.size == size);
    a->adopted_bytes += size;
    a->adopted_segments++;
    a->cleanups[a->cleanup_count++] = c;
    w->cleanup_count++;
    new_issue(w, ADOPTED, n, -1, &got, false);
}

static void step_on_close(world *w) {
    int n = pick_arena(w);
    marena *a = n < 0 ? NULL : &w->arenas[n];
    if (w->cleanup_count == MAX_CLEANUPS) return;
    mcleanup *c = &w->cleanups[w->cleanup_count];
    *c = (mcleanup){ .world = w, .arena = n };
    if (CALL(hf_arena_on_close(a ? a->handle : (hf_arena){ 0 }, clean, c), arena_expected(w, n)) != HF_OK) return;
    a->cleanups[a->cleanup_count++] = c;
    w->cleanup_count++;
}

/* ---------------------------------------------------------------------------------------------------------------- releasing */

static unsigned expected_of_release(world *w, const view *v) {
    if (v->issue < 0) return M(HF_INVALID);
    issue *i = &w->issues[v->issue];
    unsigned valid = validity(w, v);
    if (valid & M(HF_WRONG_THREAD) && valid & M(HF_CLOSED)) /* of a revoked confined one, off its thread */
        return M(HF_WRONG_THREAD) | M(HF_CLOSED) | M(HF_INVALID) | M(HF_READ_ONLY);
    if (valid & M(HF_WRONG_THREAD)) return valid;
    if (i->kind == ADOPTED || (i->kind == SLOT && v->interior)) return M(HF_INVALID);
    return v->read_only ? M(HF_READ_ONLY) : valid;
}

/* What a release that got this status has done. */
static void released(world *w, const view *v, hf_status status) {
    if (v->issue < 0) return;
    issue *i = &w->issues[v->issue];
    note_stale(w, v, status);
    if (i->kind == BUMP) w->arenas[i->arena].bump_releases += status == HF_OK;
    if (i->kind != SLOT || w->pools[i->pool].state != OPEN) return;
    mpool *p = &w->pools[i->pool];
    p->misuse_stale += status == HF_STALE;
    p->misuse_invalid += status == HF_INVALID;
    p->misuse_read_only += status == HF_READ_ONLY;
    p->misuse_wrong_thread += status == HF_WRONG_THREAD;
    if (status != HF_OK) return;
    p->releases++;
    p->live_bytes -= i->size;
    if (i->pins) {
        p->lingering_bytes += i->size;
        i->state = LINGERING;
    } else {
        issue_ends(i);
    }
}

static void step_release(world *w) {
    const view *v = pick_view(w);
    unsigned expected = expected_of_release(w, v);
    bool dirty = v->issue >= 0 && one_in(w, 2);
    size_t hint = dirty ? w->issues[v->issue].written : 0; /* a hint may say too much, never too little */
    if (one_in(w, 3)) hint += below(w, 200);
    if (one_in(w, 20)) hint = SIZE_MAX;
    hf_status status = dirty ? CALL(hf_release_dirty(&v->s, hint), expected) : CALL(hf_release(&v->s), expected);
    released(w, v, status);
}

static void step_release_many(world *w) {
    enum { MANY = 6 };
    hf_segment segments[MANY];
    size_t count = 1 + below(w, MANY), won = POISON, expected_won = 0;
    unsigned first = M(HF_OK);
    const view *views[MANY];
    for (size_t i = 0; i < count; i++) {
        views[i] = pick_view(w);
        unsigned expected = expected_of_release(w, views[i]);
        if (expected & (expected - 1)) return; /* two answers are allowed: leave those to step_release */
    }
    for (size_t i = 0; i < count; i++) {
        const view *v = views[i];
        unsigned expected = expected_of_release(w, v);
        segments[i] = v->s;
        hf_status status = (hf_status)__builtin_ctz(expected);
        expected_won += status == HF_OK;
        if (first == M(HF_OK)) first = expected;
        released(w, v, status); /* what the later ones of the list must find */
    }
    CALL(hf_release_many(segments, count, &won), first);
    MUST(won == expected_won);
}

/* --------------------------------------------------------------------------------------------------------------------- pins */

static void step_pin(world *w) {
    const view *v = pick_view(w);
    if (w->pin_count == MAX_PINS) return;
    unsigned expected = validity(w, v);
    if (expected == M(HF_OK) && *word_pins(w, v) >= HF_PINS_MAX) expected = M(HF_LIMIT);
    hf_pinned pin;
    memset(&pin, 0xa5, sizeof pin);
    const hf_pinned untouched = pin;
    hf_status status = CALL(hf_pin(&v->s, &pin), expected);
    note_stale(w, v, status);
    if (status != HF_OK) {
        MUST(memcmp(&pin, &untouched, sizeof pin) == 0);
        return;
    }
    MUST(pin.address == v->s.address && pin.size == v->s.size);
    ++*word_pins(w, v);
    if (w->issues[v->issue].kind != SLOT) w->issues[v->issue].pins++;
    w->pins[w->pin_count++] = (mpin){ pin, v->issue };
}

/* By any thread, and after release and revoke too. */
static void unpin_one(world *w, int n) {
    mpin *m = &w->pins[n];
    issue *i = &w->issues[m->issue];
    hf_pinned pin = m->pin;
    if (i->shadow && !i->read_only_memory) MUST(i->size == 0 || memcmp(i->at, i->shadow, i->size) == 0);
    CALL(hf_unpin(&pin), M(HF_OK));
    MUST(pin.hold == NULL && pin.address == NULL && pin.size == 0 && pin.era == 0);
    CALL(hf_unpin(&pin), M(HF_INVALID));
    i->pins--;
    if (i->kind == BUMP) w->arenas[i->arena].bump_pins--;
    if (i->kind == ADOPTED) w->arenas[i->arena].adopted_pins--;
    if (i->state == LINGERING && i->pins == 0) {
        if (w->pools[i->pool].state == OPEN) w->pools[i->pool].lingering_bytes -= i->size;
        issue_ends(i);
    }
    *m = w->pins[--w->pin_count];
}

static void step_unpin(world *w) {
    if (w->pin_count) unpin_one(w, (int)below(w, (uint64_t)w->pin_count));
}

/* ------------------------------------------------------------------------------------------------------ views, checked access */

static void step_slice(world *w) {
    const view from = *pick_view(w);
    view made = from;
    memset(&made.s, 0xa5, sizeof made.s);
    const hf_segment untouched = made.s;
    size_t offset = random_offset(w, from.s.size), size = random_offset(w, from.s.size);
    if (one_in(w, 4)) {
        unsigned expected = from.issue < 0 ? M(HF_INVALID) : M(HF_OK);
        if (CALL(hf_as_read_only(&from.s, &made.s), expected) != HF_OK) return;
        made.read_only = true;
        MUST(made.s.address == from.s.address && made.s.size == from.s.size);
    } else {
        bool fits = offset <= from.s.size && size <= from.s.size - offset;
        unsigned expected = from.issue < 0 ? M(HF_INVALID) : fits ? M(HF_OK) : M(HF_OUT_OF_BOUNDS);
        if (CALL(hf_slice(&from.s, offset, size, &made.s), expected) != HF_OK) {
            MUST(memcmp(&made.s, &untouched, sizeof untouched) == 0);
            return;
        }
        made.interior |= offset != 0;
        made.offset += offset;
        MUST(made.s.address == (char *)from.s.address + offset && made.s.size == size);
    }
    add_view(w, &made);
}

static void step_check(world *w) {
    const view *v = pick_view(w);
    note_stale(w, v, CALL(hf_check(&v->s), validity(w, v)));
}

/* The answer of a checked call on one view; 0: it would wait for ever, don't. */
static unsigned expected_of_access(world *w, const view *v, size_t offset, size_t size, bool writes) {
    if (v->issue < 0) return M(HF_INVALID);
    if (writes && v->read_only) return M(HF_READ_ONLY);
    if (offset > v->s.size || size > v->s.size - offset) return M(HF_OUT_OF_BOUNDS);
    unsigned valid = validity(w, v);
    return valid == M(HF_OK) && *word_pins(w, v) >= HF_PINS_MAX ? 0 : valid;
}

static void step_access(world *w) {
    static unsigned char buffer[4 * MIB];
    const view *v = pick_view(w);
    size_t offset = random_offset(w, v->s.size), size = random_offset(w, v->s.size);
    if (one_in(w, 2) && offset <= v->s.size) size = below(w, v->s.size - offset + 1);
    if (size > sizeof buffer && size <= v->s.size) return;
    unsigned kind = (unsigned)below(w, 3), value = (unsigned)below(w, 256);
    unsigned expected = expected_of_access(w, v, offset, size, kind != 0);
    if (!expected) return;
    bool null = kind < 2 && one_in(w, 30);
    if (null && size > 0) expected = M(HF_INVALID);
    unsigned char *memory = v->issue >= 0 && w->issues[v->issue].shadow ? w->issues[v->issue].shadow + v->offset + offset : NULL;
    if (kind == 1 && size <= sizeof buffer) memset(buffer, (int)value, size);
    void *data = null ? NULL : buffer;
    hf_status status = kind == 0   ? CALL(hf_read(&v->s, offset, data, size), expected)
                       : kind == 1 ? CALL(hf_write(&v->s, offset, data, size), expected)
                                   : CALL(hf_fill(&v->s, offset, size, (unsigned char)value), expected);
    note_stale(w, v, status);
    if (status != HF_OK || size == 0) return;
    if (kind == 0) MUST(memcmp(buffer, memory, size) == 0);
    else wrote(w, v, offset, size), memset(memory, (int)value, size);
}

static void step_number(world *w) {
    const view *v = pick_view(w);
    size_t bytes = (size_t)1 << below(w, 4), offset = random_offset(w, v->s.size);
    if (one_in(w, 2) && v->s.size >= bytes) offset = below(w, v->s.size - bytes + 1);
    bool writes = one_in(w, 2);
    unsigned expected = expected_of_access(w, v, offset, bytes, writes);
    if (!expected) return;
    uint64_t number = next_random(&w->random), seen = POISON;
    unsigned char *memory = v->issue >= 0 && w->issues[v->issue].shadow ? w->issues[v->issue].shadow + v->offset + offset : NULL;
    hf_status status;
    if (writes)
        status = bytes == 1   ? CALL(hf_set_u8(&v->s, offset, (uint8_t)number), expected)
                 : bytes == 2 ? CALL(hf_set_u16(&v->s, offset, (uint16_t)number), expected)
                 : bytes == 4 ? CALL(hf_set_u32(&v->s, offset, (uint32_t)number), expected)
                              : CALL(hf_set_u64(&v->s, offset, number), expected);
    else
        status = bytes == 1   ? CALL(hf_get_u8(&v->s, offset, (uint8_t *)&seen), expected)
                 : bytes == 2 ? CALL(hf_get_u16(&v->s, offset, (uint16_t *)&seen), expected)
                 : bytes == 4 ? CALL(hf_get_u32(&v->s, offset, (uint32_t *)&seen), expected)
                              : CALL(hf_get_u64(&v->s, offset, &seen), expected);
    note_stale(w, v, status);
    if (status != HF_OK) MUST(seen == POISON);
    else if (!writes) MUST(memcmp(&seen, memory, bytes) == 0);
    else wrote(w, v, offset, bytes), memcpy(memory, &number, bytes);
}

static void step_copy(world *w) {
    const view *from = pick_view(w), *to = pick_view(w);
    size_t from_offset = random_offset(w, from->s.size), to_offset = random_offset(w, to->s.size);
    size_t size = random_offset(w, from->s.size < to->s.size ? from->s.size : to->s.size) / 2;
    unsigned a = expected_of_access(w, from, from_offset, size, false), b = expected_of_access(w, to, to_offset, size, true);
    if (!a || !b) return;
    unsigned expected = M(HF_OK);
    if (from->issue < 0 || to->issue < 0) expected = M(HF_INVALID);
    else if (b == M(HF_READ_ONLY)) expected = b;
    else if (a == M(HF_OUT_OF_BOUNDS) || b == M(HF_OUT_OF_BOUNDS)) expected = M(HF_OUT_OF_BOUNDS);
    else if (a != M(HF_OK) || b != M(HF_OK)) expected = (a | b) & ~(a == M(HF_OK) || b == M(HF_OK) ? M(HF_OK) : 0u);
    hf_status status = CALL(hf_copy(&from->s, from_offset, &to->s, to_offset, size), expected);
    if (status != HF_OK || size == 0) return;
    wrote(w, to, to_offset, size);
    memmove(w->issues[to->issue].shadow + to->offset + to_offset, w->issues[from->issue].shadow + from->offset + from_offset, size);
}

static void step_mismatch(world *w) {
    const view *a = pick_view(w), *b = pick_view(w);
    unsigned of_a = expected_of_access(w, a, 0, 0, false), of_b = expected_of_access(w, b, 0, 0, false);
    if (!of_a || !of_b) return;
    unsigned expected = of_a == M(HF_OK) && of_b == M(HF_OK) ? M(HF_OK) : (of_a | of_b) & ~M(HF_OK);
    if (a->issue < 0 || b->issue < 0) expected = M(HF_INVALID);
    size_t where = POISON, at = 0, shorter = a->s.size < b->s.size ? a->s.size : b->s.size;
    if (CALL(hf_mismatch(&a->s, &b->s, &where), expected) != HF_OK) {
        MUST(where == POISON);
        return;
    }
    const unsigned char *x = w->issues[a->issue].shadow + a->offset, *y = w->issues[b->issue].shadow + b->offset;
    while (at < shorter && x[at] == y[at]) at++;
    MUST(where == (at == shorter && a->s.size == b->s.size ? SIZE_MAX : at));
}

/* ------------------------------------------------------------------------------------------------------- look-up, statistics */

static void step_slot(world *w) {
    const view *v = pick_view(w);
    size_t index = POISON;
    issue *i = v->issue < 0 ? NULL : &w->issues[v->issue];
    unsigned expected = !i || i->kind != SLOT ? M(HF_INVALID) : validity(w, v);
    hf_status status = CALL(hf_segment_slot(&v->s, &index), expected);
    if (status != HF_OK) {
        MUST(index == POISON);
        return;
    }
    i->slot = index;
    i->slot_known = true;
    for (int n = 0; n < w->issue_count; n++) { /* one place, one number; one number, one place */
        const issue *other = &w->issues[n];
        if (other->kind == SLOT && other->pool == i->pool && other->slot_known) MUST((other->at == i->at) == (other->slot == index));
    }
}

static void step_find(world *w) {
    int n = pick_pool(w), m = pick_issue(w);
    hf_segment got;
    memset(&got, 0xa5, sizeof got);
    const hf_segment untouched = got;
    unsigned expected = pool_expected(w, n);
    const char *address = (const char *)&got;
    const issue *i = m < 0 ? NULL : &w->issues[m], *owner = NULL;
    if (i && i->kind != ADOPTED) address = i->at + below(w, i->size ? i->size : 1);
    if (expected == M(HF_OK)) {
        int at = i && i->kind != ADOPTED ? owner_at(w, address, 1) : -1;
        owner = at < 0 ? NULL : &w->issues[at];
        if (owner && owner->kind == SLOT && owner->pool == n) expected = owner->state == LIVE ? M(HF_OK) : M(HF_STALE);
        else if (owner || address == (const char *)&got) expected = M(HF_FOREIGN);
        else if (i->kind == SLOT && i->pool == n) expected = i->large ? M(HF_STALE) | M(HF_FOREIGN) : M(HF_STALE);
        else expected = M(HF_FOREIGN) | M(HF_STALE); /* of a closed pool: its memory may be this one's now, with no owner */
    }
    if (CALL(hf_pool_find(pool_handle(w, n), address, &got), expected) == HF_OK) MUST(memcmp(&got, &owner->first, sizeof got) == 0);
    else MUST(memcmp(&got, &untouched, sizeof got) == 0);
}

static void step_books(world *w) {
    hf_pool_stats s = HF_POOL_STATS_INIT;
    hf_arena_stats t = HF_ARENA_STATS_INIT;
    int n = pick_pool(w), m = pick_arena(w);
    if (CALL(hf_pool_get_stats(pool_handle(w, n), &s), pool_expected(w, n)) == HF_OK) look_at_books(w, n, &s);
    if (CALL(hf_arena_get_stats(m < 0 ? (hf_arena){ 0 } : w->arenas[m].handle, &t), arena_expected(w, m)) == HF_OK) look_at_arena(w, m, &t);
}

/* ----------------------------------------------------------------------------------------------------------------- programs */

static void (*const steps[])(world *) = {
    step_arena_open,  step_arena_close, step_pool_open,    step_pool_close,   step_set_limit, step_trim,   step_allocate,     step_allocate,
    step_allocate,    step_allocate,    step_allocate_many, step_bump,        step_bump,      step_reset,  step_adopt,        step_on_close,
    step_release,     step_release,     step_release,      step_release_many, step_pin,       step_pin,    step_unpin,        step_unpin,
    step_slice,       step_slice,       step_check,        step_check,        step_access,    step_access, step_access,       step_number,
    step_number,      step_copy,        step_copy,         step_mismatch,     step_slot,      step_find,   step_books,
};

static void step(world *w) {
    steps[below(w, sizeof steps / sizeof steps[0])](w);
    int n = pick_issue(w);
    if (n >= 0) look_at(w, n);
}

/* Everything ends, and with HF_OK. On either thread: a confined arena's own is the one to close it. */
static void finale(world *w) {
    while (w->pin_count) unpin_one(w, w->pin_count - 1);
    for (int n = 0; n < w->pool_count; n++) {
        mpool *p = &w->pools[n];
        if (p->state == CLOSED || stranger(w, &w->arenas[p->arena])) continue;
        look_at_all_of(w, -1, n);
        CALL(hf_pool_close(p->handle, 0), M(HF_OK));
        pool_becomes(w, n, CLOSED);
    }
    for (int n = 0; n < w->arena_count; n++) {
        marena *a = &w->arenas[n];
        if (a->state == CLOSED || a->kind == HF_GLOBAL || stranger(w, a)) continue;
        look_at_all_of(w, n, -1);
        w->closing = n;
        CALL(hf_arena_close(a->handle, 0), M(HF_OK));
        arena_becomes(w, n, CLOSED);
        MUST(a->cleanup_count == 0);
    }
    w->closing = -1;
}

static uint64_t calls_made;

static bool run_program(uint64_t seed) {
    static world the_world;
    world *w = &the_world;
    world_begin(w, seed);
    for (int i = 0; i < STEPS && !w->failed; i++) on_thread(w, (int)below(w, 2), step);
    for (int thread = 0; thread < 2 && !w->failed; thread++) on_thread(w, thread, finale);
    calls_made += w->calls;
    if (w->failed) print_last_calls(w);
    world_end(w);
    return !w->failed;
}

static void every_call_of_a_random_program_answers_as_the_model_says(void **state) {
    (void)state;
    const char *one = getenv("HOLDFAST_RANDOM_SEED"), *many = getenv("HOLDFAST_RANDOM_PROGRAMS");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1, last = one ? first : many ? strtoull(many, NULL, 10) : PROGRAMS;
    print_message("# seeds %" PRIu64 " to %" PRIu64 "; HOLDFAST_RANDOM_SEED=n runs one\n", first, last);
    threads_begin();
    for (uint64_t seed = first; seed <= last; seed++)
        if (!run_program(seed)) fail_msg("program %" PRIu64 " went wrong: HOLDFAST_RANDOM_SEED=%" PRIu64, seed, seed);
    threads_end();
    print_message("# %" PRIu64 " calls\n", calls_made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_a_random_program_answers_as_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
