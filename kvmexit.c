// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvmexit: counts the VM exits of all KVM guests on this host.
 *
 * options -> probe (load, attach) -> loop { counters (collect, report), or with -f a
 * recording -> snapshot -> reports (table, json, metrics) -> output } -> close
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/lists.h"
#include "app/options.h"
#include "app/playback.h"
#include "app/screen.h"
#include "app/session.h"
#include "app/target.h"
#include "collect/counters.h"
#include "explain/explain.h"
#include "lib/events.h"
#include "lib/host.h"
#include "lib/privileges.h"
#include "lib/util.h"
#include "names/devices.h"
#include "names/reasons.h"
#include "probe/probe.h"
#include "recording/recording.h"
#include "render/live.h"
#include "rows/select.h"
#include "selftest/selftest.h"
#include "vm/hidepid.h"
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

/* Whoever reads "0 exits" must not take a KVM that fires no event for VMs without exits */
static void tell_silence(const struct session *s)
{
	if (s->running && !s->exits && !snapshot__lost(&s->snapshot))
		info__tell_silence(s->running, s->modules);
}

static bool process_is_gone(__u32 pid, __u64 start)
{
	return vm__is_gone(pid, pid, start);
}

static int take_snapshot(struct session *s, bool final)
{
	__u64 now, misses = s->snapshot.lost[LOST_MISSED];
	int failed = probe__misses(s->probe, &misses);
	int err = session__collect(s);

	if (failed && !s->told_misses)
		complain("exits that the BPF program missed are not known: %s", strerror(-failed));
	s->told_misses |= failed != 0;
	s->snapshot.end = realtime_ns();
	now = now_ns();
	s->snapshot.duration = now - s->start;
	s->snapshot.final = final;
	snapshot__set_lost(&s->snapshot, LOST_MISSED, misses);
	s->start = now;
	/* Reads the clocks up to this moment, so that times add up to the interval's length */
	if (!err)
		err = counters__report(s->counters, &s->snapshot, now);
	if (!err && s->opts->detail)
		select__details(s->opts->detail, &s->snapshot);
	if (!err && s->opts->filter)
		select__reasons(s->opts->filter, &s->snapshot);
	return err;
}

/* For --explain, with what is known at the end: 0 or -errno */
static int explain(struct session *s, bool final)
{
	int err = s->explain ? explain__count(s->explain, &s->snapshot) : 0;

	if (err || !s->explain || !final)
		return err;
	s->snapshot.explanation = explain__finish(s->explain);
	return s->snapshot.explanation ? 0 : -ENOMEM;
}

static int report(struct session *s, bool final)
{
	size_t failed;
	int err;

	if (take_snapshot(s, final) || explain(s, final))
		return session__no_memory();
	/* The user who ends the view has read the report: do not draw a partial interval over it */
	if (s->view && s->ticker.stopped)
		live__keep(s->view);
	if (s->reopened != s->output.reopened)
		reports__restart(s->reports, s->nr_reports);
	s->reopened = s->output.reopened;
	s->last = final;
	screen__measure(s);
	err = reports__print(s->reports, s->nr_reports, &s->snapshot, &failed);
	if (err && failed == s->nr_reports)
		return session__no_memory();
	if (err)
		return err == -EPIPE ? EXIT_OK : session__tell_write(&s->output, err);
	if (!s->live || final)
		tell_lost(s);
	tell_hidden(s);
	s->exits += s->snapshot.exits;
	if (final)
		tell_silence(s);
	counters__forget(s->counters, vm__sees_host_pids() ? process_is_gone : NULL);
	vms__forget(s->vms);
	s->snapshot.seq++;
	return final ? EXIT_OK : -1;
}

/* Whether what -p, -n, -t or -T names has ended: then the last report is due */
static bool target_ended(const struct session *s)
{
	if (!target__has_ended(s->opts))
		return false;
	if (s->opts->verbose || isatty(STDERR_FILENO))
		target__tell_end(s->opts);
	return true;
}

/* Returns the exit code */
static int run(struct session *s)
{
	int code = -1;

	while (code < 0) {
		enum event event = screen__see_to(s, ticker__wait(&s->ticker));

		if ((event == EVENT_UPKEEP || event == EVENT_REPORT) && target_ended(s))
			event = EVENT_LAST;
		switch (event) {
		case EVENT_UPKEEP:
			if (session__collect(s))
				code = session__no_memory();
			break;
		case EVENT_REOPEN:
			session__reopen(s);
			break;
		case EVENT_WINDOW:
			code = screen__redraw(s);
			break;
		case EVENT_REPORT:
		case EVENT_LAST:
			code = report(s, event == EVENT_LAST ||
						 (s->opts->count &&
						  s->snapshot.seq + 1 == s->opts->count));
			break;
		default: /* nothing to do */
			break;
		}
	}
	return code;
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

/* Everything that needs privilege; the exit code */
static int start(struct session *s, char *const *argv)
{
	const struct options *o = s->opts;
	struct shared shared;
	int err, code;

	s->timed = o->interval;
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
	if (code)
		return code;
	/* Reads every open file of the host, which takes time: so before counting begins */
	code = start_explaining(s);
	if (code)
		return code;
	code = probe__open(&s->probe, &(struct probe_request){
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
	code = session__drop_privileges(s);
	if (code)
		return code;
	snprintf(s->run.probe, sizeof(s->run.probe), "%s", probe__name(s->probe));
	s->snapshot.untold = probe__untold(s->probe);
	shared = *probe__memory(s->probe);
	shared.is_gone = vm__sees_host_pids() ? vm__lacks_thread : NULL;
	s->vms = vms__new(s->run.node);
	s->counters = counters__new(&shared, o->max_vcpus, s->vms);
	if (!s->vms || !s->counters)
		return session__no_memory();
	return session__choose_reports(s);
}

static int stop(struct session *s, int code)
{
	int err;

	screen__hide(s);
	probe__close(s->probe);
	err = output__close(&s->output);
	ticker__close(&s->ticker);
	counters__free(s->counters);
	reports__free(s->reports, s->nr_reports);
	explain__free(s->explain);
	devices__free(s->devices);
	vms__free(s->vms);
	recording__free(s->recording);
	free(s->snapshot.samples);
	free(s->snapshot.threads);
	if (s->metrics.err && code == EXIT_OK) {
		complain("writing %s: %s", s->opts->metrics, strerror(-s->metrics.err));
		code = EXIT_WRITE;
	}
	replaced__free(&s->metrics);
	return err && code == EXIT_OK ? session__tell_write(&s->output, err) : code;
}

/* At exit: what stdio could not write (--help, --list-reasons) is an error */
static void flush_stdout(void)
{
	/* A reader may keep --help waiting */
	if (__fpending(stdout))
		signals__let_go();
	if (!fflush(stdout))
		return;
	if (errno == EPIPE)
		_exit(EXIT_OK);
	complain("writing standard output: %s", strerror(errno));
	_exit(EXIT_WRITE);
}

/* Whether exits will be counted, with a ticker. --devices may be a FIFO, which is waited for. */
static bool counts(const struct options *o)
{
	return !o->list_reasons && !o->list_vms && !o->self_test && !o->from && !o->devices &&
	       (!o->explain || o->duration || o->interval);
}

int main(int argc, char **argv)
{
	/*
	 * stdio forgets what it could not write. --help has more than 4096 bytes; with this
	 * room, the flush at the end is the first write, and it reports the error.
	 */
	static char room[1 << 14];
	struct options opts;
	struct session s = {
		.opts = &opts,
		.output.fd = -1,
		.ticker = { .timer = -1, .signals = -1, .keys = -1 },
	};
	int code;

	signals__hold();
	/* These are errors of the write */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	setvbuf(stdout, room, _IOFBF, sizeof(room));
	atexit(flush_stdout);
	privileges__occupy_standard_fds();
	options__parse(&opts, argc, argv);
	if (!counts(&opts))
		signals__let_go();
	if (opts.list_reasons) {
		code = info__list_reasons(&opts);
	} else if (opts.explain && !opts.duration && !opts.interval) {
		code = target__check(&opts);
		if (!code)
			code = info__explain(&opts);
	} else if (opts.list_vms) {
		code = info__list_vms(&opts);
	} else if (opts.self_test) {
		code = selftest__run(&(struct selftest_request){ opts.node, opts.probe, opts.json,
								 opts.verbose });
	} else if (opts.devices && (code = session__read_devices(&s))) {
		code = stop(&s, code);
	} else if (opts.from) {
		code = playback__start(&s);
		if (!code)
			code = playback__run(&s);
		code = stop(&s, code);
	} else {
		signals__hold();
		code = target__check(&opts);
		if (!code)
			s.running = info__look_around(&opts);
		if (!code)
			code = start(&s, argv);
		if (!code) {
			info__banner(&opts);
			ticker__start(&s.ticker, s.start, opts.interval, opts.duration);
			screen__show(&s);
			code = s.view ? screen__redraw(&s) : -1;
			if (code < 0)
				code = run(&s);
		}
		code = stop(&s, code);
	}
	options__free(&opts);
	return code;
}
