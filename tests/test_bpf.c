// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The BPF programs on this machine's kernel: each loads and attaches; and the
 * counting itself, with events of this test's own. The kernel runs a raw_tp
 * program on demand with arguments of the caller's, which is how `legacy`
 * (u32 exit_reason, struct kvm_vcpu *, u32 isa) is called here.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kvmexit.h"
#include "../src/probe.h"
#include "../src/util.h"
#include "check.h"
#include "kvmexit.skel.h"

#define MAX_SLOTS 3

static struct kvmexit_bpf *skel;
static struct slot *slots;
static __u64 *ring, *taken;
static unsigned long vcpu; /* the address of something readable */
static __u32 vcpu_id; /* what the program read there, as test_codes() found */

/* The kernel's text: readable, and always the same */
static void find_vcpu(void)
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

static void *map_memory(struct bpf_map *map, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
}

static int push(const struct bpf_map *queue, __u32 value)
{
	return bpf_map_update_elem(bpf_map__fd(queue), NULL, &value, 0);
}

static bool load(const char *program, const struct config *config)
{
	struct bpf_program *prog;
	__u32 i;

	skel = kvmexit_bpf__open();
	if (!CHECK(skel))
		return false;
	memcpy((void *)&skel->rodata->config, config, sizeof(*config));
	bpf_map__set_max_entries(skel->maps.slots, MAX_SLOTS);
	bpf_map__set_max_entries(skel->maps.ring, MAX_SLOTS);
	bpf_map__set_max_entries(skel->maps.taken, MAX_SLOTS);
	bpf_map__set_max_entries(skel->maps.free_slots, MAX_SLOTS);
	bpf_map__set_max_entries(skel->maps.threads, MAX_SLOTS);
	bpf_map__set_max_entries(skel->maps.tids, 4);
	prog = bpf_object__find_program_by_name(skel->obj, program);
	if (!CHECK(prog) || !CHECK_INT(bpf_program__set_autoload(prog, true), 0) ||
	    !CHECK_INT(kvmexit_bpf__load(skel), 0))
		return false;
	slots = map_memory(skel->maps.slots, MAX_SLOTS * sizeof(*slots));
	ring = map_memory(skel->maps.ring, MAX_SLOTS * sizeof(*ring));
	taken = map_memory(skel->maps.taken, MAX_SLOTS * sizeof(*taken));
	if (!CHECK(slots != MAP_FAILED) || !CHECK(ring != MAP_FAILED) ||
	    !CHECK(taken != MAP_FAILED))
		return false;
	/* One free slot in the queue, the others in the ring */
	for (i = 0; i < NR_EXTRA; i++)
		CHECK_INT(push(skel->maps.free_extra, i), 0);
	for (i = 1; i < MAX_SLOTS; i++)
		ring[skel->bss->control.tail++] = i;
	return CHECK_INT(push(skel->maps.free_slots, 0), 0) &&
	       CHECK_INT(push(skel->maps.token, 0), 0);
}

static void unload(void)
{
	munmap(slots, MAX_SLOTS * sizeof(*slots));
	munmap(ring, MAX_SLOTS * sizeof(*ring));
	munmap(taken, MAX_SLOTS * sizeof(*taken));
	kvmexit_bpf__destroy(skel);
}

static void test_attach(void)
{
	/* Newer kernels refuse to attach a program that reads more arguments */
	static const struct {
		const char *program;
		int err;
	} cases[] = {
		{ "kvm_exit_direct", 0 },
		{ "kvm_exit_read", 0 },
		{ "kvm_exit_legacy", EINVAL },
		{ "kvm_exit_tracepoint", 0 },
	};
	const struct config config = { .max_slots = MAX_SLOTS };
	struct bpf_link *link;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!load(cases[i].program, &config)) {
			fprintf(stderr, "program %s\n", cases[i].program);
			continue;
		}
		errno = 0;
		link = bpf_program__attach(
			bpf_object__find_program_by_name(skel->obj, cases[i].program));
		if (!CHECK_INT(link ? 0 : errno, cases[i].err))
			fprintf(stderr, "program %s\n", cases[i].program);
		bpf_link__destroy(link);
		unload();
	}
}

/* One event of this thread */
static void fire(__u32 isa, __u32 raw, unsigned long address)
{
	__u64 args[3] = { raw, address, isa };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	CHECK_INT(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.kvm_exit_legacy), &opts), 0);
}

static void fire_times(__u32 isa, __u32 raw, int times)
{
	while (times--)
		fire(isa, raw, vcpu);
}

static __u64 own_key(void)
{
	return (__u64)getpid() << 32 | (__u32)syscall(SYS_gettid);
}

static __u64 sum(const struct slot *slot)
{
	__u64 n = 0;
	int i;

	for (i = 0; i < NR_COUNTERS; i++)
		n += slot->count[i];
	return n;
}

static void test_codes(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	const struct control *control;
	int i;

	if (!load("kvm_exit_legacy", &config))
		return;
	control = &skel->bss->control;
	fire_times(ISA_VMX, 12, 5);
	CHECK_INT(taken[0], 1);
	CHECK_INT(taken[1], 0);
	CHECK(slots[0].thread == own_key());
	vcpu_id = slots[0].vcpu;
	CHECK_INT(slots[0].isa, ISA_VMX);
	CHECK_INT(slots[0].count[12], 5);
	/* The ends of the ranges that have counters of their own */
	fire_times(ISA_VMX, 0, 2);
	fire_times(ISA_VMX, NR_LOW - 1, 3);
	fire_times(ISA_VMX, HIGH_BASE, 4);
	fire_times(ISA_VMX, HIGH_BASE + NR_HIGH - 1, 6);
	CHECK_INT(slots[0].count[0], 2);
	CHECK_INT(slots[0].count[NR_LOW - 1], 3);
	CHECK_INT(slots[0].count[NR_LOW], 4);
	CHECK_INT(slots[0].count[NR_LOW + NR_HIGH - 1], 6);
	/* And what lies just outside */
	fire_times(ISA_VMX, NR_LOW, 7);
	fire_times(ISA_VMX, HIGH_BASE - 1, 8);
	fire_times(ISA_VMX, HIGH_BASE + NR_HIGH, 9);
	fire_times(ISA_VMX, NR_LOW, 1);
	CHECK(control->extra[0] == ((__u64)ISA_VMX << 32 | NR_LOW));
	CHECK(control->extra[1] == ((__u64)ISA_VMX << 32 | (HIGH_BASE - 1)));
	CHECK(control->extra[2] == ((__u64)ISA_VMX << 32 | (HIGH_BASE + NR_HIGH)));
	CHECK_INT(slots[0].count[NR_LOW + NR_HIGH + 0], 8);
	CHECK_INT(slots[0].count[NR_LOW + NR_HIGH + 1], 8);
	CHECK_INT(slots[0].count[NR_LOW + NR_HIGH + 2], 9);
	/* Flags are counted apart and do not change the reason */
	fire_times(ISA_VMX, VMX_FAILED_ENTRY | 33, 2);
	fire_times(ISA_VMX, VMX_BUS_LOCK | VMX_ENCLAVE | 74, 3);
	CHECK_INT(slots[0].count[33], 2);
	CHECK_INT(slots[0].count[74], 3);
	CHECK_INT(slots[0].flags[FLAG_FAILED_ENTRY], 2);
	CHECK_INT(slots[0].flags[FLAG_BUS_LOCK], 3);
	CHECK_INT(slots[0].flags[FLAG_ENCLAVE], 3);
	/* SVM has no flags: all 32 bits are the code */
	fire_times(ISA_SVM, 0xffffffff, 2);
	fire_times(ISA_SVM, 0x80000001, 1);
	CHECK(control->extra[3] == ((__u64)ISA_SVM << 32 | 0xffffffff));
	CHECK_INT(slots[0].count[NR_LOW + NR_HIGH + 3], 2);
	CHECK_INT(slots[0].count[NR_LOW + NR_HIGH + 4], 1);
	CHECK_INT(slots[0].flags[FLAG_FAILED_ENTRY], 2);
	/* More codes than there are counters for: lost, to the last one */
	for (i = 5; i < NR_EXTRA + 3; i++)
		fire(ISA_VMX, 0x1000 + i, vcpu);
	CHECK_INT(control->lost[LOST_CODES], 3);
	CHECK_INT(sum(&slots[0]), 5 + 2 + 3 + 4 + 6 + 8 + 8 + 9 + 2 + 3 + 2 + 1 + NR_EXTRA - 5);
	/* A vCPU that cannot be read */
	fire(ISA_VMX, 12, 1);
	CHECK_INT(control->lost[LOST_VCPU], 1);
	CHECK_INT(slots[0].count[12], 5);
	unload();
}

static void test_filters(void)
{
	const __u32 pid = getpid();
	const struct {
		struct config config;
		__u32 tid; /* in the map of TIDs, 0: none */
		bool wanted;
	} cases[] = {
		{ { .tgid = pid }, 0, true },
		{ { .tgid = pid + 1 }, 0, false },
		{ { .tgid = pid, .has_vcpu = 1, .vcpu = vcpu_id }, 0, true },
		{ { .tgid = pid, .has_vcpu = 1, .vcpu = vcpu_id + 1 }, 0, false },
		{ { .nr_tids = 1 }, pid, true },
		{ { .nr_tids = 1 }, pid + 1, false },
		{ { .tgid = pid, .nr_tids = 1 }, pid, true },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config = cases[i].config;
		__u32 tid = cases[i].tid, one = 1;

		config.max_slots = MAX_SLOTS;
		if (!load("kvm_exit_legacy", &config))
			return;
		if (tid)
			bpf_map_update_elem(bpf_map__fd(skel->maps.tids), &tid, &one, 0);
		fire_times(ISA_SVM, 0x78, 3);
		if (!CHECK_INT(slots[0].count[0x78], cases[i].wanted ? 3 : 0))
			fprintf(stderr, "filter %zu\n", i);
		CHECK_INT(taken[0], cases[i].wanted);
		CHECK_INT(skel->bss->control.lost[LOST_FULL], 0);
		unload();
	}
}

static void *fire_in_thread(void *arg)
{
	fire_times(ISA_VMX, 10, *(int *)arg);
	return (void *)(own_key() & 0xffffffff);
}

static unsigned long run_thread(int times)
{
	pthread_t thread;
	void *tid;

	pthread_create(&thread, NULL, fire_in_thread, &times);
	pthread_join(thread, &tid);
	return (unsigned long)tid;
}

/* More threads than slots; and a slot given back as counters.c does it */
static void test_slots(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	unsigned long first, later;
	struct control *control;

	if (!load("kvm_exit_legacy", &config))
		return;
	control = &skel->bss->control;
	first = run_thread(2);
	run_thread(3);
	run_thread(4);
	CHECK_INT((__u32)slots[0].thread, first);
	CHECK_INT(slots[0].count[10], 2);
	CHECK_INT(slots[1].count[10], 3);
	CHECK_INT(slots[2].count[10], 4);
	run_thread(5);
	CHECK_INT(control->lost[LOST_FULL], 5);
	slots[0].old_thread = slots[0].thread;
	slots[0].thread = 0;
	slots[0].count[10] = 0;
	taken[0] = 0;
	ring[control->tail++ % MAX_SLOTS] = 0;
	later = run_thread(6);
	CHECK_INT((__u32)slots[0].thread, later);
	CHECK_INT(slots[0].old_thread, 0);
	CHECK_INT(slots[0].count[10], 6);
	CHECK_INT(control->lost[LOST_FULL], 5);
	CHECK_INT(taken[0], 1);
	CHECK_INT(control->head, MAX_SLOTS);
	unload();
}

/* Events that found the program running already are among the lost ones */
static void test_misses(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	char path[64], text[1024];

	CHECK_INT(probe__parse_misses("prog_type:\t5\nrecursion_misses:\t17\nx:\t1\n"), 17);
	CHECK_INT(probe__parse_misses("recursion_misses:\t18446744073709551615\n"), ~0ull);
	CHECK_INT(probe__parse_misses("prog_type:\t5\nprog_jited:\t1\n"), 0);
	CHECK_INT(probe__parse_misses(""), 0);
	/* Where the kernel tells it, it does so in this form */
	if (!load("kvm_exit_legacy", &config))
		return;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
		 bpf_program__fd(skel->progs.kvm_exit_legacy));
	if (CHECK(read_file(path, text, sizeof(text)) > 0) && strstr(text, "recursion"))
		CHECK(strstr(text, "\nrecursion_misses:\t0\n"));
	unload();
}

int main(void)
{
	libbpf_set_print(NULL);
	if (geteuid()) {
		printf("bpf: 0 passed, 0 failed, 1 skipped (not root)\n");
		return 0;
	}
	test_attach();
	test_misses();
	find_vcpu();
	if (CHECK(vcpu)) {
		test_codes();
		test_filters();
		test_slots();
	}
	return check__report("bpf");
}
