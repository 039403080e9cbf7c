/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* --self-test: whether kvmexit counts exactly on this host, and what that costs here */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdbool.h>

/* What the options ask of it */
struct selftest_request {
	const char *node; /* what records call this host; NULL: its name */
	const char *probe; /* the only probe to try; NULL: all of them */
	bool json;
	bool verbose;
};

/*
 * Makes exits in known numbers, counts them with every probe that this kernel accepts, and
 * prints both. The exit code: EXIT_OK all counts are right; EXIT_INTERNAL one is not.
 */
int selftest__run(const struct selftest_request *request);

#endif
