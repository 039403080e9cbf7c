// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * --explain: its texts, the settings of a made-up host, and what is printed of them,
 * against tests/golden/explain*. To be run where tests/ is. With --print it only prints
 * records, for the schema's test; with --write the golden files are made anew.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "explain/chapters.h"
#include "explain/cpu_limits.h"
#include "explain/explain.h"
#include "lib/util.h"
#include "names/details.h"
#include "names/reason_filter.h"
#include "names/reasons.h"
#include "snapshot/run.h"
#include "snapshot/times.h"

/* As in explain.c */
#define MOST_VMS_TOLD 3

static char root[] = "/tmp/kvmexit-explain-XXXXXX";

/* ---- texts ---- */

static bool is_setting(const char *word)
{
	return settings__is_name(word) || vm_state__is_name(word) || !strcmp(word, "vm.cpu_max") ||
	       !strcmp(word, "vm.throttled");
}

static void check_sentence(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	CHECK(len > 10 && len < 600);
	CHECK(len && text[len - 1] == '.' && text[len - 2] != '.');
}

static void test_texts(void)
{
	bool used[texts_count];
	size_t i;

	memset(used, 0, sizeof(used));
	for (i = 0; i < reasons_count; i++)
		used[text__of(reasons[i].isa, reasons[i].name) - texts] = true;
	for (i = 0; i < texts_count; i++) {
		const struct text *t = &texts[i];
		const char *p = t->settings;
		const struct advice *a;
		char word[64];

		if (!CHECK(used[i] == (i != 0)))
			fprintf(stderr, "of no reason: %s\n", t->what);
		check_sentence(t->what);
		check_sentence(t->causes);
		check_sentence(t->cost);
		while (next_word(&p, word, sizeof(word)))
			if (!CHECK(is_setting(word)))
				fprintf(stderr, "no such setting: %s\n", word);
		for (a = t->advice; a->condition; a++)
			CHECK(*a->condition && *a->advice && a->price && *a->price &&
			      a->price[strlen(a->price) - 1] != '.');
	}
	CHECK(!is_setting("vm.nonsense") && !is_setting("nonsense"));
}

static const struct {
	__u32 isa;
	const char *reason, *in_text;
} some_texts[] = {
	{ ISA_VMX, "HLT", "halts its vCPU" },
	{ ISA_SVM, "IDLE_HLT", "halts its vCPU" },
	{ ISA_ARM64, "WFX", "(WFI)" },
	{ ISA_VMX, "MSR_READ", "model-specific" },
	{ ISA_SVM, "NPF", "nested page tables" },
	{ ISA_SVM, "EXCP_UD", "exception" },
	{ ISA_SVM, "VMRUN", "Nested" },
	{ ISA_VMX, "VMREAD", "Nested" },
	{ ISA_VMX, "VMCALL", "called the hypervisor" },
	{ ISA_SVM, "CR0_WRITE_TRAP", "control register" },
	{ ISA_SVM, "READ_CR3", "shadow paging" },
	{ ISA_SVM, "UNKNOWN_4711", "does not ask for" },
	{ ISA_ARM64, "HVC64", "called the hypervisor" },
};

static bool has_advice_on(const struct text *t, const char *word)
{
	const struct advice *a;
	bool found = t->settings && strstr(t->settings, word);

	for (a = t->advice; a->condition; a++)
		found |= strstr(a->condition, word) || strstr(a->advice, word);
	return found;
}

/* What helps against one exception is not said of another */
static void test_exceptions(void)
{
	static const struct {
		__u32 isa;
		const char *reason;
		bool watchdog, split_lock;
	} cases[] = {
		{ ISA_VMX, "EXCEPTION_NMI", true, true }, { ISA_SVM, "NMI", true, false },
		{ ISA_SVM, "EXCP_UD", false, false },	  { ISA_SVM, "EXCP_AC", false, false },
		{ ISA_SVM, "EXCP_DB", false, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct text *t = text__of(cases[i].isa, cases[i].reason);

		CHECK_INT(has_advice_on(t, "nmi_watchdog"), cases[i].watchdog);
		CHECK_INT(has_advice_on(t, "split_lock_mitigate"), cases[i].split_lock);
	}
	CHECK(strstr(text__of(ISA_SVM, "EXCP_AC")->causes, "Split locks"));
}

static void test_some_texts(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(some_texts); i++) {
		const struct text *t = text__of(some_texts[i].isa, some_texts[i].reason);

		if (!CHECK(strstr(t->what, some_texts[i].in_text)))
			fprintf(stderr, "%s: %s\n", some_texts[i].reason, t->what);
	}
}

/* ---- settings ---- */

static void put(const char *path, const char *text)
{
	char whole[512], *slash;
	FILE *f;

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	for (slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		CHECK(!mkdir(whole, 0755) || errno == EEXIST);
		*slash = '/';
	}
	f = fopen(whole, "w");
	if (CHECK(f)) {
		fputs(text, f);
		fclose(f);
	}
}

static void make_host(void)
{
	put("/proc/cmdline",
	    "root=/dev/sda1 nohz_full=2-7 isolcpus=2,3 isolcpus=managed_irq,5 nosmt "
	    "mitigations=off\n");
	put("/sys/module/kvm/parameters/halt_poll_ns", "200000\n");
	put("/sys/module/kvm/parameters/nx_huge_pages", "N\n");
	put("/sys/module/kvm_amd/parameters/avic", "N\n");
	put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
	put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
	put("/sys/kernel/mm/ksm/run", "1\n");
	put("/proc/sys/kernel/split_lock_mitigate", "1\n");
	put("/sys/devices/system/cpu/isolated", "\n");
	put("/sys/devices/system/cpu/nohz_full", "  (null)\n");
	put("/proc/4242/task/4242/cgroup", "0::/machine.slice/web1/emulator\n");
	put("/proc/4242/task/4250/cgroup", "4:cpuset:/x\n0::/machine.slice/web1/vcpu0\n");
	put("/sys/fs/cgroup/machine.slice/web1/vcpu0/cpu.max", "max 100000\n");
	put("/sys/fs/cgroup/machine.slice/web1/cpu.max", "50000 100000\n");
	put("/sys/fs/cgroup/machine.slice/web1/cpu.stat",
	    "usage_usec 1\nnr_periods 90\nnr_throttled 89\nthrottled_usec 1234567\n");
	put("/sys/fs/cgroup/machine.slice/cpu.max", "800000 100000\n");
	put("/sys/fs/cgroup/machine.slice/cpu.stat", "nr_throttled 0\nthrottled_usec 0\n");
	put("/proc/4300/task/4300/cgroup", "0::/machine.slice\n");
	put("/proc/4242/task/4250/status", "Name:\tx\nCpus_allowed_list:\t3,9\nMems_allowed:\t1\n");
	put("/proc/4300/task/4301/status", "Name:\tx\nCpus_allowed_list:\t0-7\nMems_allowed:\t1\n");
	put("/sys/devices/system/cpu/online", "0-7\n");
}

static const struct {
	const char *name, *value; /* NULL: there is none */
} settings[] = {
	{ "kvm.halt_poll_ns", "200000" },
	{ "kvm_amd.avic", "N" },
	{ "kvm_intel.enable_apicv", NULL },
	{ "kvm.nonsense", NULL },
	{ "nonsense", NULL },
	{ "clocksource", "hpet" },
	{ "transparent_hugepage", "madvise" },
	{ "ksm/run", "1" },
	{ "kernel.split_lock_mitigate", "1" },
	{ "ksm/pages_sharing", NULL },
	{ "cpu/isolated", "none" },
	{ "cpu/nohz_full", "none" },
	{ "cmdline.nohz_full", "2-7" },
	{ "cmdline.nohz", "not given" },
	{ "cmdline.isolcpus", "2,3 managed_irq,5" },
	{ "cmdline.nosmt", "yes" },
	{ "cmdline.mitigations", "off" },
	{ "cmdline.irqaffinity", "not given" },
};

static void test_settings(void)
{
	char value[SETTING_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		bool there = settings__read(root, settings[i].name, value, sizeof(value));

		CHECK_STR(there ? value : NULL, settings[i].value);
	}
}

static void put_stat(const char *group, int times, int us)
{
	char path[128], text[128];

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.stat", group);
	snprintf(text, sizeof(text),
		 "usage_usec 1\nnr_periods 90\nnr_throttled %d\nthrottled_usec %d\n", times, us);
	put(path, text);
}

static void check_worst(const struct cpu_limits *l, __u32 pid, const char *path, const char *max,
			__u64 us, __u64 times)
{
	const struct cpu_group *g = cpu_limits__worst(l, pid);

	if (!CHECK(!g == !path) || !g)
		return;
	CHECK_STR(g->path, path);
	CHECK_STR(g->max, max);
	CHECK_INT(cpu_group__throttling(g).us, us);
	CHECK_INT(cpu_group__throttling(g).times, times);
}

/* What a quota did before the run is not of the run */
static void test_limits(void)
{
	struct cpu_limits l = { .root = root };

	CHECK_INT(cpu_limits__meet(&l, 4242, false), 0);
	CHECK_INT(cpu_limits__meet(&l, 1, false), 0);
	CHECK(cpu_limits__knows(&l, 4242) && !cpu_limits__knows(&l, 1));
	check_worst(&l, 4242, "/machine.slice/web1", "50000 of 100000 us", 0, 0);
	check_worst(&l, 1, NULL, NULL, 0, 0);
	put_stat("/machine.slice/web1", 92, 1234667);
	put_stat("/machine.slice", 7, 5000);
	cpu_limits__read(&l);
	/* The group above was stopped less in all, but longer during the run */
	check_worst(&l, 4242, "/machine.slice", "800000 of 100000 us", 5000, 7);
	/* A VM that came meanwhile: the group is known already */
	CHECK_INT(cpu_limits__meet(&l, 4300, true), 0);
	check_worst(&l, 4300, "/machine.slice", "800000 of 100000 us", 5000, 7);
	/* It was made anew: its figures began again */
	put_stat("/machine.slice", 3, 3000);
	cpu_limits__read(&l);
	check_worst(&l, 4300, "/machine.slice", "800000 of 100000 us", 3000, 3);
	cpu_limits__free(&l);

	/* Of a group that came during the run, all counts */
	l = (struct cpu_limits){ .root = root };
	CHECK_INT(cpu_limits__meet(&l, 4242, true), 0);
	check_worst(&l, 4242, "/machine.slice/web1", "50000 of 100000 us", 1234667, 92);
	cpu_limits__free(&l);
	put_stat("/machine.slice/web1", 89, 1234567);
	put_stat("/machine.slice", 0, 0);
}

static void test_cpus(void)
{
	static const struct {
		const char *list, *printed;
		size_t nr;
	} cases[] = {
		{ "0-3,8\n", "0-3,8", 5 },	 { "", "", 0 },	 { "5", "5", 1 },
		{ "8190-9999", "8190-8191", 2 }, { "x", "", 0 }, { "3-1", "", 0 },
	};
	struct cpus a, b = { 0 };
	char text[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		cpus__parse(&a, cases[i].list);
		CHECK_INT(cpus__print(&a, text, sizeof(text)), cases[i].nr);
		CHECK_STR(text, cases[i].printed);
	}
	cpus__parse(&a, "1,3,5,7");
	CHECK_INT(cpus__print(&a, text, 4), 4);
	CHECK_STR(text, "1,3");
	/* Of the CPUs that it may use those that are online */
	CHECK(cpus__add_allowed(&b, root, 4242, 4250));
	CHECK_INT(cpus__print(&b, text, sizeof(text)), 1);
	CHECK_STR(text, "3");
	CHECK(!cpus__overlap(&(struct cpus){ { 1 } }, &b) && cpus__overlap(&a, &b));
	CHECK(!cpus__add_allowed(&b, root, 4242, 1));
}

/* ---- KVM's state ---- */

/* 6.12's, as far as it matters */
static const struct state_layout layout = {
	.there = 1u << STATE_APICV_INHIBITS | 1u << STATE_HLT_IN_GUEST |
		 1u << STATE_MWAIT_IN_GUEST | 1u << STATE_PAUSE_IN_GUEST |
		 1u << STATE_CSTATE_IN_GUEST | 1u << STATE_OVERRIDE_HALT_POLL |
		 1u << STATE_MAX_HALT_POLL | 1u << STATE_HALT_POLL_NOW | 1u << STATE_DIRTY_LOGGING |
		 1u << STATE_IRQCHIP,
	.inhibits = { [0] = "DISABLED", [2] = "ABSENT", [9] = "PIT_REINJ" },
	.is_svm = true,
};

static void check_state(const struct state_layout *l, const struct vm_state *s, const char *name,
			const char *want)
{
	char value[SETTING_SIZE], text[2 * SETTING_SIZE];
	const char *label = vm_state__tell(l, s, name, value, sizeof(value));

	snprintf(text, sizeof(text), "%s: %s", label ? label : "", label ? value : "");
	CHECK_STR(label ? text : NULL, want);
}

static void test_states(void)
{
	struct state_layout old = layout, newer = layout;
	struct vm_state s = { .pid = 1 };

	check_state(&layout, &s, "vm.apicv", "AVIC: not inhibited");
	check_state(&layout, &s, "vm.halt_poll", "halt polling: as kvm.halt_poll_ns says");
	check_state(&layout, &s, "vm.disabled_exits", "exits turned off: none");
	check_state(
		&layout, &s, "vm.dirty_logging",
		"dirty logging: off when this was read, which does not tell of the time before");
	check_state(&layout, &s, "vm.irqchip", "interrupt controller: in the VMM");
	/* What this kernel does not tell is not 0 */
	check_state(&layout, &s, "vm.dirty_ring_size", NULL);
	check_state(&layout, &s, "vm.vgic", NULL);
	check_state(&layout, &s, "nonsense", NULL);

	s.values[STATE_APICV_INHIBITS] = 1 << 9 | 1 << 5;
	check_state(&layout, &s, "vm.apicv", "AVIC: inhibited by bit 5, PIT_REINJ");
	old.is_svm = false;
	check_state(&old, &s, "vm.apicv", "APICv: inhibited by bit 5, PIT_REINJ");
	s.values[STATE_OVERRIDE_HALT_POLL] = 1;
	s.values[STATE_MAX_HALT_POLL] = 7000;
	check_state(
		&layout, &s, "vm.halt_poll",
		"halt polling: 7000 ns at most, set by the VMM: kvm.halt_poll_ns does not count");
	old.there &= ~(1u << STATE_OVERRIDE_HALT_POLL);
	check_state(
		&old, &s, "vm.halt_poll",
		"halt polling: 7000 ns at most: set by the VMM, or kvm.halt_poll_ns when the VM was made");
	s.values[STATE_HLT_IN_GUEST] = s.values[STATE_CSTATE_IN_GUEST] = 1;
	check_state(&layout, &s, "vm.disabled_exits", "exits turned off: HLT, CSTATE");
	newer.there = 1u << STATE_DISABLED_EXITS;
	s = (struct vm_state){ .values[STATE_DISABLED_EXITS] = 0x35 };
	check_state(&newer, &s, "vm.disabled_exits",
		    "exits turned off: MWAIT, PAUSE, APERFMPERF, bit 5");
	s.values[STATE_DIRTY_LOGGING] = 3;
	check_state(&layout, &s, "vm.dirty_logging", "dirty logging: of 3 memory slots");
	s.values[STATE_APICV_INHIBITS] = ~0ull;
	check_state(&layout, &s, "vm.halt_poll_now",
		    "halt polling now: 0 ns at most, of all vCPUs");
}

static void test_states_arm64(void)
{
	const struct state_layout arm64 = {
		.there = 1u << STATE_VGIC | 1u << STATE_GICV4 | 1u << STATE_HCR |
			 1u << STATE_VCPU_PMU | 1u << STATE_EAGER_SPLIT,
	};
	struct vm_state s = { .pid = 1 };

	check_state(&arm64, &s, "vm.vgic", "interrupt controller: none");
	check_state(&arm64, &s, "vm.gicv4", "GICv4: not used");
	check_state(&arm64, &s, "vm.wfx",
		    "exits of WFI and WFE: neither, when its vCPUs were last loaded");
	check_state(&arm64, &s, "vm.vhe", "host extensions (VHE): not used");
	check_state(&arm64, &s, "vm.vcpu_pmu", "PMU: off");
	check_state(&arm64, &s, "vm.eager_split", "eager page split: off");
	check_state(&layout, &s, "vm.wfx", NULL);
	check_state(&layout, &s, "vm.vhe", NULL);

	/* KVM_DEV_TYPE_ARM_VGIC_V3; VHE and a trap of WFI, as 6.12 sets them */
	s.values[STATE_VGIC] = 7;
	s.values[STATE_GICV4] = 4;
	s.values[STATE_HCR] = 1ull << 34 | 1 << 13;
	s.values[STATE_VCPU_PMU] = 1;
	s.values[STATE_EAGER_SPLIT] = 2 << 20;
	check_state(&arm64, &s, "vm.vgic", "interrupt controller: GICv3");
	check_state(&arm64, &s, "vm.gicv4", "GICv4: delivers to 4 vCPUs");
	check_state(&arm64, &s, "vm.wfx",
		    "exits of WFI and WFE: WFI, when its vCPUs were last loaded");
	check_state(&arm64, &s, "vm.vhe", "host extensions (VHE): used");
	check_state(&arm64, &s, "vm.vcpu_pmu", "PMU: on");
	check_state(&arm64, &s, "vm.eager_split", "eager page split: 2097152 bytes at a time");
	s.values[STATE_HCR] = 1 << 14;
	check_state(&arm64, &s, "vm.wfx",
		    "exits of WFI and WFE: WFE, when its vCPUs were last loaded");
	s.values[STATE_HCR] = 1 << 14 | 1 << 13;
	check_state(&arm64, &s, "vm.wfx",
		    "exits of WFI and WFE: both, when its vCPUs were last loaded");
}

/* ---- what is printed ---- */

static const struct run run = { .node = "host1", .id = "0123abcd" };
static struct vm web1 = { .node = run.node, .pid = 4242, .name = "web1" };
static struct vm db1 = { .node = run.node, .pid = 4300, .name = "d?b" };
static struct vm gone = { .node = run.node, .pid = 4400, .name = "gone" };
static struct vm idle = { .node = run.node, .pid = 4500, .name = "idle" };

static struct times msr_time = { .part = { [PART_KVM] = 9000000 } };
static struct times vintr_time = { .part = { [PART_KVM] = 1000000 } };
/* Neither idle nor waiting is what an exit costs */
static struct times hlt_time = { .part = { [PART_KVM] = 100000,
					   [PART_WAIT] = 800000000,
					   [PART_POLL] = 700000000,
					   [PART_IDLE] = 900000000 } };

static struct sample samples[] = {
	{ .vm = &web1, .isa = ISA_SVM, .code = 0x64, .count = 100, .times = &vintr_time },
	{ .vm = &web1, .isa = ISA_SVM, .code = 0x77, .count = 40 },
	{ .vm = &web1, .isa = ISA_SVM, .code = 0x78, .count = 600, .times = &hlt_time },
	{ .vm = &db1, .isa = ISA_SVM, .code = 0x78, .count = 50, .times = &hlt_time },
	{ .vm = &db1, .isa = ISA_SVM, .code = 0x7c, .count = 20, .times = &msr_time },
	{ .vm = &gone, .isa = ISA_SVM, .code = 0x78, .count = 30 },
	{ .vm = &idle, .isa = ISA_SVM, .code = 0x78, .count = 10 },
	{ .vm = &idle, .isa = ISA_SVM, .code = 0x7b, .count = 29 },
};

static struct vm_state states[] = {
	{ .pid = 4242,
	  .values = { [STATE_APICV_INHIBITS] = 1 << 9, [STATE_HALT_POLL_NOW] = 10000 } },
	{ .pid = 4300, .values = { [STATE_OVERRIDE_HALT_POLL] = 1, [STATE_IRQCHIP] = 1 } },
	{ .pid = 4500 },
};

enum form {
	TEXT,
	RECORDS,
};

static const struct golden {
	const char *name;
	const char *reasons; /* operands */
	bool times;
	const char *why; /* the state could not be read */
	enum form form;
	size_t nr; /* samples */
} golden[] = {
	{ "explain.txt", NULL, false, NULL, TEXT, ARRAY_SIZE(samples) },
	{ "explain-time.txt", NULL, true, NULL, TEXT, ARRAY_SIZE(samples) },
	{ "explain-one.txt", "pause,ioio", false, NULL, TEXT, ARRAY_SIZE(samples) },
	{ "explain-denied.txt", "vintr", false,
	  "loading the BPF program: Operation not permitted; missing CAP_BPF (root has all)", TEXT,
	  ARRAY_SIZE(samples) },
	{ "explain-nothing.txt", NULL, false, NULL, TEXT, 0 },
	{ "explain.ndjson", "vintr,hlt", false, NULL, RECORDS, ARRAY_SIZE(samples) },
};

/* With times of all of them or of none */
static struct snapshot make_snapshot(const struct golden *g)
{
	static struct sample all[ARRAY_SIZE(samples)];
	static struct times no_time;
	struct snapshot snap = {
		.samples = all,
		.nr_samples = g->nr,
		.run = &run,
		.seq = 3,
		.end = 1767225620004000000,
	};
	size_t i;

	for (i = 0; i < g->nr; i++) {
		all[i] = samples[i];
		all[i].times = !g->times ? NULL : all[i].times ? all[i].times : &no_time;
		snap.exits += all[i].count;
		snap.service += g->times ? times__service(all[i].times) : 0;
	}
	return snap;
}

static void print_golden(const struct golden *g, FILE *out)
{
	struct explain_style style = {
		.run = true, .times = g->times, .isa = ISA_SVM, .root = root
	};
	const struct vm_states vms = { .vms = states, .nr = ARRAY_SIZE(states) };
	struct snapshot snap = make_snapshot(g);
	const struct explanation *x;
	struct explain *e;
	char why[256];

	if (g->reasons)
		CHECK_INT(filter__new(&style.reasons, g->reasons, why, sizeof(why)), 0);
	e = explain__new(&style);
	if (g->why)
		explain__cannot_learn(e, g->why);
	else
		CHECK_INT(explain__learn(e, &layout, &vms), 0);
	/* In two intervals as in one: shares are of the whole run */
	CHECK_INT(explain__count(e, &snap), 0);
	CHECK_INT(explain__count(e, &snap), 0);
	x = explain__finish(e);
	if (CHECK(x) && g->form == TEXT)
		explanation__print(x, out);
	else if (x)
		CHECK_INT(explanation__print_json(x, out, &snap), 0);
	explain__free(e);
	filter__free(style.reasons);
}

static char *read_all(const char *path)
{
	static char text[65536];
	int n = read_file(path, text, sizeof(text));

	return n < 0 ? NULL : text;
}

static void test_golden(bool write)
{
	char path[128], *text;
	size_t i, size;

	for (i = 0; i < ARRAY_SIZE(golden); i++) {
		FILE *out;

		snprintf(path, sizeof(path), "tests/golden/%s", golden[i].name);
		out = write ? fopen(path, "w") : open_memstream(&text, &size);
		if (!CHECK(out))
			continue;
		print_golden(&golden[i], out);
		fclose(out);
		if (write)
			continue;
		if (!CHECK_STR(text, read_all(path)))
			fprintf(stderr, "%s differs\n", path);
		free(text);
	}
}

/* What was known at the start of a VM that has ended is still told */
static void test_learning(void)
{
	const struct explain_style style = { .run = true, .isa = ISA_SVM, .root = root };
	const struct vm_states first = { .vms = states, .nr = 2 };
	struct vm_state later = { .pid = 4300, .values[STATE_APICV_INHIBITS] = 1 };
	const struct vm_states second = { .vms = &later, .nr = 1 };
	struct snapshot snap = make_snapshot(&golden[0]);
	struct explain *e = explain__new(&style);
	const struct explanation *x;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	snap.nr_samples = 1;
	snap.exits = 100;
	CHECK_INT(explain__learn(e, &layout, &first), 0);
	CHECK_INT(explain__learn(e, &layout, &second), 0);
	CHECK_INT(explain__count(e, &snap), 0);
	x = explain__finish(e);
	if (CHECK(x))
		explanation__print(x, out);
	fclose(out);
	CHECK(strstr(text, "VM web1 (PID 4242):\n    AVIC: inhibited by PIT_REINJ"));
	CHECK(strstr(text, "VINTR (100.0 % of the exits)"));
	free(text);
	explain__free(e);
}

/* What waiting adds to a reason's or a VM's time does not choose what is explained, or for whom */
static void test_waiting_does_not_choose(void)
{
	const struct explain_style style = {
		.run = true, .times = true, .isa = ISA_SVM, .root = root
	};
	static struct vm vms[MOST_VMS_TOLD + 1];
	static struct times slow = { .part = { [PART_KVM] = 500, [PART_USER] = 500 } };
	static struct times waits = { .part = { [PART_KVM] = 10, [PART_WAIT] = 1000000 } };
	struct sample counted[MOST_VMS_TOLD + 2] = { 0 };
	struct snapshot snap = { .samples = counted, .nr_samples = ARRAY_SIZE(counted) };
	struct explain *e = explain__new(&style);
	const struct explanation *x;
	size_t i, nr = MOST_VMS_TOLD;

	for (i = 0; i < ARRAY_SIZE(vms); i++)
		vms[i] = (struct vm){ .node = run.node, .pid = 100 + i, .name = "x" };
	/* NPF of all, the last of which waits; and a CPUID that only waits */
	for (i = 0; i <= nr; i++)
		counted[i] = (struct sample){ .vm = &vms[i],
					      .isa = ISA_SVM,
					      .code = 0x400,
					      .count = 5,
					      .times = i < nr ? &slow : &waits };
	counted[nr + 1] = counted[nr];
	counted[nr + 1].code = 0x72;
	CHECK_INT(explain__count(e, &snap), 0);
	x = explain__finish(e);
	if (CHECK(x) && CHECK_INT(x->nr_chapters, 1)) {
		CHECK_STR(x->chapters[0].reasons[0].name, "NPF");
		CHECK_INT(x->chapters[0].vms_left_out, 1);
		for (i = 0; i < x->chapters[0].nr_items; i++)
			CHECK(x->chapters[0].items[i].pid != vms[nr].pid);
	}
	explain__free(e);
}

/* Records of a VM that waited, for the schema's test */
static void print_waiting_records(void)
{
	const struct explain_style style = {
		.run = true, .times = true, .isa = ISA_SVM, .root = root
	};
	static struct times waits = { .part = { [PART_GUEST] = 1, [PART_WAIT] = 9 } };
	struct sample thread = { .vm = &web1, .tid = 4250, .times = &waits };
	struct snapshot snap = {
		.samples = &thread, .threads = &thread, .nr_threads = 1, .run = &run
	};
	struct explain *e = explain__new(&style);
	const struct explanation *x = explain__count(e, &snap) ? NULL : explain__finish(e);

	CHECK(x && !explanation__print_json(x, stdout, &snap));
	explain__free(e);
}

/* The whole explanation, what is said in short first; the caller frees it */
static char *print_all(struct explain *e)
{
	const struct explanation *x = explain__finish(e);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (CHECK(x)) {
		explanation__print_short(x, out);
		explanation__print(x, out);
	}
	fclose(out);
	return text;
}

/* Whether @text has @part, wherever lines are broken */
static bool holds(const char *text, const char *part)
{
	size_t i, k;

	for (i = 0; text[i]; i++) {
		const char *t = text + i;

		for (k = 0; part[k] && *t; k++) {
			if (isspace(part[k]) ? !isspace(*t) : part[k] != *t)
				break;
			for (t++; isspace(part[k]) && !isspace(part[k + 1]) && isspace(*t); t++)
				;
		}
		if (!part[k])
			return true;
	}
	return !*part;
}

/* Why a VM waited for a CPU comes first */
static void test_waiting(void)
{
	const struct explain_style style = {
		.run = true, .times = true, .isa = ISA_SVM, .root = root
	};
	const struct vm_states vms = { .vms = states, .nr = ARRAY_SIZE(states) };
	static struct times waits = { .part = { [PART_GUEST] = 101, [PART_WAIT] = 899 } };
	static struct times runs = { .part = { [PART_GUEST] = 901, [PART_WAIT] = 99 } };
	struct sample threads[] = {
		{ .vm = &web1, .tid = 4250, .times = &waits },
		{ .vm = &db1, .tid = 4301, .times = &runs },
	};
	struct snapshot snap = { .samples = threads, .threads = threads, .nr_threads = 2 };
	struct explain *e = explain__new(&style);
	char *text;

	CHECK_INT(explain__learn(e, &layout, &vms), 0);
	CHECK_INT(explain__begin(e), 0);
	CHECK_INT(explain__count(e, &snap), 0);
	text = print_all(e);
	CHECK(strstr(text,
		     "web1 (PID 4242) waited for a CPU 89.9 % of the time: no quota held it up; its\n"
		     "  vCPU threads have 1 CPU (3), which 2 vCPU threads may use.\n"
		     "  Remedy: more CPUs for the VM") == text);
	CHECK(strstr(text, "    held up by it: not during this run\n"));
	CHECK(strstr(text, "    CPUs: 1 (3) for 1 vCPU threads; of all VMs 2 may use them\n"));
	CHECK(!strstr(text, "db1") && !strstr(text, "a quota holds"));
	free(text);

	put_stat("/machine.slice/web1", 1406, 88234567);
	CHECK_INT(explain__count(e, &snap), 0);
	text = print_all(e);
	CHECK(strstr(text,
		     "web1 (PID 4242) waited for a CPU 89.9 % of the time: its CPU quota, 50000 of\n"
		     "  100000 us, held it up for 87.0 s, 1317 times.\n"
		     "  Remedy: raise cpu.max of that group") == text);
	CHECK(strstr(text, "    CPU quota: 50000 of 100000 us in /machine.slice/web1\n"
			   "    held up by it: for 87.000 s, 1317 times, during this run\n"));
	CHECK(strstr(text, "If a quota holds the VM up (as here): raise"));
	CHECK(!strstr(text, "If no quota does"));
	free(text);
	explain__free(e);

	/* Where the host does not tell it, nothing is said of it */
	e = explain__new(&style);
	snap.untold = 1u << PART_WAIT;
	CHECK_INT(explain__count(e, &snap), 0);
	text = print_all(e);
	CHECK(!strstr(text, "waited"));
	free(text);
	explain__free(e);
	put_stat("/machine.slice/web1", 89, 1234567);
}

/* Each pattern fits a detail that has a name, or all of a kind */
static void test_patterns(void)
{
	char text[DETAIL_TEXT_MAX], subject[160];
	const struct advice *a;
	size_t i, n;

	for (i = 0; i < texts_count; i++)
		for (a = texts[i].advice; a->condition; a++) {
			bool fits = !a->of || advice__is_of_user(a) ||
				    advice__is_about(a, "fault:") || advice__is_about(a, "mmio:") ||
				    advice__is_about(a, "port:");

			for (n = 0; n < named_details_count && !fits; n++) {
				named_detail__text(&named_details[n], text, sizeof(text));
				snprintf(subject, sizeof(subject), "%.*s:%s",
					 (int)strcspn(text, " "), text, named_details[n].name);
				fits = advice__is_about(a, subject);
			}
			if (!CHECK(fits))
				fprintf(stderr, "no detail: %s\n", a->of);
		}
}

/* What was counted of one reason, and what must and must not be advised then */
static const struct {
	__u32 code;
	__u64 detail; /* made below, if it is 0 */
	__u64 address;
	bool port;
	const char *cause, *advised, *not_advised;
} chosen[] = {
	{ 0x400, 0, 0xfed000f0, false, "100.0 % mmio 0xfed000f0 HPET.\n  Remedy: hpet=off",
	  "If most are the HPET (100.0 % here)", "huge pages behind" },
	{ 0x400, 0, 0x30000000, false, "100.0 % mmio 0x30000000.\n  Remedy: virtio in its place",
	  "another emulated device", "If KSM merges" },
	{ 0x7b, 0, 0x1f0, true, "IDE, primary.\n  Remedy: virtio-blk", "an IDE disk (100.0 % here)",
	  "PM timer:" },
	{ 0x7b, 0, 0xcf8, true, "PCI configuration.\n  Remedy: MSI-X", "PCI configuration (",
	  "PM timer:" },
	{ 0x7b, 0, 0x608, true, "ACPI PM timer.\n", "PM timer (100.0 % here)", "an IDE disk" },
	/* Without details the reader must judge */
	{ 0x7b, DETAIL_NONE, 0, true, "", "If most are the PM timer: ", "% here" },
	/* HLT in the VMM */
	{ 0x78, DETAIL_NONE, 0, true, "90.0 % of it in the VMM.\n  Remedy: an interrupt controller",
	  "handles HLT itself (90.0 % here)", "PM timer" },
};

static void test_evidence(void)
{
	const struct explain_style style = {
		.run = true, .times = true, .isa = ISA_SVM, .root = root
	};
	static struct times in_vmm = { .part = { [PART_KVM] = 1, [PART_USER] = 9 } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(chosen); i++) {
		struct sample s = { .vm = &web1,
				    .isa = ISA_SVM,
				    .code = chosen[i].code,
				    .count = 9,
				    .times = &in_vmm,
				    .detail = chosen[i].detail };
		struct snapshot snap = { .samples = &s, .nr_samples = 1 };
		struct explain *e = explain__new(&style);
		char *text;

		if (!s.detail)
			s.detail = chosen[i].port ? detail_port(chosen[i].address, 1, true, false)
						  : detail_mmio(chosen[i].address);
		CHECK_INT(explain__count(e, &snap), 0);
		text = print_all(e);
		if (!CHECK(holds(text, chosen[i].cause) && holds(text, chosen[i].advised) &&
			   !holds(text, chosen[i].not_advised)))
			fprintf(stderr, "%zu: %s\n", i, text);
		free(text);
		explain__free(e);
	}
}

/* ---- this host's KVM ---- */

static const struct vm_state *find_state(const struct vm_states *vms, pid_t pid)
{
	size_t i;

	for (i = 0; i < vms->nr; i++)
		if (vms->vms[i].pid == (__u32)pid)
			return &vms->vms[i];
	return NULL;
}

/* A VM with two vCPUs, and a child that has its files but not its memory */
static void test_this_host(void)
{
	struct kvm_enable_cap poll = { .cap = KVM_CAP_HALT_POLL, .args = { 7000 } };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int fd = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	const struct vm_state *state;
	struct vmstate *reader;
	struct vm_states vms;
	const char *what;
	pid_t child;
	int i;

	if (fd < 0 || ioctl(fd, KVM_ENABLE_CAP, &poll) || vmstate__open(&reader, &what)) {
		fprintf(stderr, "explain: this host's VMs: skipped, no KVM or no privilege\n");
		return;
	}
	CHECK(ioctl(fd, KVM_CREATE_VCPU, 0) >= 0 && ioctl(fd, KVM_CREATE_VCPU, 1) >= 0);
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	for (i = 0; i < STATE_READS; i++) {
		CHECK_INT(vmstate__read(reader, &vms), 0);
		CHECK(!find_state(&vms, child));
		state = find_state(&vms, getpid());
		if (CHECK(state)) {
			CHECK_INT(state->nr_vcpus, 2);
			CHECK_INT(state->values[STATE_MAX_HALT_POLL], 7000);
		}
		vm_states__free(&vms);
	}
	/* There are no more */
	CHECK_INT(vmstate__read(reader, &vms), -EBADF);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	vmstate__close(reader);
	close(fd);
	close(kvm);
}

int main(int argc, char **argv)
{
	char command[64];

	if (!CHECK(mkdtemp(root)))
		return 1;
	make_host();
	if (argc > 1 && !strcmp(argv[1], "--print")) {
		print_golden(&golden[ARRAY_SIZE(golden) - 1], stdout);
		print_golden(&(struct golden){ .reasons = "hlt",
					       .why = "no \"BTF\"",
					       .form = RECORDS,
					       .nr = ARRAY_SIZE(samples) },
			     stdout);
		print_waiting_records();
	} else {
		test_texts();
		test_some_texts();
		test_exceptions();
		test_settings();
		test_limits();
		test_cpus();
		test_states();
		test_states_arm64();
		test_learning();
		test_waiting_does_not_choose();
		test_waiting();
		test_patterns();
		test_evidence();
		test_this_host();
		test_golden(argc > 1 && !strcmp(argv[1], "--write"));
		check__report("explain");
	}
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command) || check__failed;
}
