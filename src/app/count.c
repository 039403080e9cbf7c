// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* This host as a source of snapshots: counts its VM exits */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/lists.h"
#include "app/options.h"
#include "app/screen.h"
#include "app/session.h"
#include "app/source.h"
#include "app/target.h"
#include "collect/counters.h"
#include "explain/explain.h"
#include "lib/host.h"
#include "lib/util.h"
#include "names/reasons.h"
#include "probe/probe.h"
#include "rows/select.h"
#include "vm/hidepid.h"
#include "vm/process.h"
#include "vm/vm.h"

static void tell_lost(struct session *s)
{
	__u64 lost = snapshot__lost(&s->snapshot);
	size_t i;

	if (lost == s->told_lost)
		return;
	s->told_lost = lost;
	for (i = 0; i < NR_CAUSES; i++)
		if (s->snapshot.lost[i])
			complain("%s not counted so far: %s", plural(s->snapshot.lost[i], "exit"),
				 causes[i].why);
}

static void tell_hidden(struct session *s)
{
	if (s->told_hidden || !vms__hidden(s->vms))
		return;
	s->told_hidden = true;
	complain("VMs are called by their PIDs: %s", sight__why_hidden());
}

/* What programs missed, and that it is not known; of exits, tell_lost() tells the first */
static void tell_missed(struct session *s)
{
	const struct misses *m = &s->snapshot.missed;
	size_t i;

	for (i = 0; i < NR_UNSURE; i++) {
		if (m->unknown & ~s->told_missed.unknown & 1u << i)
			complain("how many events BPF programs missed is not known: "
				 "%s may be %s: %s",
				 unsure_names[i], i == UNSURE_EXITS ? "lost" : "wrong",
				 strerror(-s->misses_err));
		if (i != UNSURE_EXITS && m->count[i] != s->told_missed.count[i])
			complain("%s missed so far: %s are uncertain", plural(m->count[i], "event"),
				 unsure_names[i]);
	}
	s->told_missed.unknown |= m->unknown;
	memcpy(s->told_missed.count, m->count, sizeof(m->count));
}

/* Whoever reads "0 exits" must not take a KVM that fires no event for VMs without exits */
static void tell_silence(const struct session *s)
{
	if (s->running && !s->exits && !snapshot__lost(&s->snapshot))
		info__tell_silence(s->running, s->modules);
}

static bool process_is_gone(__u32 pid, __u64 start)
{
	return process__is_gone(pid, pid, start);
}

static int take_snapshot(struct session *s, bool final)
{
	__u64 now;
	struct misses misses;
	int failed = probe__misses(s->probe, &misses), err = session__collect(s);

	s->misses_err = failed ? failed : s->misses_err;
	s->snapshot.end = realtime_ns();
	now = now_ns();
	s->snapshot.duration = now - s->start;
	s->snapshot.final = final;
	snapshot__set_missed(&s->snapshot, &misses);
	s->start = now;
	/* Reads the clocks up to this moment, so that times add up to the interval's length */
	if (!err)
		err = counters__report(s->counters, &s->snapshot, now);
	if (!err && s->opts->detail)
		select__details(s->opts->detail, &s->snapshot);
	return err;
}

/* 0 or -errno */
static int host__keep_up(struct session *s)
{
	return session__collect(s);
}

static int host__next(struct session *s, bool final)
{
	if (take_snapshot(s, final))
		return session__no_memory();
	s->last = final;
	return REPORT_IT;
}

static void host__reported(struct session *s)
{
	if (!s->live || s->last) {
		tell_lost(s);
		tell_missed(s);
	}
	tell_hidden(s);
	s->exits += s->snapshot.exits;
	if (s->last)
		tell_silence(s);
	counters__forget(s->counters, process__sees_host_pids() ? process_is_gone : NULL);
	vms__forget(s->vms);
	s->snapshot.seq++;
}

/* Whether what -p, -n, -t or -T names has ended: then the last report is due */
static bool host__is_over(const struct session *s)
{
	if (!target__has_ended(s->opts))
		return false;
	if (s->opts->verbose || isatty(STDERR_FILENO))
		target__tell_end(s->opts);
	return true;
}

static int start_explaining(struct session *s)
{
	const struct explain_style style = {
		.reasons = s->opts->reasons,
		.run = true,
		.times = s->opts->time,
		.isa = isa__parse(run__isa()),
		.root = "",
	};

	if (!s->opts->explain)
		return EXIT_OK;
	s->explain = explain__new(&style);
	if (!s->explain)
		return session__no_memory();
	explain__open(s->explain);
	return EXIT_OK;
}

static int open_probe(struct session *s)
{
	const struct options *o = s->opts;
	int code = probe__open(&s->probe, &(struct probe_request){
						  .selection = &o->selection,
						  .max_vcpus = o->max_vcpus,
						  .probe = o->probe,
						  .time = o->time,
						  .detail = o->detail,
						  .verbose = o->verbose,
					  });

	if (code)
		return code;
	s->start = probe__began(s->probe);
	snprintf(s->run.probe, sizeof(s->run.probe), "%s", probe__name(s->probe));
	s->snapshot.untold = probe__untold(s->probe);
	if (s->explain && explain__begin(s->explain))
		return session__no_memory();
	return EXIT_OK;
}

static int host__open(struct session *s, char *const *argv)
{
	const struct options *o = s->opts;
	int code, err;

	host__modules(s->modules, sizeof(s->modules));
	err = run__begin(&s->run, o->node, argv + 1);
	if (err) {
		complain("naming the run: %s", strerror(-err));
		return EXIT_INTERNAL;
	}
	s->snapshot.run = &s->run;
	s->snapshot.details = o->detail;
	s->snapshot.devices = s->devices;
	code = screen__open_ticker(s);
	/* Reads every open file of the host, which takes time: so before counting begins */
	if (!code)
		code = start_explaining(s);
	return code ? code : open_probe(s);
}

static int host__begin(struct session *s)
{
	struct shared shared = *probe__memory(s->probe);

	s->timed = s->opts->interval;
	s->waits = true;
	shared.is_gone = process__sees_host_pids() ? process__lacks_thread : NULL;
	s->vms = vms__new(s->run.node);
	s->counters = counters__new(&shared, s->opts->max_vcpus, s->vms);
	if (!s->vms || !s->counters)
		return session__no_memory();
	info__banner(s->opts);
	return EXIT_OK;
}

static int host__end(struct session *s, int code)
{
	probe__close(s->probe);
	counters__free(s->counters);
	vms__free(s->vms);
	free(s->snapshot.samples);
	free(s->snapshot.threads);
	return code;
}

const struct source_ops host_source = {
	.open = host__open,
	.begin = host__begin,
	.keep_up = host__keep_up,
	.is_over = host__is_over,
	.next = host__next,
	.reported = host__reported,
	.end = host__end,
};
