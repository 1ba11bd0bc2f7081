/* SPDX-License-Identifier: MIT
 *
 * Another thread releases a confined segment. The thread is asked before anything else: a slice or a read-only view makes no
 * difference.
 */
#include "misuse.h"

static const char SAYS[] = "hf_release: segment ADDR (confined, 64 KiB, era N): arena engine is confined to thread N; this is thread N";
static const char INSIDE[] = "hf_release: segment ADDR (confined, 4 KiB, era N): arena engine is confined to thread N; this is thread N";
static const char DIRTY[] =
    "hf_release_dirty: segment ADDR (confined, 64 KiB, era N): arena engine is confined to thread N; this is thread N";

static void elsewhere(void) {
    hf_segment inside, view;
    MUST(hf_slice(&stage_owner, 4096, 4096, &inside));
    MUST(hf_as_read_only(&stage_owner, &view));
    MISTAKE(hf_release(&stage_owner), HF_WRONG_THREAD, SAYS, stage_owner.address, REPORTED);
    MISTAKE(hf_release_dirty(&stage_owner, 0), HF_WRONG_THREAD, DIRTY, stage_owner.address, REPORTED);
    MISTAKE(hf_release(&inside), HF_WRONG_THREAD, INSIDE, inside.address, REPORTED);
    MISTAKE(hf_release(&view), HF_WRONG_THREAD, SAYS, view.address, REPORTED);
}

int main(void) {
    hf_arena_options confined = HF_ARENA_OPTIONS_INIT;
    confined.kind = HF_CONFINED;
    stage_open(&confined);
    on_another_thread(elsewhere);
    CHECK_COUNTED(misuse_wrong_thread, 4);
    return stage_close();
}
