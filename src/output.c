// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether a writer that was killed left half a line at the end of the file */
static bool ends_torn(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char last = '\n';

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    pread(fd, &last, 1, st.st_size - 1) != 1)
		last = '\n';
	close(fd);
	return last != '\n';
}

static int open_path(const char *path)
{
	struct output file = { .fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640) };
	int err;

	if (file.fd < 0)
		return -errno;
	err = ends_torn(path) ? output__write(&file, "\n", 1) : 0;
	if (!err)
		return file.fd;
	close(file.fd);
	return err;
}

int output__open(struct output *out, const char *path)
{
	int fd = path ? open_path(path) : STDOUT_FILENO;

	/* Else the next file to be opened would be taken for standard output */
	if (!path && fcntl(fd, F_GETFD) < 0)
		fd = -errno;
	*out = (struct output){ .fd = fd, .path = path };
	return fd < 0 ? fd : 0;
}

int output__reopen(struct output *out)
{
	int fd = open_path(out->path);

	if (fd < 0)
		return fd;
	close(out->fd);
	out->fd = fd;
	return 0;
}

int output__write(struct output *out, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(out->fd, data, size);

		if (n < 0 && errno == EAGAIN) {
			/* A pipe that its reader made non-blocking */
			struct pollfd p = { .fd = out->fd, .events = POLLOUT };

			poll(&p, 1, -1);
			continue;
		}
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= n;
		}
	}
	return 0;
}

int output__close(struct output *out)
{
	int fd = out->fd;

	out->fd = -1;
	return close(fd) ? -errno : 0;
}
