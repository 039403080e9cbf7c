/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A file that is replaced as a whole: nobody ever reads half of it */
#ifndef ATOMIC_FILE_H
#define ATOMIC_FILE_H

#include <stddef.h>

struct replaced {
	const char *path;
	char *beside; /* PATH.new, which is written and then renamed; owned */
	int err; /* of the last write; 0: it succeeded */
};

/*
 * Whether @path can be replaced: 0 or -errno. -EEXIST: it exists, but is not a regular
 * file.
 */
int replaced__open(struct replaced *r, const char *path);

/* 0 or -errno: then the file is as it was */
int replaced__write(struct replaced *r, const char *text, size_t size);

void replaced__free(struct replaced *r);

#endif
