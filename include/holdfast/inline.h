/* SPDX-License-Identifier: MIT
 *
 * The fast paths of holdfast that are worth inlining: hf_check and hf_get_*. Include holdfast.h, not this file.
 *
 * Each is also a plain symbol of the library, for other languages: src/exports.c includes this file with HF_INLINE empty.
 *
 * Everything rests on one compare: a segment is valid if ((hold->word ^ era) & HF_HOLD_MASK) == 0. A view that needs more than
 * that (read-only, confined, adopted) carries HF_VIEW_SPECIAL in its era, a bit that no hold word ever has set, so that the same
 * compare fails and the full function decides.
 */
#ifndef HOLDFAST_INLINE_H
#define HOLDFAST_INLINE_H

#include <string.h>

#ifndef HF_INLINE
#define HF_INLINE static inline __attribute__((unused))
#endif

#if defined(__SANITIZE_THREAD__)
#define HF_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HF_THREAD_SANITIZER 1
#endif
#endif

#ifdef HF_THREAD_SANITIZER
#define HF_FENCE_ACQUIRE() ((void)0) /* ThreadSanitizer knows no fences; the optimistic load below is hidden from it */
#define HF_OPTIMISTIC_READ __attribute__((no_sanitize_thread))
#else
#define HF_FENCE_ACQUIRE() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define HF_OPTIMISTIC_READ
#endif

#define HF_VIEW_SPECIAL UINT64_C(0x10000)

#ifdef __cplusplus
extern "C" {
#endif

struct hf_hold {
    uint64_t word;
};

/* The full answers, for when the inline compare fails. Not part of the API: call the inline functions. */
HF_API hf_status hf_check_full_(const hf_segment *segment);
HF_API hf_status hf_get_full_(const hf_segment *segment, size_t offset, void *value, size_t size);

/* Is it mine now? HF_OK, HF_STALE, HF_CLOSED, HF_WRONG_THREAD, or HF_INVALID for a zero segment. Stores no failure message.
 *
 * The fence keeps the caller's earlier optimistic reads above the load of the word (its partner is the release fence that follows
 * every end of an era in hold.h): without it an arm64 reader could read the next owner's bytes and then see the old era.
 * Source: the reader's side of a sequence lock; Boehm, "Can seqlocks get along with programming language memory models?", 2012. */
HF_INLINE hf_status hf_check(const hf_segment *segment) {
    HF_FENCE_ACQUIRE();
    if (__builtin_expect(segment && segment->hold &&
                             ((__atomic_load_n(&segment->hold->word, __ATOMIC_ACQUIRE) ^ segment->era) & HF_HOLD_MASK) == 0,
                         1))
        return HF_OK;
    return hf_check_full_(segment);
}

/* hf_get_*: one number in the machine's byte order from any offset, aligned or not, then the check: what it returns with HF_OK was
 * this owner's. Errors as hf_read; stores no failure message. */
#define HF_DEFINE_GET_(bits)                                                                                              \
    HF_INLINE HF_OPTIMISTIC_READ hf_status hf_get_u##bits(const hf_segment *segment, size_t offset, uint##bits##_t *value) { \
        uint##bits##_t seen_;                                                                                             \
        if (__builtin_expect(!segment || !segment->hold || !value || segment->size < sizeof seen_ ||                      \
                                 offset > segment->size - sizeof seen_ || (segment->era & HF_VIEW_SPECIAL),               \
                             0))                                                                                          \
            return hf_get_full_(segment, offset, value, sizeof seen_);                                                    \
        memcpy(&seen_, (const char *)segment->address + offset, sizeof seen_);                                            \
        HF_FENCE_ACQUIRE();                                                                                               \
        if (__builtin_expect(                                                                                             \
                ((__atomic_load_n(&segment->hold->word, __ATOMIC_ACQUIRE) ^ segment->era) & HF_HOLD_MASK) != 0, 0))       \
            return hf_get_full_(segment, offset, value, sizeof seen_);                                                    \
        *value = seen_;                                                                                                   \
        return HF_OK;                                                                                                     \
    }

HF_DEFINE_GET_(8)
HF_DEFINE_GET_(16)
HF_DEFINE_GET_(32)
HF_DEFINE_GET_(64)

#ifdef __cplusplus
}
#endif

#endif
