/* SPDX-License-Identifier: MIT
 *
 * Every pool option that can be wrong, one at a time.
 */
#include "misuse.h"

static const char STRUCT[] =
    "hf_pool_open: the options are not those of HF_POOL_OPTIONS_INIT, or fields are set that this library does not know";
#define RULE "it must be a multiple of the page, above the one before it and at most 1 TiB; zeros come last"
static const char FIRST[] = "hf_pool_open: class_bytes[0] is N; " RULE;
static const char SECOND[] = "hf_pool_open: class_bytes[1] is N; " RULE;
static const char THIRD[] = "hf_pool_open: class_bytes[2] is N; " RULE;
static const char RESERVED[] = "hf_pool_open: a reserved option is not zero";

static hf_pool result;

static hf_status with_classes(uint64_t a, uint64_t b, uint64_t c) {
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.class_bytes[0] = a;
    options.class_bytes[1] = b;
    options.class_bytes[2] = c;
    return hf_pool_open(stage_arena, &options, &result);
}

static hf_status with_struct_bytes(size_t bytes, unsigned char tail) {
    struct {
        hf_pool_options known;
        unsigned char tail[64];
    } larger = { .known = HF_POOL_OPTIONS_INIT };
    larger.known.struct_bytes = bytes;
    larger.tail[63] = tail;
    return hf_pool_open(stage_arena, &larger.known, &result);
}

static hf_status with_reserved(void) {
    hf_pool_options options = HF_POOL_OPTIONS_INIT;
    options.reserved_[5] = true;
    return hf_pool_open(stage_arena, &options, &result);
}

int main(void) {
    stage_open(NULL);
    size_t known = sizeof(hf_pool_options);
    poison(&result, sizeof result);
    MISTAKE(with_classes(4095, 0, 0), HF_INVALID, FIRST, NULL, ORDINARY);
    MISTAKE(with_classes(1, 4096, 0), HF_INVALID, FIRST, NULL, ORDINARY);
    MISTAKE(with_classes(8192, 4096, 0), HF_INVALID, SECOND, NULL, ORDINARY);
    MISTAKE(with_classes(4096, 4096, 0), HF_INVALID, SECOND, NULL, ORDINARY);
    MISTAKE(with_classes(4096, 0, 8192), HF_INVALID, THIRD, NULL, ORDINARY);
    MISTAKE(with_classes(0, 4096, 0), HF_INVALID, SECOND, NULL, ORDINARY);
    MISTAKE(with_struct_bytes(0, 0), HF_INVALID, STRUCT, NULL, ORDINARY);
    MISTAKE(with_struct_bytes(sizeof(size_t) - 1, 0), HF_INVALID, STRUCT, NULL, ORDINARY);
    MISTAKE(with_struct_bytes(known + 64, 1), HF_INVALID, STRUCT, NULL, ORDINARY);
    MISTAKE(with_reserved(), HF_INVALID, RESERVED, NULL, ORDINARY);
    CHECK_UNTOUCHED(result);
    CHECK(with_struct_bytes(known + 64, 0) == HF_OK); /* larger, and zero where we do not know it: fine */
    CHECK(hf_pool_close(result, 0) == HF_OK);
    return stage_close();
}
