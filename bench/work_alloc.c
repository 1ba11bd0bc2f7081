/* SPDX-License-Identifier: MIT
 *
 * W1, W2 and the pair of W6: allocate and release on one thread, no two threads' memory meeting.
 *
 *   pair   allocate, write one byte, release; or so in batches of a few. The hot path and nothing else. Zeroed: every byte is zero,
 *          and the owner then says nothing about what it wrote (the next zeroing must take all of it), or that it wrote `dirty`
 *          bytes. The owner's own writes are kept at a byte or two, so that the figure is the allocator's.
 *   batch  1,024 at once, a byte of each touched, then all released in the order of their allocation or in a random one. 64 MiB at
 *          64 KiB each: more than any cache of free slots per thread or processor should hold.
 */
#include "bench.h"

#include <string.h>

/* What W1 zeroed is worth is worth nothing if the memory is not zero: look at all of it, a few times, before the clock starts. */
static void check_zeroing(worker *self) {
    const plan *p = self->plan;
    if (!p->zeroed || p->subject == &subject_none)
        return;
    size_t written = p->dirty_bytes ? p->dirty_bytes : p->size_bytes;
    for (unsigned i = 0; i < 64; i++) {
        block b;
        allocate_or_fail(p, p->size_bytes, true, &b);
        const unsigned char *bytes = b.address;
        if (bytes[0] != 0 || memcmp(bytes, bytes + 1, p->size_bytes - 1) != 0)
            fail("%s gave memory that is not zero where zero was asked for.", p->subject->name);
        memset(b.address, 0xa5, written);
        p->subject->release_dirty(&b, p->size_bytes, written);
    }
}

static void pair_once(worker *self, uint64_t units) {
    const plan *p = self->plan;
    const subject *s = p->subject;
    size_t size = p->size_bytes;
    for (uint64_t i = 0; i < units; i++) {
        block b;
        allocate_or_fail(p, size, false, &b);
        *(volatile unsigned char *)b.address = 1;
        s->release(&b, size);
    }
}

static void pair_zeroed(worker *self, uint64_t units) {
    const plan *p = self->plan;
    const subject *s = p->subject;
    size_t size = p->size_bytes, dirty = p->dirty_bytes;
    for (uint64_t i = 0; i < units; i++) {
        block b;
        allocate_or_fail(p, size, true, &b);
        *(volatile unsigned char *)b.address = 1;
        if (dirty) {
            ((volatile unsigned char *)b.address)[dirty - 1] = 1;
            s->release_dirty(&b, size, dirty);
        } else {
            s->release(&b, size);
        }
    }
}

static void pair_batch(worker *self, uint64_t units, void *table) {
    const plan *p = self->plan;
    size_t size = p->size_bytes;
    unsigned batch = p->batch;
    for (uint64_t i = 0; i < units; i++) {
        for (unsigned k = 0; k < batch; k++) {
            block *b = block_at(table, p, k);
            allocate_or_fail(p, size, p->zeroed, b);
            *(volatile unsigned char *)b->address = 1;
        }
        for (unsigned k = 0; k < batch; k++)
            p->subject->release(block_at(table, p, k), size);
    }
}

static void pair_body(worker *self) {
    const plan *p = self->plan;
    void *table = table_new((size_t)p->batch * p->subject->handle_bytes);
    check_zeroing(self);
    self->ops_per_unit = p->batch;
    for (uint64_t units; (units = worker_next(self)) != 0;) {
        if (p->batch > 1)
            pair_batch(self, units, table);
        else if (p->zeroed)
            pair_zeroed(self, units);
        else
            pair_once(self, units);
    }
}

void work_pair(const plan *plan) { print_figures(crew_run(plan, pair_body, NULL)); }

static void batch_body(worker *self) {
    const plan *p = self->plan;
    unsigned batch = p->batch;
    size_t size = p->size_bytes;
    void *table = table_new((size_t)batch * p->subject->handle_bytes);
    uint32_t *order = table_new(batch * sizeof *order);
    for (unsigned i = 0; i < batch; i++)
        order[i] = i;
    for (unsigned i = batch; p->random_order && i > 1; i--) {
        uint64_t k = worker_random(self) % i;
        uint32_t swapped = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swapped;
    }
    self->ops_per_unit = batch;
    for (uint64_t units; (units = worker_next(self)) != 0;) {
        for (uint64_t i = 0; i < units; i++) {
            for (unsigned k = 0; k < batch; k++) {
                block *b = block_at(table, p, k);
                allocate_or_fail(p, size, false, b);
                *(volatile unsigned char *)b->address = 1;
            }
            for (unsigned k = 0; k < batch; k++)
                p->subject->release(block_at(table, p, order[k]), size);
        }
    }
}

void work_batch(const plan *plan) { print_figures(crew_run(plan, batch_body, NULL)); }
