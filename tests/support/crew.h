/* SPDX-License-Identifier: MIT
 *
 * A crew: N threads that start together, each told its number, joined before crew_run returns.
 *
 * cmocka's asserts leave by longjmp and must not be called off the main thread. So a member records what it saw in memory of its
 * own (an array indexed by its number), and the main thread asserts after the join.
 */
#ifndef TEST_SUPPORT_CREW_H
#define TEST_SUPPORT_CREW_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CREW_MAX 64

typedef void crew_work(unsigned me, void *context);

struct crew_member {
    pthread_t thread;
    pthread_barrier_t *start;
    crew_work *work;
    void *context;
    unsigned me;
};

static inline void *crew_main(void *argument) {
    struct crew_member *member = argument;
    pthread_barrier_wait(member->start);
    member->work(member->me, member->context);
    return NULL;
}

static inline void crew_run(unsigned count, crew_work *work, void *context) {
    struct crew_member members[CREW_MAX];
    pthread_barrier_t start;
    if (count > CREW_MAX || pthread_barrier_init(&start, NULL, count) != 0)
        abort();
    for (unsigned i = 0; i < count; i++) {
        members[i] = (struct crew_member){ .start = &start, .work = work, .context = context, .me = i };
        if (pthread_create(&members[i].thread, NULL, crew_main, &members[i]) != 0) {
            fputs("crew_run: pthread_create failed\n", stderr);
            abort(); /* the others wait at the barrier for ever: nothing sensible is left to do */
        }
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(members[i].thread, NULL);
    pthread_barrier_destroy(&start);
}

/* Small, fast, and the same in every run for the same seed: a failure can be repeated. xorshift64* (Vigna 2016). */
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

#endif
