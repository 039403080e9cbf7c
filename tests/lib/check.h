/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unit tests without a framework: checks count and report but do not stop,
 * main() ends with "return check__report(name);".
 */
#ifndef KVMEXIT_TESTS_CHECK_H
#define KVMEXIT_TESTS_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned int check__passed, check__failed;

static inline bool check__count(bool ok)
{
	if (ok)
		check__passed++;
	else
		check__failed++;
	return ok;
}

static inline bool check__cond(const char *file, int line, const char *expr, bool ok)
{
	if (!check__count(ok))
		fprintf(stderr, "%s:%d: failed: %s\n", file, line, expr);
	return ok;
}

static inline bool check__int(const char *file, int line, const char *expr, long long got,
			      long long want)
{
	if (!check__count(got == want))
		fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", file, line, expr, got, want);
	return got == want;
}

static inline bool check__str(const char *file, int line, const char *expr, const char *got,
			      const char *want)
{
	bool ok = got && want ? !strcmp(got, want) : got == want;

	if (!check__count(ok))
		fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", file, line, expr,
			got ? got : "(null)", want ? want : "(null)");
	return ok;
}

/* Each yields whether it held, so that a test can skip what depends on it. */
#define CHECK(cond) check__cond(__FILE__, __LINE__, #cond, cond)
#define CHECK_INT(got, want) check__int(__FILE__, __LINE__, #got, got, want)
#define CHECK_STR(got, want) check__str(__FILE__, __LINE__, #got, got, want)

/*
 * Ends a process that may make few system calls: what ASan does before an _exit()
 * would be its last.
 */
static inline void check__leave(int status)
{
	syscall(SYS_exit_group, status);
}

/* The exit status: 0 if all passed and there was at least one check. */
static inline int check__report(const char *name)
{
	printf("%s: %u passed, %u failed\n", name, check__passed, check__failed);
	return check__failed || !check__passed;
}

#endif /* KVMEXIT_TESTS_CHECK_H */
