/* SPDX-License-Identifier: MIT
 *
 * See work.h. The folder's name is mkdtemp's, so that two runs never meet, and everything made is inside, so that one removal
 * of a tree is the whole of tidying up.
 */
#define _GNU_SOURCE /* nftw's flags */
#include "work.h"
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const double MB = 1e6;

static bool enough_space(const char *folder, uint64_t needed_bytes) {
    struct statvfs space;
    if (statvfs(folder, &space) != 0) {
        complain("can't ask how much space is free in %s: %s", folder, strerror(errno));
        return false;
    }
    uint64_t free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
    if (free_bytes >= needed_bytes) return true;
    complain("%s has %.1f MB free, and this run needs up to %.1f MB there: make room, name another folder with --work, or ask for "
             "less with --rows",
             folder, (double)free_bytes / MB, (double)needed_bytes / MB);
    return false;
}

const char *silence(const struct work *work) {
    struct statvfs space;
    bool full = statvfs(work->folder, &space) == 0 && (uint64_t)space.f_bavail * space.f_frsize < 64u << 10;
    return full ? "the disk of the work folder is full" : "it gave no reason";
}

bool work_begin(struct work *work, const char *parent, uint64_t needed_bytes) {
    char absolute[PATH_MAX];
    work->folder[0] = 0;
    if (mkdir(parent, 0777) != 0 && errno != EEXIST) {
        complain("can't make the work folder %s: %s", parent, strerror(errno));
        return false;
    }
    if (!realpath(parent, absolute)) {
        complain("can't use the work folder %s: %s", parent, strerror(errno));
        return false;
    }
    if (!enough_space(absolute, needed_bytes)) return false;
    if (snprintf(work->folder, sizeof work->folder, "%s/holdfast-run-XXXXXX", absolute) < (int)sizeof work->folder &&
        mkdtemp(work->folder))
        return true;
    complain("can't make a folder in the work folder %s: %s", absolute, strerror(errno));
    work->folder[0] = 0;
    return false;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status, (void)kind, (void)where;
    if (remove(path) != 0) complain("can't remove %s: %s", path, strerror(errno));
    return 0; /* go on with the others */
}

void work_remove(struct work *work) {
    if (work->folder[0]) nftw(work->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    work->folder[0] = 0;
}

const char *work_path(const struct work *work, const char *name) {
    static char paths[4][PATH_BYTES + NAME_MAX + 2];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", work->folder, name);
    return path;
}

int work_create(const struct work *work, const char *name) {
    int file = open(work_path(work, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) complain("can't write %s: %s", work_path(work, name), strerror(errno));
    return file;
}

int work_open(const struct work *work, const char *name) {
    int file = open(work_path(work, name), O_RDONLY | O_CLOEXEC);
    if (file < 0) complain("can't read %s: %s", work_path(work, name), strerror(errno));
    return file;
}

static int write_all(int file, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(file, bytes, count);
        if (written < 0 && errno != EINTR) return errno;
        if (written > 0) bytes += written, count -= (size_t)written;
    }
    return 0;
}

bool work_copy(const struct work *work, const char *from, const char *to) {
    static char buffer[256 << 10];
    int in = work_open(work, from), out = in < 0 ? -1 : work_create(work, to), error = 0;
    ssize_t got = 0;
    if (out >= 0) {
        while (!error && ((got = read(in, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR)))
            if (got > 0) error = write_all(out, buffer, (size_t)got);
        if (!error && got < 0) error = errno;
        if (close(out) != 0 && !error) error = errno;
        if (error) complain("can't copy %s: %s", work_path(work, from), strerror(error));
    }
    if (in >= 0) close(in);
    return out >= 0 && !error;
}

bool work_size(const struct work *work, const char *name, uint64_t *bytes) {
    struct stat status;
    if (stat(work_path(work, name), &status) != 0) {
        complain("can't look at %s: %s", work_path(work, name), strerror(errno));
        return false;
    }
    *bytes = (uint64_t)status.st_size;
    return true;
}

void work_delete(const struct work *work, const char *name) {
    static const char *const endings[] = { "", "-journal", "-wal", "-shm" };
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char with_ending[NAME_MAX];
        snprintf(with_ending, sizeof with_ending, "%s%s", name, endings[i]);
        unlink(work_path(work, with_ending)); /* most are not there */
    }
}

char *read_whole(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0, room = 0, got = 1;
    while (file && got > 0) {
        if (room - size < 4096) {
            room = room * 2 + 65536;
            char *larger = realloc(text, room);
            if (!larger) break;
            text = larger;
        }
        got = fread(text + size, 1, room - size - 1, file);
        size += got;
    }
    if (!file || got > 0 || ferror(file)) {
        complain("can't read %s: %s", path, strerror(errno ? errno : EIO));
        free(text);
        text = NULL;
    } else {
        text[size] = 0;
        *bytes = size;
    }
    if (file) fclose(file);
    return text;
}
