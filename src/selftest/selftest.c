// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The guest is in a separate process (stage.h), forked before anything is opened. The
 * process here counts the guest's exits as kvmexit -p does: probe, counters, snapshot. It
 * keeps its privileges meanwhile, because it loads one program after the other. It reads
 * nothing but what the kernel and the guest's process tell.
 */
#include "selftest/selftest.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/counters.h"
#include "lib/host.h"
#include "lib/util.h"
#include "names/reason_filter.h"
#include "probe/facts.h"
#include "probe/probe.h"
#include "probe/variants.h"
#include "selftest/expect.h"
#include "selftest/guest_process.h"
#include "selftest/result.h"
#include "snapshot/run.h"
#include "snapshot/snapshot.h"
#include "vm/process.h"
#include "vm/selection.h"
#include "vm/vm.h"

#define MAX_SLOTS 16

/* How long costs are measured, ns: COST_TIME; up to MOST_TIME if there are not MIN_PAIRS yet */
#define COST_TIME (2 * NSEC_PER_SEC)
#define MOST_TIME (7 * NSEC_PER_SEC / 2)
#define MIN_PAIRS 3
#define RUN_NS (12 * NSEC_PER_MSEC) /* one measurement */

#ifdef __aarch64__
#define QUICK_KIND KIND_sysreg
#define QUICK_REASON "SYS64"
#define SHOWN_KIND KIND_mmio /* to user space */
#define FIRED_BY "the kernel's own KVM fires it"
#else
#define QUICK_KIND KIND_cpuid
#define QUICK_REASON "CPUID"
#define SHOWN_KIND KIND_io
#define FIRED_BY "kvm_intel and kvm_amd fire it"
#endif

struct selftest {
	const struct selftest_request *request;
	struct run run;
	struct facts facts;
	struct stage stage;
	struct selection selection; /* its process */
	struct plan plan;
	const struct deed *deeds;
	struct filter *all; /* reasons: for --detail */
	bool fires; /* KVM fires the tracepoint, as far as is known */
	struct findings findings;
};

/* Notes why the test could not be made; returns @code */
__attribute__((format(printf, 3, 4))) static int give_up(struct selftest *s, int code,
							 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->findings.why, sizeof(s->findings.why), fmt, ap);
	va_end(ap);
	return code;
}

/* ---- the guest ---- */

/* The exit code */
static int open_stage(struct selftest *s)
{
	int err = stage__open(&s->stage);
	bool denied = err == -EACCES || err == -EPERM;

	if (err && !s->stage.shared)
		return give_up(s, EXIT_INTERNAL, "out of memory");
	if (err)
		return give_up(s, denied ? EXIT_PERMISSION : EXIT_NOTHING, "%s%s",
			       s->stage.shared->why,
			       denied		? ": root may use it, and most often the group kvm"
			       : err == -ENOENT ? ": this kernel has no KVM, or its modules are "
						  "not loaded (modprobe kvm_intel or kvm_amd)"
						: "");
	s->selection =
		(struct selection){ .pid = s->stage.pid, .start = process__start(s->stage.pid) };
	s->deeds = trial__plan(&s->findings, &s->plan, s->stage.shared->isa);
	return EXIT_OK;
}

/* Notes a failure of the guest, which is not a mistake in counting */
static int tell_guest(struct selftest *s, const char *why)
{
	return give_up(s, EXIT_NOTHING, "this KVM (%s) does not run the guest: %s",
		       s->findings.modules, why);
}

/* Notes that the guest came back to user space, so it exited, but no event fired */
static int tell_silence(struct selftest *s, __u64 returns)
{
	return give_up(s, EXIT_NOTHING,
		       "this KVM (%s) fires no kvm_exit: the guest came back from it %llu times, "
		       "and the tracepoint did not fire; " FIRED_BY,
		       s->findings.modules, returns);
}

/* Runs a guest through @plan; its threads still exist afterwards; the exit code */
static int play(struct selftest *s, const struct plan *plan)
{
	return stage__play(&s->stage, plan) ? tell_guest(s, s->stage.shared->why) : EXIT_OK;
}

/* Checks what became of the guest; the tracepoint fired @fired times. The exit code */
static int check_guest(struct selftest *s, __u64 fired)
{
	const struct played *p = s->stage.shared->played;
	__u64 returns = p[0].returns + p[1].returns;
	size_t i;

	s->fires |= fired > 0;
	if (!s->fires && returns)
		return tell_silence(s, returns);
	for (i = 0; i < STAGE_VCPUS; i++)
		if (p[i].err)
			return tell_guest(s, p[i].why);
	return EXIT_OK;
}

static int clear(struct selftest *s)
{
	return stage__clear(&s->stage) ? tell_guest(s, s->stage.shared->why) : EXIT_OK;
}

/* Opens perf's own count of the tracepoint in the guest's process; -1: not possible */
static int open_witness(const struct selftest *s)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
					.size = sizeof(attr),
					.inherit = 1 };
	char text[32];
	__u64 id;

	if (read_file("/sys/kernel/tracing/events/kvm/kvm_exit/id", text, sizeof(text)) <= 0)
		return -1;
	text[strcspn(text, "\n")] = 0;
	if (parse_uint(text, 1, ~0u, &id))
		return -1;
	attr.config = id;
	return syscall(SYS_perf_event_open, &attr, s->stage.pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/*
 * First checks if KVM runs a guest at all, and fires the tracepoint. kvmexit's own counts
 * cannot prove this, and a KVM that fires no event is not a mistake in counting.
 */
static int check_kvm(struct selftest *s)
{
	const struct plan plan = { .counts = { [QUICK_KIND] = 10, [SHOWN_KIND] = 10 },
				   .vcpus = STAGE_VCPUS };
	int witness = open_witness(s), code;
	__u64 fired = 0;

	if (witness < 0)
		return EXIT_OK;
	code = play(s, &plan);
	if (!code && read(witness, &fired, sizeof(fired)) != sizeof(fired))
		fired = 0;
	close(witness);
	if (!code)
		code = check_guest(s, fired);
	return code ? code : clear(s);
}

/* ---- one way to count ---- */

static struct probe_request probe_request(const struct selftest *s, const struct trial *t,
					  const char *probe)
{
	return (struct probe_request){
		.selection = &s->selection,
		.max_vcpus = MAX_SLOTS,
		.probe = probe,
		.time = t->time,
		.detail = t->detail ? s->all : NULL,
		.verbose = s->request->verbose,
	};
}

/* The exit code. If the facts permit a probe, but it does not load, that is a mistake, too. */
static int open_probe(struct selftest *s, struct trial *t, struct probe **probe)
{
	const struct probe_request request = probe_request(s, t, t->probe);
	int code = probe__open(probe, &request);

	if (code == EXIT_INTERNAL) {
		trial__mistake(t, "it cannot be loaded and attached");
		return EXIT_OK;
	}
	return code ? give_up(s, code, "no probe can be used, or not the one that --probe names")
		    : EXIT_OK;
}

/* What was counted until *@now; 0 or -errno */
static int take_snapshot(struct counters *c, const struct probe *probe, struct snapshot *snap,
			 __u64 *now)
{
	struct misses misses;
	int failed = probe__misses(probe, &misses), err = counters__collect(c, now_ns());

	err = err ? err : failed;
	snapshot__set_missed(snap, &misses);
	*now = now_ns();
	return err ? err : counters__report(c, snap, *now);
}

/* Runs the guest and compares it with what @c counted; the exit code */
static int count_guest(struct selftest *s, struct trial *t, const struct probe *probe,
		       struct counters *c, struct snapshot *snap)
{
	int code = play(s, &s->plan), err;
	__u64 now;

	if (code)
		return code;
	err = take_snapshot(c, probe, snap, &now);
	if (err)
		return give_up(s, EXIT_INTERNAL, "reading what was counted: %s", strerror(-err));
	code = check_guest(s, snap->exits);
	if (code)
		return code;
	trial__check(t, s->deeds, &s->stage, snap, now);
	return clear(s);
}

static int try_probe(struct selftest *s, struct trial *t)
{
	struct snapshot snap = { .run = &s->run, .final = true };
	struct counters *counters = NULL;
	struct probe *probe = NULL;
	struct shared shared;
	struct vms *vms;
	int code = open_probe(s, t, &probe);

	if (code || !probe)
		return code;
	shared = *probe__memory(probe);
	shared.is_gone = process__lacks_thread;
	vms = vms__new(s->run.node);
	if (vms)
		counters = counters__new(&shared, MAX_SLOTS, vms);
	code = counters ? count_guest(s, t, probe, counters, &snap)
			: give_up(s, EXIT_INTERNAL, "out of memory");
	free(snap.samples);
	free(snap.threads);
	counters__free(counters);
	vms__free(vms);
	probe__close(probe);
	return code;
}

/* ---- all ways ---- */

/* Why no variant of this name can be used; NULL: one of them can */
static const char *objection(const struct selftest *s, const struct trial *t)
{
	const struct probe_request request = probe_request(s, t, s->request->probe);
	const char *why = "there is none of this name";
	size_t n;
	const struct variant *v = variants__ladder(&n);

	for (; n && why; n--, v++)
		if (!strcmp(v->name, t->probe))
			why = variant__objection(v, &request, &s->facts);
	return why;
}

/* Adds a trial; returns whether it can be made */
static bool add_trial(struct selftest *s, struct trial trial)
{
	struct trial *t = &s->findings.trials[s->findings.nr_trials++];
	const char *why = objection(s, &trial);

	*t = trial;
	if (why)
		snprintf(t->why, sizeof(t->why), "%s", why);
	return !why;
}

static void list_trials(struct selftest *s)
{
	const char *wanted = s->request->probe;
	size_t n;
	const struct variant *v = variants__ladder(&n), *last = v + n, *before = NULL;

	facts__read(&s->facts);
	for (; v < last; before = v++) {
		if ((wanted && strcmp(wanted, v->name)) ||
		    (before && !strcmp(before->name, v->name)))
			continue;
		if (!add_trial(s, (struct trial){ .probe = v->name }))
			continue;
		add_trial(s, (struct trial){ .probe = v->name, .time = true });
		add_trial(s, (struct trial){ .probe = v->name, .detail = true });
	}
}

static int try_all(struct selftest *s)
{
	struct findings *f = &s->findings;
	size_t i, tried = 0;
	int code;

	for (i = 0; i < f->nr_trials; i++) {
		struct trial *t = &f->trials[i];

		if (*t->why)
			continue;
		code = try_probe(s, t);
		if (code)
			return code;
		tried++;
	}
	if (tried)
		return EXIT_OK;
	/* Prints why, as it always does */
	return open_probe(s, &(struct trial){ .probe = s->request->probe },
			  &(struct probe *){ NULL });
}

static void judge(struct findings *f)
{
	size_t i;

	for (i = 0; i < f->nr_trials; i++)
		if (f->trials[i].verdict > f->verdict)
			f->verdict = f->trials[i].verdict;
}

/* ---- what it costs ---- */

/* Measures what one of @n exits took, ns; the exit code */
static int measure(struct selftest *s, __u64 n, double *ns)
{
	const struct plan plan = { .counts = { [QUICK_KIND] = n }, .vcpus = 1, .pinned = true };
	int code = play(s, &plan);

	if (!code)
		code = check_guest(s, 0);
	if (code)
		return code;
	*ns = (double)s->stage.shared->played[0].run_ns / n;
	return clear(s);
}

static int measure_pair(struct selftest *s, struct trial *t, __u64 n)
{
	struct cost *cost = &t->cost;
	struct probe *probe = NULL;
	int code = measure(s, n, &cost->without[cost->pairs]);

	if (!code)
		code = open_probe(s, t, &probe);
	if (code || !probe)
		return code;
	code = measure(s, n, &cost->with[cost->pairs]);
	probe__close(probe);
	if (!code)
		cost->pairs++;
	return code;
}

/* Costs are measured for each probe, and for --time and --detail with the best probe only */
static bool has_cost(const struct findings *f, size_t i)
{
	const struct trial *t = &f->trials[i], *before;

	if (t->verdict != VERDICT_EXACT)
		return false;
	for (before = f->trials; before < t; before++)
		if ((t->time || t->detail) && before->verdict == VERDICT_EXACT &&
		    before->time == t->time && before->detail == t->detail)
			return false;
	return true;
}

/* Measures all in turn, so that other load on the host affects all alike */
static int measure_costs(struct selftest *s)
{
	struct findings *f = &s->findings;
	__u64 start = now_ns(), n = 500;
	size_t pair, i;
	double ns;
	int code = measure(s, n, &ns);

	if (!code && RUN_NS / ns > n)
		n = RUN_NS / ns;
	for (pair = 0; pair < MAX_PAIRS && !code; pair++) {
		__u64 spent = now_ns() - start;

		if (spent > (pair < MIN_PAIRS ? MOST_TIME : COST_TIME))
			break;
		for (i = 0; i < f->nr_trials && !code; i++)
			if (has_cost(f, i))
				code = measure_pair(s, &f->trials[i], n);
	}
	return code;
}

/* ---- the whole ---- */

static int test(struct selftest *s)
{
	int code = open_stage(s);

	if (!code && !process__sees_host_pids())
		code = give_up(s, EXIT_NOTHING,
			       "this PID namespace does not show the PIDs by which the kernel "
			       "counts; run it on the host, or with its PIDs (--pid=host)");
	if (!code)
		code = check_kvm(s);
	if (code)
		return code;
	if (filter__new(&s->all, "*", s->findings.why, sizeof(s->findings.why)))
		return EXIT_INTERNAL;
	list_trials(s);
	code = try_all(s);
	judge(&s->findings);
	if (!code && s->findings.verdict == VERDICT_EXACT)
		code = measure_costs(s);
	return code;
}

static void describe(struct selftest *s)
{
	struct findings *f = &s->findings;

	/* Users may send records to us, so they have the host's name only if --node gives it */
	if (!s->request->node)
		s->run.node[0] = 0;
	f->run = &s->run;
	f->quickest = QUICK_REASON;
	host__cpu(f->cpu, sizeof(f->cpu));
	host__vendor(f->vendor, sizeof(f->vendor));
	host__modules(f->modules, sizeof(f->modules));
}

static int print(const struct selftest *s)
{
	const struct findings *f = &s->findings;

	if (s->request->json && findings__print_records(stdout, f)) {
		complain("out of memory");
		return EXIT_INTERNAL;
	}
	if (!s->request->json)
		findings__print(stdout, f);
	return EXIT_OK;
}

int selftest__run(const struct selftest_request *request)
{
	struct selftest s = { .request = request };
	int code, err = run__begin(&s.run, request->node, (char *const[]){ NULL });

	if (err) {
		complain("--self-test: %s", strerror(-err));
		return EXIT_INTERNAL;
	}
	describe(&s);
	code = test(&s);
	stage__close(&s.stage);
	filter__free(s.all);
	if (code)
		complain("--self-test: %s", s.findings.why);
	err = print(&s);
	if (err)
		return err;
	if (!code && s.findings.verdict == VERDICT_WRONG) {
		complain("--self-test: counts are wrong on this host");
		code = EXIT_INTERNAL;
	}
	return code;
}
