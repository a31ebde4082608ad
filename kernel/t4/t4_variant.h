/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * User space only: the coder is built once for each instruction set, from one
 * source, and works with the best one that the machine has. Their results are
 * the same to the bit. A state object stays with the variant that it was
 * initialised under: one may note of a line what another does not.
 */
#ifndef T4_VARIANT_H
#define T4_VARIANT_H

#include "t4_port.h"

/* The name of the @i-th variant that this machine can run, NULL beyond the last one. */
const char *t4_variant_name(u32 i);

/*
 * Works with the variant of this @name from now on, in all threads; NULL stands
 * for the best one. -EINVAL if the machine has none of that name. For tests.
 */
int t4_variant_set(const char *name);

#endif
