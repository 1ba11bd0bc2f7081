/* SPDX-License-Identifier: MIT
 *
 * Reading /proc/self/smaps, status and mincore. The whole file is read with plain reads into a buffer that grows, because stdio
 * would allocate while the numbers are being made.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strchrnul */
#endif
#include "memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *read_whole(const char *path) {
    size_t room = 1u << 16, used = 0;
    char *text = malloc(room);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (text && fd >= 0) {
        ssize_t got = read(fd, text + used, room - used - 1);
        if (got <= 0)
            break;
        used += (size_t)got;
        if (room - used < 8192)
            text = realloc(text, room *= 2);
    }
    if (fd >= 0)
        close(fd);
    if (text)
        text[used] = '\0';
    if (fd < 0) {
        free(text);
        return NULL;
    }
    return text;
}

static bool add(struct mappings *m, const struct mapping *one) {
    if (m->count == m->room) {
        size_t room = m->room ? m->room * 2 : 256;
        struct mapping *all = realloc(m->all, room * sizeof *all);
        if (!all)
            return false;
        m->all = all;
        m->room = room;
    }
    m->all[m->count++] = *one;
    return true;
}

bool mappings_read(struct mappings *m) {
    char *text = read_whole("/proc/self/smaps");
    if (!text)
        return false;
    m->count = 0;
    for (char *line = text, *end; *line; line = end) {
        end = strchrnul(line, '\n');
        if (*end)
            *end++ = '\0';
        unsigned long start, stop;
        char rights[5];
        size_t kib;
        if (sscanf(line, "%lx-%lx %4s ", &start, &stop, rights) == 3) {
            struct mapping one = { .start = start, .end = stop, .writable = rights[1] == 'w' };
            if (!add(m, &one))
                break;
        } else if (m->count && sscanf(line, "Rss: %zu kB", &kib) == 1) {
            m->all[m->count - 1].rss_bytes = kib * 1024;
        }
    }
    free(text);
    return true;
}

void mappings_free(struct mappings *m) {
    free(m->all);
    *m = (struct mappings){ 0 };
}

bool mappings_want(struct mappings *m, const void *address) {
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)address >= m->all[middle].end)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == m->count || (uintptr_t)address < m->all[low].start)
        return false;
    return m->all[low].wanted = true;
}

size_t mappings_wanted_rss(const struct mappings *m) {
    size_t sum = 0;
    for (size_t i = 0; i < m->count; i++)
        sum += m->all[i].wanted ? m->all[i].rss_bytes : 0;
    return sum;
}

size_t resident_where(const void *const *addresses, size_t count) {
    struct mappings m = { 0 };
    bool found = mappings_read(&m);
    for (size_t i = 0; found && i < count; i++)
        found = mappings_want(&m, addresses[i]);
    size_t sum = found ? mappings_wanted_rss(&m) : SIZE_MAX;
    mappings_free(&m);
    return sum;
}

size_t process_figure(const char *name) {
    char *text = read_whole("/proc/self/status");
    size_t length = strlen(name), kib = 0;
    for (char *line = text; line && *line; line = strchrnul(line, '\n'), line += *line == '\n')
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            sscanf(line + length + 1, "%zu", &kib);
    free(text);
    return kib * 1024;
}

size_t present_bytes(const void *address, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), present = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    for (size_t at = 0; fd >= 0 && at < size; at += page) {
        uint64_t entry = 0;
        off_t where = (off_t)(((uintptr_t)address + at) / page * sizeof entry);
        if (pread(fd, &entry, sizeof entry, where) == (ssize_t)sizeof entry && (entry >> 63))
            present += page;
    }
    if (fd >= 0)
        close(fd);
    return present;
}
