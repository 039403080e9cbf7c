/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes and threads as /proc shows them: which there are, and since when */
#ifndef PROCESS_H
#define PROCESS_H

#include <linux/types.h>
#include <stdbool.h>

/* What /proc/TID/stat tells: fields 3, 20 (of its process) and 22 */
struct process_stat {
	char state;
	__u64 threads;
	__u64 start;
};

/* False: @text is not from such a file */
bool process__parse_stat(const char *text, struct process_stat *st);

/* The process that a thread belongs to; 0: there is no such thread, or it is hidden */
__u32 process__of_thread(__u32 tid);

/*
 * When a thread, or a process (by its PID), was started, in clock ticks since boot. The BPF
 * program tells it in the same way (struct slot). 0: it cannot be known.
 */
__u64 process__start(__u32 tid);

/*
 * Whether the thread has ended: no thread has this TID, or another one that was not started
 * at @start (0: not known). False if it cannot be known.
 */
bool process__is_gone(__u32 pid, __u32 tid, __u64 start);

/* Whether the process has no such thread. This checks less, but takes a hundredth of the time. */
bool process__lacks_thread(__u32 pid, __u32 tid);

/*
 * Whether this process sees the same PIDs as the kernel counts by. In a PID namespace of its
 * own it does not: there /proc has other processes, or none, under these numbers.
 */
bool process__sees_host_pids(void);

#endif
