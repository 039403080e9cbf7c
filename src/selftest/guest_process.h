/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that runs guests when told to, as a VMM does. Its only privilege is the open
 * /dev/kvm. It has none of its parent's files, and ends with its parent.
 */
#ifndef GUEST_PROCESS_H
#define GUEST_PROCESS_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/types.h>

#include "selftest/guest.h"

#define STAGE_VCPUS 2

/* What a VM is to do */
struct plan {
	uint64_t counts[NR_KINDS]; /* of each kind, on each vCPU */
	int vcpus; /* a thread each */
	bool pinned; /* each thread stays on its CPU */
};

/* What became of a vCPU */
struct played {
	__u32 tid;
	int err; /* 0, or -errno */
	char why[128]; /* why it failed */
	uint64_t left[NR_KINDS]; /* what it still had to do, by kind */
	uint64_t returns; /* to user space, because of one of the kinds */
	uint64_t exits; /* by KVM's own count; 0: not known */
	uint64_t run_ns; /* in KVM_RUN */
	uint64_t begun, returned; /* of its first KVM_RUN: when; CLOCK_MONOTONIC, ns */
};

struct stage {
	pid_t pid;
	int fd; /* to send orders and to receive the answers */
	struct stage_memory {
		struct plan plan;
		struct played played[STAGE_VCPUS];
		const char *isa; /* of the guests; a constant */
		int err;
		char why[128];
	} * shared;
};

/*
 * These return 0 or -errno, and then why in shared->why. Open it while this process has no
 * other thread, and no open file that the new process must not see.
 */
int stage__open(struct stage *stage);
/* Runs a new VM until its vCPUs have ended; their threads stay until the next call */
int stage__play(struct stage *stage, const struct plan *plan);
int stage__clear(struct stage *stage);
/* Works even if the process does not answer */
void stage__close(struct stage *stage);

#endif
