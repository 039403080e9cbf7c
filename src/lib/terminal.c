// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Uses plain sequences that every terminal of today knows. curses would need its database
 * on each host, and a tenth of a megabyte.
 */
#include "lib/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "lib/stream.h"
#include "lib/util.h"

#define PATIENCE_MS 2000
#define PATIENCE_STEP_MS 20

/* To the alternate screen, without cursor; and back. A terminal without one is cleared. */
static const char to_screen[] = "\033[?1049h\033[?25l\033[H\033[J";
static const char from_screen[] = "\033[0m\033[H\033[J\033[?25h\033[?1049l";

/* Global, because a signal handler takes no argument of ours */
static struct {
	bool has_keys;
	volatile sig_atomic_t entered;
	volatile sig_atomic_t unread; /* it took nothing for as long as we wait */
	struct termios before;
} terminal;

/* Signals that end the program and are not handled by ticker.c */
static const int fatal[] = { SIGQUIT, SIGILL,  SIGABRT, SIGBUS,	 SIGFPE,
			     SIGSEGV, SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU };
static const int raises[] = { SIGTSTP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU };

bool terminal__can_show(void)
{
	const char *type = getenv("TERM");

	return isatty(STDOUT_FILENO) && type && *type && strcmp(type, "dumb");
}

struct window terminal__window(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return (struct window){ 0 };
	return (struct window){ size.ws_row, size.ws_col };
}

/* Calls only functions that a signal handler may call */
void terminal__leave(void)
{
	if (!terminal.entered)
		return;
	terminal.entered = 0;
	terminal__write(from_screen, sizeof(from_screen) - 1);
	if (terminal.has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
}

/* The handler's default is restored, so raising the signal again ends the program */
static void leave_and_end(int signal)
{
	terminal__leave();
	raise(signal);
}

void terminal__open(void)
{
	struct sigaction action = { .sa_handler = leave_and_end, .sa_flags = SA_RESETHAND };
	struct sigaction old;
	size_t i;

	terminal.has_keys = !tcgetattr(STDIN_FILENO, &terminal.before);
	for (i = 0; i < ARRAY_SIZE(fatal); i++)
		if (!sigaction(fatal[i], NULL, &old) && old.sa_handler == SIG_DFL)
			sigaction(fatal[i], &action, NULL);
}

int terminal__keys(void)
{
	return terminal.has_keys ? STDIN_FILENO : -1;
}

int terminal__read(char *bytes, size_t size)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, 0) <= 0)
		return 0;
	n = read(STDIN_FILENO, bytes, size);
	if (n > 0)
		return n;
	return n < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : -EIO;
}

void terminal__enter(void)
{
	struct termios keys = terminal.before;

	/* Ctrl-C, Ctrl-Z and Ctrl-\ still send their signals */
	keys.c_lflag &= ~(ICANON | ECHO);
	keys.c_cc[VMIN] = 1;
	keys.c_cc[VTIME] = 0;
	terminal.entered = 1;
	if (terminal.has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	terminal__write(to_screen, sizeof(to_screen) - 1);
}

void terminal__suspend(void)
{
	sigset_t set;

	terminal__leave();
	/* The kernel does not stop a process that nobody could continue (an orphaned group) */
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGTSTP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	terminal__enter();
}

void terminal__write(const char *text, size_t size)
{
	struct pollfd p = { .fd = stream__fd(STDOUT_FILENO), .events = POLLOUT };
	int tries = terminal.unread ? 0 : PATIENCE_MS / PATIENCE_STEP_MS, left = tries;
	ssize_t n;

	while (size) {
		n = stream__write(STDOUT_FILENO, text, size);
		if (n < 0 && errno != EINTR && (errno != EAGAIN || !left--))
			break;
		if (n > 0)
			left = tries;
		text += n > 0 ? n : 0;
		size -= n > 0 ? n : 0;
		/* A terminal may say that it has room, and yet take nothing */
		if (n < 0 && poll(&p, 1, PATIENCE_STEP_MS) > 0)
			poll(NULL, 0, PATIENCE_STEP_MS);
	}
	terminal.unread = size > 0;
}

const int *terminal__raises(size_t *nr)
{
	*nr = ARRAY_SIZE(raises);
	return raises;
}
