/* SPDX-License-Identifier: MIT
 *
 * From package lists to a database: apt-cache dumpavail | awk -f packages.awk, then build.sql by the sqlite3 shell.
 *
 * The lists are what every Debian machine has or gets by one `apt-get update`: about sixty thousand packages, their texts and half
 * a million relations. Whoever has no apt gives a file of the same form.
 */
#define _GNU_SOURCE /* pipe2 */
#include "command.h"
#include "progress.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t WANTED_BYTES = 100u * 1000 * 1000;

/* -- the input, as a file descriptor that awk reads -- */

struct source {
    pid_t lister; /* 0: a file */
    int output;
};

static bool open_source(const struct job *job, const struct work *work, struct source *source) {
    static const char *const arguments[] = { "apt-cache", "dumpavail", NULL };
    *source = (struct source){ 0, -1 };
    if (job->input) {
        source->output = open(job->input, O_RDONLY | O_CLOEXEC);
        if (source->output < 0) complain("can't read the package list %s: %s", job->input, strerror(errno));
        return source->output >= 0;
    }
    int pipes[2], errors = work_create(work, "lists.err");
    if (errors < 0) return false;
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        close(errors);
        return complain("can't make a pipe: %s", strerror(errno)), false;
    }
    struct child_plan plan = { arguments, NULL, NULL, -1, pipes[1], errors, -1 };
    int error = child_start(&plan, &source->lister);
    close(pipes[1]);
    close(errors);
    source->output = pipes[0];
    if (!error) return true;
    close(pipes[0]);
    complain("can't start apt-cache: %s. Without Debian's apt, give a package list (a Packages file, or /var/lib/dpkg/status) with "
             "--input",
             strerror(error));
    return false;
}

/* A lister that was cut short by its reader (--rows) has not failed. */
static bool close_source(const struct job *job, const struct work *work, struct source *source) {
    char why[512], how[64];
    struct child_end end;
    close(source->output);
    if (source->lister == 0) return true;
    child_wait(source->lister, &end);
    if (child_succeeded(&end) || job->rows > 0) return true;
    first_error(work, "lists.err", why, sizeof why);
    child_describe(&end, how, sizeof how);
    complain("apt-cache dumpavail failed (%s): %s", how, *why ? why : silence(work));
    return false;
}

/* -- awk -- */

static bool run_awk(const struct job *job, const struct work *work, int input) {
    char rows[48], why[512], how[64];
    snprintf(rows, sizeof rows, "rows=%" PRIu64, job->rows);
    const char *const arguments[] = { "awk", "-v", rows, "-f", script_path(job, "packages.awk"), NULL };
    int errors = work_create(work, "awk.err");
    if (errors < 0) return false;
    struct child_plan plan = { arguments, work->folder, NULL, input, -1, errors, -1 };
    struct child_end end;
    pid_t child;
    int error = child_start(&plan, &child);
    close(errors);
    if (error) return complain("can't start awk: %s", strerror(error)), false;
    child_wait(child, &end);
    if (child_interrupted()) return complain("interrupted; nothing is left behind"), false;
    if (child_succeeded(&end)) return true;
    first_error(work, "awk.err", why, sizeof why);
    child_describe(&end, how, sizeof how);
    complain("reading the package list failed: awk: %s: %s", how, *why ? why : silence(work));
    return false;
}

static bool read_lists(const struct job *job, const struct work *work) {
    struct source source;
    uint64_t began = monotonic_ns(), bytes;
    progress_step("lists", 0, 0, job->input ? job->input : "apt-cache dumpavail");
    if (!open_source(job, work, &source)) return progress_clear(), false;
    bool read = run_awk(job, work, source.output), ended = close_source(job, work, &source);
    progress_clear();
    if (!read || !ended || !work_size(work, "package.rows", &bytes)) return false;
    progress_step_done("lists", 0, 0, job->input ? job->input : "apt-cache dumpavail", monotonic_ns() - began);
    if (bytes > 0) return true;
    if (job->input)
        complain("there is no package in %s: it wants stanzas as a Packages file has them (\"Package: name\" and so on)",
                 job->input);
    else complain("apt has no package lists on this machine: run 'apt-get update' as root, then this again");
    return false;
}

/* -- the database -- */

static bool ask_what_came(const struct job *job, const struct work *work, const char *database, struct data *data) {
    struct step step = { "counting", "SELECT sqlite_version(), count(*) FROM package;" };
    struct steps steps = { &step, 1 };
    struct shell_run run = {
        .phase = "count", .database = database, .answers = "count.txt", .errors = "count.err", .prologue = "", .steps = &steps
    };
    size_t bytes;
    if (!run_shell(job, work, &run)) return false;
    char *text = read_whole(work_path(work, run.answers), &bytes), *line = text ? strchr(text, '\n') : NULL;
    bool told = line && sscanf(line + 1, "%31[^|]|%" SCNu64, data->sqlite_version, &data->packages) == 2;
    if (text && !told) complain("%s said something else than a version and a count: %s", job->sqlite3, text);
    free(text);
    return told && work_size(work, database, &data->database_bytes);
}

bool make_database(const struct job *job, const struct work *work, const char *database, struct data *data) {
    struct steps steps = { 0 };
    if (!read_lists(job, work)) return false;
    struct shell_run run = {
        .phase = "database", .database = database, .answers = "build.txt", .errors = "build.err", .prologue = "", .steps = &steps
    };
    bool built = steps_read(&steps, script_path(job, "build.sql")) && run_shell(job, work, &run);
    steps_free(&steps);
    work_delete(work, "package.rows");
    work_delete(work, "relation.rows");
    work_delete(work, "tag.rows");
    if (!built || !ask_what_came(job, work, database, data)) return false;
    if (data->database_bytes >= WANTED_BYTES || job->input || job->rows) return true;
    complain("apt's lists have %" PRIu64
             " packages, which make a database of %.1f MB; this run wants %.0f MB (Debian's main archive "
             "has some 60,000 packages). Run 'apt-get update' as root with it among the sources, or ask for less with --rows",
             data->packages, (double)data->database_bytes / 1e6, (double)WANTED_BYTES / 1e6);
    return false;
}
