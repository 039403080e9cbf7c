/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KVMEXIT_TESTS_FAILING_MALLOC_H
#define KVMEXIT_TESTS_FAILING_MALLOC_H

/* Allocations so far; the one to fail, the first of those to fail; 0: none */
extern unsigned long failing__count, failing__at, failing__from;

#endif /* KVMEXIT_TESTS_FAILING_MALLOC_H */
