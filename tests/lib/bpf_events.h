/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF programs on this machine's kernel, with events of a test's own. The kernel runs
 * a raw_tp program on demand with arguments of the caller's, which is how `legacy`
 * (u32 exit_reason, struct kvm_vcpu *, u32 isa) is called here. On arm64 no event tells
 * the vCPU: there the hosts' tests alone show how they are counted.
 */
#ifndef KVMEXIT_TESTS_BPF_EVENTS_H
#define KVMEXIT_TESTS_BPF_EVENTS_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "kvmexit.h"
#include "kvmexit.skel.h"
#include "lib/util.h"
#include "probe/load.h"
#include "probe/probe.h"

#define MAX_SLOTS 3

static struct kvmexit_bpf *skel;
static struct shared shared; /* its slots and clocks: */
static struct slot *slots[MAX_SLOTS];
static struct clock *clocks[MAX_SLOTS];
static __u64 *ring, *owned;
static unsigned long vcpu; /* the address of something readable */
static bool plain; /* the object without the kfunc, where slots are found otherwise */

/* The kernel's text: readable, and always the same */
static inline void find_vcpu(void)
{
	char line[512], name[256];
	unsigned long address;
	FILE *f = fopen("/proc/kallsyms", "r");

	while (f && !vcpu && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx %*c %255s", &address, name) == 2 && !strcmp(name, "_stext"))
			vcpu = address;
	if (f)
		fclose(f);
}

static inline void *map_memory(struct bpf_map *map, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
}

static inline int push(const struct bpf_map *queue, __u32 value)
{
	return bpf_map_update_elem(bpf_map__fd(queue), NULL, &value, 0);
}

/* What is loaded besides a program that notes the time */
static const char *const timers[] = {
#ifdef __aarch64__
	"kvm_entry_read",
#else
	"kvm_entry_raw",
#endif
	"kvm_userspace_exit", "kvm_vcpu_wakeup"
};

static inline struct kvmexit_bpf *open_object(void)
{
	struct kvmexit_bpf *s;

	return object__open(&s, !plain, NULL) ? NULL : s;
}

static inline bool load(const char *program, const struct config *config)
{
	struct bpf_program *progs[ARRAY_SIZE(timers) + 1];
	struct config *loaded;
	size_t n = 0;
	__u32 i;

	skel = open_object();
	if (!CHECK(skel))
		return false;
	loaded = (struct config *)&skel->rodata->config;
	*loaded = *config;
	loaded->layout = shared.layout = layout_of(1, 1);
	bpf_map__set_max_entries(skel->maps.ring, MAX_SLOTS);
	bpf_map__set_max_entries(skel->maps.owned, MAX_SLOTS);
	bpf_map__set_max_entries(skel->maps.free_slots, MAX_SLOTS);
	bpf_map__set_max_entries(skel->maps.threads, MAX_SLOTS);
	bpf_map__set_max_entries(skel->maps.tids, 4);
	bpf_map__set_max_entries(skel->maps.runners, MAX_SLOTS);
	progs[n++] = bpf_object__find_program_by_name(skel->obj, program);
	if (strstr(program, "_timed"))
		for (i = 0; i < ARRAY_SIZE(timers); i++)
			progs[n++] = bpf_object__find_program_by_name(skel->obj, timers[i]);
	for (i = 0; i < n; i++)
		if (!CHECK(progs[i]) || !CHECK_INT(bpf_program__set_autoload(progs[i], true), 0))
			return false;
	if (!CHECK_INT(probe__prepare(progs, n, loaded, skel->maps.slots, !plain), 0) ||
	    !CHECK_INT(kvmexit_bpf__load(skel), 0))
		return false;
	shared.slots = map_memory(skel->maps.slots, MAX_SLOTS * shared.layout.stride);
	ring = map_memory(skel->maps.ring, MAX_SLOTS * sizeof(*ring));
	owned = map_memory(skel->maps.owned, MAX_SLOTS * sizeof(*owned));
	if (!CHECK(shared.slots != MAP_FAILED) || !CHECK(ring != MAP_FAILED) ||
	    !CHECK(owned != MAP_FAILED))
		return false;
	for (i = 0; i < MAX_SLOTS; i++) {
		slots[i] = shared__slot(&shared, i);
		clocks[i] = shared__clock(&shared, i);
	}
	/* One free slot in the queue, the others in the ring */
	for (i = 0; i < NR_EXTRA; i++)
		CHECK_INT(push(skel->maps.free_extra, i), 0);
	for (i = 1; i < MAX_SLOTS; i++)
		ring[skel->bss->control.tail++] = i;
	return CHECK_INT(push(skel->maps.free_slots, 0), 0) &&
	       CHECK_INT(push(skel->maps.token, 0), 0);
}

/* By name: the programs of x86 and arm64 are not the same ones */
static inline struct bpf_program *prog(const char *name)
{
	return bpf_object__find_program_by_name(skel->obj, name);
}

static inline void unload(void)
{
	munmap(shared.slots, MAX_SLOTS * shared.layout.stride);
	munmap(ring, MAX_SLOTS * sizeof(*ring));
	munmap(owned, MAX_SLOTS * sizeof(*owned));
	kvmexit_bpf__destroy(skel);
}

static inline __u64 lost(enum lost why)
{
	__u64 n = 0;
	int i;

	for (i = 0; i < NR_LOST_LINES; i++)
		n += skel->bss->control.lost[i].count[why];
	return n;
}

/* True: this test cannot be done here, and has said why */
static inline bool skip(const char *name, bool events)
{
	if (geteuid())
		printf("%s: %u passed, %u failed, 1 skipped (not root)\n", name, check__passed,
		       check__failed);
	else if (ON_ARM64 && events)
		printf("skipped: events of this test's own, which is no vCPU's thread\n"
		       "%s: %u passed, %u failed, 1 skipped\n",
		       name, check__passed, check__failed);
	return geteuid() || (ON_ARM64 && events);
}

#endif /* KVMEXIT_TESTS_BPF_EVENTS_H */
