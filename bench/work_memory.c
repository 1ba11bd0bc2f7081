/* SPDX-License-Identifier: MIT
 *
 * W4 and W7: what becomes of memory when classes mix and shift.
 *
 *   churn  a page cache. Pages of seven sizes, 35 KiB on average, under a cap on live bytes. One operation is one miss: throw
 *          random pages out until the new one fits, allocate it, fill all of it (as a read from disk would), keep it. Each thread
 *          has its share of the cap. A stamp in every page is looked at when it goes: two owners of one page would be seen.
 *          Two figures: misses per second, and the process's peak of resident memory over the cap. The filling is most of the time.
 *   shift  512 MiB in pages of 16 KiB, every page touched, all released; then the same bytes in pages of 256 KiB. Figures: how long
 *          the first touch of each takes, and the peak. Who can't move memory between classes needs it twice.
 *
 * Resident memory is counted from what the process had before the subject was opened; the harness's own tables are resident by
 * then.
 */
#include "bench.h"

#include <string.h>

typedef struct page {
    uint64_t stamp;
    uint32_t size;
    uint32_t unused_;
} page;

static const struct {
    uint32_t size, of_100;
} mix[] = { { 4096, 30 }, { 8192, 20 }, { 16384, 20 }, { 32768, 10 }, { 65536, 10 }, { 131072, 5 }, { 262144, 5 } };

static uint32_t random_size(worker *self) {
    uint64_t r = (worker_random(self) >> 32) % 100;
    unsigned i = 0;
    while (r >= mix[i].of_100)
        r -= mix[i++].of_100;
    return mix[i].size;
}

typedef struct cache {
    const plan *plan;
    page *pages;
    void *handles;
    size_t count, capacity, live_bytes, cap_bytes;
} cache;

static void cache_evict(cache *c, size_t index) {
    const plan *p = c->plan;
    block *gone = block_at(c->handles, p, index);
    page *page = &c->pages[index];
    uint64_t stamp;
    memcpy(&stamp, gone->address, sizeof stamp);
    if (stamp != page->stamp)
        fail("A page of %s holds somebody else's bytes.", p->subject->name);
    p->subject->release(gone, page->size);
    c->live_bytes -= page->size;
    c->count--;
    *page = c->pages[c->count];
    memmove(gone, block_at(c->handles, p, c->count), p->subject->handle_bytes);
}

static void cache_miss(cache *c, worker *self) {
    const plan *p = c->plan;
    uint32_t size = random_size(self);
    while (c->live_bytes + size > c->cap_bytes || c->count == c->capacity)
        cache_evict(c, (worker_random(self) >> 20) % c->count);
    block *b = block_at(c->handles, p, c->count);
    allocate_or_fail(p, size, false, b);
    uint64_t stamp = worker_random(self);
    memset(b->address, (int)(stamp & 0xff), size);
    memcpy(b->address, &stamp, sizeof stamp);
    c->pages[c->count++] = (page){ .stamp = stamp, .size = size };
    c->live_bytes += size;
}

static void churn_body(worker *self) {
    cache *c = (cache *)self->shared + self->index;
    while (c->live_bytes + mix[6].size <= c->cap_bytes)
        cache_miss(c, self);
    for (uint64_t units; (units = worker_next(self)) != 0;)
        for (uint64_t i = 0; i < units; i++)
            cache_miss(c, self);
}

static void print_peak(const plan *plan, uint64_t before_bytes) {
    uint64_t peak = status_bytes("VmHWM") - before_bytes;
    print_metric("peak_mib", (double)peak / 1048576);
    print_metric("peak_over_cap", (double)peak / (double)plan->cap_bytes);
}

/* The subject is opened here, not in main: its memory is counted from before. */
void work_churn(const plan *plan) {
    cache *caches = table_new(plan->threads * sizeof *caches);
    for (unsigned i = 0; i < plan->threads; i++) {
        cache *c = &caches[i];
        c->plan = plan;
        c->cap_bytes = plan->cap_bytes / plan->threads;
        c->capacity = c->cap_bytes / 4096 / 4; /* pages are 35 KiB on average: never the bound in practice */
        c->pages = table_new(c->capacity * sizeof *c->pages);
        c->handles = table_new(c->capacity * plan->subject->handle_bytes);
    }
    uint64_t before_bytes = status_bytes("VmRSS");
    if (!plan->subject->open(plan->limit_bytes))
        fail("%s does not open.", plan->subject->name);
    print_figures(crew_run(plan, churn_body, caches));
    print_peak(plan, before_bytes);
    for (unsigned i = 0; i < plan->threads; i++)
        while (caches[i].count > 0)
            cache_evict(&caches[i], caches[i].count - 1);
    plan->subject->close();
}

static double fill_ms(const plan *plan, void *handles, size_t size) {
    uint64_t begin = now_ns();
    for (size_t i = 0; i < plan->cap_bytes / size; i++) {
        block *b = block_at(handles, plan, i);
        allocate_or_fail(plan, size, false, b);
        touch_pages(b->address, size, 1);
    }
    return (double)(now_ns() - begin) / 1e6;
}

static void release_all(const plan *plan, void *handles, size_t size) {
    for (size_t i = 0; i < plan->cap_bytes / size; i++)
        plan->subject->release(block_at(handles, plan, i), size);
}

void work_shift(const plan *plan) {
    const size_t small = 16384, large = 262144;
    void *handles = table_new(plan->cap_bytes / small * plan->subject->handle_bytes);
    uint64_t before_bytes = status_bytes("VmRSS");
    if (!plan->subject->open(plan->limit_bytes))
        fail("%s does not open.", plan->subject->name);
    print_metric("fill_ms", fill_ms(plan, handles, small));
    release_all(plan, handles, small);
    print_metric("refill_ms", fill_ms(plan, handles, large));
    print_peak(plan, before_bytes);
    release_all(plan, handles, large);
    plan->subject->close();
}
