/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The BPF side: choose a variant, load it, attach it */
#ifndef PROBE_H
#define PROBE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "probe/shared.h"

struct bpf_map;
struct bpf_program;
struct filter;
struct misses;
struct probe;
struct selection;

/* What is asked of a probe */
struct probe_request {
	const struct selection *selection;
	__u32 max_vcpus; /* slots */
	const char *probe; /* a variant's name, NULL: the best that works */
	bool time; /* also where the time goes */
	struct filter *detail; /* the reasons whose details are counted; NULL: none */
	bool verbose; /* say which variant is used, and why */
};

/*
 * Loads and attaches the best variant that the kernel accepts, or the one that
 * @request names; from then on exits are counted. Returns 0 and *@out, which the caller
 * must close; or prints why it failed and returns the exit code.
 */
int probe__open(struct probe **out, const struct probe_request *request);
void probe__close(struct probe *probe);

/* When counting began, by now_ns(): before the first exit, and by very little */
__u64 probe__began(const struct probe *probe);

/* The name of the variant that is in use */
const char *probe__name(const struct probe *probe);

/* Bits 1 << enum part: parts of the time that the probe can't tell on this kernel */
unsigned int probe__untold(const struct probe *probe);

/*
 * Must be called before loading. Gives the map @slots room for as many slots as @config
 * says, and patches values of @config into @n programs. If @in_one, the map gets one value
 * for all slots, and its address is patched in, too; the object with the kfunc needs this.
 * 0 or -errno.
 */
int probe__prepare(struct bpf_program *const *progs, size_t n, const struct config *config,
		   struct bpf_map *slots, bool in_one);

/* Memory shared with the kernel; valid until probe__close() */
const struct shared *probe__memory(const struct probe *probe);

/*
 * Events since the start that never reached a program because it was running on the same
 * CPU already: bpf_prog_info.recursion_misses, since 5.12; 0 before. Returns 0, or -errno
 * where a program's cannot be read: what it makes uncertain is unknown then.
 */
int probe__misses(const struct probe *probe, struct misses *misses);
__u64 probe__parse_misses(const char *fdinfo); /* those of one program, from its fdinfo */

/* Writes the files that counting still needs into @fds (-1: none); returns how many */
#define PROBE_FDS 27
size_t probe__fds(const struct probe *probe, int fds[PROBE_FDS]);

#endif
