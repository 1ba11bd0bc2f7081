/* SPDX-License-Identifier: MIT
 *
 * The table of `holdfast run`, and its verdict. Every figure was measured by this run: times by the markers, memory by the kernel
 * (wait4), charged bytes and segments by the statistics line that libholdfast-sqlite.so printed at exit, hashes by the shell.
 */
#include "command.h"
#include "run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static double seconds(const struct side *side, size_t from, size_t to) {
    double sum = 0;
    for (size_t i = from; i < to; i++) sum += (double)side->took_ns[i] / 1e9;
    return sum;
}

static double mib(uint64_t bytes) {
    return (double)bytes / (1 << 20);
}

static const char *yes_no(bool good) {
    return good ? "yes" : "NO";
}

static void print_details(const struct outcome *o) {
    printf("\n  %-10s %9s %9s  %s\n", "step", "plain", "holdfast", "same");
    for (size_t i = 0; i < o->steps.count; i++)
        printf("  %s %3zu %8.3f s %7.3f s  %-4s  %s\n", i < o->queries ? "query " : "update",
               i < o->queries ? i + 1 : i + 1 - o->queries, (double)o->plain.took_ns[i] / 1e9, (double)o->ours.took_ns[i] / 1e9,
               yes_no(o->same[i]), o->steps.list[i].title);
}

static size_t count_same(const struct outcome *o) {
    size_t same = 0;
    for (size_t i = 0; i < o->steps.count; i++) same += o->same[i];
    return same;
}

static void print_times(const char *what, size_t steps, const struct outcome *o, size_t from, size_t to) {
    char label[48];
    snprintf(label, sizeof label, "%zu %s", steps, what);
    printf("  %-30s %12.2f s   %12.2f s\n", label, seconds(&o->plain, from, to), seconds(&o->ours, from, to));
}

static void print_table(const struct job *job, const struct outcome *o) {
    const struct cache_stats *stats = &o->stats;
    char peak[48];
    snprintf(peak, sizeof peak, "%.1f of %.1f MiB", mib(stats->peak_bytes), mib(stats->limit_bytes));
    printf("\n  %-30s %14s   %14s\n", "", "plain SQLite", "on holdfast");
    print_times("queries", o->queries, o, 0, o->queries);
    print_times("update steps", o->steps.count - o->queries, o, o->queries, o->steps.count);
    printf("  %-30s %10.1f MiB   %10.1f MiB   whole process, ru_maxrss\n", "peak memory", mib(o->plain.peak_bytes),
           mib(o->ours.peak_bytes));
    printf("  %-30s %14s   %14s\n", "most charged, of the limit", "-", peak);
    printf("  %-30s %14s   %14s\n", "limit kept", "-",
           yes_no(stats->limit_bytes == job->limit_bytes && stats->peak_bytes <= stats->limit_bytes));
    printf("  %-30s %14s   %14" PRIu64 "   %" PRIu64 " bytes live\n", "segments outstanding at exit", "-", stats->segments,
           stats->live_bytes);
    printf("  %-30s %31s   %zu of %zu, byte by byte\n", "same answers", yes_no(count_same(o) == o->steps.count), count_same(o),
           o->steps.count);
    printf("  %-30s %31s   SHA3-256 %.12s... and %.12s...\n", "same database afterwards",
           yes_no(strcmp(o->plain.hash, o->ours.hash) == 0), o->plain.hash, o->ours.hash);
}

/* Says what is wrong, one complaint each. */
static int judge(const struct job *job, const struct outcome *o) {
    const struct cache_stats *stats = &o->stats;
    int status = EXIT_WORKED;
    for (size_t i = 0; i < o->steps.count; i++)
        if (!o->same[i])
            status = complain("step %zu, \"%s\", has other answers on holdfast (--keep keeps both)", i + 1, o->steps.list[i].title);
    if (strcmp(o->plain.hash, o->ours.hash) != 0)
        status = complain("the two databases differ afterwards: %s and %s", o->plain.hash, o->ours.hash);
    if (strcmp(stats->cache, "holdfast") != 0)
        status = complain("%s did not use holdfast: its page cache was \"%s\"", job->sqlite3, stats->cache);
    else if (stats->hits + stats->misses == 0) status = complain("%s never asked holdfast for a page", job->sqlite3);
    if (stats->limit_bytes != job->limit_bytes)
        status =
            complain("the limit in force was %" PRIu64 " bytes, and not the %" PRIu64 " asked for", stats->limit_bytes, job->limit_bytes);
    if (stats->peak_bytes > stats->limit_bytes)
        status = complain("the limit was broken: %" PRIu64 " bytes charged of %" PRIu64, stats->peak_bytes, stats->limit_bytes);
    if (stats->segments > 0 || stats->live_bytes > 0)
        status = complain("%" PRIu64 " segments (%" PRIu64 " bytes) were still outstanding at exit", stats->segments, stats->live_bytes);
    if (stats->misuses > 0) status = complain("%" PRIu64 " misuses were counted", stats->misuses);
    return status;
}

int report(const struct job *job, const struct outcome *outcome) {
    if (job->details) print_details(outcome);
    print_table(job, outcome);
    return judge(job, outcome);
}
