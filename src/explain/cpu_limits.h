/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What keeps a VM's threads from a CPU: quotas of control groups (version 2), with what
 * they did during the run, and how many threads may use how many CPUs.
 */
#ifndef CPU_LIMITS_H
#define CPU_LIMITS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct throttling {
	__u64 us, times; /* how long and how often a quota stopped threads */
};

struct cpu_group {
	char *path; /* owned */
	char max[64]; /* "50000 of 100000 us"; "": no quota */
	struct throttling begin, now; /* since the group was made */
	bool late; /* it was first seen during the run: begin is 0 */
};

struct cpu_limits {
	const char *root; /* below which files are read */
	struct cpu_group *groups; /* owned */
	size_t nr_groups, groups_room;
	struct cpu_member {
		__u32 pid;
		size_t group;
	} * members; /* owned: which VM's threads are in which groups, or below */
	size_t nr_members, members_room;
};

void cpu_limits__free(struct cpu_limits *l);

/*
 * Notes the groups of a VM's threads and those above them. @late: the run has begun
 * already, so that their throttling counts from when they were made. 0 or -ENOMEM.
 */
int cpu_limits__meet(struct cpu_limits *l, __u32 pid, bool late);
bool cpu_limits__knows(const struct cpu_limits *l, __u32 pid);

/* Reads all groups anew; what cannot be read any more stays as it was */
void cpu_limits__read(struct cpu_limits *l);

/* Of a VM's groups that have a quota, the one that stopped threads longest; NULL: none */
const struct cpu_group *cpu_limits__worst(const struct cpu_limits *l, __u32 pid);

/* What it did during the run; if it is late, since it was made */
struct throttling cpu_group__throttling(const struct cpu_group *g);

#define MOST_CPUS 8192

struct cpus {
	__u64 bits[MOST_CPUS / 64];
};

/* A list such as "0-3,8" */
void cpus__parse(struct cpus *cpus, const char *list);

/* Its CPUs as such a list, cut to fit; returns how many there are */
size_t cpus__print(const struct cpus *cpus, char *text, size_t size);
bool cpus__overlap(const struct cpus *a, const struct cpus *b);

/* Adds the online CPUs that a thread may use (affinity and cpuset); false: not known */
bool cpus__add_allowed(struct cpus *cpus, const char *root, __u32 pid, __u32 tid);

#endif
