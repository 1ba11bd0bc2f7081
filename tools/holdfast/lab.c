/* SPDX-License-Identifier: MIT
 *
 * `holdfast lab`: the crash that started the project, and what becomes of it.
 *
 * The same few calls, once over a raw mmap pool and once over holdfast: allocate a segment, fill it, release it, give the memory
 * back while the segment is still pooled, allocate again, fill. Three ways to own the memory, so six experiments. Each runs in a
 * child process. Parent and child share one page, the witness: before each call the child writes the call's name into it, and the
 * holdfast child writes each status that it got and the sentence that came with it. How a child ended is what waitpid says, and
 * nothing printed here is known in advance: if the raw pool should survive, the table says so and the command fails.
 *
 *     way                                raw_pool.c                     holdfast
 *     one shared arena owns it all       free the region                close the arena
 *     given back by hand                 all released: unmap            trim, close the pool, close the arena
 *     bump allocation, no pool           free the chunk                 close the arena; releases were no-ops
 */
#include "command.h"
#include "raw_pool.h"

#include <errno.h>
#include <getopt.h>
#include <holdfast.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct witness {
    char step[32];      /* the call that the child is in */
    bool survived;      /* it came to its end */
    bool trouble;       /* something failed that should have worked: sentence says what */
    hf_status allocate; /* what the second allocation answered */
    hf_status fill;     /* what filling through the first segment answered, after the memory was given back */
    char sentence[512]; /* of the allocation, or of the trouble */
};

struct ending {
    bool exited; /* by itself: code; else killed: signal_number */
    int code;
    int signal_number;
};

static void enter(struct witness *witness, const char *step) {
    snprintf(witness->step, sizeof witness->step, "%s", step);
}

/* -- the raw pool's story -- */

static void raw_story(struct witness *witness, enum raw_way way) {
    struct raw_pool pool;
    enter(witness, "mmap()");
    if (!raw_pool_open(&pool, way)) {
        witness->trouble = true;
        snprintf(witness->sentence, sizeof witness->sentence, "mmap: %s", strerror(errno));
        return;
    }
    enter(witness, "allocate()");
    char *segment = raw_pool_allocate(&pool);
    enter(witness, "the first fill()");
    memset(segment, 0x5a, RAW_SLOT_BYTES);
    enter(witness, "release()");
    raw_pool_release(&pool, segment); /* RAW_BY_HAND unmaps here: that was the last one out */
    enter(witness, "free()");
    if (way != RAW_BY_HAND) raw_pool_free(&pool);
    enter(witness, "the second allocate()");
    segment = raw_pool_allocate(&pool);
    enter(witness, "fill()");
    memset(segment, 0x5a, RAW_SLOT_BYTES);
    witness->survived = true;
}

/* -- the same over holdfast -- */

/* The steps that must work. False, with the sentence kept, when one does not. */
static bool went_well(struct witness *witness, hf_status status) {
    if (status == HF_OK) return true;
    witness->trouble = true;
    snprintf(witness->sentence, sizeof witness->sentence, "%s", hf_error_message());
    return false;
}

static hf_status get_segment(enum raw_way way, hf_arena arena, hf_pool pool, hf_segment *segment) {
    if (way == RAW_BUMP) return hf_arena_allocate(arena, RAW_SLOT_BYTES, 64, segment);
    return hf_pool_allocate(pool, RAW_SLOT_BYTES, 0, segment);
}

static bool give_back(struct witness *witness, enum raw_way way, hf_arena arena, hf_pool pool) {
    if (way == RAW_BY_HAND) {
        enter(witness, "hf_pool_trim()");
        if (!went_well(witness, hf_pool_trim(pool, 0, NULL))) return false;
        enter(witness, "hf_pool_close()");
        if (!went_well(witness, hf_pool_close(pool, 0))) return false;
    }
    enter(witness, "hf_arena_close()");
    return went_well(witness, hf_arena_close(arena, 0));
}

static void holdfast_story(struct witness *witness, enum raw_way way) {
    hf_arena_options arena_options = HF_ARENA_OPTIONS_INIT;
    arena_options.name = "lab";
    hf_pool_options pool_options = HF_POOL_OPTIONS_INIT;
    pool_options.name = "pages";
    hf_arena arena = { 0 };
    hf_pool pool = { 0 };
    hf_segment segment, another = { 0 };
    enter(witness, "hf_arena_open()");
    if (!went_well(witness, hf_arena_open(&arena_options, &arena))) return;
    enter(witness, "hf_pool_open()");
    if (way != RAW_BUMP && !went_well(witness, hf_pool_open(arena, &pool_options, &pool))) return;
    enter(witness, "allocate()");
    if (!went_well(witness, get_segment(way, arena, pool, &segment))) return;
    enter(witness, "the first hf_fill()");
    if (!went_well(witness, hf_fill(&segment, 0, RAW_SLOT_BYTES, 0x5a))) return;
    enter(witness, "hf_release()");
    if (!went_well(witness, hf_release(&segment))) return;
    if (!give_back(witness, way, arena, pool)) return;
    enter(witness, "the second allocate()");
    witness->allocate = get_segment(way, arena, pool, &another);
    snprintf(witness->sentence, sizeof witness->sentence, "%s", hf_error_message());
    enter(witness, "hf_fill()");
    witness->fill = hf_fill(witness->allocate == HF_OK ? &another : &segment, 0, RAW_SLOT_BYTES, 0x5a);
    witness->survived = true;
}

/* -- parent and child -- */

typedef void story(struct witness *witness, enum raw_way way);

/* A child that may die of its mistake, and leave nothing: no core file, and nobody's crash handler called. */
static void be_the_child(story *tell, struct witness *witness, enum raw_way way) {
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0); /* a core_pattern that is a pipe does not look at the limit */
    signal(SIGSEGV, SIG_DFL);  /* a sanitizer's handler would turn the death into an exit */
    signal(SIGBUS, SIG_DFL);
    tell(witness, way);
    _exit(EXIT_WORKED);
}

static bool watch(story *tell, struct witness *witness, enum raw_way way, struct ending *ending) {
    memset(witness, 0, sizeof *witness);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        complain("can't start a child process: %s", strerror(errno));
        return false;
    }
    if (child == 0) be_the_child(tell, witness, way);
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno == EINTR) continue;
        complain("can't wait for a child process: %s", strerror(errno));
        return false;
    }
    ending->exited = WIFEXITED(status);
    ending->code = ending->exited ? WEXITSTATUS(status) : 0;
    ending->signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return true;
}

static const char *signal_name(int number, char *other, size_t size) {
    if (number == SIGSEGV) return "SIGSEGV";
    if (number == SIGBUS) return "SIGBUS";
    if (number == SIGABRT) return "SIGABRT";
    snprintf(other, size, "signal %d", number);
    return other;
}

static void describe_raw(const struct witness *witness, const struct ending *ending, char *text, size_t size) {
    char number[32];
    if (!ending->exited)
        snprintf(text, size, "killed by %s in %s", signal_name(ending->signal_number, number, sizeof number), witness->step);
    else if (witness->trouble) snprintf(text, size, "could not begin: %s", witness->sentence);
    else snprintf(text, size, "%s", witness->survived ? "survived" : "ended early");
}

static void describe_holdfast(const struct witness *witness, const struct ending *ending, char *text, size_t size) {
    char number[32];
    if (!ending->exited)
        snprintf(text, size, "killed by %s in %s", signal_name(ending->signal_number, number, sizeof number), witness->step);
    else if (witness->trouble) snprintf(text, size, "%s failed: \"%s\"", witness->step, witness->sentence);
    else if (!witness->survived) snprintf(text, size, "ended early in %s", witness->step);
    else
        snprintf(text, size, "allocate %s, fill %s: \"%s\"", hf_status_name(witness->allocate), hf_status_name(witness->fill),
                 witness->sentence);
}

/* One line of the table. True if the raw pool's child died of SIGSEGV, and holdfast's answered both times with a status. */
static bool one_way(enum raw_way way, struct witness *witness, bool *as_expected) {
    static const char *const names[] = { "1 one shared arena owns it all", "2 given back by hand: trim, close",
                                         "3 bump allocation, no pool" };
    char raw[700], ours[1200];
    struct ending ending;
    if (!watch(raw_story, witness, way, &ending)) return false;
    *as_expected &= !ending.exited && ending.signal_number == SIGSEGV;
    describe_raw(witness, &ending, raw, sizeof raw);
    if (!watch(holdfast_story, witness, way, &ending)) return false;
    *as_expected &= ending.exited && ending.code == 0 && witness->survived && witness->allocate != HF_OK && witness->fill != HF_OK;
    describe_holdfast(witness, &ending, ours, sizeof ours);
    printf("  %-34s %-32s %s\n", names[way], raw, ours);
    return true;
}

static void print_help(void) {
    puts("usage: holdfast lab\n\n"
         "The crash that holdfast was made against, in three lines, one for each way to own the memory. The same few calls\n"
         "(allocate a segment, fill it, release it, give the memory back while the segment is still pooled, allocate again,\n"
         "fill) run in child processes: over a raw mmap pool, which is killed by SIGSEGV, and over holdfast, which answers\n"
         "with a status and a sentence. What is printed is what happened. No core file is left.\n\n"
         "  -h, --help    this text\n\n"
         "Exit status: 0 if every raw pool died and holdfast answered every time, 1 if not, 2 for a wrong call.");
}

int command_lab(int argc, char **argv) {
    static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option != 'h') return fputs("Try 'holdfast lab --help'.\n", stderr), EXIT_USAGE;
        print_help();
        return EXIT_WORKED;
    }
    if (no_arguments_left(argc, argv)) return EXIT_USAGE;
    struct witness *witness = mmap(NULL, sizeof *witness, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (witness == MAP_FAILED) return complain("can't map a page to share with the child processes: %s", strerror(errno));
    printf("  %-34s %-32s %s\n", "who owns the memory", "a raw mmap pool", "holdfast");
    bool as_expected = true;
    for (enum raw_way way = RAW_SHARED; way <= RAW_BUMP; way++)
        if (!one_way(way, witness, &as_expected)) return EXIT_FAILED;
    munmap(witness, sizeof *witness);
    return as_expected ? EXIT_WORKED : complain("that is not what was expected: the raw pool must die, and holdfast must answer");
}
