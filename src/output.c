// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long the end of the run waits for a reader that takes nothing */
#define PATIENCE_MS 2000

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

static int open_path(struct output *out, int flags)
{
	struct output file = *out;
	struct stat st;
	int err = 0;

	file.fd = open(out->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | flags, 0640);
	if (file.fd < 0)
		return -errno;
	file.is_file = !fstat(file.fd, &st) && S_ISREG(st.st_mode);
	if (flags && fcntl(file.fd, F_SETFL, O_APPEND))
		err = -errno;
	if (!err && ends_torn(out->path))
		err = output__write(&file, "\n", 1);
	if (err)
		close(file.fd);
	else
		*out = file;
	return err;
}

int output__open(struct output *out, const char *path)
{
	struct stat st;

	*out = (struct output){ .fd = STDOUT_FILENO, .path = path };
	if (path) {
		out->fd = -1;
		return open_path(out, 0);
	}
	if (fstat(out->fd, &st))
		return -errno;
	out->is_file = S_ISREG(st.st_mode);
	return 0;
}

int output__reopen(struct output *out)
{
	int old = out->fd;
	/* A FIFO without a reader would hold up everything */
	int err = open_path(out, O_NONBLOCK);

	if (!err)
		close(old);
	return err;
}

static bool stop_pending(void)
{
	sigset_t set;

	return !sigpending(&set) && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM));
}

/*
 * Waits until the reader has made room. -ETIMEDOUT: the run is to end, and the
 * reader does nothing about it.
 */
static int await_reader(const struct output *out)
{
	struct pollfd p = { .fd = out->fd, .events = POLLOUT };
	const int step = 100;
	int waited = 0;

	while (waited < PATIENCE_MS) {
		int n = poll(&p, 1, step);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (out->stopping || stop_pending())
			waited += step;
	}
	return -ETIMEDOUT;
}

/*
 * How much to write at once. To a file all of it: other writers cannot come in
 * between. To a pipe as many lines as it takes whole, or not at all (POSIX), so
 * that neither another writer nor the end of the run can cut one.
 */
static size_t piece(const struct output *out, const char *data, size_t size)
{
	const char *end;

	if (out->is_file || size <= PIPE_BUF)
		return size;
	end = memrchr(data, '\n', PIPE_BUF);
	return end ? (size_t)(end - data) + 1 : PIPE_BUF;
}

int output__write(struct output *out, const char *data, size_t size)
{
	while (size) {
		ssize_t n;
		int err = out->is_file ? 0 : await_reader(out);

		if (err)
			return err;
		n = write(out->fd, data, piece(out, data, size));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
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
