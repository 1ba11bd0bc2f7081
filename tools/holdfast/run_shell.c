/* SPDX-License-Identifier: MIT
 *
 * One sqlite3 shell that works through a script of steps, watched by way of the pipe that the script writes its markers into
 * (steps.c). Only files lie between it and its input and output, so that nothing but the shell's own work is timed.
 */
#define _GNU_SOURCE /* pipe2 */
#include "command.h"
#include "progress.h"
#include "run.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Counts the markers that come through the pipe, until its other end is closed. Returns how many steps are done. */
static size_t watch(const struct shell_run *run, int markers) {
    const struct steps *steps = run->steps;
    char bytes[256];
    size_t done = 0;
    uint64_t began = monotonic_ns();
    if (steps->count > 0) progress_step(run->phase, 1, steps->count, steps->list[0].title);
    while (!child_interrupted()) {
        ssize_t got = read(markers, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        uint64_t now = monotonic_ns();
        for (ssize_t i = 0; i < got && done < steps->count; i++) {
            if (bytes[i] != '\n') continue;
            if (run->took_ns) run->took_ns[done] = now - began;
            progress_step_done(run->phase, done + 1, steps->count, steps->list[done].title, now - began);
            began = now;
            if (++done < steps->count) progress_step(run->phase, done + 1, steps->count, steps->list[done].title);
        }
    }
    progress_clear();
    return done;
}

static bool start(const struct job *job, const struct work *work, const struct shell_run *run, int script, int markers,
                  pid_t *child) {
    const char *const arguments[] = { job->sqlite3, "-batch", "-bail", "-init", "/dev/null", run->database, NULL };
    int answers = work_create(work, run->answers), errors = answers < 0 ? -1 : work_create(work, run->errors), error = 0;
    if (errors >= 0) {
        struct child_plan plan = { arguments, work->folder, run->settings, script, answers, errors, markers };
        error = child_start(&plan, child);
        if (error) complain("can't start %s: %s%s", job->sqlite3, strerror(error),
                            error == ENOENT ? " (Debian's package is sqlite3; another shell can be named with --sqlite3)" : "");
    }
    if (answers >= 0) close(answers);
    if (errors >= 0) close(errors);
    return errors >= 0 && !error;
}

static bool explain_failure(const struct job *job, const struct work *work, const struct shell_run *run, size_t done) {
    char why[512], how[64];
    first_error(work, run->errors, why, sizeof why);
    child_describe(&run->end, how, sizeof how);
    if (child_interrupted()) complain("interrupted; nothing is left behind");
    else if (done < run->steps->count)
        complain("%s: %s failed (%s) in step %zu of %zu, \"%s\": %s", run->phase, job->sqlite3, how, done + 1, run->steps->count,
                 run->steps->list[done].title, *why ? why : silence(work));
    else complain("%s: %s failed (%s) after its last step: %s", run->phase, job->sqlite3, how, *why ? why : silence(work));
    return false;
}

bool run_shell(const struct job *job, const struct work *work, struct shell_run *run) {
    int script = work_create(work, "script.sql"), pipes[2];
    pid_t child;
    if (script < 0 || !steps_write_script(run->steps, run->prologue, script)) return false; /* which closes it */
    script = work_open(work, "script.sql");
    if (script < 0) return false;
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        close(script);
        return complain("can't make a pipe: %s", strerror(errno)), false;
    }
    bool started = start(job, work, run, script, pipes[1], &child);
    close(script);
    close(pipes[1]);
    size_t done = 0;
    if (started) {
        done = watch(run, pipes[0]);
        child_wait(child, &run->end);
    }
    close(pipes[0]);
    if (!started) return false;
    if (child_succeeded(&run->end) && done == run->steps->count && !child_interrupted()) return true;
    return explain_failure(job, work, run, done);
}

void first_error(const struct work *work, const char *name, char *text, size_t size) {
    FILE *file = fopen(work_path(work, name), "re");
    char line[1024];
    text[0] = 0;
    while (file && !text[0] && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        bool statistics =
            line[0] == ' ' || strncmp(line, "holdfast-sqlite: summary", 24) == 0 || strncmp(line, "holdfast-sqlite: cache", 22) == 0;
        if (line[0] && !statistics) snprintf(text, size, "%s", line);
    }
    if (file) fclose(file);
}

/* The number after " NAME " in a line. */
static bool number_after(const char *line, const char *name, uint64_t *number) {
    char key[32];
    snprintf(key, sizeof key, " %s ", name);
    const char *at = strstr(line, key);
    if (!at || !isdigit((unsigned char)at[strlen(key)])) return false;
    *number = strtoull(at + strlen(key), NULL, 10);
    return true;
}

bool read_cache_stats(const struct work *work, const char *name, struct cache_stats *stats) {
    FILE *file = fopen(work_path(work, name), "re");
    char line[1024];
    bool found = false;
    *stats = (struct cache_stats){ 0 };
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "holdfast-sqlite: cache %31s", stats->cache) == 1 && number_after(line, "limit", &stats->limit_bytes) &&
                number_after(line, "peak", &stats->peak_bytes) && number_after(line, "live", &stats->live_bytes) &&
                number_after(line, "hits", &stats->hits) && number_after(line, "misses", &stats->misses) &&
                number_after(line, "given_back", &stats->given_back_bytes) && number_after(line, "segments", &stats->segments) &&
                number_after(line, "refused", &stats->refused) && number_after(line, "misuses", &stats->misuses);
    if (file) fclose(file);
    return found;
}

bool hash_database(const struct job *job, const struct work *work, const char *database, char hash[static HASH_BYTES]) {
    static char command[] = ".sha3sum --schema --sha3-256";
    struct step step = { "SHA3-256 of all content", command };
    struct steps steps = { &step, 1 };
    struct shell_run run = {
        .phase = "hash", .database = database, .answers = "hash.txt", .errors = "hash.err", .prologue = "", .steps = &steps
    };
    if (!run_shell(job, work, &run)) return false;
    size_t bytes;
    char *text = read_whole(work_path(work, run.answers), &bytes), *line = text ? strchr(text, '\n') : NULL;
    bool found = line && strspn(line + 1, "0123456789abcdef") == 64;
    if (found) snprintf(hash, HASH_BYTES, "%.64s", line + 1);
    else complain("%s has no .sha3sum: it printed no hash of %s", job->sqlite3, database);
    free(text);
    return found;
}
