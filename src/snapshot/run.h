/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A run of kvmexit, as its records describe it */
#ifndef RUN_H
#define RUN_H

#include <linux/types.h>

/* All texts are UTF-8 without control characters; "" where an old recording does not tell */
struct run {
	char node[65]; /* the host's name */
	char id[9]; /* 8 hex digits, random per run */
	__u64 start; /* CLOCK_REALTIME in ns */
	char boot_id[37]; /* /proc/sys/kernel/random/boot_id */
	char kernel[65]; /* uname -r */
	char probe[16]; /* by which it counts */
	char version[16];
	char options[201]; /* its command line, cut to fit */
	char isa[8]; /* of the host's CPU: "vmx", "svm", "arm64" or "unknown" */
};

/*
 * Fills in what can be known before counting starts. @node: its name, NULL: that of
 * the host. Returns 0 or -errno.
 */
int run__begin(struct run *run, const char *node, char *const *argv);

/* Of this host's CPU: "vmx", "svm", "arm64" or "unknown" */
const char *run__isa(void);

#endif
