/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include <pthread.h>

#include "os.h"

HF_THREAD_LOCAL hf_thread *known;
HF_THREAD_LOCAL uint64_t serial;

static uint64_t last_serial;
static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static hf_thread *idle; /* records of ended threads */
static pthread_key_t key;
static hf_thread_ending *endings[HF_ENDINGS];

void hf_thread_on_end(hf_ending room, hf_thread_ending *ending) {
    endings[room] = ending;
}

/* Runs when the thread ends. Other destructors may use the library after it: they get a record anew, and libc calls this again. */
static void thread_ends(void *record) {
    hf_thread *thread = record;
    for (int i = 0; i < HF_ENDINGS; i++)
        if (endings[i]) endings[i](thread);
    known = NULL;
    pthread_mutex_lock(&idle_lock);
    thread->next_idle = idle;
    idle = thread;
    pthread_mutex_unlock(&idle_lock);
}

static void make_key(void) {
    if (pthread_key_create(&key, thread_ends) != 0) key = (pthread_key_t)-1;
}

uint64_t hf_thread_serial(void) {
    if (HF_UNLIKELY(serial == 0)) serial = hf_add_relaxed(&last_serial, 1) + 1;
    return serial;
}

hf_thread *hf_thread_known(void) {
    return known;
}

HF_COLD static hf_thread *adopt_record(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_key);
    pthread_mutex_lock(&idle_lock);
    hf_thread *thread = idle;
    if (thread) idle = thread->next_idle;
    pthread_mutex_unlock(&idle_lock);
    void *fresh;
    if (!thread) {
        if (hf_os_metadata(hf_round_up(sizeof *thread, hf_os_page_bytes()), &fresh) != 0) return NULL;
        thread = fresh;
    }
    thread->facts.call = NULL;
    thread->serial = hf_thread_serial();
    known = thread;
    if (key != (pthread_key_t)-1) pthread_setspecific(key, thread);
    return thread;
}

hf_thread *hf_thread_self(void) {
    return HF_LIKELY(known != NULL) ? known : adopt_record();
}

void hf_thread_fork(hf_fork_phase phase) {
    if (phase == HF_FORK_BEFORE) pthread_mutex_lock(&idle_lock);
    else pthread_mutex_unlock(&idle_lock);
}
