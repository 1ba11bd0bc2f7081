/* SPDX-License-Identifier: MIT
 *
 * Size to class. Up to 32 classes, rising multiples of the page. Sizes up to 64 pages are looked up, larger ones searched for.
 */
#ifndef HF_SIZE_CLASS_H
#define HF_SIZE_CLASS_H

#include "base.h"

#define HF_LOOKUP_PAGES 64

typedef struct hf_size_classes {
    uint64_t bytes[HF_CLASSES_MAX];
    uint32_t count;
    uint32_t page_shift;
    uint8_t by_pages[HF_LOOKUP_PAGES]; /* class of a request of 1 .. 64 pages */
} hf_size_classes;

/* From a user's list, or the default classes if it is all zero. False, and *wrong, if an entry does not rise, is no multiple of the
 * page, is above 1 TiB, or comes after a zero. */
static inline bool hf_size_classes_make(hf_size_classes *classes, const uint64_t bytes[HF_CLASSES_MAX], uint64_t page_bytes,
                                        unsigned *wrong) {
    uint32_t n = 0;
    for (unsigned i = 0; i < HF_CLASSES_MAX; i++) {
        if (bytes[i] == 0) continue;
        *wrong = i;
        if (i != n || bytes[i] % page_bytes || bytes[i] > UINT64_C(1) << 40 || (i && bytes[i] <= bytes[i - 1])) return false;
        classes->bytes[n++] = bytes[i];
    }
    for (uint64_t size = 4 * HF_KIB; bytes[0] == 0 && size <= 256 * HF_KIB; size *= 2)
        if (size >= page_bytes) classes->bytes[n++] = size;
    classes->count = n;
    classes->page_shift = (uint32_t)__builtin_ctzll(page_bytes);
    for (unsigned pages = 1, class = 0; pages <= HF_LOOKUP_PAGES; pages++) {
        while (class < n && classes->bytes[class] < pages * page_bytes) class++;
        classes->by_pages[pages - 1] = (uint8_t)class;
    }
    return true;
}

/* The smallest class that holds size (above 0); count if none does. */
static inline uint32_t hf_size_class_of(const hf_size_classes *classes, uint64_t size) {
    uint64_t page = (size - 1) >> classes->page_shift;
    if (HF_LIKELY(page < HF_LOOKUP_PAGES)) return classes->by_pages[page];
    uint32_t class = 0;
    while (class < classes->count && classes->bytes[class] < size) class++;
    return class;
}

#endif
