/* SPDX-License-Identifier: MIT
 *
 * Where the files are that `holdfast run` needs, when no option says so. Known from where this executable lies, its links
 * resolved, in two layouts:
 *
 *                     as built                                    as installed
 *     executable      BUILD/tools/holdfast/holdfast               PREFIX/bin/holdfast
 *     scripts         BUILD/tools/holdfast/sql/                   PREFIX/share/holdfast/
 *     library         BUILD/adapters/sqlite/                      PREFIX/lib/, or the folder of libraries it was built for
 *     work folder     BUILD/run/                                  $TMPDIR, or /tmp
 */
#include "command.h"
#include "run.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef HOLDFAST_LIBRARY_FOLDER
#define HOLDFAST_LIBRARY_FOLDER "lib" /* under the prefix; the build knows better */
#endif

static const char LIBRARY[] = "libholdfast-sqlite.so";
static char library[PATH_MAX], scripts[PATH_MAX], parent[PATH_MAX], shell[PATH_MAX]; /* what job points to afterwards */

/* The resolved path of FOLDER/BELOW/NAME, if it can be read. */
static bool find(const char *folder, const char *below, const char *name, char found[static PATH_MAX]) {
    char path[PATH_BYTES + 512];
    snprintf(path, sizeof path, "%s/%s/%s", folder, below, name);
    return access(path, R_OK) == 0 && realpath(path, found);
}

static bool find_in(const char *folder, const char *const *below, const char *name, char found[static PATH_MAX]) {
    for (size_t i = 0; below[i]; i++)
        if (find(folder, below[i], name, found)) return true;
    return false;
}

static bool find_library(struct job *job, const char *folder) {
    static const char *const below[] = { ".", "../../adapters/sqlite", "../" HOLDFAST_LIBRARY_FOLDER, "../lib", NULL };
    const char *given = job->library;
    job->library = library;
    if (given) {
        if (realpath(given, library) && access(library, R_OK) == 0) return true;
        return complain("can't read the library %s", given), false;
    }
    if (folder && find_in(folder, below, LIBRARY, library)) return true;
    return complain("can't find %s near this program: build it (./dev build), or name it with --library", LIBRARY), false;
}

static bool find_scripts(struct job *job, const char *folder) {
    static const char *const below[] = { "sql", "../share/holdfast", NULL };
    static const char *const needed[] = { "packages.awk", "build.sql", "queries.sql", "updates.sql" };
    char other[PATH_MAX];
    if (job->scripts) {
        if (!find(job->scripts, ".", needed[0], scripts)) return complain("there is no %s in %s", needed[0], job->scripts), false;
    } else if (!folder || !find_in(folder, below, needed[0], scripts)) {
        return complain("can't find %s near this program: name its folder with --scripts", needed[0]), false;
    }
    *strrchr(scripts, '/') = 0;
    job->scripts = scripts;
    for (size_t i = 1; i < sizeof needed / sizeof needed[0]; i++)
        if (!find(scripts, ".", needed[i], other)) return complain("there is no %s in %s", needed[i], scripts), false;
    return true;
}

static void find_parent(struct job *job, const char *folder) {
    char build[PATH_MAX];
    const char *temporary = getenv("TMPDIR");
    if (job->parent) return;
    if (folder && find(folder, "../..", "meson-info", build))
        snprintf(parent, sizeof parent, "%.*s/run", (int)(strrchr(build, '/') - build), build);
    else snprintf(parent, sizeof parent, "%s", temporary && *temporary ? temporary : "/tmp");
    job->parent = parent;
}

/* A shell named by a path is named from here, but starts in the work folder. */
static bool find_shell(struct job *job) {
    if (!strchr(job->sqlite3, '/')) return true;
    if (!realpath(job->sqlite3, shell)) return complain("can't find the shell %s", job->sqlite3), false;
    job->sqlite3 = shell;
    return true;
}

bool find_places(struct job *job) {
    bool all_named = job->library && job->scripts && job->parent;
    const char *folder = all_named ? NULL : executable_folder();
    if (!all_named && !folder) return false;
    if (!find_shell(job) || !find_library(job, folder) || !find_scripts(job, folder)) return false;
    find_parent(job, folder);
    return true;
}

const char *script_path(const struct job *job, const char *name) {
    static char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", job->scripts, name);
    return path;
}
