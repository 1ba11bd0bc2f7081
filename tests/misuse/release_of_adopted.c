/* SPDX-License-Identifier: MIT
 *
 * Adopted memory has its arena's lifetime: releasing it is refused, and its cleanup runs once, at close.
 */
#include "misuse.h"

static const char SAYS[] = "hf_release: segment ADDR (adopted by arena engine, 4 KiB, era N) is adopted memory, which ends with its "
                           "arena: it can't be released";

static char block[4096];
static unsigned ran;

static void action(void *context) {
    ran += context == block;
}

int main(void) {
    stage_open(NULL);
    hf_segment adopted;
    MUST(hf_arena_adopt(stage_arena, block, sizeof block, action, block, &adopted));
    MISTAKE(hf_release(&adopted), HF_INVALID, SAYS, block, REPORTED);
    CHECK(hf_check(&adopted) == HF_OK);
    CHECK(hf_write(&adopted, 0, "x", 1) == HF_OK && block[0] == 'x');
    CHECK(ran == 0);
    int result = stage_close();
    if (ran != 1)
        printf("Bail out! the cleanup ran %u times\n", ran);
    return result;
}
