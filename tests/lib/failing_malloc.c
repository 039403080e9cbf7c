// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An allocator that fails, to be preloaded or linked: with FAIL_AT=N in the
 * environment the N-th allocation does, with FAIL_FROM=N all from there on. With
 * MALLOC_COUNT how many there were is told at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "failing_malloc.h"

/* glibc's own, which the names below hide */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

unsigned long failing__count, failing__at, failing__from;

static int fails(void)
{
	failing__count++;
	if (failing__count != failing__at && (!failing__from || failing__count < failing__from))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (fails() || __builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, bytes);
}

static unsigned long number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : 0;
}

static void __attribute__((constructor)) begin(void)
{
	failing__at = number("FAIL_AT");
	failing__from = number("FAIL_FROM");
	failing__count = 0;
}

static void __attribute__((destructor)) end(void)
{
	if (getenv("MALLOC_COUNT"))
		dprintf(STDERR_FILENO, "allocations %lu\n", failing__count);
}
