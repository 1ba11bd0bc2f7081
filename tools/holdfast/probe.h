/* SPDX-License-Identifier: MIT
 *
 * What this machine offers, asked by doing it. The probes of the kernel each run in a child process, because some can only be
 * seen to work by a fault, and some can't be undone.
 */
#ifndef HOLDFAST_PROBE_H
#define HOLDFAST_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The answer of a probe: 0 it works; an errno value; or one of these. */
enum { PROBE_NO_EFFECT = 253, PROBE_UNKNOWN = 254 };

typedef int probe(void);

/* Runs a probe in a child. PROBE_UNKNOWN if the child could not be started or died. */
int probe_in_child(probe *ask);

probe probe_reserve, probe_commit, probe_retire, probe_dontneed, probe_dontneed_locked, probe_lock_on_fault, probe_populate,
    probe_nohugepage, probe_dontdump;
probe probe_name, probe_bind, probe_membarrier, probe_membarrier_rseq, probe_rseq, probe_process_madvise, probe_guard, probe_mseal;

/* 1 TiB as an arena of the library itself: 0, or the hf_status. */
probe probe_arena_of_1_tib;

#endif
