/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Giving up what only loading and attaching needed */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

/* What the loop still needs */
struct needs {
	const int *fds; /* besides 0, 1 and 2; -1 is nobody's */
	size_t nr_fds;
	const char *output; /* an existing file that will be opened again; NULL: none */
	const char *replaced; /* a file that is replaced by renaming a new one; NULL: none */
	bool terminal; /* changes the modes of a terminal */
	const int *raises; /* signals that this process sends to itself */
	size_t nr_raises;
	bool verbose; /* tell what was given up */
};

/*
 * The capabilities that are missing to load and attach BPF programs, to read
 * tracefs, or to look at the open files of others' processes, as text; NULL: none.
 */
const char *privileges__missing_to_probe(void);
const char *privileges__missing_to_read(void);
const char *privileges__missing_to_look(void);

/* Whether this process has CAP_SYS_PTRACE; /proc then hides nothing from it */
bool privileges__can_trace(void);

/* Whether the kernel is locked down so far that BPF may not read its memory */
bool privileges__locked_down(void);

/* Makes 0, 1 and 2 exist: a file opened later must not become one of them */
void privileges__occupy_standard_fds(void);

/* For good: drops all capabilities, forbids new ones. 0 or -errno. */
int privileges__drop_capabilities(void);

/*
 * For good: closes all other files; permits writing only to files in the outputs'
 * directories (if the kernel has Landlock); refuses (EPERM) each system call that the
 * loop does not make. Needs no capabilities. Returns 0 or -errno, and in *@what what
 * failed.
 */
int privileges__confine(const struct needs *needs, const char **what);

#endif
