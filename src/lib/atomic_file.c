// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Another file of this name may be a link or a FIFO: do not follow it, do not wait for it */
static int open_beside(const struct replaced *r)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = open(r->beside, flags, 0644);

	return fd < 0 ? -errno : fd;
}

int replaced__open(struct replaced *r, const char *path)
{
	struct stat st;
	int fd;

	*r = (struct replaced){ .path = path };
	if (!lstat(path, &st) && !S_ISREG(st.st_mode))
		return -EEXIST;
	if (asprintf(&r->beside, "%s.new", path) < 0) {
		r->beside = NULL;
		return -ENOMEM;
	}
	fd = open_beside(r);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
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

int replaced__write(struct replaced *r, const char *text, size_t size)
{
	int fd = open_beside(r), err = fd < 0 ? fd : write_all(fd, text, size);

	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	/* The one call of this kind that the filter allows (privileges.c) */
	if (!err && syscall(SYS_renameat, AT_FDCWD, r->beside, AT_FDCWD, r->path))
		err = -errno;
	r->err = err;
	return err;
}

void replaced__free(struct replaced *r)
{
	free(r->beside);
}
