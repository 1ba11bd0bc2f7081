/* SPDX-License-Identifier: MIT
 *
 * `holdfast run`: a real database under the unmodified sqlite3 shell, once as it is and once on holdfast, and the two compared.
 *
 *     package lists --awk--> rows --build.sql--> base.db
 *     base.db --copy--> plain.db      queries.sql + updates.sql      answers, time, peak memory, SHA3-256
 *     base.db --copy--> holdfast.db   the same, LD_PRELOAD           answers, time, peak memory, SHA3-256, statistics line
 *
 * Fair: the same shell, the same script, the same page cache budget (PRAGMA cache_size), copies made alike just before, one after
 * the other. The budget is below the limit by an eighth, because the limit counts what cache_size does not: the headers and
 * cuttings of the blocks that pages lie in, and the small caches of temporary tables.
 *
 * The order matters nowhere but in this file; what each part does is in its own (run.h).
 */
#include "command.h"
#include "progress.h"
#include "run.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t MIB = 1 << 20;

uint64_t cache_kib(const struct job *job) {
    return job->limit_bytes / 8 * 7 / 1024;
}

/* -- the work -- */

/* Room for the base, a copy as it grows, what VACUUM and the write-ahead log take beside it, and the rows: at most. */
static uint64_t space_needed(const struct job *job) {
    return job->rows ? 16 * MIB + job->rows * 20000 : 1100 * MIB;
}

static bool read_steps(const struct job *job, struct outcome *outcome) {
    if (!steps_read(&outcome->steps, script_path(job, "queries.sql"))) return false;
    outcome->queries = outcome->steps.count;
    if (!steps_read(&outcome->steps, script_path(job, "updates.sql"))) return false;
    size_t count = outcome->steps.count;
    outcome->plain.took_ns = calloc(count, sizeof *outcome->plain.took_ns);
    outcome->ours.took_ns = calloc(count, sizeof *outcome->ours.took_ns);
    outcome->same = calloc(count, sizeof *outcome->same);
    if (outcome->plain.took_ns && outcome->ours.took_ns && outcome->same) return true;
    return complain("no memory for %zu steps", count), false;
}

static bool run_side(const struct job *job, const struct work *work, struct outcome *outcome, struct side *side,
                     struct shell_run run) {
    char prologue[96];
    snprintf(prologue, sizeof prologue, ".output stdout\nPRAGMA cache_size = -%" PRIu64 ";", cache_kib(job));
    run.prologue = prologue;
    run.steps = &outcome->steps;
    run.took_ns = side->took_ns;
    if (!work_copy(work, "base.db", run.database) || !run_shell(job, work, &run)) return false;
    side->peak_bytes = run.end.peak_bytes;
    bool hashed = hash_database(job, work, run.database, side->hash);
    if (!job->keep) work_delete(work, run.database);
    return hashed;
}

static bool run_plain(const struct job *job, const struct work *work, struct outcome *outcome) {
    char temporary[PATH_BYTES + 16];
    snprintf(temporary, sizeof temporary, "SQLITE_TMPDIR=%s", work->folder);
    const char *const settings[] = { temporary, NULL };
    struct shell_run run = {
        .phase = "plain", .database = "plain.db", .answers = "plain.txt", .errors = "plain.err", .settings = settings
    };
    return run_side(job, work, outcome, &outcome->plain, run);
}

static bool run_on_holdfast(const struct job *job, const struct work *work, struct outcome *outcome) {
    char temporary[PATH_BYTES + 16], preload[PATH_BYTES + 16], limit[64], why[512];
    snprintf(temporary, sizeof temporary, "SQLITE_TMPDIR=%s", work->folder);
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", job->library);
    snprintf(limit, sizeof limit, "HOLDFAST_SQLITE_LIMIT=%" PRIu64, job->limit_bytes);
    const char *const settings[] = { temporary, preload, limit, "HOLDFAST_SQLITE_STATS=1", NULL };
    struct shell_run run = {
        .phase = "on holdfast", .database = "holdfast.db", .answers = "holdfast.txt", .errors = "holdfast.err", .settings = settings
    };
    if (!run_side(job, work, outcome, &outcome->ours, run)) return false;
    if (read_cache_stats(work, run.errors, &outcome->stats)) return true;
    first_error(work, run.errors, why, sizeof why);
    complain("%s did not load %s, or SQLite is not a shared library to it: no statistics came at exit. %s", job->sqlite3,
             job->library, why);
    return false;
}

/* Everything between a new work folder and a table. The exit status. */
static int do_the_job(const struct job *job, const struct work *work, struct outcome *outcome) {
    if (!read_steps(job, outcome) || !make_database(job, work, "base.db", &outcome->data)) return EXIT_FAILED;
    const char *source = job->input ? job->input : "apt's package lists (apt-cache dumpavail, /var/lib/apt/lists)";
    printf("  data       %" PRIu64 " packages from %s\n", outcome->data.packages, source);
    printf("  database   %.1f MB: packages, relations, tags, the dependency graph; indexes, FTS5, R-Tree\n",
           (double)outcome->data.database_bytes / 1e6);
    printf("  plain      %s %s, unmodified, PRAGMA cache_size = %.1f MiB\n", job->sqlite3, outcome->data.sqlite_version,
           (double)cache_kib(job) / 1024);
    printf("  holdfast   the same with LD_PRELOAD=libholdfast-sqlite.so HOLDFAST_SQLITE_LIMIT=%.4gM\n",
           (double)job->limit_bytes / (double)MIB);
    fflush(stdout);
    if (!run_plain(job, work, outcome) || !run_on_holdfast(job, work, outcome)) return EXIT_FAILED;
    char a[PATH_BYTES + 64];
    snprintf(a, sizeof a, "%s", work_path(work, "plain.txt"));
    if (!steps_compare(&outcome->steps, a, work_path(work, "holdfast.txt"), outcome->same)) return EXIT_FAILED;
    return report(job, outcome);
}

static int run_job(struct job *job) {
    struct work work;
    struct outcome outcome = { 0 };
    if (!find_places(job)) return EXIT_FAILED;
    if (!work_begin(&work, job->parent, space_needed(job))) return EXIT_FAILED;
    child_hold_signals();
    progress_begin(job->quiet);
    int status = do_the_job(job, &work, &outcome);
    if (job->keep && !child_interrupted()) printf("\n  kept in    %s\n", work.folder);
    else work_remove(&work);
    steps_free(&outcome.steps);
    free(outcome.plain.took_ns);
    free(outcome.ours.took_ns);
    free(outcome.same);
    child_resume_signals();
    return status;
}

/* -- the command line -- */

static void print_help(void) {
    puts("usage: holdfast run [OPTION]...\n\n"
         "Builds a database from real data and puts the unmodified sqlite3 shell to work on it twice: once on SQLite's own page\n"
         "cache, once on holdfast under a byte limit. Thirty queries and an update workload; then it compares all answers byte by\n"
         "byte and the databases by SHA3-256, and prints one table: answers, time, peak memory, limit, segments left over.\n\n"
         "The data are the package lists of Debian's apt (what 'apt-get update' leaves in /var/lib/apt/lists, printed by\n"
         "'apt-cache dumpavail'): some 60,000 packages with half a million relations, tags and texts; over 100 MB of database.\n"
         "It takes a minute or two and about 1 GB of disk, all of which is given back.\n\n"
         "      --rows N         only the first N packages\n"
         "      --input FILE     a package list (a Packages file, /var/lib/dpkg/status) instead of apt's lists\n"
         "      --limit SIZE     holdfast's limit, such as 64M, which is the default; both sides get 7/8 of it as cache_size\n"
         "      --details        also a line for each query and update step\n"
         "      --keep           keep databases, answers and scripts, and say where\n"
         "      --work FOLDER    work below this folder (default: run/ in the build folder; else $TMPDIR or /tmp)\n"
         "      --sqlite3 FILE   the shell (default: sqlite3 on PATH)\n"
         "      --library FILE   libholdfast-sqlite.so (default: the one built or installed with this program)\n"
         "      --scripts FOLDER packages.awk, build.sql, queries.sql and updates.sql (likewise)\n"
         "  -q, --quiet          no progress on stderr\n"
         "  -h, --help           this text\n\n"
         "Exit status: 0 if the answers are the same, the limit was kept and no segment is left over; 1 if not, or if something\n"
         "failed; 2 for a wrong call.");
}

/* A positive number, with K, M or G behind it where that is allowed. */
static bool parse_number(const char *text, bool suffix, uint64_t *number) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    unsigned shift = 0;
    if (suffix && *end) {
        const char *letters = "KMG", *letter = strchr(letters, toupper((unsigned char)*end));
        if (!letter) return false;
        shift = 10 * (unsigned)(letter - letters + 1);
        end++;
    }
    if (!isdigit((unsigned char)text[0]) || errno || *end || value == 0 || value > UINT64_MAX >> shift) return false;
    *number = (uint64_t)value << shift;
    return true;
}

enum {
    OPTION_ROWS = 256,
    OPTION_INPUT,
    OPTION_LIMIT,
    OPTION_DETAILS,
    OPTION_KEEP,
    OPTION_WORK,
    OPTION_SQLITE3,
    OPTION_LIBRARY,
    OPTION_SCRIPTS
};

static const struct option options[] = {
    { "rows", required_argument, NULL, OPTION_ROWS },       { "input", required_argument, NULL, OPTION_INPUT },
    { "limit", required_argument, NULL, OPTION_LIMIT },     { "details", no_argument, NULL, OPTION_DETAILS },
    { "keep", no_argument, NULL, OPTION_KEEP },             { "work", required_argument, NULL, OPTION_WORK },
    { "sqlite3", required_argument, NULL, OPTION_SQLITE3 }, { "library", required_argument, NULL, OPTION_LIBRARY },
    { "scripts", required_argument, NULL, OPTION_SCRIPTS }, { "quiet", no_argument, NULL, 'q' },
    { "help", no_argument, NULL, 'h' },                     { 0 },
};

/* One option. -1: go on; else the exit status. */
static int take_option(struct job *job, int option) {
    switch (option) {
    case OPTION_ROWS:
        return parse_number(optarg, false, &job->rows) ? -1 : misused("--rows wants a number above 0, not '%s'", optarg);
    case OPTION_LIMIT:
        if (parse_number(optarg, true, &job->limit_bytes) && job->limit_bytes >= MIB)
            return -1;
        return misused("--limit wants a size of at least 1M, such as 64M, not '%s'", optarg);
    case OPTION_INPUT: job->input = optarg; return -1;
    case OPTION_WORK: job->parent = optarg; return -1;
    case OPTION_SQLITE3: job->sqlite3 = optarg; return -1;
    case OPTION_LIBRARY: job->library = optarg; return -1;
    case OPTION_SCRIPTS: job->scripts = optarg; return -1;
    case OPTION_DETAILS: job->details = true; return -1;
    case OPTION_KEEP: job->keep = true; return -1;
    case 'q': job->quiet = true; return -1;
    case 'h': print_help(); return EXIT_WORKED;
    default: return fputs("Try 'holdfast run --help'.\n", stderr), EXIT_USAGE;
    }
}

int command_run(int argc, char **argv) {
    struct job job = { .limit_bytes = 64 * MIB, .sqlite3 = "sqlite3" };
    int option, status;
    while ((option = getopt_long(argc, argv, "qh", options, NULL)) != -1)
        if ((status = take_option(&job, option)) >= 0) return status;
    return no_arguments_left(argc, argv) ? EXIT_USAGE : run_job(&job);
}
