/* SPDX-License-Identifier: MIT
 *
 * The model of random_calls.c: what is open, who owns what, and what every byte is.
 *
 * An issue is one life of a piece of memory: a slot between allocation and release, a bump segment, an adopted one. A view is a handle
 * to an issue, perhaps of a part of it, perhaps of one that ended long ago; many views lead to one issue. Nothing is ever taken out of
 * these arrays during a program but views, so an index says who somebody was for as long as the program runs.
 */
#ifndef TEST_RANDOM_MODEL_H
#define TEST_RANDOM_MODEL_H

#include <inttypes.h>
#include <pthread.h>

#include "crew.h"
#include "hold.h"

enum { MAX_ARENAS = 200, MAX_POOLS = 200, MAX_ISSUES = 4000, MAX_VIEWS = 160, MAX_PINS = 12, MAX_CLEANUPS = 400, TRACE = 30 };
enum state { CLOSED, OPEN, REVOKED };
enum kind { SLOT, BUMP, ADOPTED };
enum life { LIVE, LINGERING, ENDED };

#define POISON ((size_t)0xa5a5a5a5a5a5a5a5u)
#define M(status) (1u << (status)) /* sets of statuses */

struct world;

typedef struct mcleanup {
    struct world *world;
    int arena;
    unsigned char *memory;
} mcleanup;

typedef struct marena {
    hf_arena handle;
    hf_arena_kind kind;
    enum state state;
    int owner; /* thread */
    unsigned bump_pins, adopted_pins;
    uint64_t bump_era, first_era, bump_allocations, bump_releases, resets, adopted_bytes, adopted_segments;
    mcleanup *cleanups[MAX_CLEANUPS]; /* oldest first */
    int cleanup_count;
} marena;

typedef struct mpool {
    hf_pool handle;
    enum state state;
    int arena;
    bool keep_resident;
    uint64_t class_bytes[HF_CLASSES_MAX];
    unsigned class_count;
    uint64_t limit_bytes, live_bytes, lingering_bytes, allocations, releases;
    uint64_t misuse_stale, misuse_invalid, misuse_read_only, misuse_wrong_thread;
    uint64_t takes_at_close;
} mpool;

typedef struct issue {
    enum kind kind;
    enum life state;
    int arena, pool;
    char *at;
    size_t size, written; /* only the first so many bytes were written */
    hf_segment first;     /* as it was handed out */
    unsigned char *shadow; /* NULL when it has ended */
    unsigned pins;
    size_t slot;
    bool slot_known, large, seen_stale, read_only_memory;
} issue;

typedef struct view {
    hf_segment s;
    int issue; /* -1: a zero segment */
    size_t offset;
    bool interior, read_only;
} view;

typedef struct mpin {
    hf_pinned pin;
    int issue;
} mpin;

typedef struct world {
    uint64_t seed, random, calls;
    uint64_t takes; /* moments at which recycled memory may have gone to somebody */
    int me;         /* the thread whose turn it is */
    int closing;    /* the arena that is being closed, or -1 */
    bool failed;
    marena arenas[MAX_ARENAS];
    mpool pools[MAX_POOLS];
    issue issues[MAX_ISSUES];
    view views[MAX_VIEWS];
    mpin pins[MAX_PINS];
    mcleanup cleanups[MAX_CLEANUPS];
    int arena_count, pool_count, issue_count, view_count, pin_count, cleanup_count;
    char trace[TRACE][160];
} world;

/* Eras used up of the bump words of the library's places for arenas, over all programs of this process. */
static uint64_t place_eras[1 << 16];

static inline uint64_t below(world *w, uint64_t n) {
    return next_random(&w->random) % n;
}

static inline bool one_in(world *w, uint64_t n) {
    return below(w, n) == 0;
}

/* ----------------------------------------------------------------------------------------------------------------- verdicts */

static inline void wrong(world *w, const char *what, int line) {
    if (!w->failed) print_error("seed %" PRIu64 ", call %" PRIu64 ", thread %d, line %d: %s\n", w->seed, w->calls, w->me, line, what);
    w->failed = true;
}

#define MUST(condition) ((condition) ? (void)0 : wrong(w, #condition, __LINE__))

static inline hf_status answered(world *w, const char *call, hf_status status, unsigned expected, int line) {
    char *trace = w->trace[w->calls % TRACE];
    snprintf(trace, sizeof w->trace[0], "%" PRIu64 " thread %d: %.90s = %s", w->calls, w->me, call, hf_status_name(status));
    if (!(expected >> status & 1)) {
        char text[400] = "";
        for (int s = 0; s <= HF_SYSTEM; s++)
            if (expected >> s & 1) strcat(strcat(text, " "), hf_status_name((hf_status)s));
        print_error("expected:%s; got %s: %s\n", text, hf_status_name(status), hf_error_message());
        wrong(w, call, line);
    }
    w->calls++;
    return status;
}

#define CALL(call, expected) answered(w, #call, (call), (expected), __LINE__)

static inline void print_last_calls(const world *w) {
    for (uint64_t i = w->calls > TRACE ? w->calls - TRACE : 0; i < w->calls; i++) print_error("  %s\n", w->trace[i % TRACE]);
}

/* ------------------------------------------------------------------------------------------------------------------ picking */

/* One of the last few, mostly; any; or none, for a zero handle. */
static inline int pick_of(world *w, int count) {
    if (count == 0 || one_in(w, 60)) return -1;
    int recent = count < 8 ? count : 8;
    return one_in(w, 10) ? (int)below(w, (uint64_t)count) : count - 1 - (int)below(w, (uint64_t)recent);
}

/* Of the closed ones some are enough: a few tries for an open one. */
static inline int pick_arena(world *w) {
    int n = pick_of(w, w->arena_count);
    for (int tries = (int)below(w, 8); tries > 0 && n >= 0 && w->arenas[n].state == CLOSED; tries--) n = pick_of(w, w->arena_count);
    return n;
}

static inline int pick_pool(world *w) {
    int n = pick_of(w, w->pool_count);
    for (int tries = (int)below(w, 8); tries > 0 && n >= 0 && w->pools[n].state == CLOSED; tries--) n = pick_of(w, w->pool_count);
    return n;
}

static inline hf_pool pool_handle(const world *w, int n) {
    return n < 0 ? (hf_pool){ 0 } : w->pools[n].handle;
}

static inline int pick_issue(world *w) {
    if (w->issue_count == 0) return -1;
    int recent = w->issue_count < 60 ? w->issue_count : 60;
    return one_in(w, 4) ? (int)below(w, (uint64_t)w->issue_count) : w->issue_count - 1 - (int)below(w, (uint64_t)recent);
}

static inline const view *pick_view(world *w) {
    static const view zero = { .issue = -1 };
    if (w->view_count == 0 || one_in(w, 80)) return &zero;
    const view *v = &w->views[below(w, (uint64_t)w->view_count)];
    for (int tries = (int)below(w, 6); tries > 0 && w->issues[v->issue].state == ENDED; tries--)
        v = &w->views[below(w, (uint64_t)w->view_count)];
    return v;
}

static inline void add_view(world *w, const view *v) {
    int n = w->view_count < MAX_VIEWS ? w->view_count++ : (int)below(w, MAX_VIEWS);
    w->views[n] = *v;
}

static inline bool room_for_issues(const world *w, int count) {
    return w->issue_count + count <= MAX_ISSUES;
}

/* Inside, at the end, behind it, and where additions overflow. */
static inline size_t random_offset(world *w, size_t size) {
    switch (below(w, 12)) {
    case 0: return size;
    case 1: return size + 1 + below(w, 100);
    case 2: return SIZE_MAX - below(w, 100);
    case 3: return size - 1;
    default: return below(w, (size < 8192 || one_in(w, 4) ? size : 8192) + 1);
    }
}

static inline int open_arenas(const world *w) {
    int count = 0;
    for (int i = 0; i < w->arena_count; i++) count += w->arenas[i].state != CLOSED;
    return count;
}

static inline int open_pools(const world *w) {
    int count = 0;
    for (int i = 0; i < w->pool_count; i++) count += w->pools[i].state != CLOSED;
    return count;
}

/* ---------------------------------------------------------------------------------------------------------------- who may what */

static inline bool stranger(const world *w, const marena *a) {
    return a->kind == HF_CONFINED && a->owner != w->me;
}

/* Of a call that only needs the arena, or the pool. */
static inline unsigned arena_expected(const world *w, int n) {
    if (n < 0) return M(HF_INVALID);
    if (w->arenas[n].state != OPEN) return M(HF_CLOSED);
    return stranger(w, &w->arenas[n]) ? M(HF_WRONG_THREAD) : M(HF_OK);
}

static inline unsigned pool_expected(const world *w, int n) {
    if (n < 0) return M(HF_INVALID);
    if (w->pools[n].state != OPEN) return M(HF_CLOSED);
    return stranger(w, &w->arenas[w->pools[n].arena]) ? M(HF_WRONG_THREAD) : M(HF_OK);
}

/* Who owns any of these bytes now, lingering issues included; -1: nobody. */
static inline int owner_at(const world *w, const char *at, size_t size) {
    for (int n = 0; n < w->issue_count; n++) {
        const issue *i = &w->issues[n];
        if (i->state == ENDED) continue;
        size_t bytes = i->size ? i->size : 1;
        if (at < i->at + bytes && i->at < at + (size ? size : 1)) return n;
    }
    return -1;
}

static inline unsigned validity(world *w, const view *v) {
    if (v->issue < 0) return M(HF_INVALID);
    const issue *i = &w->issues[v->issue];
    const marena *a = &w->arenas[i->arena];
    enum state state = i->kind == SLOT ? w->pools[i->pool].state : a->state;
    if (state == OPEN) return stranger(w, a) ? M(HF_WRONG_THREAD) : i->state == LIVE ? M(HF_OK) : M(HF_STALE);
    if (state == REVOKED) return M(HF_CLOSED) | (stranger(w, a) ? M(HF_WRONG_THREAD) : 0);
    if (i->seen_stale) return M(HF_STALE);
    if (i->kind != SLOT) return M(HF_CLOSED) | (w->takes > 0 ? M(HF_STALE) : 0);
    if (owner_at(w, i->at, i->size) >= 0) return M(HF_STALE);
    return M(HF_CLOSED) | (w->takes > w->pools[i->pool].takes_at_close ? M(HF_STALE) : 0);
}

/* A closed segment that was stale once is stale for ever. */
static inline void note_stale(world *w, const view *v, hf_status status) {
    if (v->issue < 0 || status != HF_STALE) return;
    issue *i = &w->issues[v->issue];
    if ((i->kind == SLOT ? w->pools[i->pool].state : w->arenas[i->arena].state) == CLOSED) i->seen_stale = true;
}

/* The pins on the word that this view's checked calls would have to pin. */
static inline unsigned *word_pins(world *w, const view *v) {
    issue *i = &w->issues[v->issue];
    return i->kind == SLOT ? &i->pins : i->kind == BUMP ? &w->arenas[i->arena].bump_pins : &w->arenas[i->arena].adopted_pins;
}

static inline unsigned pool_pins(const world *w, int n) {
    unsigned pins = 0;
    for (int i = 0; i < w->pin_count; i++) {
        const issue *of = &w->issues[w->pins[i].issue];
        pins += of->kind == SLOT && of->pool == n;
    }
    return pins;
}

static inline unsigned arena_pins(const world *w, int n) {
    unsigned pins = 0;
    for (int i = 0; i < w->pin_count; i++) pins += w->issues[w->pins[i].issue].arena == n;
    return pins;
}

/* ------------------------------------------------------------------------------------------------------------------- issues */

static inline void new_issue(world *w, enum kind kind, int arena, int pool, const hf_segment *s, bool zero) {
    MUST(owner_at(w, s->address, s->size) < 0);
    issue *i = &w->issues[w->issue_count];
    *i = (issue){ .kind = kind, .state = LIVE, .arena = arena, .pool = pool, .at = s->address, .size = s->size, .first = *s };
    if (kind == SLOT) i->large = s->size > w->pools[pool].class_bytes[w->pools[pool].class_count - 1];
    if (zero) MUST(all_bytes_are(s->address, s->size, 0));
    MUST(hf_hold_era(s->era) >= 1 && hf_hold_era(s->era) <= HF_ERA_MAX);
    for (int n = 0; n < w->issue_count && kind == SLOT; n++) /* eras never repeat on a word */
        MUST(w->issues[n].first.hold != s->hold || hf_hold_era(w->issues[n].first.era) != hf_hold_era(s->era));
    i->shadow = malloc(s->size + 1);
    memcpy(i->shadow, s->address, s->size);
    view v = { .s = *s, .issue = w->issue_count++ };
    add_view(w, &v);
}

static inline void issue_ends(issue *i) {
    i->state = ENDED;
    free(i->shadow);
    i->shadow = NULL;
}

static inline void wrote(world *w, const view *v, size_t offset, size_t size) {
    issue *i = &w->issues[v->issue];
    size_t end = v->offset + offset + size;
    if (end > i->written) i->written = end;
}

/* Are the bytes what they should be? Of an ended one: can they be read at all? That must not fault, whatever became of the memory. */
static inline void look_at(world *w, int n) {
    const issue *i = &w->issues[n];
    if (i->shadow) MUST(i->size == 0 || memcmp(i->at, i->shadow, i->size) == 0);
    else if (i->kind != ADOPTED) (void)*(volatile char *)i->at;
}

static inline void look_at_all_of(world *w, int arena, int pool) {
    for (int n = 0; n < w->issue_count; n++)
        if (w->issues[n].shadow && (w->issues[n].arena == arena || (w->issues[n].kind == SLOT && w->issues[n].pool == pool))) look_at(w, n);
}

/* ------------------------------------------------------------------------------------------------------------------ closing */

static inline void pool_becomes(world *w, int n, enum state state) {
    w->pools[n].state = state;
    w->pools[n].takes_at_close = w->takes;
    for (int i = 0; i < w->issue_count && state == CLOSED; i++)
        if (w->issues[i].kind == SLOT && w->issues[i].pool == n && w->issues[i].state != ENDED) issue_ends(&w->issues[i]);
}

static inline void arena_becomes(world *w, int n, enum state state) {
    w->arenas[n].state = state;
    for (int i = 0; i < w->pool_count; i++)
        if (w->pools[i].arena == n && w->pools[i].state != CLOSED) pool_becomes(w, i, state);
    for (int i = 0; i < w->issue_count && state == CLOSED; i++)
        if (w->issues[i].kind != SLOT && w->issues[i].arena == n && w->issues[i].state != ENDED) issue_ends(&w->issues[i]);
}

/* -------------------------------------------------------------------------------------------------------------------- books */

static inline void look_at_books(world *w, int n, const hf_pool_stats *s) {
    const mpool *p = &w->pools[n];
    uint64_t needed = p->live_bytes + p->lingering_bytes,
             misuses = p->misuse_stale + p->misuse_invalid + p->misuse_read_only + p->misuse_wrong_thread;
    MUST(s->limit_bytes == p->limit_bytes);
    MUST(s->live_bytes == p->live_bytes);
    MUST(s->lingering_bytes == p->lingering_bytes);
    MUST(s->charged_bytes == s->live_bytes + s->lingering_bytes + s->cached_bytes + s->retired_bytes);
    MUST(p->keep_resident || s->retired_bytes == 0);
    MUST(p->keep_resident || s->charged_bytes <= (needed > p->limit_bytes ? needed : p->limit_bytes));
    MUST(s->charged_bytes <= s->charged_peak_bytes);
    MUST(s->allocations == p->allocations && s->releases == p->releases);
    MUST(s->misuses == misuses && s->class_count == p->class_count + 1);
    for (uint32_t c = 0; c < s->class_count; c++) {
        uint64_t live = 0, lingering = 0, bytes = c < p->class_count ? p->class_bytes[c] : 0;
        for (int m = 0; m < w->issue_count; m++) {
            const issue *i = &w->issues[m];
            if (i->kind != SLOT || i->pool != n || (bytes ? i->size != bytes : !i->large)) continue;
            live += i->state == LIVE;
            lingering += i->state == LINGERING;
        }
        MUST(s->classes[c].slot_bytes == bytes && s->classes[c].live_slots == live && s->classes[c].lingering_slots == lingering);
    }
}

static inline void look_at_arena(world *w, int n, const hf_arena_stats *s) {
    const marena *a = &w->arenas[n];
    uint64_t pools = 0, bump = 0;
    for (int i = 0; i < w->pool_count; i++) pools += w->pools[i].arena == n && w->pools[i].state == OPEN;
    for (int i = 0; i < w->issue_count; i++)
        if (w->issues[i].kind == BUMP && w->issues[i].arena == n && w->issues[i].state == LIVE) bump += w->issues[i].size;
    MUST(s->bump_allocations == a->bump_allocations && s->bump_releases == a->bump_releases && s->resets == a->resets);
    MUST(s->adopted_bytes == a->adopted_bytes && s->adopted_segments == a->adopted_segments);
    MUST(s->cleanups == (uint64_t)a->cleanup_count && s->pools == pools);
    MUST(s->bump_bytes >= bump && s->bump_kept_bytes >= bump && s->bump_kept_bytes <= s->reserved_bytes);
}

/* ------------------------------------------------------------------------------------------------------- worlds, two threads */

static inline void world_begin(world *w, uint64_t seed) {
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->closing = -1;
}

static inline void world_end(world *w) {
    for (int i = 0; i < w->issue_count; i++) free(w->issues[i].shadow);
    for (int i = 0; i < w->cleanup_count; i++) free(w->cleanups[i].memory); /* of global arenas, which never end */
}

/* The second thread does what it is told, one thing at a time, while the first one waits. */
static pthread_t second;
static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static void (*turn)(world *);
static world *turn_world;
static bool second_ends;

static void *second_main(void *unused) {
    (void)unused;
    pthread_mutex_lock(&turn_lock);
    while (!second_ends) {
        if (turn) {
            turn(turn_world);
            turn = NULL;
            pthread_cond_broadcast(&turn_changed);
        }
        pthread_cond_wait(&turn_changed, &turn_lock);
    }
    pthread_mutex_unlock(&turn_lock);
    return NULL;
}

static inline void threads_begin(void) {
    if (pthread_create(&second, NULL, second_main, NULL) != 0) abort();
}

static inline void threads_end(void) {
    pthread_mutex_lock(&turn_lock);
    second_ends = true;
    pthread_cond_broadcast(&turn_changed);
    pthread_mutex_unlock(&turn_lock);
    pthread_join(second, NULL);
}

static inline void on_thread(world *w, int thread, void (*what)(world *)) {
    w->me = thread;
    if (thread == 0) {
        what(w);
        return;
    }
    pthread_mutex_lock(&turn_lock);
    turn = what;
    turn_world = w;
    pthread_cond_broadcast(&turn_changed);
    while (turn) pthread_cond_wait(&turn_changed, &turn_lock);
    pthread_mutex_unlock(&turn_lock);
}

#endif
