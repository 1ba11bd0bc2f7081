/* SPDX-License-Identifier: MIT
 *
 * W3 and the neighbours of W6: memory that one thread allocates and another releases.
 *
 *   handoff    one thread allocates and touches, the other looks and releases; a ring of 1,024 handles between them. With the
 *              subject `none` it is the ring alone. The figure is wall time per page at the releasing end: both ends wait for each
 *              other.
 *   neighbour  each thread allocates, gives the page to the next thread of a circle, and releases what the one before gave it. With
 *              more threads than processors every thread is preempted while others want what it has.
 *
 * The ring is the usual one of a single producer and a single consumer (Lamport 1983). Each end remembers where it last saw the
 * other, and shows where it is itself only every 32 handles, or when it would wait: a ring whose lines move between the processors
 * with every handle costs more than what is to be measured.
 */
#include "bench.h"

#include <string.h>

enum { RING = 1024, CIRCLE_RING = 256, SHOWN_EVERY = 32 };

typedef struct ring {
    void *table;
    const plan *plan;
    uint64_t capacity;
    uint64_t head __attribute__((aligned(64)));       /* the producer's own, as are ... */
    uint64_t seen_tail;
    uint64_t tail __attribute__((aligned(64)));       /* the consumer's own */
    uint64_t seen_head;
    uint64_t shown_head __attribute__((aligned(64))); /* atomic */
    uint64_t shown_tail __attribute__((aligned(64))); /* atomic */
    bool stop;                                        /* atomic */
} ring; /* of whole cache lines: rings side by side share none */

static void ring_open(ring *r, const plan *plan, uint64_t capacity) {
    memset(r, 0, sizeof *r);
    r->plan = plan;
    r->capacity = capacity;
    r->table = table_new(capacity * plan->subject->handle_bytes);
}

static block *ring_at(ring *r, uint64_t index) { return block_at(r->table, r->plan, index & (r->capacity - 1)); }

/* The place to write the next handle to; NULL: full. */
static block *ring_to_fill(ring *r) {
    if (r->head - r->seen_tail == r->capacity) {
        r->seen_tail = __atomic_load_n(&r->shown_tail, __ATOMIC_ACQUIRE);
        if (r->head - r->seen_tail == r->capacity)
            return NULL;
    }
    return ring_at(r, r->head);
}

static void ring_show_head(ring *r) { __atomic_store_n(&r->shown_head, r->head, __ATOMIC_RELEASE); }

static void ring_show_tail(ring *r) { __atomic_store_n(&r->shown_tail, r->tail, __ATOMIC_RELEASE); }

static void ring_filled(ring *r) {
    if (++r->head % SHOWN_EVERY == 0)
        ring_show_head(r);
}

static block *ring_to_empty(ring *r) {
    if (r->tail == r->seen_head) {
        r->seen_head = __atomic_load_n(&r->shown_head, __ATOMIC_ACQUIRE);
        if (r->tail == r->seen_head)
            return NULL;
    }
    return ring_at(r, r->tail);
}

static void ring_emptied(ring *r) {
    if (++r->tail % SHOWN_EVERY == 0)
        ring_show_tail(r);
}

static void handoff_produce(worker *self, ring *r) {
    const plan *p = self->plan;
    unsigned spins = 0;
    while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
        block *b = ring_to_fill(r);
        if (!b) {
            ring_show_head(r);
            pause_or_yield(&spins);
            continue;
        }
        allocate_or_fail(p, p->size_bytes, false, b);
        *(volatile unsigned char *)b->address = 1;
        ring_filled(r);
    }
    ring_show_head(r);
}

static void handoff_consume(worker *self, ring *r) {
    const plan *p = self->plan;
    unsigned spins = 0;
    for (uint64_t units; (units = worker_next(self)) != 0;) {
        while (units > 0) {
            block *b = ring_to_empty(r);
            if (!b) {
                ring_show_tail(r);
                pause_or_yield(&spins);
                continue;
            }
            if (*(volatile unsigned char *)b->address != 1)
                fail("A page of %s changed on its way from one thread to the other.", p->subject->name);
            p->subject->release(b, p->size_bytes);
            ring_emptied(r);
            units--;
        }
    }
    __atomic_store_n(&r->stop, true, __ATOMIC_RELAXED);
}

static void handoff_body(worker *self) {
    ring *r = self->shared;
    self->spectator = self->index == 0;
    if (self->spectator)
        handoff_produce(self, r);
    else
        handoff_consume(self, r);
}

static void ring_drain(ring *r) {
    for (block *b; (b = ring_to_empty(r)) != NULL; ring_emptied(r))
        r->plan->subject->release(b, r->plan->size_bytes);
}

void work_handoff(const plan *asked) {
    if (!asked->subject->crosses_threads)
        fail("%s keeps what it is given back on the thread that gave it: the one that allocates would never see it again.",
             asked->subject->name);
    plan plan = *asked;
    plan.threads = 2;
    ring r;
    ring_open(&r, &plan, RING);
    print_figures(crew_run(&plan, handoff_body, &r));
    ring_drain(&r);
}

typedef struct circle {
    ring *rings;       /* ring i leads to thread i */
    unsigned finished; /* atomic */
} circle;

/* One step: give the next thread a page if there is room, release one of the last thread's if there is any. Says how many were
 * released. */
static unsigned neighbour_step(worker *self, ring *in, ring *out, unsigned *spins) {
    const plan *p = self->plan;
    block *to = ring_to_fill(out);
    if (to) {
        allocate_or_fail(p, p->size_bytes, false, to);
        *(volatile unsigned char *)to->address = 1;
        ring_filled(out);
    }
    block *from = ring_to_empty(in);
    if (from) {
        p->subject->release(from, p->size_bytes);
        ring_emptied(in);
    }
    if (!to)
        ring_show_head(out);
    if (!from)
        ring_show_tail(in);
    if (!to && !from)
        pause_or_yield(spins);
    return from != NULL;
}

static void neighbour_body(worker *self) {
    circle *c = self->shared;
    unsigned threads = self->plan->threads, spins = 0;
    ring *in = &c->rings[self->index], *out = &c->rings[(self->index + 1) % threads];
    for (uint64_t units; (units = worker_next(self)) != 0;)
        while (units > 0)
            units -= neighbour_step(self, in, out, &spins);
    /* The circle goes on turning until all have measured. */
    __atomic_fetch_add(&c->finished, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&c->finished, __ATOMIC_RELAXED) < threads)
        neighbour_step(self, in, out, &spins);
    ring_show_head(out);
}

void work_neighbour(const plan *plan) {
    circle c = { .rings = table_new(plan->threads * sizeof *c.rings) };
    for (unsigned i = 0; i < plan->threads; i++)
        ring_open(&c.rings[i], plan, CIRCLE_RING);
    print_figures(crew_run(plan, neighbour_body, &c));
    for (unsigned i = 0; i < plan->threads; i++)
        ring_drain(&c.rings[i]);
}
