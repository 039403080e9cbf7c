/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fixed-width table */
#ifndef TABLE_H
#define TABLE_H

#include <stdio.h>

#include "view.h"

/*
 * Prints one report to @out, with a time line above it where @timed. Returns 0
 * or -ENOMEM; whether the writing succeeded @out knows.
 */
int table__print(FILE *out, enum view view, const struct snapshot *snap, bool timed);

#endif
