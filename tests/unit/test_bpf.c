// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The BPF programs: each loads and attaches; and the counting itself */
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "bpf_events.h"
#include "lib/util.h"

static __u32 vcpu_id; /* what the program read there, as test_codes() found */

static void test_attach(void)
{
	/* Newer kernels refuse to attach a program that reads more arguments */
	static const struct {
		const char *program;
		int err;
	} cases[] = {
		{ "kvm_exit_direct", 0 },
		{ "kvm_exit_read", 0 },
		{ "kvm_exit_tracepoint", 0 },
		{ "kvm_exit_direct_timed", 0 },
		{ "kvm_exit_read_timed", 0 },
		{ "kvm_exit_tracepoint_timed", 0 },
		{ "kvm_exit_direct_detailed", 0 },
		{ "kvm_exit_read_detailed", 0 },
		{ "kvm_exit_tracepoint_detailed", 0 },
		{ "kvm_entry_tracepoint", 0 },
		{ "kvm_entry_tracepoint_detailed", 0 },
		{ "kvm_mmio", 0 },
		{ "kvm_userspace_exit", 0 },
		{ "kvm_vcpu_wakeup", 0 },
#ifdef __aarch64__
		{ "kvm_entry_direct", 0 },
		{ "kvm_entry_direct_detailed", 0 },
		{ "kvm_entry_read", 0 },
		{ "kvm_entry_read_detailed", 0 },
#else
		{ "kvm_exit_raw", 0 },
		{ "kvm_exit_legacy", EINVAL },
		{ "kvm_exit_raw_timed", 0 },
		{ "kvm_exit_legacy_timed", EINVAL },
		{ "kvm_exit_raw_detailed", 0 },
		{ "kvm_exit_legacy_detailed", EINVAL },
		{ "kvm_entry_typed_detailed", 0 },
		{ "kvm_entry_raw_detailed", 0 },
		{ "kvm_page_fault", 0 },
		{ "kvm_page_fault_old", 0 },
		{ "kvm_fast_mmio", 0 },
		{ "kvm_entry_typed", 0 },
		{ "kvm_entry_raw", 0 },
#endif
	};
	const struct config config = { .max_slots = MAX_SLOTS };
	struct bpf_link *link;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		/* arm64's others cannot take a vCPU's fields for what they are */
		plain = ON_ARM64 && !strstr(cases[i].program, "direct");
		if (!load(cases[i].program, &config)) {
			fprintf(stderr, "program %s\n", cases[i].program);
			continue;
		}
		errno = 0;
		link = bpf_program__attach(prog(cases[i].program));
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

	CHECK_INT(bpf_prog_test_run_opts(bpf_program__fd(prog("kvm_exit_legacy")), &opts), 0);
}

static void fire_times(__u32 isa, __u32 raw, int times)
{
	while (times--)
		fire(isa, raw, vcpu);
}

/* Field 22: when a process or thread was started, in clock ticks */
static __u64 start_of(const char *path)
{
	char text[1024], *p;
	int i;

	if (!CHECK(read_file(path, text, sizeof(text)) > 0))
		return 0;
	for (i = 3, p = strrchr(text, ')') + 2; i < 22; i++)
		p = strchr(p, ' ') + 1;
	return strtoull(p, NULL, 10);
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
	CHECK_INT(owned[0], 1);
	CHECK_INT(owned[1], 0);
	CHECK_INT(slots[0]->pid, getpid());
	CHECK_INT(slots[0]->tid, gettid());
	CHECK_INT(slots[0]->start, start_of("/proc/self/stat"));
	CHECK(slots[0]->key);
	vcpu_id = slots[0]->vcpu;
	CHECK_INT(slots[0]->isa, ISA_VMX);
	CHECK_INT(slots[0]->count[12], 5);
	/* The ends of the ranges that have counters of their own */
	fire_times(ISA_VMX, 0, 2);
	fire_times(ISA_VMX, NR_LOW - 1, 3);
	fire_times(ISA_VMX, HIGH_BASE, 4);
	fire_times(ISA_VMX, HIGH_BASE + NR_HIGH - 1, 6);
	CHECK_INT(slots[0]->count[0], 2);
	CHECK_INT(slots[0]->count[NR_LOW - 1], 3);
	CHECK_INT(slots[0]->count[NR_LOW], 4);
	CHECK_INT(slots[0]->count[NR_LOW + NR_HIGH - 1], 6);
	/* And what lies just outside */
	fire_times(ISA_VMX, NR_LOW, 7);
	fire_times(ISA_VMX, HIGH_BASE - 1, 8);
	fire_times(ISA_VMX, HIGH_BASE + NR_HIGH, 9);
	fire_times(ISA_VMX, NR_LOW, 1);
	CHECK(control->extra[0] == ((__u64)ISA_VMX << 32 | NR_LOW));
	CHECK(control->extra[1] == ((__u64)ISA_VMX << 32 | (HIGH_BASE - 1)));
	CHECK(control->extra[2] == ((__u64)ISA_VMX << 32 | (HIGH_BASE + NR_HIGH)));
	CHECK_INT(slots[0]->count[NR_LOW + NR_HIGH + 0], 8);
	CHECK_INT(slots[0]->count[NR_LOW + NR_HIGH + 1], 8);
	CHECK_INT(slots[0]->count[NR_LOW + NR_HIGH + 2], 9);
	/* Flags are counted apart and do not change the reason */
	fire_times(ISA_VMX, VMX_FAILED_ENTRY | 33, 2);
	fire_times(ISA_VMX, VMX_BUS_LOCK | VMX_ENCLAVE | 74, 3);
	CHECK_INT(slots[0]->count[33], 2);
	CHECK_INT(slots[0]->count[74], 3);
	CHECK_INT(slots[0]->flags[FLAG_FAILED_ENTRY], 2);
	CHECK_INT(slots[0]->flags[FLAG_BUS_LOCK], 3);
	CHECK_INT(slots[0]->flags[FLAG_ENCLAVE], 3);
	/* SVM has no flags: all 32 bits are the code */
	fire_times(ISA_SVM, 0xffffffff, 2);
	fire_times(ISA_SVM, 0x80000001, 1);
	CHECK(control->extra[3] == ((__u64)ISA_SVM << 32 | 0xffffffff));
	CHECK_INT(slots[0]->count[NR_LOW + NR_HIGH + 3], 2);
	CHECK_INT(slots[0]->count[NR_LOW + NR_HIGH + 4], 1);
	CHECK_INT(slots[0]->flags[FLAG_FAILED_ENTRY], 2);
	/* More codes than there are counters for: lost, to the last one */
	for (i = 5; i < NR_EXTRA + 3; i++)
		fire(ISA_VMX, 0x1000 + i, vcpu);
	CHECK_INT(lost(LOST_CODES), 3);
	CHECK_INT(sum(slots[0]), 5 + 2 + 3 + 4 + 6 + 8 + 8 + 9 + 2 + 3 + 2 + 1 + NR_EXTRA - 5);
	/* A vCPU that cannot be read */
	fire(ISA_VMX, 12, 1);
	CHECK_INT(lost(LOST_VCPU), 1);
	CHECK_INT(slots[0]->count[12], 5);
	unload();
}

/* A VMX reason keeps every bit that is no flag: such a code is not that of its lowest 16 bits */
static void test_vmx_flags(void)
{
	const __u32 flags = VMX_FAILED_ENTRY | VMX_BUS_LOCK | VMX_ENCLAVE;
	const struct {
		__u32 raw, code;
	} cases[] = {
		{ 0x20000, 0x20000 },
		{ 1u << 25 | 2, 1u << 25 | 2 },
		{ 1u << 30 | flags | 2, 1u << 30 | 2 },
		{ flags | 0x10021, 0x10021 },
		/* A TDX guest's entry that ended without a reason: these are no flags */
		{ ~0u, ~0u },
	};
	const struct config config = { .max_slots = MAX_SLOTS };
	size_t i;

	if (!load("kvm_exit_legacy", &config))
		return;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		fire_times(ISA_VMX, cases[i].raw, i + 1);
		CHECK(skel->bss->control.extra[i] == ((__u64)ISA_VMX << 32 | cases[i].code));
		CHECK_INT(slots[0]->count[NR_LOW + NR_HIGH + i], i + 1);
	}
	fire_times(ISA_VMX, flags | 2, 6);
	CHECK_INT(slots[0]->count[2], 6);
	CHECK_INT(slots[0]->count[0], 0);
	CHECK_INT(slots[0]->flags[FLAG_FAILED_ENTRY], 3 + 4 + 6);
	unload();
}

static void test_filters(void)
{
	const __u32 pid = getpid();
	const __u64 start = start_of("/proc/self/stat");
	const struct {
		struct config config;
		__u32 tid; /* in the map of TIDs, 0: none */
		__u64 tid_start;
		bool wanted;
	} cases[] = {
		{ { .tgid = pid }, 0, 0, true },
		{ { .tgid = pid + 1 }, 0, 0, false },
		{ { .tgid = pid, .start = start }, 0, 0, true },
		{ { .tgid = pid, .start = start + 1 }, 0, 0, false },
		{ { .tgid = pid, .has_vcpu = 1, .vcpu = vcpu_id }, 0, 0, true },
		{ { .tgid = pid, .has_vcpu = 1, .vcpu = vcpu_id + 1 }, 0, 0, false },
		{ { .nr_tids = 1 }, pid, 0, true },
		{ { .nr_tids = 1 }, pid + 1, 0, false },
		{ { .nr_tids = 1 }, pid, start, true },
		{ { .nr_tids = 1 }, pid, start + 1, false },
		{ { .tgid = pid, .nr_tids = 1 }, pid, 0, true },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config = cases[i].config;
		__u32 tid = cases[i].tid;

		config.max_slots = MAX_SLOTS;
		if (!load("kvm_exit_legacy", &config))
			return;
		if (tid)
			bpf_map_update_elem(bpf_map__fd(skel->maps.tids), &tid, &cases[i].tid_start,
					    0);
		fire_times(ISA_SVM, 0x78, 3);
		if (!CHECK_INT(slots[0]->count[0x78], cases[i].wanted ? 3 : 0))
			fprintf(stderr, "filter %zu\n", i);
		CHECK_INT(owned[0], cases[i].wanted);
		CHECK_INT(lost(LOST_FULL), 0);
		unload();
	}
}

static void *fire_in_thread(void *arg)
{
	fire_times(ISA_VMX, 10, *(int *)arg);
	return (void *)(unsigned long)gettid();
}

static unsigned long run_thread(int times)
{
	pthread_t thread;
	void *tid;

	pthread_create(&thread, NULL, fire_in_thread, &times);
	pthread_join(thread, &tid);
	return (unsigned long)tid;
}

/* The hints that name a slot, or say why there is none */
static __u32 hints(__u32 slot)
{
	const struct hint *h = skel->bss->control.hints;
	__u32 i, n = 0;

	for (i = 0; i < NR_SETS * NR_WAYS; i++)
		n += h[i].key && h[i].slot == slot;
	return n;
}

/* More threads than slots; and a slot freed as counters.c does it */
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
	CHECK_INT(slots[0]->tid, first);
	CHECK_INT(slots[0]->count[10], 2);
	CHECK_INT(slots[1]->count[10], 3);
	CHECK_INT(slots[2]->count[10], 4);
	CHECK_INT(hints(0), 1);
	CHECK_INT(hints(SLOT_LOST(LOST_FULL)), 0);
	run_thread(5);
	CHECK_INT(lost(LOST_FULL), 5);
	CHECK_INT(hints(SLOT_LOST(LOST_FULL)), 1);
	slots[0]->old_key = slots[0]->key;
	slots[0]->key = 0;
	slots[0]->count[10] = 0;
	owned[0] = 0;
	ring[control->tail++ % MAX_SLOTS] = 0;
	later = run_thread(6);
	CHECK_INT(slots[0]->tid, later);
	CHECK_INT(slots[0]->old_key, 0);
	CHECK_INT(slots[0]->count[10], 6);
	CHECK_INT(lost(LOST_FULL), 5);
	CHECK_INT(owned[0], 1);
	CHECK_INT(control->head, MAX_SLOTS);
	unload();
}

/* What a thread finds whose slot was retired, its hint taken away or not yet */
static void test_retired(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	struct hint *h;

	if (!load("kvm_exit_legacy", &config))
		return;
	fire_times(ISA_VMX, 10, 3);
	h = &skel->bss->control.hints[hint_offset(slots[0]->key) / sizeof(*h)];
	CHECK(h->key == slots[0]->key);
	slots[0]->old_key = slots[0]->key;
	slots[0]->key = 0;
	/* Until the hint is gone the owner counts where it did: read once more */
	fire_times(ISA_VMX, 10, 2);
	CHECK_INT(slots[0]->count[10], 5);
	h->key = 0;
	fire_times(ISA_VMX, 10, 4);
	CHECK_INT(slots[0]->count[10], 5);
	CHECK_INT(slots[1]->count[10], 4);
	CHECK(h->key == slots[1]->key && h->slot == 1);
	CHECK_INT(lost(LOST_FULL), 0);
	unload();
}

/* A full set: the next one serves, then what is no slot's is overwritten */
static void test_hints(void)
{
	const struct config config = { .max_slots = MAX_SLOTS, .tgid = 1 };
	struct control *control;
	__u32 i, n = 0;

	if (!load("kvm_exit_legacy", &config))
		return;
	control = &skel->bss->control;
	for (i = 0; i < NR_SETS * NR_WAYS; i++)
		control->hints[i] = (struct hint){ .key = ~0ull, .slot = 1 };
	fire(ISA_VMX, 10, vcpu);
	CHECK_INT(hints(SLOT_UNWANTED), 0);
	for (i = 0; i < NR_SETS * NR_WAYS; i++)
		control->hints[i].slot = SLOT_LOST(LOST_FULL);
	fire_times(ISA_VMX, 10, 3);
	CHECK_INT(hints(SLOT_UNWANTED), 1);
	for (i = 0; i < NR_SETS * NR_WAYS; i++)
		n += control->hints[i].key == ~0ull;
	CHECK_INT(n, NR_SETS * NR_WAYS - 1);
	for (i = 0; i < NR_LOST; i++)
		CHECK_INT(lost(i), 0);
	unload();
}

/* `read` without CAP_SYS_ADMIN, at offsets as if they came from BTF */
static void test_raw(void)
{
	__u64 args[2] = { vcpu, ISA_VMX };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	struct config config = { .max_slots = MAX_SLOTS, .offsets[OFFSET_VMX_REASON] = 8 };
	__u64 n = 0;
	int i;

	if (!load("kvm_exit_raw", &config))
		return;
	for (i = 0; i < 5; i++)
		bpf_prog_test_run_opts(bpf_program__fd(prog("kvm_exit_raw")), &opts);
	CHECK_INT(slots[0]->isa, ISA_VMX);
	CHECK_INT(slots[0]->vcpu, vcpu_id);
	for (i = 0; i < NR_COUNTERS; i++)
		n += slots[0]->count[i];
	CHECK_INT(n, 5);
	/* No BTF showed where the other ISA has it: lost, by hint after the first */
	args[1] = ISA_SVM;
	unload();
	if (!load("kvm_exit_raw", &config))
		return;
	for (i = 0; i < 5; i++)
		bpf_prog_test_run_opts(bpf_program__fd(prog("kvm_exit_raw")), &opts);
	CHECK_INT(lost(LOST_SVM), 5);
	CHECK_INT(hints(SLOT_LOST(LOST_SVM)), 1);
	CHECK_INT(owned[0], 0);
	args[1] = 3;
	for (i = 0; i < 2; i++)
		bpf_prog_test_run_opts(bpf_program__fd(prog("kvm_exit_raw")), &opts);
	CHECK_INT(lost(LOST_ISA), 2);
	args[0] = 1;
	args[1] = ISA_VMX;
	bpf_prog_test_run_opts(bpf_program__fd(prog("kvm_exit_raw")), &opts);
	CHECK_INT(lost(LOST_VCPU), 1);
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
		 bpf_program__fd(prog("kvm_exit_legacy")));
	if (CHECK(read_file(path, text, sizeof(text)) > 0) && strstr(text, "recursion"))
		CHECK(strstr(text, "\nrecursion_misses:\t0\n"));
	unload();
}

int main(void)
{
	int i;

	libbpf_set_print(NULL);
	if (skip("bpf", false))
		return 0;
	test_attach();
	if (skip("bpf", true))
		return check__failed > 0;
	test_misses();
	find_vcpu();
	for (i = 0; CHECK(vcpu) && i < 2; i++) {
		plain = i;
		test_codes();
		test_vmx_flags();
		test_filters();
		test_slots();
		test_retired();
		test_hints();
		test_raw();
	}
	return check__report("bpf");
}
