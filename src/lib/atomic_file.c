// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEW ".new-"
#define LOCK ".lock"
#define DIGITS 16

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What follows @base in @name; NULL: @name begins otherwise */
static const char *suffix(const char *base, const char *name)
{
	size_t len = strlen(base);

	return strncmp(name, base, len) ? NULL : name + len;
}

static bool is_new(const char *base, const char *name)
{
	const char *end = suffix(base, name);

	return end && !strncmp(end, NEW, strlen(NEW)) && strlen(end) == strlen(NEW) + DIGITS &&
	       strspn(end + strlen(NEW), "0123456789abcdef") == DIGITS;
}

bool replaced__uses(const char *base, const char *name)
{
	const char *end = suffix(base, name);

	return (end && !strcmp(end, LOCK)) || is_new(base, name);
}

/* Whether the name still leads to the file that is open; a writer that ends removes it */
static bool holds_lock(const struct replaced *r)
{
	struct stat locked, named;

	return !fstat(r->lock, &locked) && !lstat(r->lock_path, &named) && is_same(&locked, &named);
}

/*
 * The lock goes with the process, however that ends. The file stays after SIGKILL, and does
 * no harm. It may be another's, or a link or a FIFO: it is neither read nor written.
 */
static int take_lock(struct replaced *r)
{
	int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, tries;

	for (tries = 0; tries < 100; tries++) {
		r->lock = open(r->lock_path, flags, 0600);
		if (r->lock < 0)
			return -errno;
		if (flock(r->lock, LOCK_EX | LOCK_NB))
			return errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (holds_lock(r))
			return 0;
		close(r->lock);
		r->lock = -1;
	}
	return -EBUSY;
}

/* Own new files only; as this process has the lock, nobody is writing them any more */
static void remove_stale(const struct replaced *r)
{
	char *copy = strdup(r->path);
	const char *slash = strrchr(r->path, '/'), *base = slash ? slash + 1 : r->path;
	DIR *dir = copy ? opendir(dirname(copy)) : NULL;
	const struct dirent *e;
	struct stat st;

	while (dir && (e = readdir(dir)))
		if (is_new(base, e->d_name) &&
		    !fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode) && st.st_uid == geteuid())
			unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	free(copy);
}

int replaced__open(struct replaced *r, const char *path)
{
	struct stat st;
	int err;

	*r = (struct replaced){ .path = path, .lock = -1 };
	if (!lstat(path, &st) && !S_ISREG(st.st_mode))
		return -EEXIST;
	if (asprintf(&r->beside, "%s" NEW "%0*d", path, DIGITS, 0) < 0)
		r->beside = NULL;
	if (asprintf(&r->lock_path, "%s" LOCK, path) < 0)
		r->lock_path = NULL;
	if (!r->beside || !r->lock_path)
		return -ENOMEM;
	err = take_lock(r);
	if (!err) {
		remove_stale(r);
		return 0;
	}
	if (r->lock >= 0)
		close(r->lock);
	r->lock = -1;
	return err;
}

/*
 * Opens a file that was not there: a name that nobody can know before is no other's file,
 * link or FIFO, and O_EXCL makes sure. Its owner is this process.
 */
static int open_new(struct replaced *r)
{
	char *digits = r->beside + strlen(r->beside) - DIGITS;
	__u64 number;
	int fd;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -EIO;
	snprintf(digits, DIGITS + 1, "%0*llx", DIGITS, number);
	fd = open(r->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			size -= n;
		}
	}
	return 0;
}

/* Whether the name is still the file that was made, and its only name: 0 or -errno */
static int check_new(int fd, const char *name)
{
	struct stat made, named;

	if (fstat(fd, &made) || lstat(name, &named))
		return -errno;
	return is_same(&made, &named) && made.st_nlink == 1 ? 0 : -EEXIST;
}

int replaced__write(struct replaced *r, const char *text, size_t size)
{
	int fd = open_new(r), err = fd < 0 ? fd : write_all(fd, text, size);

	if (!err)
		err = check_new(fd, r->beside);
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	/* The calls of this kind that the filter allows (privileges.c) */
	if (!err && syscall(SYS_renameat, AT_FDCWD, r->beside, AT_FDCWD, r->path))
		err = -errno;
	if (fd >= 0 && err)
		unlinkat(AT_FDCWD, r->beside, 0);
	r->err = err;
	return err;
}

void replaced__close(struct replaced *r)
{
	/* Removed before it is unlocked: whoever locks it after that makes a new one */
	if (r->lock >= 0 && holds_lock(r))
		unlinkat(AT_FDCWD, r->lock_path, 0);
	if (r->lock >= 0)
		close(r->lock);
	free(r->beside);
	free(r->lock_path);
}
