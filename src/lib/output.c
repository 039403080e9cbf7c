// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "lib/planted.h"
#include "lib/stream.h"

/* Whether the file ends with half a line, left by a writer that was killed or had no room */
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

/* Start of the line to go on with. Once all is written, the text may be gone: do not look at it. */
static size_t line_start(const struct output *out)
{
	const char *end;

	if (!out->done || out->done == out->size)
		return out->done;
	end = memrchr(out->text, '\n', out->done);
	return end ? end + 1 - out->text : 0;
}

/* @create: O_CREAT or 0. Never waits, not even for a FIFO's reader */
static int open_path(struct output *out, int create)
{
	int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | create;
	struct stat st;
	int fd;

	if (is_planted(out->path))
		return -EACCES;
	fd = open(out->path, flags, 0640);
	if (fd < 0)
		return -errno;
	if (out->fd >= 0) {
		close(out->fd);
		out->reopened++;
	}
	out->fd = fd;
	out->is_file = !fstat(fd, &st) && S_ISREG(st.st_mode);
	out->done = line_start(out);
	out->torn = ends_torn(out->path);
	out->broken = false;
	return 0;
}

int output__reopen(struct output *out)
{
	int err = open_path(out, O_CREAT);

	if (err != -ENXIO || !out->is_fifo)
		return err;
	out->broken = true;
	return 0;
}

/* Whether @path is a named FIFO, not a pipe behind /dev/stdout, for example */
static bool is_fifo(const char *path)
{
	struct statfs fs;
	struct stat st;

	return !stat(path, &st) && S_ISFIFO(st.st_mode) && !statfs(path, &fs) &&
	       fs.f_type != PIPEFS_MAGIC;
}

int output__open(struct output *out, const char *path)
{
	struct stat st;

	*out = (struct output){ .fd = path ? -1 : stream__fd(STDOUT_FILENO), .path = path };
	if (path) {
		out->is_fifo = is_fifo(path);
		return output__reopen(out);
	}
	if (fstat(out->fd, &st))
		return -errno;
	out->is_file = S_ISREG(st.st_mode);
	return 0;
}

void output__put(struct output *out, const char *text, size_t size)
{
	out->text = text;
	out->size = size;
	out->done = 0;
}

/*
 * How much to write at once. To a file, all of it, so that other writers cannot come in
 * between. To a pipe, as many lines as it takes as a whole or not at all (POSIX), so that
 * neither another writer nor the end of the run can cut a line.
 */
static size_t piece(const struct output *out)
{
	const char *data = out->text + out->done, *end;
	size_t size = out->size - out->done;

	if (out->is_file || size <= PIPE_BUF)
		return size;
	end = memrchr(data, '\n', PIPE_BUF);
	return end ? (size_t)(end - data) + 1 : PIPE_BUF;
}

/* Neither waits: open_path() opens what it opens so */
static ssize_t put(const struct output *out, const char *text, size_t size)
{
	return out->path ? write(out->fd, text, size) : stream__write(STDOUT_FILENO, text, size);
}

static int write_piece(struct output *out)
{
	ssize_t n = out->torn ? put(out, "\n", 1) : put(out, out->text + out->done, piece(out));

	if (n >= 0) {
		out->done += out->torn ? 0 : n;
		out->torn = false;
		return 0;
	}
	if (errno == EINTR)
		return 0;
	if (errno == EPIPE && out->is_fifo) {
		out->broken = true;
		return -EAGAIN;
	}
	out->broken = out->path && errno != EAGAIN;
	return -errno;
}

/* Opens the path again. A FIFO that is missing at the moment must not become a file. */
static int mend(struct output *out)
{
	int err = open_path(out, out->is_fifo ? 0 : O_CREAT);

	return err && out->is_fifo ? -EAGAIN : err;
}

int output__flush(struct output *out)
{
	int err = out->broken ? mend(out) : 0;

	while (!err && out->done < out->size)
		err = write_piece(out);
	return err;
}

int output__poll_fd(const struct output *out)
{
	return out->broken ? -1 : out->fd;
}

int output__close(struct output *out)
{
	int fd = out->path || out->fd < 0 ? out->fd : STDOUT_FILENO;

	out->fd = -1;
	return fd >= 0 && close(fd) ? -errno : 0;
}
