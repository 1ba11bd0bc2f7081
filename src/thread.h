/* SPDX-License-Identifier: MIT
 *
 * What the library keeps of a thread: a serial number, the facts of its last failure, and where its caches are.
 *
 * The thread-local part is two words. The record behind them is made at the first need, and passed on to another thread when its
 * owner has ended; where there is no memory for one, the thread goes without: slower, with no message, never wrong.
 *
 * Identity is the serial number: never reused, unlike a pthread_t or a kernel thread id.
 */
#ifndef HF_THREAD_H
#define HF_THREAD_H

#include "status.h"

#define HF_POOLS_MAX 1024

typedef struct hf_thread {
    uint64_t serial;
    struct hf_thread *next_idle;           /* under the list's lock, when nobody's */
    uint64_t confined_arenas;              /* open ones of this thread; written by it, or when it has ended */
    uint64_t in_pressure_of;               /* pool whose pressure callback this thread is inside, or 0 */
    hf_facts facts;                        /* of the last failure */
    char sentence[HF_SENTENCE_BYTES];
    struct hf_cache *caches[HF_POOLS_MAX]; /* by pool index; each made when the thread first uses such a pool */
} hf_thread;

/* The calling thread's record; NULL if there is no memory for one. */
hf_thread *hf_thread_self(void);

/* The same without making one: for the fast paths. */
hf_thread *hf_thread_known(void);

/* The calling thread's serial number; above 0. */
uint64_t hf_thread_serial(void);

/* What other rooms have to do when a thread that has a record ends, on that thread, in this order. Set at load. */
typedef enum hf_ending { HF_ENDING_POOLS, HF_ENDING_ARENAS, HF_ENDINGS } hf_ending;
typedef void hf_thread_ending(hf_thread *thread);
void hf_thread_on_end(hf_ending room, hf_thread_ending *ending);

void hf_thread_fork(hf_fork_phase phase);

#endif
