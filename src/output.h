/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the reports go: standard output or a file. A report that cannot be written
 * at once is written on later; no line is torn but by a full disk, and then it is
 * written once more.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
	int fd; /* -1: not open, or a FIFO that had no reader yet */
	const char *path; /* NULL: standard output */
	bool is_file; /* a regular file, which never keeps a writer waiting */
	bool is_fifo; /* one with a name: when its reader has gone, another may come */
	bool broken; /* to be opened again before anything is written */
	bool torn; /* ends within somebody's line, which is to be ended first */
	const char *text; /* the report under way, its owner's */
	size_t size;
	size_t done; /* bytes of it that are written */
	unsigned int reopened; /* how often there was another file, or reader */
};

/*
 * Opens @path for appending, NULL: standard output. A FIFO is not waited for: its
 * first report is. 0 or -errno.
 */
int output__open(struct output *out, const char *path);

/*
 * Opens the path again, which may be another file by now; a line that was begun is
 * begun again there. On failure (-errno) the old one stays in use.
 */
int output__reopen(struct output *out);

/* The next report, in place of the last; @text must stay until it is written */
void output__put(struct output *out, const char *text, size_t size);

/*
 * Writes the rest of the report, without waiting: 0, or what stands in the way.
 * -EAGAIN: the reader, who takes nothing or is not there; else -errno. May be
 * called again in either case: files are then opened anew.
 */
int output__flush(struct output *out);

/* The file that poll() tells when to call output__flush() again; -1: none */
int output__poll_fd(const struct output *out);

/* 0, or -errno of what was written but not kept */
int output__close(struct output *out);

#endif
