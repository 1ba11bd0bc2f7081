/* SPDX-License-Identifier: MIT
 *
 * See child.h. The peak of memory is the kernel's own figure (ru_maxrss of wait4). A child starts with the peak of the process
 * that it was forked from, so this one stays small: it reads its files in small pieces and never holds a database's worth.
 */
#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static volatile sig_atomic_t interrupted;
static const int interrupting[] = { SIGINT, SIGTERM, SIGHUP };
enum { INTERRUPTING = sizeof interrupting / sizeof interrupting[0], SETTINGS_MAX = 16 };

static void remember(int number) {
    interrupted = number;
}

void child_hold_signals(void) {
    struct sigaction action = { .sa_handler = remember }, before; /* without SA_RESTART: waits are to end */
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < INTERRUPTING; i++) /* what nohup and the like ignore stays ignored */
        if (sigaction(interrupting[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(interrupting[i], &action, NULL);
}

int child_interrupted(void) {
    return interrupted;
}

void child_resume_signals(void) {
    if (!interrupted) return;
    signal(interrupted, SIG_DFL);
    raise(interrupted);
}

uint64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* -- the environment -- */

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static bool is_passed_on(const char *setting, const char *const *settings) {
    if (starts_with(setting, "LD_PRELOAD=") || starts_with(setting, "HOLDFAST_") || starts_with(setting, "LC_ALL=")) return false;
    for (size_t i = 0; settings && settings[i]; i++) {
        size_t name = strcspn(settings[i], "=");
        if (strncmp(setting, settings[i], name) == 0 && setting[name] == '=') return false;
    }
    return true;
}

/* Strings are shared with environ and the settings; the list is the caller's to free. */
static char **make_environment(const char *const *settings) {
    size_t count = 0, kept = 0;
    while (environ[count]) count++;
    char **list = malloc((count + SETTINGS_MAX + 2) * sizeof *list);
    if (!list) return NULL;
    for (size_t i = 0; i < count; i++)
        if (is_passed_on(environ[i], settings)) list[kept++] = environ[i];
    list[kept++] = "LC_ALL=C";
    for (size_t i = 0; settings && settings[i] && i < SETTINGS_MAX; i++) list[kept++] = (char *)(uintptr_t)settings[i];
    list[kept] = NULL;
    return list;
}

/* -- start and end -- */

static int put(posix_spawn_file_actions_t *actions, int file, int as, int open_flags) {
    if (file >= 0) return posix_spawn_file_actions_adddup2(actions, file, as);
    return posix_spawn_file_actions_addopen(actions, as, "/dev/null", open_flags, 0);
}

int child_start(const struct child_plan *plan, pid_t *child) {
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    char **environment = make_environment(plan->settings);
    if (!environment) error = ENOMEM;
    if (!error) error = put(&actions, plan->input, STDIN_FILENO, O_RDONLY);
    if (!error) error = put(&actions, plan->output, STDOUT_FILENO, O_WRONLY);
    if (!error) error = put(&actions, plan->errors, STDERR_FILENO, O_WRONLY);
    if (!error && plan->pass_as_3 >= 0) error = posix_spawn_file_actions_adddup2(&actions, plan->pass_as_3, 3);
    if (!error && plan->folder) error = posix_spawn_file_actions_addchdir_np(&actions, plan->folder);
    if (!error)
        error = posix_spawnp(child, plan->arguments[0], &actions, NULL, (char *const *)(uintptr_t)plan->arguments, environment);
    free(environment);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

void child_wait(pid_t child, struct child_end *end) {
    struct rusage usage;
    int status;
    if (interrupted) kill(child, SIGTERM);
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR) { /* it is nobody's child: nothing is known of its end */
            *end = (struct child_end){ .exited = true, .code = 127 };
            return;
        }
        if (interrupted) kill(child, SIGTERM);
    }
    *end = (struct child_end){ .exited = WIFEXITED(status), .peak_bytes = (uint64_t)usage.ru_maxrss * 1024 };
    if (end->exited) end->code = WEXITSTATUS(status);
    else end->signal_number = WTERMSIG(status);
}

bool child_succeeded(const struct child_end *end) {
    return end->exited && end->code == 0;
}

void child_describe(const struct child_end *end, char *text, size_t size) {
    if (end->exited) snprintf(text, size, "exit status %d", end->code);
    else snprintf(text, size, "killed by signal %d", end->signal_number);
}
