/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* --self-test: whether kvmexit counts exactly on this host, and what that costs here */
#ifndef SELFTEST_H
#define SELFTEST_H

struct options;

/*
 * Makes exits in known numbers, counts them with every probe that this kernel accepts, and
 * prints both. The exit code: EXIT_OK all counts are right; EXIT_INTERNAL one is not.
 */
int selftest__run(const struct options *opts);

#endif
