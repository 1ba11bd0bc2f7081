/* SPDX-License-Identifier: MIT
 *
 * Waiting in a close: for pins to end, and for other closers.
 *
 * Pins end anywhere, and what they pinned may be gone the next moment, so there is one place for the whole process to meet. A closer
 * counts itself in, reads the sequence, looks for pins, and sleeps while the sequence stays. Who ends the last pin of a revoked
 * slot changes the word, makes a full fence, and looks whether anybody is counted in. The two fences forbid that both miss the
 * other: either the closer's look sees the pin gone, or the unpinner sees the closer and wakes it.
 */
#include "arena.h"
#include "thread.h"

static uint32_t drainers, drain_sequence;

static bool passed(uint64_t deadline_ns) {
    return deadline_ns == 0 || (deadline_ns != HF_FOREVER && hf_os_now_ns() >= deadline_ns);
}

bool hf_drain(hf_drain_look *look, void *owner, uint64_t deadline_ns, hf_pin_count *pinned) {
    for (;;) {
        hf_add_seq_cst(&drainers, 1);
        hf_fence_seq_cst();
        uint32_t sequence = hf_load_seq_cst(&drain_sequence);
        *pinned = look(owner);
        bool free = pinned->pins + pinned->in_progress == 0, late = !free && passed(deadline_ns);
        if (!free && !late) hf_os_wait(&drain_sequence, sequence, deadline_ns);
        hf_sub_seq_cst(&drainers, 1);
        if (free || late) return free;
    }
}

void hf_drain_notify(void) {
    hf_fence_seq_cst();
    if (hf_load_seq_cst(&drainers) == 0) return;
    hf_add_seq_cst(&drain_sequence, 1);
    hf_os_wake_all(&drain_sequence);
}

uint64_t hf_deadline_ns(uint64_t timeout_ns) {
    uint64_t deadline;
    if (timeout_ns == 0 || timeout_ns == HF_FOREVER) return timeout_ns;
    return __builtin_add_overflow(hf_os_now_ns(), timeout_ns, &deadline) ? HF_FOREVER : deadline;
}

hf_status hf_closer_begin(hf_closer *closer, pthread_mutex_t *lock, const uint64_t *id, uint64_t deadline_ns) {
    const uint64_t before = *id;
    while (closer->serial != 0) {
        if (closer->serial == hf_thread_serial()) return HF_CLOSED; /* inside its own cleanup actions */
        if (passed(deadline_ns)) return HF_TIMED_OUT;
        uint32_t sequence = hf_load_acquire(&closer->sequence);
        pthread_mutex_unlock(lock);
        hf_os_wait(&closer->sequence, sequence, deadline_ns);
        pthread_mutex_lock(lock);
        if (hf_load_relaxed(id) != before) return HF_CLOSED;
    }
    closer->serial = hf_thread_serial();
    return HF_OK;
}

void hf_closer_end(hf_closer *closer) {
    closer->serial = 0;
    hf_add_seq_cst(&closer->sequence, 1);
    hf_os_wake_all(&closer->sequence);
}
