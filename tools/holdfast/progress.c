/* SPDX-License-Identifier: MIT
 *
 * See progress.h.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool silent, moving;

void progress_begin(bool quiet) {
    silent = quiet;
    moving = isatty(STDERR_FILENO) == 1;
}

static size_t columns(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80u;
}

void progress_step(const char *phase, size_t number, size_t total, const char *title) {
    char line[1024];
    if (silent || !moving) return;
    if (total > 0) snprintf(line, sizeof line, "%s: %zu of %zu: %s", phase, number, total, title);
    else snprintf(line, sizeof line, "%s: %s", phase, title);
    if (strlen(line) >= columns()) line[columns() - 1] = 0;
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

void progress_step_done(const char *phase, size_t number, size_t total, const char *title, uint64_t took_ns) {
    if (silent || moving) return;
    if (total > 0) fprintf(stderr, "%-12s %2zu of %2zu %7.2f s  %s\n", phase, number, total, (double)took_ns / 1e9, title);
    else fprintf(stderr, "%-12s          %7.2f s  %s\n", phase, (double)took_ns / 1e9, title);
}

void progress_clear(void) {
    if (silent || !moving) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}
