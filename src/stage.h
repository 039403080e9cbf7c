/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that runs guests when told to, as a VMM does. It has no privilege but the
 * open /dev/kvm, none of the files of the one that told it, and ends with it.
 */
#ifndef STAGE_H
#define STAGE_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/types.h>

#include "guest.h"

#define STAGE_VCPUS 2

/* What a VM is to do */
struct plan {
	uint64_t counts[NR_KINDS]; /* of each kind, on each vCPU */
	int vcpus; /* a thread each */
	bool pinned; /* each stays on the CPU it is on */
};

/* What became of a vCPU */
struct played {
	__u32 tid;
	int err; /* 0, or -errno */
	char why[128]; /* it failed */
	uint64_t left[NR_KINDS]; /* of what it was to do */
	uint64_t returns; /* to user space, where that had to do with a kind */
	uint64_t exits; /* by KVM's own count; 0: not known */
	uint64_t run_ns; /* in KVM_RUN */
	uint64_t begun, returned; /* its first KVM_RUN; CLOCK_MONOTONIC, ns */
};

struct stage {
	pid_t pid;
	int fd; /* to tell it, and to be told that it has done so */
	struct stage_memory {
		struct plan plan;
		struct played played[STAGE_VCPUS];
		const char *isa; /* of the guests; a constant */
		int err;
		char why[128];
	} * shared;
};

/*
 * Of these 0 or -errno, and why in shared->why. To be opened while this process has no
 * other thread, and nothing open that is not to be seen there.
 */
int stage__open(struct stage *stage);
/* A new VM, until its vCPUs have come to their end; their threads stay until the next */
int stage__play(struct stage *stage, const struct plan *plan);
int stage__clear(struct stage *stage);
/* Also where it does not answer */
void stage__close(struct stage *stage);

#endif
