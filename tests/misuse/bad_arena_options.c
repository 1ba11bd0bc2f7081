/* SPDX-License-Identifier: MIT
 *
 * Every arena option that can be wrong, one at a time, and those that this release does not have yet.
 */
#include "misuse.h"

static const char STRUCT[] =
    "hf_arena_open: the options are not those of HF_ARENA_OPTIONS_INIT, or fields are set that this library does not know";
static const char KIND[] = "hf_arena_open: kind is N; it must be HF_SHARED, HF_CONFINED or HF_GLOBAL";
static const char FORK[] = "hf_arena_open: this release has no fork rule but HF_FORK_COPY";
static const char GUARD[] = "hf_arena_open: this release has no guard mode";
static const char SEAL[] = "hf_arena_open: this release can't seal arenas";
static const char HUGE_PAGES[] = "hf_arena_open: this release has no huge pages";
static const char RESERVED[] = "hf_arena_open: a reserved option is not zero";
static const char ADDRESS_SPACE[] = "hf_arena_open: mmap for address space of 4294967296 GiB failed: Cannot allocate memory (errno 12)";

#define WITH(field, value)                                                  \
    static hf_status with_##field(void) {                                   \
        hf_arena_options options = HF_ARENA_OPTIONS_INIT;                   \
        options.field = (value);                                            \
        return hf_arena_open(&options, &result);                            \
    }

static hf_arena result;

WITH(kind, 3)
WITH(fork, HF_FORK_NONE)
WITH(guard_one_in, 64)
WITH(seal, true)
WITH(huge_pages, true)
WITH(numa_node, HF_NODE(4000))
WITH(reserve_bytes, UINT64_C(1) << 62)

static hf_status with_reserved(void) {
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    options.reserved_[4] = true;
    return hf_arena_open(&options, &result);
}

static hf_status with_struct_bytes(size_t bytes, unsigned char tail) {
    struct {
        hf_arena_options known;
        unsigned char tail[64];
    } larger = { .known = HF_ARENA_OPTIONS_INIT };
    larger.known.struct_bytes = bytes;
    larger.tail[63] = tail;
    return hf_arena_open(&larger.known, &result);
}

int main(void) {
    stage_open(NULL);
    size_t known = sizeof(hf_arena_options);
    poison(&result, sizeof result);
    MISTAKE(with_kind(), HF_INVALID, KIND, NULL, ORDINARY);
    MISTAKE(with_fork(), HF_INVALID, FORK, NULL, ORDINARY);
    MISTAKE(with_guard_one_in(), HF_INVALID, GUARD, NULL, ORDINARY);
    MISTAKE(with_seal(), HF_INVALID, SEAL, NULL, ORDINARY);
    MISTAKE(with_huge_pages(), HF_INVALID, HUGE_PAGES, NULL, ORDINARY);
    MISTAKE(with_reserved(), HF_INVALID, RESERVED, NULL, ORDINARY);
    MISTAKE(with_struct_bytes(0, 0), HF_INVALID, STRUCT, NULL, ORDINARY);
    MISTAKE(with_struct_bytes(known + 64, 1), HF_INVALID, STRUCT, NULL, ORDINARY);
    MISTAKE(with_reserve_bytes(), HF_NO_MEMORY, ADDRESS_SPACE, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    hf_status node = with_numa_node(); /* no machine has 4,000 nodes: refused, though the kernel may only be asked later */
    CHECK(node == HF_INVALID || node == HF_SYSTEM);
    CHECK(with_struct_bytes(known + 64, 0) == HF_OK);
    CHECK(hf_arena_close(result, 0) == HF_OK);
    return stage_close();
}
