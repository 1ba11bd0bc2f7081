/* SPDX-License-Identifier: MIT
 *
 * bench: measures one cell and ends. bench/run starts it, again and again, and makes tables of what it says.
 */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const workload workloads[] = {
    { "pair", "W1: allocate and release, singly or in small batches; not zeroed or zeroed", work_pair },
    { "batch", "W2: 1,024 at once, then all released in order or at random", work_batch },
    { "handoff", "W3: one thread allocates, another releases", work_handoff },
    { "churn", "W4: a page cache of mixed sizes under a cap", work_churn },
    { "neighbour", "W6: each thread releases what its neighbour allocated", work_neighbour },
    { "shift", "W7: all memory as small pages, then as large ones", work_shift },
    { "lifetime", "open 1 TiB, close after touching 1 GiB (subject malloc: bare mmap and madvise)", work_lifetime },
    { "access", "check, read, pin, write, against raw loads and stores", work_access },
    { "count", "a fixed number of operations of one kind, for callgrind (--path)", work_count },
};

static void usage(FILE *to) {
    fputs("usage: bench --workload NAME [--subject NAME] [OPTION]...\n"
          "\n"
          "Measures one workload for one subject and prints `metric value` lines. bench/run does whole comparisons.\n"
          "\n"
          "  --size BYTES     of a page (65536)        --threads N      (1)\n"
          "  --batch N        at once (1; batch: 1024) --zeroed         ask for zero bytes\n"
          "  --dirty BYTES    the owner says that it wrote only these; implies --zeroed\n"
          "  --random         release in random order\n"
          "  --cap MIB        live bytes of churn and shift (256)\n"
          "  --limit MIB      the pool's limit, where there is one (4096; churn and shift: the cap)\n"
          "  --touch MIB      resident when lifetime closes (1024)\n"
          "  --millis N       how long to measure (100)\n"
          "  --path NAME, --count N   for the workload `count`\n"
          "\n"
          "Workloads:\n",
          to);
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        fprintf(to, "  %-10s %s\n", workloads[i].name, workloads[i].what);
    if (to == stdout) {
        puts("\nSubjects:");
        subjects_list();
    }
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < least || value > most)
        fail("--%s wants a number from %llu to %llu, not '%s'.", option, (unsigned long long)least, (unsigned long long)most, text);
    return value;
}

static const workload *workload_by_name(const char *name) {
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    fail("There is no workload '%s'; bench --help lists them.", name);
}

enum { MIB = 1 << 20 };

static const struct option options[] = {
    { "workload", required_argument, NULL, 'w' }, { "subject", required_argument, NULL, 's' },
    { "size", required_argument, NULL, 'b' },     { "threads", required_argument, NULL, 't' },
    { "batch", required_argument, NULL, 'n' },    { "zeroed", no_argument, NULL, 'z' },
    { "dirty", required_argument, NULL, 'd' },    { "random", no_argument, NULL, 'r' },
    { "cap", required_argument, NULL, 'c' },      { "limit", required_argument, NULL, 'l' },
    { "millis", required_argument, NULL, 'm' },   { "path", required_argument, NULL, 'p' },
    { "count", required_argument, NULL, 'k' },    { "touch", required_argument, NULL, 'x' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static const workload *parse(int argc, char **argv, plan *plan) {
    const workload *work = NULL;
    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (letter) {
        case 'w': work = workload_by_name(optarg); break;
        case 's':
            if (!(plan->subject = subject_by_name(optarg)))
                fail("There is no subject '%s'; bench --help lists them.", optarg);
            break;
        case 'b': plan->size_bytes = number("size", optarg, 1, 262144); break;
        case 't': plan->threads = (unsigned)number("threads", optarg, 1, 1024); break;
        case 'n': plan->batch = (unsigned)number("batch", optarg, 1, 1 << 20); break;
        case 'z': plan->zeroed = true; break;
        case 'd':
            plan->dirty_bytes = number("dirty", optarg, 1, 262144);
            plan->zeroed = true;
            break;
        case 'r': plan->random_order = true; break;
        case 'c': plan->cap_bytes = number("cap", optarg, 1, 1 << 20) * MIB; break;
        case 'l': plan->limit_bytes = number("limit", optarg, 1, 1 << 20) * MIB; break;
        case 'x': plan->touched_bytes = number("touch", optarg, 1, 1 << 20) * MIB; break;
        case 'm': plan->measure_ns = number("millis", optarg, 1, 600000) * 1000000; break;
        case 'p': plan->path = optarg; break;
        case 'k': plan->count = number("count", optarg, 0, UINT64_MAX); break;
        case 'h': usage(stdout); exit(0);
        default: usage(stderr); exit(2);
        }
    }
    if (!work || optind < argc) {
        usage(stderr);
        exit(2);
    }
    return work;
}

/* The C library leaves locked instructions out of mutexes and of malloc while a process has one thread. Storage engines have more,
 * so there is always a second one, asleep. */
static void *sleep_for_ever(void *unused) {
    for (;;)
        pause();
    return unused;
}

static void be_an_engine(void) {
    pthread_t sleeper;
    if (pthread_create(&sleeper, NULL, sleep_for_ever, NULL) != 0)
        fail("The system has no second thread to give.");
}

int main(int argc, char **argv) {
    plan plan = {
        .subject = &subject_holdfast,
        .size_bytes = 65536,
        .threads = 1,
        .touched_bytes = (size_t)1024 * MIB,
        .cap_bytes = (size_t)256 * MIB,
        .measure_ns = 100000000,
    };
    const workload *work = parse(argc, argv, &plan);
    if (plan.dirty_bytes > plan.size_bytes)
        fail("A page of %zu bytes can't have %zu dirty ones.", plan.size_bytes, plan.dirty_bytes);
    bool capped = work->run == work_churn || work->run == work_shift;
    bool opens_itself = capped || work->run == work_lifetime || work->run == work_access || work->run == work_count;
    if (plan.batch == 0)
        plan.batch = work->run == work_batch ? 1024 : 1;
    if (plan.limit_bytes == 0)
        plan.limit_bytes = capped ? plan.cap_bytes : (size_t)4096 * MIB;
    if (!opens_itself && !plan.subject->open(plan.limit_bytes))
        fail("%s does not open: %s", plan.subject->name, hf_error_message());
    be_an_engine();
    work->run(&plan);
    if (!opens_itself)
        plan.subject->close();
    return 0;
}
