/* SPDX-License-Identifier: MIT
 *
 * Three pools as storage engines write them by hand. They are the yardstick, so they are written to be fast, not to be safe: none
 * of them notices a double release, has a limit, gives memory back, or moves it between classes.
 *
 *   pool   one mutex; in it, one last-in-first-out list of free slots per class
 *   stack  one lock-free stack per class (Treiber 1986), with a tag beside the head against the ABA problem
 *   floor  one list per class and thread, no checks, nothing shared: what no pool that is correct can go below
 *
 * Each class has a region of address space, cut into slots from the front; a slot is its number in the region, so that the lists
 * lie beside the memory and a release does not touch the page. Fresh slots are zero already and are not zeroed again.
 */
#include "bench.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum { CLASSES = 7, SMALLEST_SHIFT = 12 };
static const uint64_t region_bytes = UINT64_C(16) << 30;

typedef struct region {
    char *base;
    uint64_t next_fresh; /* atomic, or under the mutex */
    uint32_t *links;     /* pool: the list itself; stack: the next of each slot */
    uint64_t listed;     /* pool: its length */
    uint64_t head __attribute__((aligned(64))); /* stack: tag << 32 | slot + 1; atomic */
} region;

static region regions[CLASSES];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static unsigned class_of(size_t size) {
    return size <= 4096 ? 0 : (unsigned)(64 - __builtin_clzll((unsigned long long)size - 1)) - SMALLEST_SHIFT;
}

static size_t class_bytes(unsigned class) { return (size_t)1 << (SMALLEST_SHIFT + class); }

static uint64_t class_slots(unsigned class) { return region_bytes >> (SMALLEST_SHIFT + class); }

static void *address_of(unsigned class, uint64_t slot) { return regions[class].base + (slot << (SMALLEST_SHIFT + class)); }

static uint32_t slot_of(unsigned class, const void *address) {
    return (uint32_t)((uint64_t)((const char *)address - regions[class].base) >> (SMALLEST_SHIFT + class));
}

static void *reserve(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        fail("The system has no %zu bytes of address space for a pool written by hand.", bytes);
    madvise(p, bytes, MADV_NOHUGEPAGE);
    return p;
}

static bool regions_open(size_t limit_bytes) {
    (void)limit_bytes;
    for (unsigned class = 0; class < CLASSES; class++) {
        regions[class].base = reserve(region_bytes);
        regions[class].links = reserve(class_slots(class) * sizeof(uint32_t));
    }
    return true;
}

static void regions_close(void) {
    for (unsigned class = 0; class < CLASSES; class++) {
        munmap(regions[class].base, region_bytes);
        munmap(regions[class].links, class_slots(class) * sizeof(uint32_t));
    }
    memset(regions, 0, sizeof regions);
}

/* ----------------------------------------------------------------------------------------------------------------------- pool */

static bool pool_take(size_t size, bool zeroed, block *out) {
    unsigned class = class_of(size);
    region *r = &regions[class];
    pthread_mutex_lock(&mutex);
    bool fresh = r->listed == 0;
    uint64_t slot = fresh ? r->next_fresh++ : r->links[--r->listed];
    pthread_mutex_unlock(&mutex);
    if (slot >= class_slots(class))
        return false;
    out->address = address_of(class, slot);
    if (zeroed && !fresh)
        memset(out->address, 0, class_bytes(class));
    return true;
}

static bool pool_allocate(size_t size, block *out) { return pool_take(size, false, out); }

static bool pool_allocate_zeroed(size_t size, block *out) { return pool_take(size, true, out); }

static void pool_release(const block *given, size_t size) {
    unsigned class = class_of(size);
    region *r = &regions[class];
    uint32_t slot = slot_of(class, given->address);
    pthread_mutex_lock(&mutex);
    r->links[r->listed++] = slot;
    pthread_mutex_unlock(&mutex);
}

static void pool_release_dirty(const block *given, size_t size, size_t dirty_bytes) {
    (void)dirty_bytes;
    pool_release(given, size);
}

const subject subject_pool = {
    .name = "pool",
    .what = "written by hand: one mutex, one list per class",
    .handle_bytes = sizeof(void *),
    .crosses_threads = true,
    .open = regions_open,
    .allocate = pool_allocate,
    .allocate_zeroed = pool_allocate_zeroed,
    .release = pool_release,
    .release_dirty = pool_release_dirty,
    .close = regions_close,
};

/* ---------------------------------------------------------------------------------------------------------------------- stack */

static const uint64_t slot_mask = UINT32_MAX;
static const uint64_t one_tag = UINT64_C(1) << 32;

static bool stack_take(size_t size, bool zeroed, block *out) {
    unsigned class = class_of(size);
    region *r = &regions[class];
    uint64_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE), slot;
    bool fresh = false;
    for (;;) {
        if ((head & slot_mask) == 0) {
            fresh = true;
            slot = __atomic_fetch_add(&r->next_fresh, 1, __ATOMIC_RELAXED);
            break;
        }
        slot = (head & slot_mask) - 1;
        /* Another may have popped it and pushed it again since: then this link is wrong, but so is the tag. */
        uint64_t next = __atomic_load_n(&r->links[slot], __ATOMIC_RELAXED);
        if (__atomic_compare_exchange_n(&r->head, &head, ((head & ~slot_mask) + one_tag) | next, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_ACQUIRE))
            break;
    }
    if (slot >= class_slots(class))
        return false;
    out->address = address_of(class, slot);
    if (zeroed && !fresh)
        memset(out->address, 0, class_bytes(class));
    return true;
}

static bool stack_allocate(size_t size, block *out) { return stack_take(size, false, out); }

static bool stack_allocate_zeroed(size_t size, block *out) { return stack_take(size, true, out); }

static void stack_release(const block *given, size_t size) {
    unsigned class = class_of(size);
    region *r = &regions[class];
    uint32_t slot = slot_of(class, given->address);
    uint64_t head = __atomic_load_n(&r->head, __ATOMIC_RELAXED);
    uint64_t pushed;
    do {
        __atomic_store_n(&r->links[slot], (uint32_t)(head & slot_mask), __ATOMIC_RELAXED);
        pushed = ((head & ~slot_mask) + one_tag) | (slot + UINT64_C(1));
    } while (!__atomic_compare_exchange_n(&r->head, &head, pushed, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static void stack_release_dirty(const block *given, size_t size, size_t dirty_bytes) {
    (void)dirty_bytes;
    stack_release(given, size);
}

const subject subject_stack = {
    .name = "stack",
    .what = "written by hand: one lock-free tagged stack per class",
    .handle_bytes = sizeof(void *),
    .crosses_threads = true,
    .open = regions_open,
    .allocate = stack_allocate,
    .allocate_zeroed = stack_allocate_zeroed,
    .release = stack_release,
    .release_dirty = stack_release_dirty,
    .close = regions_close,
};

/* ---------------------------------------------------------------------------------------------------------------------- floor */

typedef struct own_list {
    uint32_t *slots;
    uint64_t count;
} own_list;

static __thread own_list own[CLASSES];

static bool floor_take(size_t size, bool zeroed, block *out) {
    unsigned class = class_of(size);
    own_list *list = &own[class];
    bool fresh = list->count == 0;
    uint64_t slot = fresh ? __atomic_fetch_add(&regions[class].next_fresh, 1, __ATOMIC_RELAXED) : list->slots[--list->count];
    if (slot >= class_slots(class))
        return false;
    out->address = address_of(class, slot);
    if (zeroed && !fresh)
        memset(out->address, 0, class_bytes(class));
    return true;
}

static bool floor_allocate(size_t size, block *out) { return floor_take(size, false, out); }

static bool floor_allocate_zeroed(size_t size, block *out) { return floor_take(size, true, out); }

static void floor_release(const block *given, size_t size) {
    unsigned class = class_of(size);
    own_list *list = &own[class];
    if (__builtin_expect(!list->slots, 0))
        list->slots = reserve(class_slots(class) * sizeof(uint32_t));
    list->slots[list->count++] = slot_of(class, given->address);
}

static void floor_release_dirty(const block *given, size_t size, size_t dirty_bytes) {
    (void)dirty_bytes;
    floor_release(given, size);
}

const subject subject_floor = {
    .name = "floor",
    .what = "written by hand: thread-local lists, no checks at all",
    .handle_bytes = sizeof(void *),
    .crosses_threads = false,
    .open = regions_open,
    .allocate = floor_allocate,
    .allocate_zeroed = floor_allocate_zeroed,
    .release = floor_release,
    .release_dirty = floor_release_dirty,
    .close = regions_close,
};
