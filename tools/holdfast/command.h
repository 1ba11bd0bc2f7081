/* SPDX-License-Identifier: MIT
 *
 * What the commands of `holdfast` share. Each command is one function in a file of its own name: it gets its own arguments
 * (argv[0] is "holdfast NAME"), prints its result on stdout and its complaints on stderr, and returns the exit status:
 * 0 it worked, 1 it did not, 2 it was called wrongly.
 */
#ifndef HOLDFAST_COMMAND_H
#define HOLDFAST_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_WORKED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int command_doctor(int argc, char **argv);
int command_lab(int argc, char **argv);
int command_run(int argc, char **argv);

/* "NAME: sentence" and a newline on stderr. NAME is argv[0] of the command that runs. Both return the exit status. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
int misused(const char *format, ...) __attribute__((format(printf, 1, 2))); /* and where help is to be had */

/* A command's name for complain(), from its start on. */
void complain_as(const char *name);

/* argv[optind] must not be: the commands take options only. 0, or the exit status of misused(). */
int no_arguments_left(int argc, char **argv);

/* The folder of this executable, without a slash at its end. NULL, after a complaint, where the system does not tell. */
const char *executable_folder(void);

#endif
