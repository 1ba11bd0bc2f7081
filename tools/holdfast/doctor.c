/* SPDX-License-Identifier: MIT
 *
 * `holdfast doctor`: what this machine offers, and what the library does with it.
 *
 * Three parts, one row per fact. "Uses it" is said of what src/os_linux.c calls; "falls back" of the same where this machine
 * refuses it, with what happens instead; "not yet" of what a later release will use. The facts of the second part are read from
 * /proc and /sys, where the library reads some of them too. Nothing is changed on this machine: every probe is a child process.
 */
#include "command.h"
#include "machine.h"
#include "probe.h"

#include <errno.h>
#include <getopt.h>
#include <holdfast.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum use { USED, FALLBACK, LATER, FACT };
static const char *const use_words[] = { "uses it", "falls back", "not yet", "" };
static const char *const use_keys[] = { "used", "fallback", "later", "fact" };

/* What the library does about one kernel feature: with it, and without it. */
static const struct feature {
    const char *name;
    probe *ask;
    bool later; /* no release uses it so far */
    const char *with, *without;
} features[] = {
    { "reserve 1 TiB of addresses", probe_reserve, false, "arenas reserve inaccessible addresses, which cost nothing",
      "arenas start with smaller ranges, and grow by more of them" },
    { "mprotect to read-write", probe_commit, false, "reserved addresses become memory in steps, as pools grow",
      "no arena can open" },
    { "mmap over a mapping", probe_retire, false,
      "a closed range becomes read-only zeros in one step: pages and commit charge go back", "no arena can close" },
    { "MADV_DONTNEED", probe_dontneed, false, "free slots give their pages back and stay mapped",
      "pools can't give pages back: HF_SYSTEM" },
    { "MADV_DONTNEED_LOCKED", probe_dontneed_locked, false, "the same for memory that the program locked (mlock)",
      "memory that the program locked (mlock) is not given back" },
    { "mlock2(MLOCK_ONFAULT)", probe_lock_on_fault, false,
      "under mlockall(MCL_FUTURE) pages are locked when touched, not when reserved",
      "under mlockall(MCL_FUTURE) memory is resident as soon as it is committed" },
    { "MADV_POPULATE_WRITE", probe_populate, false, "HF_POPULATE makes pages resident, or says HF_NO_MEMORY",
      "HF_POPULATE touches each page; without memory the kernel may kill instead" },
    { "MADV_NOHUGEPAGE", probe_nohugepage, false, "one touched byte makes one small page resident: exact books",
      "the kernel has no huge pages to keep out" },
    { "MADV_DONTDUMP", probe_dontdump, false, "pages stay out of core dumps, unless the arena's options want them in",
      "core dumps hold all pages" },
    { "names for memory (prctl)", probe_name, false, "arenas show their names in /proc/PID/maps",
      "arenas have no names in /proc/PID/maps" },
    { "mbind", probe_bind, false, "arenas can be bound to a NUMA node (HF_NODE)",
      "an arena bound to a NUMA node is refused: HF_SYSTEM" },
    { "membarrier, expedited", probe_membarrier, false, "allocate and release need no full fence on their fast paths",
      "allocate and release pay for a full fence each" },
    { "membarrier, rseq", probe_membarrier_rseq, true, "to stop restartable sequences", "" },
    { "rseq, registered by libc", probe_rseq, true, "for per-processor caches of free slots", "" },
    { "process_madvise on oneself", probe_process_madvise, true, "to give many slots back in one call", "" },
    { "MADV_GUARD_INSTALL", probe_guard, true, "for guard mode: released slots that fault", "" },
    { "mseal", probe_mseal, true, "for sealed arenas, that nobody else can unmap", "" },
};
enum { FEATURES = sizeof features / sizeof features[0] };

/* -- output: a table, or JSON -- */

static bool as_json, first_row;

static void print_json_text(const char *text) {
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') printf("\\%c", c);
        else if (c < 0x20) printf("\\u%04x", c);
        else putchar(c);
    }
    putchar('"');
}

static void print_pair(const char *name, const char *text, const char *before) {
    printf("%s\"%s\": ", before, name);
    print_json_text(text);
}

static void print_row(const char *part, const char *name, const char *here, enum use use, const char *what) {
    if (!as_json) {
        printf("  %-27s %-22s %s%s%s\n", name, here, use_words[use], use == FACT ? "" : ": ", what);
        return;
    }
    print_pair("part", part, first_row ? "\n    { " : ",\n    { ");
    print_pair("feature", name, ", ");
    print_pair("here", here, ", ");
    print_pair("use", use_keys[use], ", ");
    print_pair("what", what, ", ");
    printf(" }");
    first_row = false;
}

static void print_title(const char *title) {
    if (!as_json) printf("\n%s\n", title);
}

/* -- the rows -- */

/* The names of the errors that a probe can meet, as errno.h has them. */
static const char *error_name(int error) {
    static const struct {
        int error;
        const char *name;
    } names[] = { { EINVAL, "EINVAL" },         { ENOSYS, "ENOSYS" }, { EPERM, "EPERM" },   { ENOMEM, "ENOMEM" },
                  { EACCES, "EACCES" },         { EFAULT, "EFAULT" }, { EAGAIN, "EAGAIN" }, { EBADF, "EBADF" },
                  { EOPNOTSUPP, "EOPNOTSUPP" }, { ENODEV, "ENODEV" } };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].error == error) return names[i].name;
    return strerror(error);
}

static void print_feature(const struct feature *feature) {
    char here[64];
    int answer = probe_in_child(feature->ask);
    if (answer == 0) snprintf(here, sizeof here, "yes");
    else if (answer == PROBE_NO_EFFECT) snprintf(here, sizeof here, "no (has no effect)");
    else if (answer == PROBE_UNKNOWN) snprintf(here, sizeof here, "can't tell");
    else snprintf(here, sizeof here, "no (%s)", error_name(answer));
    bool refused = answer != 0 && answer != PROBE_UNKNOWN && answer != PROBE_NO_EFFECT;
    enum use use = feature->later ? LATER : refused ? FALLBACK : USED;
    const char *what = use == FALLBACK ? feature->without : feature->with;
    if (use == USED && answer == PROBE_NO_EFFECT) what = "in vain, for the kernel (an emulator?) accepts it and does nothing";
    print_row("kernel", feature->name, here, use, what);
}

static void print_machine(void) {
    struct fact facts[FACTS_MAX];
    size_t count = machine_facts(facts);
    for (size_t i = 0; i < count; i++) print_row("machine", facts[i].name, facts[i].here, FACT, facts[i].means);
}

/* The library's own answers: what it makes of all this. */
static void print_library(void) {
    hf_arena arena;
    hf_pool pool;
    hf_pool_stats stats = HF_POOL_STATS_INIT;
    char here[64];
    int status = probe_in_child(probe_arena_of_1_tib);
    if (status == HF_OK) snprintf(here, sizeof here, "yes");
    else snprintf(here, sizeof here, "no (%s)", status == PROBE_UNKNOWN ? "can't tell" : hf_status_name((hf_status)status));
    print_row("library", "an arena of 1 TiB opens", here, FACT, "reserve_bytes up to this size costs no memory");
    if (hf_arena_open(NULL, &arena) != HF_OK) {
        print_row("library", "an arena opens", "no", FACT, hf_error_message());
        return;
    }
    if (hf_pool_open(arena, NULL, &pool) == HF_OK && hf_pool_get_stats(pool, &stats) == HF_OK) {
        describe_bytes(stats.limit_bytes, here, sizeof here);
        print_row("library", "a pool's default limit", here, FACT, "half of the memory that this process may use");
        snprintf(here, sizeof here, "%u", stats.class_count - 1);
        print_row("library", "a pool's default classes", here, FACT, "4 KiB to 256 KiB, without those below the page");
    } else print_row("library", "a pool opens", "no", FACT, hf_error_message());
    hf_arena_close(arena, 0);
}

static void print_help(void) {
    puts("usage: holdfast doctor [--json]\n\n"
         "What this machine's kernel offers, found by trying it and not by version numbers, and what holdfast does with it: uses "
         "it,\n"
         "falls back to something else, or leaves it to a later release. Nothing on the machine is changed.\n\n"
         "      --json    the same as JSON: { version, rows: [ { part, feature, here, use, what } ] }, where use is one of\n"
         "                used, fallback, later and fact\n"
         "  -h, --help    this text\n\n"
         "Exit status: 0, or 1 if no arena can be opened here, or 2 for a wrong call.");
}

static int diagnose(void) {
    hf_arena arena;
    first_row = true;
    if (as_json) printf("{\n  \"version\": \"%s\",\n  \"rows\": [", hf_version());
    else printf("holdfast %s on this machine\n", hf_version());
    print_title("Kernel: tried, one child process each");
    for (size_t i = 0; i < FEATURES; i++) print_feature(&features[i]);
    print_title("Machine: sizes, limits and settings");
    print_machine();
    print_title("Library: what it makes of them");
    print_library();
    if (as_json) puts("\n  ]\n}");
    if (hf_arena_open(NULL, &arena) != HF_OK) return complain("no arena can be opened on this machine: %s", hf_error_message());
    hf_arena_close(arena, 0);
    return EXIT_WORKED;
}

int command_doctor(int argc, char **argv) {
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { 0 } };
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'j') as_json = true;
        else if (option == 'h') return print_help(), EXIT_WORKED;
        else return fputs("Try 'holdfast doctor --help'.\n", stderr), EXIT_USAGE;
    }
    return no_arguments_left(argc, argv) ? EXIT_USAGE : diagnose();
}
