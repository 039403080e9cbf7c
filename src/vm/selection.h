/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which VMs, vCPUs and threads are counted, or taken from a recording: -p, -n, -v, -t, -T */
#ifndef SELECTION_H
#define SELECTION_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* A thread that -t or -T names */
struct task {
	__u32 tid;
	__u32 pid; /* its process; this and start are found later */
	__u64 start; /* process__start() */
};

/* Without a VM and a thread all are counted */
struct selection {
	__u32 pid; /* 0: all VMs */
	const char *name; /* of the VM; its PID is found later */
	__u64 start; /* when that process was started: process__start(); found later */
	bool has_vcpu;
	__u32 vcpu;
	struct task *tids; /* sorted, each once; owned */
	size_t nr_tids;
};

/* Whether only what -p, -n, -t or -T names is counted, or taken from a recording */
static inline bool selection__names_any(const struct selection *s)
{
	return s->pid || s->name || s->nr_tids;
}

#endif
