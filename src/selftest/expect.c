// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "selftest/expect.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"
#include "names/details.h"
#include "names/reasons.h"
#include "selftest/guest_process.h"
#include "snapshot/snapshot.h"

/* A kind of exit, or two that are one reason, and its reason's names; "": the last */
struct deed {
	const char *what;
	int kinds[2];
	const char *reasons[2];
	bool least;
};

#define NO_KIND (-1)
#define THE_END (-2) /* once on each vCPU */

#ifdef __aarch64__
static const uint64_t counts[NR_KINDS] = {
	[KIND_mmio] = 300, [KIND_sysreg] = 400, [KIND_hvc] = 350, [KIND_iabt] = 40
};
static const struct deed arm64_deeds[] = {
	{ "sysreg", { KIND_sysreg, NO_KIND }, { "SYS64" }, false },
	{ "hvc", { KIND_hvc, NO_KIND }, { "HVC64" }, false },
	{ "mmio, its end", { KIND_mmio, THE_END }, { "DABT_LOW" }, true },
	{ "iabt", { KIND_iabt, NO_KIND }, { "IABT_LOW" }, true },
	{ 0 },
};
#else
static const uint64_t counts[NR_KINDS] = {
	[KIND_io] = 300,  [KIND_cpuid] = 400, [KIND_rdmsr] = 150, [KIND_wrmsr] = 250,
	[KIND_mmio] = 60, [KIND_hlt] = 350,   [KIND_ud] = 40,	  [KIND_hypercall] = 100,
};
static const struct deed vmx_deeds[] = {
	{ "io", { KIND_io, NO_KIND }, { "IO_INSTRUCTION" }, false },
	{ "cpuid", { KIND_cpuid, NO_KIND }, { "CPUID" }, false },
	{ "rdmsr", { KIND_rdmsr, NO_KIND }, { "MSR_READ" }, false },
	{ "wrmsr", { KIND_wrmsr, NO_KIND }, { "MSR_WRITE" }, false },
	{ "hypercall", { KIND_hypercall, NO_KIND }, { "VMCALL" }, false },
	{ "hlt", { KIND_hlt, NO_KIND }, { "HLT" }, false },
	{ "ud", { KIND_ud, NO_KIND }, { "EXCEPTION_NMI" }, true },
	{ "mmio", { KIND_mmio, NO_KIND }, { "EPT_MISCONFIG", "EPT_VIOLATION" }, true },
	{ "its end", { THE_END, NO_KIND }, { "TRIPLE_FAULT" }, false },
	{ 0 },
};
static const struct deed svm_deeds[] = {
	{ "io", { KIND_io, NO_KIND }, { "IOIO" }, false },
	{ "cpuid", { KIND_cpuid, NO_KIND }, { "CPUID" }, false },
	{ "rdmsr, wrmsr", { KIND_rdmsr, KIND_wrmsr }, { "MSR" }, false },
	{ "hypercall", { KIND_hypercall, NO_KIND }, { "VMMCALL" }, false },
	{ "hlt", { KIND_hlt, NO_KIND }, { "HLT" }, false },
	{ "ud", { KIND_ud, NO_KIND }, { "EXCP_UD" }, false },
	{ "mmio", { KIND_mmio, NO_KIND }, { "NPF" }, true },
	{ "its end", { THE_END, NO_KIND }, { "SHUTDOWN" }, false },
	{ 0 },
};
#endif

/* The detail of a kind's exits, as text (details.h); NULL: it is not known beforehand */
struct behind {
	int kind;
	const char *reason, *text;
};

#ifdef __aarch64__
static const struct behind arm64_behind[] = {
	{ KIND_sysreg, "SYS64", "sysreg s3_0_c0_c4_0 read" },
	{ KIND_hvc, "HVC64", "hypercall 0" },
	{ KIND_mmio, "DABT_LOW", "mmio 0x30000000" },
	{ KIND_iabt, "IABT_LOW", "fault 0x38000000 2M exec" },
	{ 0 },
};
#else
static const struct behind vmx_behind[] = {
	{ KIND_io, "IO_INSTRUCTION", "port 0x10 out 1" },
	{ KIND_cpuid, "CPUID", "leaf 0x0" },
	{ KIND_rdmsr, "MSR_READ", "msr 0x3b" },
	{ KIND_wrmsr, "MSR_WRITE", "msr 0x3b" },
	{ KIND_hypercall, "VMCALL", "hypercall 0x1000" },
	{ KIND_ud, "EXCEPTION_NMI", "exception 6" },
	{ 0 },
};
static const struct behind svm_behind[] = {
	{ KIND_io, "IOIO", "port 0x10 out 1" },
	{ KIND_cpuid, "CPUID", "leaf 0x0" },
	{ KIND_rdmsr, "MSR", "msr 0x3b read" },
	{ KIND_wrmsr, "MSR", "msr 0x3b write" },
	{ KIND_hypercall, "VMMCALL", "hypercall 0x1000" },
	{ KIND_ud, "EXCP_UD", "exception 6" },
	{ 0 },
};
#endif

/* Exits that the guest does not make: interrupts and the like */
static const char *const unbidden[] = {
	"EXTERNAL_INTERRUPT",
	"INTERRUPT_WINDOW",
	"NMI_WINDOW",
	"PREEMPTION_TIMER",
	"PML_FULL",
	"INTR",
	"VINTR",
	"NMI",
	"SMI",
	"IRQ",
};

/* ---- what was made ---- */

static const struct deed *deeds_of(const char *isa)
{
#ifdef __aarch64__
	(void)isa;
	return arm64_deeds;
#else
	return strcmp(isa, "svm") ? vmx_deeds : svm_deeds;
#endif
}

static const struct behind *behind_of(const struct deed *deeds)
{
#ifdef __aarch64__
	(void)deeds;
	return arm64_behind;
#else
	return deeds == svm_deeds ? svm_behind : vmx_behind;
#endif
}

static __u64 times_on_a_vcpu(const struct deed *deed)
{
	__u64 times = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(deed->kinds); i++) {
		if (deed->kinds[i] == THE_END)
			times++;
		else if (deed->kinds[i] != NO_KIND)
			times += counts[deed->kinds[i]];
	}
	return times;
}

const struct deed *trial__plan(struct findings *f, struct plan *plan, const char *isa)
{
	const struct deed *deeds = deeds_of(isa), *d;
	const struct behind *b;

	*plan = (struct plan){ .vcpus = STAGE_VCPUS };
	memcpy(plan->counts, counts, sizeof(counts));
	f->vcpus = STAGE_VCPUS;
	for (d = deeds; d->what; d++)
		f->made[f->nr_made++] = (struct made){
			.what = d->what,
			.reason = d->reasons[0],
			.times = STAGE_VCPUS * times_on_a_vcpu(d),
			.least = d->least,
		};
	for (b = behind_of(deeds); b->text; b++)
		f->behind[f->nr_behind++] = (struct made){
			.what = kind_names[b->kind],
			.reason = b->text,
			.times = STAGE_VCPUS * counts[b->kind],
		};
	return deeds;
}

/* The index of the deed with this reason; -1: there is none */
static int find_deed(const struct deed *deeds, const char *reason)
{
	const struct deed *d;
	size_t i;

	for (d = deeds; d->what; d++)
		for (i = 0; i < ARRAY_SIZE(d->reasons) && d->reasons[i]; i++)
			if (!strcmp(d->reasons[i], reason))
				return d - deeds;
	return -1;
}

static bool is_unbidden(const char *reason)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unbidden); i++)
		if (!strcmp(unbidden[i], reason))
			return true;
	return false;
}

/* ---- what was counted ---- */

/* Only the first mistake is kept */
void trial__mistake(struct trial *t, const char *fmt, ...)
{
	va_list ap;

	if (t->verdict == VERDICT_WRONG)
		return;
	t->verdict = VERDICT_WRONG;
	va_start(ap, fmt);
	vsnprintf(t->why, sizeof(t->why), fmt, ap);
	va_end(ap);
}

static const struct played *player_of(const struct stage *stage, __u32 tid)
{
	size_t i;

	for (i = 0; i < STAGE_VCPUS; i++)
		if (stage->shared->played[i].tid == tid)
			return &stage->shared->played[i];
	return NULL;
}

/* Adds a sample to the sums of its deed, in total and for its vCPU */
static void take_sample(struct trial *t, const struct deed *deeds, const struct stage *stage,
			const struct sample *sample, __u64 sums[STAGE_VCPUS][MAX_MADE])
{
	const struct played *player = player_of(stage, sample->tid);
	char buf[REASON_NAME_MAX];
	const char *reason = reason__name(sample->isa, sample->code, buf, sizeof(buf));
	int deed = find_deed(deeds, reason);
	__u32 vcpu = player ? player - stage->shared->played : 0;

	t->exits += sample->count;
	if (!player) {
		trial__mistake(t, "%llu %s of a thread %u, which runs no vCPU of the guest",
			       sample->count, reason, sample->tid);
		return;
	}
	if (sample->vcpu != VCPU_UNKNOWN && sample->vcpu != vcpu)
		trial__mistake(t, "%llu %s of vCPU %u counted for vCPU %u", sample->count, reason,
			       vcpu, sample->vcpu);
	if (deed >= 0) {
		t->counted[deed] += sample->count;
		sums[vcpu][deed] += sample->count;
	} else if (is_unbidden(reason)) {
		t->others += sample->count;
	} else {
		trial__mistake(t, "%llu %s, which the guest did not make", sample->count, reason);
	}
}

static void check_counts(struct trial *t, const struct deed *deeds, const struct stage *stage,
			 const struct snapshot *snap)
{
	__u64 sums[STAGE_VCPUS][MAX_MADE] = { 0 };
	size_t i, vcpu;

	for (i = 0; i < snap->nr_samples; i++)
		take_sample(t, deeds, stage, &snap->samples[i], sums);
	for (vcpu = 0; vcpu < STAGE_VCPUS; vcpu++) {
		for (i = 0; deeds[i].what; i++) {
			__u64 made = times_on_a_vcpu(&deeds[i]), counted = sums[vcpu][i];

			if (counted < made || (counted > made && !deeds[i].least))
				trial__mistake(
					t, "%s: %llu counted, and the guest made %llu, on vCPU %zu",
					deeds[i].reasons[0], counted, made, vcpu);
		}
		t->kvm += stage->shared->played[vcpu].exits;
	}
	t->lost = snapshot__lost(snap);
	if (t->lost)
		trial__mistake(t, "%s lost", plural(t->lost, "exit"));
	if (t->kvm && t->kvm != t->exits)
		trial__mistake(t, "%llu exits counted, and KVM's own statistics have %llu",
			       t->exits, t->kvm);
}

/* What was counted of one reason and detail on a vCPU; *@untold: exits with an unknown detail */
static __u64 count_behind(const struct snapshot *snap, const struct behind *b, __u32 tid,
			  __u64 *untold)
{
	__u64 sum = 0, detail;
	size_t i;
	__u32 code;

	*untold = 0;
	for (i = 0; i < snap->nr_samples; i++) {
		const struct sample *s = &snap->samples[i];

		if (s->tid != tid || !reason__parse(s->isa, b->reason, &code) || s->code != code)
			continue;
		if (detail__parse(s->isa, code, b->text, &detail) && s->detail == detail)
			sum += s->count;
		else if (detail__kind(s->detail) == DETAIL_UNKNOWN)
			*untold += s->count;
	}
	return sum;
}

/* The detail of an exit may be unknown, but it must not be that of another exit */
static void check_details(struct trial *t, const struct deed *deeds, const struct stage *stage,
			  const struct snapshot *snap)
{
	const struct behind *first = behind_of(deeds), *b;
	__u64 untold;
	size_t vcpu;

	for (b = first; b->text; b++) {
		for (vcpu = 0; vcpu < STAGE_VCPUS; vcpu++) {
			__u64 made = counts[b->kind];
			__u64 n = count_behind(snap, b, stage->shared->played[vcpu].tid, &untold);

			t->behind[b - first] += n;
			if (n > made || n + untold < made)
				trial__mistake(t,
					       "%s, %s: %llu counted, and the guest made %llu, on "
					       "vCPU %zu",
					       b->reason, b->text, n, made, vcpu);
		}
	}
}

/* Each vCPU has one open span, its last exit; all other spans must have ended */
static void check_spans(struct trial *t, const struct snapshot *snap)
{
	__u64 timed = 0, untimed = 0;
	size_t i;

	for (i = 0; i < snap->nr_samples; i++) {
		timed += times__spans(snap->samples[i].times);
		untimed += snap->samples[i].times->untimed;
	}
	t->timed = timed;
	t->untimed = untimed;
	t->open = t->exits - timed - untimed;
	if (t->open != (__u64)STAGE_VCPUS)
		trial__mistake(
			t, "%llu exits, of which %llu were timed, %llu not, and %d should be open",
			t->exits, timed, untimed, STAGE_VCPUS);
}

/* A vCPU's clock starts with its first exit, which is within its first KVM_RUN */
static void check_wall(struct trial *t, const struct stage *stage, const struct snapshot *snap,
		       __u64 now)
{
	const __u64 slack = NSEC_PER_MSEC;
	size_t i;

	for (i = 0; i < snap->nr_threads; i++) {
		const struct sample *thread = &snap->threads[i];
		const struct played *p = player_of(stage, thread->tid);
		__u64 wall = thread->times->wall, parts = times__sum(thread->times);

		t->wall += wall;
		t->parts += parts;
		if (parts != wall)
			trial__mistake(t, "the parts of %llu ns add up to %llu", wall, parts);
		if (p && (wall > now - p->begun + slack || wall + slack < now - p->returned))
			trial__mistake(t, "%llu ns on the clock, and it was %llu to %llu", wall,
				       now - p->returned, now - p->begun);
	}
	if (snap->nr_threads != STAGE_VCPUS)
		trial__mistake(t, "times of %s, and there are %d",
			       plural(snap->nr_threads, "thread"), STAGE_VCPUS);
}

void trial__check(struct trial *t, const struct deed *deeds, const struct stage *stage,
		  const struct snapshot *snap, __u64 now)
{
	t->verdict = VERDICT_EXACT;
	check_counts(t, deeds, stage, snap);
	if (t->detail)
		check_details(t, deeds, stage, snap);
	if (t->time) {
		check_spans(t, snap);
		check_wall(t, stage, snap, now);
	}
}
