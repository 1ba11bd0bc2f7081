/* SPDX-License-Identifier: MIT
 *
 * Starting the library, and fork.
 *
 * A fork copies the memory and one thread. Every lock is taken before it, in the order in which the rooms take them, and every cache
 * is seized, so that the copy is made at a moment when nothing is half done; after it both processes let go. The child's arenas are a
 * private copy: what the forking thread owned it owns in both, each in its own memory. What the other threads held stays held in
 * the child: their segments are live, and their pins count, for nobody knows whose pin it is. Who needs a close in the child
 * ends their pins, or leaves the memory to the end of the process.
 */
#include "pool.h"

static void before_fork(void) {
    hf_budget_fork(HF_FORK_BEFORE);
    hf_arena_fork(HF_FORK_BEFORE);
    hf_pool_fork(HF_FORK_BEFORE);
    hf_space_fork(HF_FORK_BEFORE);
    hf_status_fork(HF_FORK_BEFORE);
    hf_thread_fork(HF_FORK_BEFORE);
}

static void after_fork(hf_fork_phase phase) {
    hf_thread_fork(phase);
    hf_status_fork(phase);
    hf_space_fork(phase);
    hf_pool_fork(phase);
    hf_arena_fork(phase);
    hf_budget_fork(phase);
}

static void in_parent(void) {
    after_fork(HF_FORK_PARENT);
}

static void in_child(void) {
    hf_os_start(); /* the child asks for its barriers itself */
    after_fork(HF_FORK_CHILD);
}

static void start(void) {
    hf_os_start();
    pthread_atfork(before_fork, in_parent, in_child);
}

void hf_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
}
