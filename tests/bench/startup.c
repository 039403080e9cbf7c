// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * startup RUNS READY COMMAND...: runs the command so many times, each until it has
 * said READY on its standard error and half a second longer. Prints the shortest
 * time from exec to that, in ms, and the highest peak of its memory, in KB.
 */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/util.h"

/* Until @ready was read; false: the other end is closed */
static bool wait_for(int fd, const char *ready)
{
	char text[16384];
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0) {
		used += n;
		text[used] = 0;
		if (strstr(text, ready))
			return true;
	}
	return false;
}

/* One run: ms until it was ready; adds to the peak */
static double run(const char *ready, char **command, long *peak_kb)
{
	struct rusage usage;
	__u64 start, took;
	int fds[2], status;
	pid_t pid;

	if (pipe(fds))
		err(1, "pipe");
	start = now_ns();
	pid = vfork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execvp(*command, command);
		_exit(127);
	}
	close(fds[1]);
	if (!wait_for(fds[0], ready))
		errx(1, "%s: ended too early", *command);
	took = now_ns() - start;
	usleep(500000);
	kill(pid, SIGTERM);
	if (wait4(pid, &status, 0, &usage) != pid || status)
		errx(1, "%s: failed", *command);
	close(fds[0]);
	if (usage.ru_maxrss > *peak_kb)
		*peak_kb = usage.ru_maxrss;
	return (double)took / NSEC_PER_MSEC;
}

int main(int argc, char **argv)
{
	double best = 0, ms;
	long peak_kb = 0;
	int i;

	if (argc < 4)
		return EXIT_USAGE;
	for (i = 0; i < atoi(argv[1]); i++) {
		ms = run(argv[2], argv + 3, &peak_kb);
		if (!i || ms < best)
			best = ms;
	}
	printf("%.1f %ld\n", best, peak_kb);
	return 0;
}
