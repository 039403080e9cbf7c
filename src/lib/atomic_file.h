/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file that is replaced as a whole: nobody ever reads half of it. Each text is written to
 * a new file beside it, PATH.new- and 16 random digits, which then takes its place. PATH.lock
 * is locked meanwhile, so that there is one writer only.
 */
#ifndef ATOMIC_FILE_H
#define ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct replaced {
	const char *path;
	char *beside; /* the name of the new file; owned */
	char *lock_path; /* owned */
	int lock; /* -1: not locked */
	int err; /* of the last write; 0: it succeeded */
};

/*
 * Whether @path can be replaced: 0 or -errno. -EEXIST: it exists, but is not a regular
 * file. -EBUSY: another process replaces it. Removes what a killed writer left there.
 */
int replaced__open(struct replaced *r, const char *path);

/* 0 or -errno: then the file is as it was */
int replaced__write(struct replaced *r, const char *text, size_t size);

void replaced__close(struct replaced *r);

/* Whether @name, in the same directory, is a name that the writer of a file @base may use */
bool replaced__uses(const char *base, const char *name);

#endif
