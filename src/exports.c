/* SPDX-License-Identifier: MIT
 *
 * The inline functions of the header as plain symbols, for other languages and for pointers to them: the same text, compiled once
 * more with external linkage.
 */
#include <stdint.h>

#define HF_INLINE __attribute__((visibility("default")))
#include "holdfast.h"
