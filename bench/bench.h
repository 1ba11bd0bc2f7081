/* SPDX-License-Identifier: MIT
 *
 * The benchmark's shared vocabulary.
 *
 * One process measures one cell: one workload, for one subject, with one set of settings. It prints `metric value` lines and ends,
 * so that no cell inherits the heap of another. bench/run starts the processes, interleaves the subjects and does the statistics.
 *
 *   subject   who hands out memory: holdfast, malloc (whichever LD_PRELOAD puts there), three pools written by hand, or `none`,
 *             which hands out the same few addresses for ever and so shows what the harness itself costs.
 *   workload  what is done with it.
 *   slice     the stretch between two looks at the clock, at least a millisecond. A cell's figure is the median of its slices:
 *             whoever else is on the machine spoils some slices, not the median.
 *
 * Every subject is called through the same table of function pointers. A user would call through the procedure linkage table of a
 * shared library, which is an indirect call as well; the table adds one more, equally to all.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "holdfast.h"

/* What an engine keeps for a page it was given. holdfast's handle is 32 bytes, a pointer is 8: tables of handles are laid out with
 * the subject's own stride, so that pointers keep the advantage that they have in real life. */
typedef union block {
    void *address;
    hf_segment segment; /* its first member is the address too */
} block;

typedef struct subject {
    const char *name;
    const char *what;
    size_t handle_bytes;       /* stride of a table of handles: 8 or 32 */
    bool crosses_threads;      /* false: memory released on another thread is lost to the one that allocates */
    bool (*open)(size_t limit_bytes);
    bool (*allocate)(size_t size, block *out);        /* contents unspecified */
    bool (*allocate_zeroed)(size_t size, block *out);
    void (*release)(const block *given, size_t size); /* engines know the size of their pages; malloc has no use for it */
    void (*release_dirty)(const block *given, size_t size, size_t dirty_bytes);
    void (*close)(void);
} subject;

extern const subject subject_holdfast, subject_malloc, subject_none, subject_pool, subject_stack, subject_floor;
const subject *subject_by_name(const char *name); /* NULL: there is none */
void subjects_list(void);

/* The settings of a cell. */
typedef struct plan {
    const subject *subject;
    size_t size_bytes;
    size_t dirty_bytes;       /* what the owner of a page says that it wrote; 0: says nothing */
    size_t cap_bytes;         /* live bytes that the page cache allows itself */
    size_t limit_bytes;       /* the pool's limit, for subjects that have one */
    size_t touched_bytes;     /* workload `lifetime`: resident when the arena closes */
    unsigned threads;
    unsigned batch;           /* how many at once */
    bool zeroed;
    bool random_order;
    uint64_t measure_ns;
    uint64_t count;           /* workload `count`: how many operations */
    const char *path;         /* workload `count`: of what */
} plan;

/* ------------------------------------------------------------------------------------------------------------------ measuring */

enum { SLICES_MAX = 4096 };

typedef struct worker {
    const plan *plan;
    void *shared;             /* the workload's own */
    unsigned index;
    uint64_t random;          /* state of worker_random */
    uint64_t ops_per_unit;    /* worker_next counts in units; figures are per operation */
    bool spectator;           /* helps another worker, is not measured */
    /* private to measure.c */
    struct crew *crew;
    uint64_t units, last_wall, last_cpu, measured_units, measured_from, measured_to;
    unsigned slices;
    double cpu_ns[SLICES_MAX], wall_ns[SLICES_MAX];
} worker;

typedef void worker_body(worker *self);

/* Runs body on plan->threads threads, which start together, and adds up: median CPU and wall nanoseconds per operation (the mean
 * over the threads that were not spectators) and operations per second of all. */
typedef struct figures {
    double cpu_ns, wall_ns, ops_per_s;
} figures;
figures crew_run(const plan *plan, worker_body *body, void *shared);

/* How many units to do before the next look at the clock; 0: the time is over. The crew's clock starts with the first call of any
 * of its workers. The slice grows until it takes a millisecond; the first sixth of the time is warm-up and not counted. */
uint64_t worker_next(worker *self);

uint64_t worker_random(worker *self); /* xorshift64*, Vigna 2014 */
uint64_t now_ns(void);
uint64_t cpu_ns(void); /* of this thread, the kernel's work for it included */
double median(double *values, unsigned count); /* sorts them */
uint64_t status_bytes(const char *key);        /* a figure of /proc/self/status in bytes: "VmHWM", "VmRSS" */
void print_metric(const char *name, double value);
void print_figures(figures result);
void pause_or_yield(unsigned *spins);
void touch_pages(void *address, size_t size, unsigned char value); /* a byte of each 4 KiB, so that it is resident */
void *table_new(size_t bytes);                 /* resident from the start, so that it does not count as the subject's memory */

/* Says what went wrong, in a sentence, and ends the process with status 1: a benchmark of wrong answers is worth nothing. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ------------------------------------------------------------------------------------------------------------------ workloads */

typedef struct workload {
    const char *name;
    const char *what;
    void (*run)(const plan *plan);
} workload;

void work_pair(const plan *plan);      /* W1, and with 16 threads W6 */
void work_batch(const plan *plan);     /* W2 */
void work_handoff(const plan *plan);   /* W3 */
void work_churn(const plan *plan);     /* W4 */
void work_neighbour(const plan *plan); /* W6 */
void work_shift(const plan *plan);     /* W7 */
void work_lifetime(const plan *plan);
void work_access(const plan *plan);
void work_count(const plan *plan);

static inline block *block_at(void *table, const plan *plan, size_t index) {
    return (block *)(void *)((char *)table + index * plan->subject->handle_bytes);
}

static inline void allocate_or_fail(const plan *plan, size_t size, bool zeroed, block *out) {
    if (__builtin_expect(!(zeroed ? plan->subject->allocate_zeroed(size, out) : plan->subject->allocate(size, out)), 0))
        fail("%s has no %zu bytes to give.", plan->subject->name, size);
}

#endif
