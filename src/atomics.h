/* SPDX-License-Identifier: MIT
 *
 * Atomics with the memory order in the name. Nothing else in src/ touches the compiler's builtins or <stdatomic.h>.
 *
 * Every operation is a point where test builds may put another thread in between (hf_atomic_point): rare interleavings become
 * common, and reproducible with a seed.
 */
#ifndef HF_ATOMICS_H
#define HF_ATOMICS_H

#include "base.h"

#if HF_TESTING
extern void (*hf_atomic_point)(void);
#define HF_POINT() (hf_atomic_point ? hf_atomic_point() : (void)0)
#else
#define HF_POINT() ((void)0)
#endif

#define hf_load_relaxed(p) (HF_POINT(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define hf_load_acquire(p) (HF_POINT(), __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define hf_load_seq_cst(p) (HF_POINT(), __atomic_load_n((p), __ATOMIC_SEQ_CST))
#define hf_store_relaxed(p, v) (HF_POINT(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define hf_store_release(p, v) (HF_POINT(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))
#define hf_store_seq_cst(p, v) (HF_POINT(), __atomic_store_n((p), (v), __ATOMIC_SEQ_CST))
#define hf_add_relaxed(p, v) (HF_POINT(), __atomic_fetch_add((p), (v), __ATOMIC_RELAXED))
#define hf_add_seq_cst(p, v) (HF_POINT(), __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST))
#define hf_sub_relaxed(p, v) (HF_POINT(), __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED))
#define hf_sub_seq_cst(p, v) (HF_POINT(), __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST))

/* Compare and swap, strong; on failure *expected becomes what was there (acquire, so that it may be acted upon). */
#define hf_cas_acquire(p, expected, v) \
    (HF_POINT(), __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
#define hf_cas_acq_rel(p, expected, v) \
    (HF_POINT(), __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))

/* A counter with one writer, read by others: no locked instruction. */
#define hf_bump_counter(p) __atomic_store_n((p), __atomic_load_n((p), __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED)

static inline void hf_fence_seq_cst(void) {
#ifndef HF_THREAD_SANITIZER
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline void hf_fence_release(void) {
#ifndef HF_THREAD_SANITIZER
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* Stops the compiler only: the light side of a barrier whose heavy side is another thread's (os.h, hf_os_heavy_barrier). */
static inline void hf_fence_compiler(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#endif
