/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The files that a run reads and writes, which must not be the same */
#ifndef PATHS_H
#define PATHS_H

struct options;

/*
 * Whether no file is written that is also read, or written in another way; looks at all of
 * them before any is opened. Tells what is wrong and returns the exit code.
 */
int paths__check(const struct options *opts);

#endif
