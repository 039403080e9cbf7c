/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the reports go: standard output or a file; no line is ever torn */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
	int fd;
	const char *path; /* NULL: standard output */
	bool is_file; /* a regular file, which never keeps a writer waiting */
	bool stopping; /* by a signal: a reader that takes nothing is not waited for */
};

/* Opens @path for appending, NULL: standard output. 0 or -errno. */
int output__open(struct output *out, const char *path);

/*
 * Opens the path again, which may be another file by now. On failure (-errno)
 * the old one stays in use.
 */
int output__reopen(struct output *out);

/*
 * Writes all of it, or says why not: 0 or -errno. -ETIMEDOUT: SIGINT or SIGTERM
 * came (and is pending, or @out->stopping), but the reader takes nothing.
 */
int output__write(struct output *out, const char *data, size_t size);

/* 0, or -errno of what was written but not kept */
int output__close(struct output *out);

#endif
