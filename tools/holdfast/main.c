/* SPDX-License-Identifier: MIT
 *
 * `holdfast`: the command line. It finds the command's name and hands over; nothing else happens here. The commands use the
 * library by its public header only.
 */
#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <holdfast.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *purpose;
} commands[] = {
    { "doctor", command_doctor, "what this machine's kernel offers, and what holdfast uses of it" },
    { "lab", command_lab, "the crash that holdfast was made against: over a raw mmap pool, and over holdfast" },
    { "run", command_run, "SQLite on a real database, on its own page cache and on holdfast, compared" },
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const char *speaker = "holdfast";

void complain_as(const char *name) {
    speaker = name;
}

static void say(const char *format, va_list arguments) {
    fflush(stdout);
    fprintf(stderr, "%s: ", speaker);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return EXIT_FAILED;
}

int misused(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try '%s --help'.\n", speaker);
    return EXIT_USAGE;
}

int no_arguments_left(int argc, char **argv) {
    return optind < argc ? misused("it takes options only, and '%s' is none", argv[optind]) : 0;
}

const char *executable_folder(void) {
    static char path[PATH_MAX];
    ssize_t got = readlink("/proc/self/exe", path, sizeof path - 1);
    if (got <= 0) {
        complain("can't tell where this program lies (/proc/self/exe: %s); name the files it needs by options", strerror(errno));
        return NULL;
    }
    path[got] = 0;
    char *slash = strrchr(path, '/');
    if (slash && slash != path) *slash = 0;
    return path;
}

static void print_help(FILE *to) {
    fputs("usage: holdfast COMMAND [OPTION]...\n"
          "       holdfast --help | --version\n\n"
          "holdfast is page memory for storage engines: a C library. This command shows it at work.\n\n",
          to);
    for (int i = 0; i < COMMANDS; i++) fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].purpose);
    fputs("\n'holdfast COMMAND --help' says more.\n"
          "Exit status: 0 it worked, 1 it did not, 2 it was called wrongly.\n",
          to);
}

/* What was printed must have arrived: a full disk behind stdout is a failure, too. */
static int delivered(int status) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    complain("can't write to standard output: %s", strerror(errno));
    return status == EXIT_WORKED ? EXIT_FAILED : status;
}

int main(int argc, char **argv) {
    static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { 0 } };
    argv[0] = "holdfast";
    switch (getopt_long(argc, argv, "+hV", options, NULL)) { /* +: a command's options are its own */
    case 'h': print_help(stdout); return delivered(EXIT_WORKED);
    case 'V': printf("holdfast %s\n", hf_version()); return delivered(EXIT_WORKED);
    case -1: break;
    default: fputs("Try 'holdfast --help'.\n", stderr); return EXIT_USAGE;
    }
    if (optind == argc) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[optind], commands[i].name) != 0) continue;
        static char name[32];
        snprintf(name, sizeof name, "holdfast %s", commands[i].name);
        complain_as(name);
        argc -= optind;
        argv += optind;
        argv[0] = name;
        optind = 0; /* start over, GNU's way and musl's */
        return delivered(commands[i].run(argc, argv));
    }
    return misused("there is no command '%s'", argv[optind]);
}
