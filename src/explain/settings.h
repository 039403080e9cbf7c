/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Settings of this host and of a VM's process, read from files */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define SETTING_SIZE 320

/*
 * The present value of a setting by its name in explain.def: "kvm.halt_poll_ns",
 * "cmdline.nohz_full", "transparent_hugepage". It reads files below @root ("": this host's).
 * False: this host has no setting of this name, or it may not be read.
 */
bool settings__read(const char *root, const char *name, char *value, size_t size);

/* Whether @name is the name of such a setting on any host */
bool settings__is_name(const char *name);

/* What a CPU quota does to a VM's threads (control groups, version 2) */
struct cpu_limit {
	char max[64]; /* "50000 of 100000 us"; "": no quota, or not told */
	char group[256]; /* the group that has the quota */
	__u64 throttled_us; /* how long it stopped the threads since the group was made */
	__u64 throttled; /* how often */
};

/* Reads the limit of the group that was stopped longest: one of the threads', or one above these */
void settings__read_cpu_limit(const char *root, __u32 pid, struct cpu_limit *limit);

#endif
