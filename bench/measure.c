/* SPDX-License-Identifier: MIT
 *
 * Clocks, threads and medians.
 *
 * CPU time (of the thread, the kernel's work for it included) is the figure to compare by where threads do not wait for each other:
 * it leaves out what other processes of the machine took. Where they wait, only wall time says anything. Both are always taken.
 *
 * A slice is at least a millisecond because the thread's CPU clock is a system call of some 300 ns.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static const uint64_t slice_ns = 1000000;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

uint64_t cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, unsigned count) {
    if (count == 0)
        fail("A median of no values: the time to measure in was too short for one slice.");
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

uint64_t worker_random(worker *self) {
    uint64_t x = self->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    self->random = x;
    return x * UINT64_C(2685821657736338717);
}

/* All workers of a crew share one clock, so that what they did adds up over one stretch of time. */
struct crew {
    uint64_t started; /* atomic; 0: not yet */
};

static uint64_t crew_started(struct crew *crew, uint64_t now) {
    uint64_t started = 0;
    if (__atomic_compare_exchange_n(&crew->started, &started, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return now;
    return started;
}

static void record_slice(worker *self, uint64_t wall, uint64_t cpu) {
    double ops = (double)(self->units * self->ops_per_unit);
    if (self->slices < SLICES_MAX) {
        self->cpu_ns[self->slices] = (double)(cpu - self->last_cpu) / ops;
        self->wall_ns[self->slices] = (double)(wall - self->last_wall) / ops;
        self->slices++;
    }
}

static void record_throughput(worker *self, uint64_t wall) {
    if (self->measured_units == 0)
        self->measured_from = self->last_wall;
    self->measured_units += self->units;
    self->measured_to = wall;
}

uint64_t worker_next(worker *self) {
    uint64_t wall = now_ns(), cpu = cpu_ns(), started = crew_started(self->crew, wall);
    bool over = wall - started >= self->plan->measure_ns;
    if (self->units == 0) { /* the first look */
        self->units = 1;
    } else {
        bool warm = self->last_wall - started >= self->plan->measure_ns / 6, is_long = cpu - self->last_cpu >= slice_ns / 2;
        /* What does not fit the time, be it too slow or kept off the processor, is counted all the same rather than not at all. */
        bool last_chance = over && self->slices == 0;
        if ((warm && is_long) || last_chance)
            record_slice(self, wall, cpu);
        if (warm || last_chance)
            record_throughput(self, wall);
        if (!is_long)
            self->units *= 2;
        if (over)
            return 0;
    }
    self->last_wall = now_ns();
    self->last_cpu = cpu_ns();
    return self->units;
}

typedef struct start {
    worker *worker;
    worker_body *body;
    pthread_barrier_t *barrier;
} start;

static void *worker_main(void *argument) {
    start *s = argument;
    pthread_barrier_wait(s->barrier);
    s->body(s->worker);
    return NULL;
}

static figures add_up(worker *workers, unsigned count) {
    figures sum = { 0, 0, 0 };
    unsigned measured = 0;
    uint64_t from = UINT64_MAX, to = 0;
    double ops = 0;
    for (unsigned i = 0; i < count; i++) {
        worker *w = &workers[i];
        if (w->spectator)
            continue;
        sum.cpu_ns += median(w->cpu_ns, w->slices);
        sum.wall_ns += median(w->wall_ns, w->slices);
        ops += (double)(w->measured_units * w->ops_per_unit);
        from = w->measured_from < from ? w->measured_from : from;
        to = w->measured_to > to ? w->measured_to : to;
        measured++;
    }
    if (measured == 0)
        fail("No worker was measured.");
    sum.cpu_ns /= measured;
    sum.wall_ns /= measured;
    sum.ops_per_s = ops * 1e9 / (double)(to - from);
    return sum;
}

figures crew_run(const plan *plan, worker_body *body, void *shared) {
    unsigned count = plan->threads;
    struct crew crew = { 0 };
    worker *workers = table_new(count * sizeof *workers);
    start *starts = table_new(count * sizeof *starts);
    pthread_t *threads = table_new(count * sizeof *threads);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        workers[i].plan = plan;
        workers[i].crew = &crew;
        workers[i].shared = shared;
        workers[i].index = i;
        workers[i].random = UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
        workers[i].ops_per_unit = 1;
        starts[i] = (start){ &workers[i], body, &barrier };
        if (i > 0 && pthread_create(&threads[i], NULL, worker_main, &starts[i]) != 0)
            fail("The system has no thread number %u to give.", i);
    }
    worker_main(&starts[0]);
    for (unsigned i = 1; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    return add_up(workers, count);
}

/* Not malloc's: the allocator under test must not serve the harness. Never freed: a cell is one process. */
void *table_new(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        fail("The system has no %zu bytes for a table of the harness.", bytes);
    return p;
}

uint64_t status_bytes(const char *key) {
    FILE *file = fopen("/proc/self/status", "r");
    if (!file)
        fail("/proc/self/status can't be opened.");
    char line[256];
    unsigned long long kib = 0;
    bool found = false;
    size_t length = strlen(key);
    while (!found && fgets(line, sizeof line, file))
        found = strncmp(line, key, length) == 0 && line[length] == ':' && sscanf(line + length + 1, "%llu", &kib) == 1;
    fclose(file);
    if (!found)
        fail("/proc/self/status has no %s.", key);
    return (uint64_t)kib << 10;
}

/* Two workers, one processor: whoever waits must let the other run. */
void pause_or_yield(unsigned *spins) {
    if (++*spins < 64) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    } else {
        *spins = 0;
        sched_yield();
    }
}

void touch_pages(void *address, size_t size, unsigned char value) {
    for (size_t at = 0; at < size; at += 4096)
        ((volatile unsigned char *)address)[at] = value;
}

void print_metric(const char *name, double value) { printf("%s %.6g\n", name, value); }

void print_figures(figures result) {
    print_metric("cpu_ns", result.cpu_ns);
    print_metric("wall_ns", result.wall_ns);
    print_metric("ops_per_s", result.ops_per_s);
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}
