/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the reports go: standard output or a file. If a report cannot be written at once,
 * the rest is written later. No line is torn, except by a full disk; that line is then
 * written again.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
	int fd; /* -1: not open, or a FIFO that had no reader yet */
	const char *path; /* NULL: standard output */
	bool is_file; /* a regular file, which never keeps a writer waiting */
	bool is_fifo; /* a named FIFO: when its reader has gone, another may come */
	bool broken; /* must be opened again before anything is written */
	bool torn; /* the file ends in the middle of a line: write a newline first */
	const char *text; /* the report under way, its owner's */
	size_t size;
	size_t done; /* bytes of it that are written */
	unsigned int reopened; /* how often there was another file, or reader */
};

/*
 * Opens @path for appending, NULL: standard output. Opening a FIFO does not wait for its
 * reader; its first report does. 0 or -errno.
 */
int output__open(struct output *out, const char *path);

/*
 * Opens the path again, which may be another file by now. A line that was only partly
 * written is written again there. On failure (-errno) the old file stays in use.
 */
int output__reopen(struct output *out);

/* The next report, in place of the last; @text must stay until it is written */
void output__put(struct output *out, const char *text, size_t size);

/*
 * Writes the rest of the report without waiting. 0, or -EAGAIN if the reader takes nothing
 * or is not there, or another -errno. It may be called again in each case; it then opens
 * files anew.
 */
int output__flush(struct output *out);

/* The file that poll() tells when to call output__flush() again; -1: none */
int output__poll_fd(const struct output *out);

/* 0, or -errno if written data could not be stored */
int output__close(struct output *out);

#endif
