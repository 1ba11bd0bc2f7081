/* SPDX-License-Identifier: MIT
 *
 * The stage, the witness and the TAP lines of tests/misuse; misuse.h says what for.
 *
 * The witness compares whole statistics structs byte for byte, after the counters that a refused call is meant to move have been
 * set to zero on both sides: so a figure added to the library later is watched from its first day.
 */
#include "misuse.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>

hf_arena stage_arena;
hf_pool stage_pool;
hf_segment stage_owner;

static unsigned lines, failures;

/* What the callback saw, and the world as it was before the mistake. */
static struct {
    unsigned calls;
    hf_status status;
    char message[1024];
} report_seen;

static struct {
    unsigned calls;
    hf_status pool_status, arena_status;
    hf_pool_stats pool;
    hf_arena_stats arena;
    bool owner_valid;
} before;

void tap(bool passed, const char *what) {
    lines++;
    failures += !passed;
    printf("%sok %u - %s\n", passed ? "" : "not ", lines, what);
    fflush(stdout); /* if the next mistake kills the program, the harness must see how far it came */
}

static void diagnose(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("#   ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

static void on_misuse(hf_status status, const char *message, void *context) {
    (void)context;
    report_seen.calls++;
    report_seen.status = status;
    snprintf(report_seen.message, sizeof report_seen.message, "%s", message ? message : "(null)");
}

void must_be_ok(hf_status got, const char *call) {
    if (got == HF_OK)
        return;
    printf("Bail out! %s: %s: %s\n", call, hf_status_name(got), hf_error_message());
    exit(1);
}

/* ------------------------------------------------------------------------------------------------------------------ stage */

static unsigned char owner_byte(size_t i) {
    return (unsigned char)(i * 31 + (i >> 8) * 7 + 1);
}

static bool owner_intact(void) {
    const volatile unsigned char *bytes = stage_owner.address;
    for (size_t i = 0; i < stage_owner.size; i++)
        if (bytes[i] != owner_byte(i))
            return false;
    return true;
}

void stage_open(const hf_arena_options *options) {
    hf_arena_options named = HF_ARENA_OPTIONS_INIT;
    if (options)
        named = *options;
    if (!named.name)
        named.name = "engine";
    hf_pool_options pool = HF_POOL_OPTIONS_INIT;
    pool.name = "pages";
    pool.limit_bytes = STAGE_LIMIT_BYTES;
    pool.decay_ns = HF_NEVER; /* the clock must not change the figures between two looks */
    MUST(hf_on_misuse(on_misuse, NULL));
    MUST(hf_arena_open(&named, &stage_arena));
    MUST(hf_pool_open(stage_arena, &pool, &stage_pool));
    MUST(hf_pool_allocate(stage_pool, PAGE_BYTES, 0, &stage_owner));
    for (size_t i = 0; i < stage_owner.size; i++)
        ((unsigned char *)stage_owner.address)[i] = owner_byte(i);
}

hf_segment stage_page(void) {
    hf_segment page;
    MUST(hf_pool_allocate(stage_pool, PAGE_BYTES, 0, &page));
    return page;
}

int stage_close(void) {
    tap(hf_check(&stage_owner) == HF_OK && owner_intact(), "at the end the owner still has its page and its bytes");
    tap(hf_release(&stage_owner) == HF_OK, "at the end the owner can release its page");
    hf_status closed = hf_arena_close(stage_arena, 0);
    tap(closed == HF_OK, "at the end the arena closes");
    if (closed != HF_OK)
        diagnose("%s: %s", hf_status_name(closed), hf_error_message());
    return stage_is_closed();
}

int stage_is_closed(void) {
    printf("1..%u\n", lines);
    return failures != 0;
}

/* ---------------------------------------------------------------------------------------------------------------- witness */

/* The counters that a refused call may move: those of mistakes and of refusals. */
static void forget_mistakes(hf_pool_stats *s) {
    s->misuses = s->refusals = 0;
    for (size_t i = 0; i < sizeof s->classes / sizeof *s->classes; i++) {
        hf_class_stats *c = &s->classes[i];
        c->misuse_stale = c->misuse_invalid = c->misuse_read_only = c->misuse_wrong_thread = c->misuse_foreign = c->refusals = 0;
    }
}

static void look(hf_status *pool_status, hf_pool_stats *pool, hf_status *arena_status, hf_arena_stats *arena) {
    memset(pool, 0, sizeof *pool);
    memset(arena, 0, sizeof *arena);
    pool->struct_bytes = sizeof *pool;
    arena->struct_bytes = sizeof *arena;
    *pool_status = hf_pool_get_stats(stage_pool, pool);
    *arena_status = hf_arena_get_stats(stage_arena, arena);
    forget_mistakes(pool);
}

void mistake_begins(void) {
    before.owner_valid = hf_check(&stage_owner) == HF_OK;
    look(&before.pool_status, &before.pool, &before.arena_status, &before.arena);
    before.calls = report_seen.calls; /* last: off its thread, even the look above is a mistake */
}

static bool matches(const char *said, const char *expected, const void *address) {
    char shown[32];
    snprintf(shown, sizeof shown, "%p", address);
    while (*expected) {
        if (strncmp(expected, "ADDR", 4) == 0) {
            size_t length = strlen(shown);
            if (strncmp(said, shown, length) != 0)
                return false;
            said += length;
            expected += 4;
        } else if (*expected == 'N' && !isalpha((unsigned char)expected[1])) {
            if (!isdigit((unsigned char)*said))
                return false;
            while (isdigit((unsigned char)*said))
                said++;
            expected++;
        } else if (strncmp(expected, "HEX", 3) == 0) {
            if (!isxdigit((unsigned char)*said))
                return false;
            while (isxdigit((unsigned char)*said))
                said++;
            expected += 3;
        } else if (*said++ != *expected++) {
            return false;
        }
    }
    return *said == '\0';
}

static bool report_right(hf_status got, const char *message, enum report report) {
    unsigned calls = report_seen.calls - before.calls;
    if (report == ORDINARY)
        return calls == 0;
    return calls == 1 && report_seen.status == got && strcmp(report_seen.message, message) == 0;
}

static bool nothing_changed(void) {
    hf_pool_stats pool;
    hf_arena_stats arena;
    hf_status pool_status, arena_status;
    look(&pool_status, &pool, &arena_status, &arena);
    bool figures = pool_status == before.pool_status && arena_status == before.arena_status &&
                   memcmp(&pool, &before.pool, sizeof pool) == 0 && memcmp(&arena, &before.arena, sizeof arena) == 0;
    if (!figures)
        diagnose("live %" PRIu64 " -> %" PRIu64 ", cached %" PRIu64 " -> %" PRIu64 ", lingering %" PRIu64 " -> %" PRIu64
                 ", charged %" PRIu64 " -> %" PRIu64,
                 before.pool.live_bytes, pool.live_bytes, before.pool.cached_bytes, pool.cached_bytes, before.pool.lingering_bytes,
                 pool.lingering_bytes, before.pool.charged_bytes, pool.charged_bytes);
    bool owner = (hf_check(&stage_owner) == HF_OK) == before.owner_valid && (!before.owner_valid || owner_intact());
    return figures && owner;
}

void mistake_ends(const char *call, hf_status got, hf_status expected, const char *sentence, const void *address,
                  enum report report) {
    char line[512];
    const char *text = got == HF_OK ? "" : hf_error_message();
    char said[1024];
    snprintf(said, sizeof said, "%s", text);

    snprintf(line, sizeof line, "%s is %s", call, hf_status_name(expected));
    tap(got == expected, line);
    if (got != expected)
        diagnose("it is %s: %s", hf_status_name(got), said);

    if (sentence) {
        snprintf(line, sizeof line, "%s: the sentence", call);
        bool right = matches(said, sentence, address);
        tap(right, line);
        if (!right) {
            diagnose("expected: %s", sentence);
            diagnose("said:     %s", said);
        }
    }
    snprintf(line, sizeof line, "%s: the misuse callback %s", call, report == REPORTED ? "is told once" : "is not called");
    bool told = report_right(got, said, report);
    tap(told, line);
    if (!told)
        diagnose("calls: %u, with %s: %s", report_seen.calls - before.calls, hf_status_name(report_seen.status),
                 report_seen.message);

    snprintf(line, sizeof line, "%s: nothing changed", call);
    tap(nothing_changed(), line);
}

/* ---------------------------------------------------------------------------------------------------------------- results */

void poison(void *result, size_t size) {
    memset(result, 0xa5, size);
}

bool is_poison(const void *result, size_t size) {
    const unsigned char *bytes = result;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0xa5)
            return false;
    return true;
}

static uint64_t counter(const hf_class_stats *c, size_t offset) {
    uint64_t value;
    memcpy(&value, (const char *)c + offset, sizeof value);
    return value;
}

void check_counted(size_t offset, uint64_t n, const char *what) {
    hf_pool_stats s = HF_POOL_STATS_INIT;
    MUST(hf_pool_get_stats(stage_pool, &s));
    uint64_t sum = 0, all = 0;
    for (uint32_t i = 0; i < s.class_count; i++) {
        const hf_class_stats *c = &s.classes[i];
        sum += counter(c, offset);
        all += c->misuse_stale + c->misuse_invalid + c->misuse_read_only + c->misuse_wrong_thread + c->misuse_foreign;
    }
    tap(sum == n && all == n && s.misuses == n, what);
    if (sum != n || all != n || s.misuses != n)
        diagnose("this counter: %" PRIu64 ", all: %" PRIu64 ", the pool's total: %" PRIu64, sum, all, s.misuses);
}

static void *thread_main(void *argument) {
    void (*const *work)(void) = argument;
    (*work)();
    return NULL;
}

void on_another_thread(void (*work)(void)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, &work) != 0 || pthread_join(thread, NULL) != 0) {
        puts("Bail out! no thread to make the mistake on");
        exit(1);
    }
}
