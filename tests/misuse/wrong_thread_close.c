/* SPDX-License-Identifier: MIT
 *
 * Another thread closes or resets a confined arena, or turns its pool's knobs, while the owner is alive. After the owner's end
 * any thread may close.
 */
#include "misuse.h"

static const char CLOSE[] = "hf_arena_close: arena engine is confined to thread N; this is thread N";
static const char RESET[] = "hf_arena_reset: arena engine is confined to thread N; this is thread N";
static const char POOL_CLOSE[] = "hf_pool_close: arena engine is confined to thread N; this is thread N";
static const char TRIM[] = "hf_pool_trim: arena engine is confined to thread N; this is thread N";
static const char SET_LIMIT[] = "hf_pool_set_limit: arena engine is confined to thread N; this is thread N";

static hf_arena orphan;
static hf_segment orphans_page;

static void elsewhere(void) {
    size_t given_back;
    poison(&given_back, sizeof given_back);
    MISTAKE(hf_arena_close(stage_arena, 0), HF_WRONG_THREAD, CLOSE, NULL, REPORTED);
    MISTAKE(hf_arena_close(stage_arena, HF_FOREVER), HF_WRONG_THREAD, CLOSE, NULL, REPORTED);
    MISTAKE(hf_arena_reset(stage_arena), HF_WRONG_THREAD, RESET, NULL, REPORTED);
    MISTAKE(hf_pool_close(stage_pool, 0), HF_WRONG_THREAD, POOL_CLOSE, NULL, REPORTED);
    MISTAKE(hf_pool_trim(stage_pool, 0, &given_back), HF_WRONG_THREAD, TRIM, NULL, REPORTED);
    MISTAKE(hf_pool_set_limit(stage_pool, 1), HF_WRONG_THREAD, SET_LIMIT, NULL, REPORTED);
    CHECK_UNTOUCHED(given_back);
    CHECK(hf_arena_is_open(stage_arena));
}

static void open_and_end(void) {
    hf_arena_options confined = HF_ARENA_OPTIONS_INIT;
    confined.kind = HF_CONFINED;
    MUST(hf_arena_open(&confined, &orphan));
    MUST(hf_arena_allocate(orphan, 64, 8, &orphans_page));
}

int main(void) {
    hf_arena_options confined = HF_ARENA_OPTIONS_INIT;
    confined.kind = HF_CONFINED;
    stage_open(&confined);
    on_another_thread(elsewhere);
    on_another_thread(open_and_end);
    /* its thread has ended: that gives nobody the right to touch, only to close */
    CHECK(hf_check(&orphans_page) == HF_WRONG_THREAD);
    CHECK(hf_arena_close(orphan, 0) == HF_OK);
    CHECK(hf_check(&orphans_page) == HF_CLOSED || hf_check(&orphans_page) == HF_WRONG_THREAD);
    return stage_close();
}
