/* SPDX-License-Identifier: MIT
 *
 * Names of the statuses, and the sentence of a thread's last failure.
 */
#include "status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "thread.h"

#define STRING(x) #x
#define VERSION(major, minor, patch) STRING(major) "." STRING(minor) "." STRING(patch)

const char *hf_version(void) {
    return VERSION(HF_VERSION_MAJOR, HF_VERSION_MINOR, HF_VERSION_PATCH);
}

const char *hf_status_name(hf_status status) {
    static const char *const names[] = {
        "HF_OK",         "HF_INVALID",   "HF_NO_MEMORY",    "HF_CLOSED", "HF_STALE",     "HF_OUT_OF_BOUNDS", "HF_MISALIGNED",
        "HF_READ_ONLY",  "HF_WRONG_THREAD", "HF_BUSY",      "HF_TIMED_OUT", "HF_FOREIGN", "HF_LIMIT",        "HF_SYSTEM",
    };
    return (size_t)status < sizeof names / sizeof names[0] ? names[status] : "HF_?";
}

/* -------------------------------------------------------------------------------------------------------------- the sentence */

typedef struct writer {
    char *to;
    size_t room;
} writer;

__attribute__((format(printf, 2, 3))) static void say(writer *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(w->to, w->room, format, arguments);
    va_end(arguments);
    size_t used = n < 0 ? 0 : hf_min((size_t)n, w->room - 1);
    w->to += used;
    w->room -= used;
}

/* 65536 is "64 KiB", 65537 is "65537 bytes". */
static void say_bytes(writer *w, uint64_t bytes) {
    if (bytes && bytes % HF_GIB == 0) say(w, "%" PRIu64 " GiB", bytes / HF_GIB);
    else if (bytes && bytes % HF_MIB == 0) say(w, "%" PRIu64 " MiB", bytes / HF_MIB);
    else if (bytes && bytes % HF_KIB == 0) say(w, "%" PRIu64 " KiB", bytes / HF_KIB);
    else say(w, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
}

static void say_segment(writer *w, const hf_facts *f) {
    say(w, "segment %p (", f->address);
    if (f->kind == HF_MEMORY_SLOT) say(w, "pool %s, ", f->owner);
    if (f->kind == HF_MEMORY_BUMP) say(w, "bump memory of arena %s, ", f->owner);
    if (f->kind == HF_MEMORY_ADOPTED) say(w, "adopted by arena %s, ", f->owner);
    if (f->kind == HF_MEMORY_CONFINED) say(w, "confined, ");
    say_bytes(w, f->size);
    if (f->kind == HF_MEMORY_SLOT) say(w, ", slot %" PRIu64, f->slot);
    say(w, ", era %" PRIu64 ")", f->era);
}

static void say_pinned(writer *w, const hf_facts *f) {
    say(w, "%s %s has %" PRIu64 " pinned segment%s", f->text, f->owner, f->a, f->a == 1 ? "" : "s");
    if (f->b) say(w, " and %" PRIu64 " allocation%s in progress", f->b, f->b == 1 ? "" : "s");
}

static void say_reason(writer *w, const hf_facts *f) {
    switch (f->reason) {
    case HF_WHY_ARGUMENT: say(w, "%s", f->text); break;
    case HF_WHY_VALUE: say(w, "%s is %" PRIu64 "; it must be %s", f->text, f->a, f->more); break;
    case HF_WHY_ELEMENT: say(w, "%s[%" PRIu64 "] is %" PRIu64 "; it must be %s", f->text, f->b, f->a, f->more); break;
    case HF_WHY_MEMORY: say_bytes(w, f->size), say(w, " at %p %s", f->address, f->text); break;
    case HF_WHY_TOO_LARGE: say_bytes(w, f->size), say(w, " are more than the address space can hold"); break;
    case HF_WHY_NEVER_CLOSED: say(w, "arena %s is global: it is never closed", f->owner); break;
    case HF_WHY_ZERO_SEGMENT: say(w, "the segment is zero: it was never allocated"); break;
    case HF_WHY_ZERO_PIN: say(w, "the pin is zero: it was never taken, or is unpinned already"); break;
    case HF_WHY_NO_PIN: say_segment(w, f), say(w, " has no pin"); break;
    case HF_WHY_BOUNDS:
        say(w, "offset %" PRIu64 " and length %" PRIu64 " leave segment %p of ", f->a, f->b, f->address), say_bytes(w, f->size);
        break;
    case HF_WHY_READ_ONLY: say_segment(w, f), say(w, " is a read-only view"); break;
    case HF_WHY_WRONG_THREAD:
        if (f->address) say_segment(w, f), say(w, ": ");
        say(w, "arena %s is confined to thread %" PRIu64 "; this is thread %" PRIu64, f->owner, f->a, f->b);
        break;
    case HF_WHY_RELEASED:
        say_segment(w, f), say(w, " was already released; the slot is ");
        if (f->word >> 1 == f->era) say(w, "%s", f->word & 1 ? "kept by its pins" : "free");
        else say(w, "in era %" PRIu64, f->word >> 1);
        break;
    case HF_WHY_RESET: say_segment(w, f), say(w, " ended with a reset of its arena, which is in era %" PRIu64, f->word >> 1); break;
    case HF_WHY_CLOSED_SEGMENT: say_segment(w, f), say(w, " ended with the close of its arena or pool"); break;
    case HF_WHY_RECYCLED:
        say_segment(w, f), say(w, " ended with the close of its arena or pool; its address serves another one now");
        break;
    case HF_WHY_CLOSED_ARENA:
    case HF_WHY_CLOSED_POOL:
        say(w, "%s ", f->reason == HF_WHY_CLOSED_ARENA ? "arena" : "pool");
        if (f->owner[0]) say(w, "%s is closed", f->owner);
        else say(w, "0x%" PRIx64 " is closed", f->a);
        break;
    case HF_WHY_INTERIOR:
        say_segment(w, f), say(w, " begins ");
        if (f->a) say(w, "at byte %" PRIu64 " of its slot", f->a);
        else say(w, "inside its slot");
        say(w, "; only a view from the first byte can be released");
        break;
    case HF_WHY_NOT_A_SLOT: say_segment(w, f), say(w, " %s", f->text); break;
    case HF_WHY_FOREIGN: say(w, "address %p is not in pool %s", f->address, f->owner); break;
    case HF_WHY_NOT_ISSUED:
        say(w, "address %p is in slot %" PRIu64 " of pool %s, which has no owner now", f->address, f->slot, f->owner);
        break;
    case HF_WHY_PINS_FULL: say_segment(w, f), say(w, " has %" PRIu64 " pins, the most it can have", f->a); break;
    case HF_WHY_PINNED: say_pinned(w, f), say(w, "; nothing has changed"); break;
    case HF_WHY_NOT_DRAINED: say_pinned(w, f), say(w, "; it is revoked, call again"); break;
    case HF_WHY_OTHER_CLOSER: say(w, "another thread is closing %s %s", f->text, f->owner); break;
    case HF_WHY_FULL: say(w, "%" PRIu64 " %s, the most there can be", f->a, f->text); break;
    case HF_WHY_POOL_FULL:
        say_bytes(w, f->size), say(w, " do not fit: pool %s has ", f->owner), say_bytes(w, f->a), say(w, " charged (");
        say_bytes(w, f->c), say(w, " of it in use) of a limit of "), say_bytes(w, f->b);
        break;
    case HF_WHY_SYSTEM:
        say(w, "%s of ", f->text), say_bytes(w, f->size), say(w, " failed: %s (errno %d)", strerror(f->error), f->error);
        break;
    }
}

const char *hf_error_message(void) {
    hf_thread *thread = hf_thread_self();
    if (!thread) return "there is no memory to keep this thread's failures in";
    writer w = { thread->sentence, sizeof thread->sentence };
    if (!thread->facts.call) return "no failure on this thread";
    say(&w, "%s: ", thread->facts.call);
    say_reason(&w, &thread->facts);
    return thread->sentence;
}

/* ------------------------------------------------------------------------------------------------------------------ failing */

hf_status hf_fail(const hf_facts *facts) {
    hf_thread *thread = hf_thread_self();
    if (thread) thread->facts = *facts;
    return facts->status;
}

static pthread_mutex_t misuse_lock = PTHREAD_MUTEX_INITIALIZER;
static hf_misuse *misuse_callback;
static void *misuse_context;

hf_status hf_on_misuse(hf_misuse *callback, void *context) {
    pthread_mutex_lock(&misuse_lock);
    misuse_callback = callback;
    misuse_context = context;
    pthread_mutex_unlock(&misuse_lock);
    return HF_OK;
}

void hf_misuse_report(hf_status status) {
    pthread_mutex_lock(&misuse_lock);
    hf_misuse *callback = misuse_callback;
    void *context = misuse_context;
    pthread_mutex_unlock(&misuse_lock);
    if (callback) callback(status, hf_error_message(), context);
}

hf_status hf_fail_misuse(const hf_facts *facts) {
    hf_fail(facts);
    hf_misuse_report(facts->status);
    return facts->status;
}

hf_status hf_fail_text(const char *call, hf_status status, const char *text) {
    return hf_fail(&(hf_facts){ .call = call, .status = status, .reason = HF_WHY_ARGUMENT, .text = text });
}

hf_status hf_fail_system(const char *call, const char *what, uint64_t bytes, int error) {
    hf_status status = error == ENOMEM || error == EAGAIN ? HF_NO_MEMORY : HF_SYSTEM;
    return hf_fail(&(hf_facts){ .call = call, .status = status, .reason = HF_WHY_SYSTEM, .text = what, .size = bytes, .error = error });
}

void hf_status_fork(hf_fork_phase phase) {
    if (phase == HF_FORK_BEFORE) pthread_mutex_lock(&misuse_lock);
    else pthread_mutex_unlock(&misuse_lock);
}

/* ------------------------------------------------------------------------------------------------------------ sized structs */

bool hf_options_read(void *known, size_t known_bytes, const void *given) {
    size_t bytes;
    memcpy(&bytes, given, sizeof bytes);
    if (bytes < sizeof bytes || bytes % sizeof bytes) return false; /* every version ends on 8 bytes */
    for (size_t i = known_bytes; i < bytes; i++)
        if (((const char *)given)[i]) return false;
    memcpy(known, given, hf_min(bytes, known_bytes));
    return true;
}

bool hf_stats_write(void *given, void *known, size_t known_bytes) {
    size_t bytes;
    memcpy(&bytes, given, sizeof bytes);
    if (bytes < sizeof bytes || bytes % sizeof bytes) return false; /* every version ends on 8 bytes */
    memcpy(known, &bytes, sizeof bytes);
    memcpy(given, known, hf_min(bytes, known_bytes));
    if (bytes > known_bytes) memset((char *)given + known_bytes, 0, bytes - known_bytes);
    return true;
}
