/* SPDX-License-Identifier: MIT
 *
 * Failures: a status for the program, a sentence for the person.
 *
 * A failing call stores facts, a flat struct of numbers and names copied into the thread's record; hf_error_message makes the
 * sentence when somebody asks. So a failure that is ordinary life (a stale pin in a page cache) costs a copy, not a printf.
 */
#ifndef HF_STATUS_H
#define HF_STATUS_H

#include "base.h"

#define HF_SENTENCE_BYTES 640

/* Which sentence. The words are in status.c, one case each. */
typedef enum hf_reason {
    HF_WHY_ARGUMENT,       /* text: what is wrong, a whole clause */
    HF_WHY_VALUE,          /* text: which value; a: the value; more: what it must be */
    HF_WHY_ELEMENT,        /* the same of element b of an array */
    HF_WHY_MEMORY,         /* address, size; text: what is wrong with that memory */
    HF_WHY_TOO_LARGE,      /* size */
    HF_WHY_NEVER_CLOSED,   /* owner: a global arena */
    HF_WHY_ZERO_SEGMENT,
    HF_WHY_ZERO_PIN,
    HF_WHY_NO_PIN,         /* segment */
    HF_WHY_BOUNDS,         /* a: offset, b: length, size */
    HF_WHY_READ_ONLY,      /* segment */
    HF_WHY_WRONG_THREAD,   /* segment, if address is set; owner: arena; a: its thread, b: this one */
    HF_WHY_RELEASED,       /* segment, word */
    HF_WHY_RESET,          /* segment, word */
    HF_WHY_CLOSED_SEGMENT, /* segment */
    HF_WHY_RECYCLED,       /* segment */
    HF_WHY_CLOSED_ARENA,   /* owner, or if its place has another owner by now a: id */
    HF_WHY_CLOSED_POOL,    /* likewise */
    HF_WHY_INTERIOR,       /* segment; a: offset in the slot */
    HF_WHY_NOT_A_SLOT,     /* segment; text: what it is instead */
    HF_WHY_FOREIGN,        /* address; owner: pool */
    HF_WHY_NOT_ISSUED,     /* address; owner: pool; slot */
    HF_WHY_PINS_FULL,      /* segment; a: the count */
    HF_WHY_PINNED,         /* text: arena or pool; owner; a: segments pinned, b: allocations and callbacks in progress */
    HF_WHY_NOT_DRAINED,    /* the same, revoked */
    HF_WHY_OTHER_CLOSER,   /* text; owner */
    HF_WHY_FULL,           /* text: what is counted; a: the count */
    HF_WHY_POOL_FULL,      /* owner; size: the slot; a: charged, b: limit, c: of it live */
    HF_WHY_SYSTEM          /* text: the call; size: bytes; error */
} hf_reason;

typedef enum hf_memory_kind { HF_MEMORY_UNKNOWN, HF_MEMORY_SLOT, HF_MEMORY_BUMP, HF_MEMORY_ADOPTED, HF_MEMORY_CONFINED } hf_memory_kind;

typedef struct hf_facts {
    const char *call; /* the public function; a literal, as text and more are */
    const char *text;
    const char *more;
    hf_status status;
    hf_reason reason;
    hf_memory_kind kind;
    int error;
    const void *address;
    uint64_t size, slot, era;
    uint64_t word; /* of the slot now: era * 2, + 1 if pins keep it */
    uint64_t a, b, c;
    char owner[HF_NAME_BYTES];
} hf_facts;

/* Stores the facts as the thread's last failure. Returns their status. */
hf_status hf_fail(const hf_facts *facts);

/* Tells the misuse callback of the failure just stored. No lock may be held. */
void hf_misuse_report(hf_status status);

/* Both. */
hf_status hf_fail_misuse(const hf_facts *facts);

/* The failure that needs no more than a clause. */
hf_status hf_fail_text(const char *call, hf_status status, const char *text);

/* The failure of a system call on so many bytes; ENOMEM and its like become HF_NO_MEMORY. */
hf_status hf_fail_system(const char *call, const char *what, uint64_t bytes, int error);

/* Option structs of any age and length, over the defaults: false if struct_bytes is not set, or a field that this library does
 * not know is. Statistics likewise: the caller's length is kept, what this library does not know is zero. */
bool hf_options_read(void *known, size_t known_bytes, const void *given);
bool hf_stats_write(void *given, void *known, size_t known_bytes);

void hf_status_fork(hf_fork_phase phase);

#endif
