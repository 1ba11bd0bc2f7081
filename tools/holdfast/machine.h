/* SPDX-License-Identifier: MIT
 *
 * Sizes, limits and settings of this machine, and what each means for holdfast.
 */
#ifndef HOLDFAST_MACHINE_H
#define HOLDFAST_MACHINE_H

#include <stddef.h>
#include <stdint.h>

enum { FACTS_MAX = 20 };

struct fact {
    const char *name;
    char here[64];
    const char *means;
};

size_t machine_facts(struct fact facts[static FACTS_MAX]);

/* "64.0 MiB" */
void describe_bytes(uint64_t bytes, char *text, size_t size);

#endif
