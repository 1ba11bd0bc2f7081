/* SPDX-License-Identifier: MIT
 *
 * See machine.h. All of it is in /proc and /sys, getrlimit and sysconf; what is not there is said not to be.
 */
#define _GNU_SOURCE
#include "machine.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void describe_bytes(uint64_t bytes, char *text, size_t size) {
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit < 3) value /= 1024, unit++;
    snprintf(text, size, value < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* The first line of a file. False, and "", if there is none. */
static bool read_line(const char *path, char *line, size_t size) {
    FILE *file = fopen(path, "re");
    line[0] = 0;
    if (!file) return false;
    bool got = fgets(line, (int)size, file) != NULL;
    fclose(file);
    line[strcspn(line, "\n")] = 0;
    return got;
}

/* -- memory this process may use -- */

/* The smallest limit in a control group's file, from the group up to the root. UINT64_MAX: none. */
static uint64_t group_limit(const char *root, const char *group, const char *name) {
    char path[4096], line[64], below[2048];
    uint64_t limit = UINT64_MAX;
    snprintf(below, sizeof below, "%s", group);
    for (;;) {
        snprintf(path, sizeof path, "%s%s/%s", root, below, name);
        if (read_line(path, line, sizeof line) && isdigit((unsigned char)line[0])) {
            uint64_t here = strtoull(line, NULL, 10);
            if (here < limit) limit = here;
        }
        char *slash = strrchr(below, '/');
        if (!slash) return limit;
        *slash = 0;
    }
}

static uint64_t groups_limit(bool version_2) {
    char line[2048];
    uint64_t limit = UINT64_MAX;
    FILE *groups = fopen("/proc/self/cgroup", "re");
    while (groups && fgets(line, sizeof line, groups)) { /* "0::/a/b" is version 2, "4:cpu,memory:/a/b" version 1 */
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        bool unified = strcmp(controllers, ":") == 0;
        uint64_t here = UINT64_MAX;
        if (version_2 && unified) here = group_limit("/sys/fs/cgroup", group, "memory.max");
        else if (!version_2 && !unified && strstr(controllers, "memory"))
            here = group_limit("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
        if (here < limit) limit = here;
    }
    if (groups) fclose(groups);
    return limit;
}

static void describe_limit(uint64_t bytes, char *text, size_t size) {
    if (bytes >= UINT64_C(1) << 60) snprintf(text, size, "none"); /* version 1 says "none" by a huge number */
    else describe_bytes(bytes, text, size);
}

static void describe_resource_limit(int failed, const struct rlimit *limit, char *text, size_t size) {
    if (failed) snprintf(text, size, "can't tell");
    else describe_limit(limit->rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit->rlim_cur, text, size);
}

/* -- settings -- */

/* The chosen word of "always [madvise] never". */
static bool chosen(const char *path, char *word, size_t size) {
    char line[256];
    read_line(path, line, sizeof line);
    char *from = strchr(line, '['), *to = from ? strchr(from, ']') : NULL;
    snprintf(word, size, "%.*s", to ? (int)(to - from - 1) : 0, to ? from + 1 : "");
    return to != NULL;
}

/* The middle-sized huge pages that are not switched off: "64 KiB madvise, ...". */
static void describe_mthp(char *text, size_t size) {
    static const char root[] = "/sys/kernel/mm/transparent_hugepage";
    DIR *folder = opendir(root);
    int sizes = 0, on = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[512], word[32];
        if (strncmp(entry->d_name, "hugepages-", 10) != 0) continue;
        snprintf(path, sizeof path, "%s/%s/enabled", root, entry->d_name);
        if (!chosen(path, word, sizeof word)) continue;
        sizes++;
        on += strcmp(word, "never") != 0;
    }
    if (folder) closedir(folder);
    if (sizes == 0) snprintf(text, size, "none");
    else snprintf(text, size, "%d sizes, %d on", sizes, on);
}

static int count_nodes(void) {
    DIR *folder = opendir("/sys/devices/system/node");
    int nodes = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        nodes += strncmp(entry->d_name, "node", 4) == 0 && isdigit((unsigned char)entry->d_name[4]);
    if (folder) closedir(folder);
    return nodes > 0 ? nodes : 1;
}

static int count_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static const char *overcommit(char *text, size_t size) {
    char line[32];
    read_line("/proc/sys/vm/overcommit_memory", line, sizeof line);
    if (line[0] == '0')
        return snprintf(text, size, "0 (heuristic)"), "committing is seldom refused, touching may fail: HF_POPULATE";
    if (line[0] == '1') return snprintf(text, size, "1 (always)"), "committing is never refused, touching may fail: HF_POPULATE";
    if (line[0] == '2') return snprintf(text, size, "2 (strict)"), "memory is charged as pools grow; a refusal is HF_NO_MEMORY";
    return snprintf(text, size, "can't tell"), "committing may be refused: HF_NO_MEMORY";
}

/* -- all of it -- */

static struct fact *add(struct fact *facts, size_t *count, const char *name, const char *means) {
    struct fact *fact = &facts[(*count)++];
    *fact = (struct fact){ .name = name, .means = means };
    return fact;
}

static void add_memory(struct fact *facts, size_t *count) {
    struct rlimit limit;
    struct fact *f = add(facts, count, "memory of the machine", "pools without a limit of their own take half of the least of these three");
    describe_bytes((uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), f->here, sizeof f->here);
    f = add(facts, count, "cgroup limit, version 2", "memory.max, from this process's group up to the root");
    describe_limit(groups_limit(true), f->here, sizeof f->here);
    f = add(facts, count, "cgroup limit, version 1", "memory.limit_in_bytes, likewise");
    describe_limit(groups_limit(false), f->here, sizeof f->here);
    f = add(facts, count, "overcommit", NULL);
    f->means = overcommit(f->here, sizeof f->here);
    f = add(facts, count, "address space (RLIMIT_AS)", "reserved addresses count, too; arenas start small and grow below it");
    describe_resource_limit(getrlimit(RLIMIT_AS, &limit), &limit, f->here, sizeof f->here);
    f = add(facts, count, "locked memory limit", "RLIMIT_MEMLOCK, for programs that lock their memory");
    describe_resource_limit(getrlimit(RLIMIT_MEMLOCK, &limit), &limit, f->here, sizeof f->here);
}

static void add_settings(struct fact *facts, size_t *count) {
    struct fact *f = add(facts, count, "mappings (max_map_count)", "a few mappings per range of addresses, never one per slot");
    if (!read_line("/proc/sys/vm/max_map_count", f->here, sizeof f->here)) snprintf(f->here, sizeof f->here, "can't tell");
    f = add(facts, count, "huge pages (THP)", "kept out of arenas, whatever it says (MADV_NOHUGEPAGE)");
    if (!chosen("/sys/kernel/mm/transparent_hugepage/enabled", f->here, sizeof f->here)) snprintf(f->here, sizeof f->here, "none");
    f = add(facts, count, "huge pages of other sizes", "(mTHP) likewise");
    describe_mthp(f->here, sizeof f->here);
    f = add(facts, count, "NUMA nodes", "an arena may be bound to one; pages else go where the kernel likes");
    snprintf(f->here, sizeof f->here, "%d", count_nodes());
    f = add(facts, count, "core-dump filter", "bit 0: anonymous memory is dumped; of arenas, the metadata only");
    if (!read_line("/proc/self/coredump_filter", f->here, sizeof f->here)) snprintf(f->here, sizeof f->here, "can't tell");
}

size_t machine_facts(struct fact facts[static FACTS_MAX]) {
    size_t count = 0;
    struct fact *f = add(facts, &count, "page size", "the unit of memory; classes below it are left out");
    describe_bytes((uint64_t)sysconf(_SC_PAGESIZE), f->here, sizeof f->here);
    f = add(facts, &count, "cores for this process", "caches of free slots belong to threads, not cores");
    snprintf(f->here, sizeof f->here, "%d", count_cores());
    add_memory(facts, &count);
    add_settings(facts, &count);
    return count;
}
