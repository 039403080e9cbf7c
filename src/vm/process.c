// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vm/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/util.h"

/* Whether a namespace is the initial one; @initial: PROC_*_INIT_INO of linux/proc_ns.h */
static bool is_initial(const char *path, ino_t initial)
{
	struct stat st;

	return stat(path, &st) || st.st_ino == initial;
}

bool process__sees_host_pids(void)
{
	static int known = -1;

	if (known < 0)
		known = is_initial("/proc/self/ns/pid", 0xeffffffc);
	return known;
}

/* False in another time namespace: there /proc tells start times by another clock */
static bool sees_host_times(void)
{
	static int known = -1;

	if (known < 0)
		known = is_initial("/proc/self/ns/time", 0xeffffffa);
	return known;
}

bool process__parse_stat(const char *text, struct process_stat *st)
{
	/* A name may have any characters, also parentheses: it ends at the last one */
	const char *p = strrchr(text, ')');

	return p && sscanf(p,
			   ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			   "%llu %*s %llu",
			   &st->state, &st->threads, &st->start) == 3;
}

static bool read_stat(__u32 tid, struct process_stat *st)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	return process__sees_host_pids() && read_file(path, text, sizeof(text)) > 0 &&
	       process__parse_stat(text, st);
}

__u32 process__of_thread(__u32 tid)
{
	static const char key[] = "\nTgid:\t";
	char path[64], text[4096];
	const char *p;
	int n;

	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	n = read_file(path, text, sizeof(text));
	p = n > 0 ? strstr(text, key) : NULL;
	return p ? strtoul(p + strlen(key), NULL, 10) : 0;
}

__u64 process__start(__u32 tid)
{
	struct process_stat st;

	return sees_host_times() && read_stat(tid, &st) ? st.start : 0;
}

bool process__lacks_thread(__u32 pid, __u32 tid)
{
	return process__sees_host_pids() && syscall(SYS_tgkill, pid, tid, 0) < 0 && errno == ESRCH;
}

bool process__is_gone(__u32 pid, __u32 tid, __u64 start)
{
	struct process_stat st;

	if (!process__sees_host_pids())
		return false;
	if (process__lacks_thread(pid, tid))
		return true;
	if (!read_stat(tid, &st))
		return false;
	/* A zombie has ended, but stays in /proc until its parent waits for it */
	if (strchr("ZX", st.state) && st.threads <= 1)
		return true;
	return start && sees_host_times() && st.start != start;
}
