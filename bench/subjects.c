/* SPDX-License-Identifier: MIT
 *
 * The adapters: who hands out the memory. The three pools written by hand are in handmade.c.
 *
 * malloc    plain malloc, calloc and free of page-sized requests. An engine that reads its pages with O_DIRECT would have to ask
 *           for aligned memory, which costs most allocators more: this is the kinder comparison. LD_PRELOAD decides whose malloc it
 * is. holdfast  the shared library, called as a user calls it, in the default build, every check on. One arena, one pool.
 * none      hands out sixteen lines in turn: what is left is the loop, the table of function pointers and the touch.
 *
 * Answers are looked at everywhere, as an engine would have to: a release that fails ends the benchmark.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------------------- holdfast */

static hf_arena arena;
static hf_pool pool;

static bool holdfast_open(size_t limit_bytes) {
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.name = "bench";
    options.limit_bytes = limit_bytes;
    return hf_arena_open(NULL, &arena) == HF_OK && hf_pool_open(arena, &options, &pool) == HF_OK;
}

static bool holdfast_allocate(size_t size, block *out) {
    return hf_pool_allocate(pool, size, HF_UNINITIALISED, &out->segment) == HF_OK;
}

static bool holdfast_allocate_zeroed(size_t size, block *out) { return hf_pool_allocate(pool, size, 0, &out->segment) == HF_OK; }

static void holdfast_release(const block *given, size_t size) {
    (void)size;
    if (__builtin_expect(hf_release(&given->segment) != HF_OK, 0))
        fail("%s", hf_error_message());
}

static void holdfast_release_dirty(const block *given, size_t size, size_t dirty_bytes) {
    (void)size;
    if (__builtin_expect(hf_release_dirty(&given->segment, dirty_bytes) != HF_OK, 0))
        fail("%s", hf_error_message());
}

static void holdfast_close(void) {
    if (hf_arena_close(arena, 0) != HF_OK)
        fail("%s", hf_error_message());
}

const subject subject_holdfast = {
    .name = "holdfast",
    .what = "this library, default build, every check on",
    .handle_bytes = sizeof(hf_segment),
    .crosses_threads = true,
    .open = holdfast_open,
    .allocate = holdfast_allocate,
    .allocate_zeroed = holdfast_allocate_zeroed,
    .release = holdfast_release,
    .release_dirty = holdfast_release_dirty,
    .close = holdfast_close,
};

/* --------------------------------------------------------------------------------------------------------------------- malloc */

static bool malloc_open(size_t limit_bytes) {
    (void)limit_bytes; /* malloc has none */
    return true;
}

static bool malloc_allocate(size_t size, block *out) { return (out->address = malloc(size)) != NULL; }

static bool malloc_allocate_zeroed(size_t size, block *out) { return (out->address = calloc(1, size)) != NULL; }

static void malloc_release(const block *given, size_t size) {
    (void)size;
    free(given->address);
}

static void malloc_release_dirty(const block *given, size_t size, size_t dirty_bytes) {
    (void)size;
    (void)dirty_bytes; /* nor a way to say so */
    free(given->address);
}

static void malloc_close(void) {}

const subject subject_malloc = {
    .name = "malloc",
    .what = "malloc and free of whichever allocator is preloaded",
    .handle_bytes = sizeof(void *),
    .crosses_threads = true,
    .open = malloc_open,
    .allocate = malloc_allocate,
    .allocate_zeroed = malloc_allocate_zeroed,
    .release = malloc_release,
    .release_dirty = malloc_release_dirty,
    .close = malloc_close,
};

/* ----------------------------------------------------------------------------------------------------------------------- none */

static __thread unsigned char *lines; /* each thread its own, or they would fight for them */
static __thread unsigned turn;

static bool none_open(size_t limit_bytes) {
    (void)limit_bytes;
    return true;
}

static bool none_allocate(size_t size, block *out) {
    if (__builtin_expect(!lines, 0))
        lines = table_new(16 * 4096 + 262144);
    (void)size;
    out->address = lines + turn++ % 16 * 4096;
    return true;
}

static bool none_allocate_zeroed(size_t size, block *out) {
    none_allocate(size, out);
    *(unsigned char *)out->address = 0;
    return true;
}

static void none_release(const block *given, size_t size) {
    (void)given;
    (void)size;
}

static void none_release_dirty(const block *given, size_t size, size_t dirty_bytes) {
    (void)given;
    (void)size;
    (void)dirty_bytes;
}

const subject subject_none = {
    .name = "none",
    .what = "no allocator: the harness's own cost",
    .handle_bytes = sizeof(void *),
    .crosses_threads = true,
    .open = none_open,
    .allocate = none_allocate,
    .allocate_zeroed = none_allocate_zeroed,
    .release = none_release,
    .release_dirty = none_release_dirty,
    .close = malloc_close,
};

static const subject *const subjects[] = { &subject_holdfast, &subject_malloc, &subject_none,
                                           &subject_pool,     &subject_stack,  &subject_floor };

const subject *subject_by_name(const char *name) {
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        if (strcmp(subjects[i]->name, name) == 0)
            return subjects[i];
    return NULL;
}

void subjects_list(void) {
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        printf("  %-10s %s\n", subjects[i]->name, subjects[i]->what);
}
