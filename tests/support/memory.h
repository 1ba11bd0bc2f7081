/* SPDX-License-Identifier: MIT
 *
 * What the kernel says about this process's memory: the other side of the books that the tests compare.
 *
 * The figures come from /proc/self/smaps. A mapping is found by an address inside it, so that a test needs to know nothing of the
 * library's insides but this: a pool's slots are in mappings of their own, and hold words and other metadata elsewhere.
 */
#ifndef TEST_SUPPORT_MEMORY_H
#define TEST_SUPPORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
    uintptr_t start;
    uintptr_t end;
    size_t rss_bytes;
    bool writable;
    bool wanted; /* holds one of the addresses asked for */
};

struct mappings {
    struct mapping *all;
    size_t count;
    size_t room;
};

/* Reads all mappings of this process; false if the kernel's file can't be read. Free with mappings_free; *m may be used again. */
bool mappings_read(struct mappings *m);
void mappings_free(struct mappings *m);

/* Marks the mapping that holds the address as wanted; false if none does. */
bool mappings_want(struct mappings *m, const void *address);
size_t mappings_wanted_rss(const struct mappings *m);

/* Resident bytes of all mappings that hold one of the addresses (each mapping once); SIZE_MAX if one is in no mapping. */
size_t resident_where(const void *const *addresses, size_t count);

/* One figure of /proc/self/status in bytes: "VmSize", "VmRSS", "RssAnon". 0 if it is not there. */
size_t process_figure(const char *name);

/* Bytes of address .. address + size whose pages are present (pagemap). A page that was only read counts too: it is the zero page.
 * */
size_t present_bytes(const void *address, size_t size);

#endif
