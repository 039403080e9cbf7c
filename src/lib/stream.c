// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/util.h"

/* How long a message waits for its reader, and a write that cannot be kept from waiting, ms */
#define PATIENCE_MS 200
#define MOMENT_MS 20

static struct stream {
	int fd;
	bool is_socket;
	bool waits; /* could not be opened anew: a write may wait although poll() saw room */
} streams[] = {
	[STDOUT_FILENO] = { .fd = STDOUT_FILENO },
	[STDERR_FILENO] = { .fd = STDERR_FILENO },
};

/* Messages that nobody could be given */
static struct {
	unsigned int messages;
	bool torn; /* the last text written ends in the middle of a line */
} dropped;

static void interrupt(int signal)
{
	(void)signal;
}

/* A write that waits is to end with EINTR, or with what it has written so far */
static void prepare_interrupt(void)
{
	const struct sigaction action = { .sa_handler = interrupt };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* The other end of a pseudo-terminal: opened anew, it would be another one */
static bool is_master(const struct stat *st)
{
	return st->st_rdev == makedev(5, 2);
}

/*
 * A terminal says POLLOUT although it has less room than a write needs; a pipe may be filled
 * by somebody else after poll(). Opened anew, they have flags of their own.
 */
static void open_anew(int standard)
{
	struct stream *s = &streams[standard];
	int flags = fcntl(standard, F_GETFL), fd = -1;
	char path[32];
	struct stat st;

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(standard, &st))
		return;
	s->is_socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !isatty(standard))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", standard);
	if (!is_master(&st))
		fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	s->waits = fd < 0;
	s->fd = fd < 0 ? standard : fd;
	if (s->waits)
		prepare_interrupt();
}

int stream__fd(int standard)
{
	return streams[standard].fd;
}

static ssize_t write_for_a_moment(int fd, const char *text, size_t size)
{
	const struct timeval moment = { .tv_usec = MOMENT_MS * 1000 };
	const struct itimerval on = { moment, moment }, off = { 0 };
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	ssize_t n;
	int err;

	errno = EAGAIN;
	if (poll(&p, 1, 0) <= 0 || setitimer(ITIMER_REAL, &on, NULL))
		return -1;
	n = write(fd, text, size < PIPE_BUF ? size : PIPE_BUF);
	err = n < 0 && errno == EINTR ? EAGAIN : errno;
	setitimer(ITIMER_REAL, &off, NULL);
	errno = err;
	return n;
}

ssize_t stream__write(int standard, const char *text, size_t size)
{
	const struct stream *s = &streams[standard];

	if (s->is_socket)
		return send(s->fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	return s->waits ? write_for_a_moment(s->fd, text, size) : write(s->fd, text, size);
}

/* Whether all of @text was written. It waits only for a reader that took the last message. */
static bool tell(const char *text, size_t size)
{
	struct pollfd p = { .fd = streams[STDERR_FILENO].fd, .events = POLLOUT };
	ssize_t n = stream__write(STDERR_FILENO, text, size);

	while (n < 0 && (errno == EINTR || (errno == EAGAIN && !dropped.messages)) &&
	       poll(&p, 1, PATIENCE_MS) > 0) {
		n = stream__write(STDERR_FILENO, text, size);
		if (n < 0 && errno == EAGAIN)
			break;
	}
	if (n > 0)
		dropped.torn = text[n - 1] != '\n';
	return n == (ssize_t)size;
}

static void tell_dropped(void)
{
	char text[128];
	int n;

	if (!dropped.messages)
		return;
	n = snprintf(text, sizeof(text), "%skvmexit: %u message%s left out, as nobody read them\n",
		     dropped.torn ? "\n" : "", dropped.messages,
		     dropped.messages > 1 ? "s were" : " was");
	if (tell(text, n))
		dropped.messages = 0;
}

static ssize_t write_message(void *cookie, const char *text, size_t size)
{
	(void)cookie;
	tell_dropped();
	if (dropped.messages || !tell(text, size))
		dropped.messages++;
	return size;
}

void stream__open(void)
{
	FILE *messages;

	open_anew(STDOUT_FILENO);
	open_anew(STDERR_FILENO);
	messages = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_message });
	if (!messages)
		return;
	setvbuf(messages, NULL, _IONBF, 0);
	stderr = messages;
	atexit(tell_dropped);
}
