// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvmexit: counts the VM exits of all KVM guests on this host.
 *
 * options -> probe (load, attach) -> loop { counters (collect, report), or with -f a
 * recording -> snapshot -> reports (table, json, metrics) -> output } -> close
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/counters.h"
#include "src/devices.h"
#include "src/explain.h"
#include "src/filter.h"
#include "src/info.h"
#include "src/json.h"
#include "src/live.h"
#include "src/metrics.h"
#include "src/options.h"
#include "src/output.h"
#include "src/privileges.h"
#include "src/probe.h"
#include "src/replaced.h"
#include "src/reasons.h"
#include "src/recording.h"
#include "src/replay.h"
#include "src/report.h"
#include "src/run.h"
#include "src/selftest.h"
#include "src/sight.h"
#include "src/table.h"
#include "src/target.h"
#include "src/terminal.h"
#include "src/ticker.h"
#include "src/util.h"
#include "src/vm.h"

/* How long the end of the run waits for a reader that takes nothing, ns */
#define PATIENCE (2 * NSEC_PER_SEC)

struct session {
	const struct options *opts;
	struct probe *probe;
	struct counters *counters;
	struct vms *vms;
	struct recording *recording; /* NULL: this host */
	struct devices *devices; /* --devices */
	struct explain *explain; /* NULL: nothing is explained */
	struct output output;
	struct replaced metrics;
	struct ticker ticker;
	struct snapshot snapshot;
	struct report reports[2];
	unsigned int keys; /* what samples can be told apart by; 0: everything */
	bool timed; /* reports have a time line */
	bool last; /* there is no report after this one */
	size_t nr_reports;
	struct run run;
	bool told_hidden; /* that names are missing */
	unsigned int reopened; /* the output, when it last told whose it is */
	bool live; /* reports are shown in place, on a terminal */
	struct renderer *view; /* by this one; NULL: not yet, or they are not */
	struct window window; /* the terminal's, if standard output is one */
	__u64 start; /* of the interval, CLOCK_MONOTONIC */
	__u64 told_lost; /* exits that the user knows to be lost */
};

static int out_of_memory(void)
{
	complain("out of memory");
	return EXIT_INTERNAL;
}

static int tell_write(const struct output *out, int err)
{
	complain("writing %s: %s", out->path ? out->path : "standard output",
		 err == -ETIMEDOUT ? "its reader takes nothing; the last interval is lost"
				   : strerror(-err));
	return EXIT_WRITE;
}

static void tell_lost(struct session *s)
{
	__u64 lost = snapshot__lost(&s->snapshot);
	size_t i;

	if (lost == s->told_lost)
		return;
	s->told_lost = lost;
	for (i = 0; i < NR_CAUSES; i++)
		if (s->snapshot.lost[i])
			complain("%llu exits not counted so far: %s", s->snapshot.lost[i],
				 causes[i].why);
}

static void tell_hidden(struct session *s)
{
	if (s->told_hidden || !vms__hidden(s->vms))
		return;
	s->told_hidden = true;
	complain("VMs are called by their PIDs: %s", sight__why_hidden());
}

static int collect(struct session *s)
{
	return counters__collect(s->counters, now_ns());
}

static bool process_is_gone(__u32 pid, __u64 start)
{
	return vm__is_gone(pid, pid, start);
}

static void measure_window(struct session *s)
{
	if (!s->opts->output)
		s->window = terminal__window();
}

static int take_snapshot(struct session *s, bool final)
{
	__u64 now, misses = probe__misses(s->probe);
	int err = collect(s);

	s->snapshot.end = realtime_ns();
	now = now_ns();
	s->snapshot.duration = now - s->start;
	s->snapshot.final = final;
	snapshot__set_lost(&s->snapshot, LOST_MISSED, misses);
	s->start = now;
	/* Clocks are read up to this very moment: times add up to the interval's length */
	if (!err)
		err = counters__report(s->counters, &s->snapshot, now);
	if (!err && s->opts->detail)
		filter__detail(s->opts->detail, &s->snapshot);
	if (!err && s->opts->filter)
		filter__apply(s->opts->filter, &s->snapshot);
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

static void reopen(struct session *s)
{
	int err = output__reopen(&s->output);

	if (err)
		complain("reopening %s: %s; writing on to the old file", s->output.path,
			 strerror(-err));
}

/*
 * Why a report is given up that cannot be written yet, -errno; 0: it is not. A reader
 * is waited for, at the end of the run with patience, which began at @since. A file
 * may have room again, while the run goes on.
 */
static int give_up(const struct session *s, int err, __u64 since)
{
	if (err == -EAGAIN)
		return s->ticker.stopped && now_ns() - since >= PATIENCE ? -ETIMEDOUT : 0;
	if (!s->output.path || err == -EPIPE || s->snapshot.final || ticker__is_over(&s->ticker))
		return err;
	return 0;
}

/*
 * Writes a report. As long as that cannot be done counting goes on, and so does all
 * that is due but reports. 0 or -errno.
 */
static int deliver(void *session, const char *text, size_t size)
{
	struct session *s = session;
	__u64 since = now_ns();
	bool told = false;
	int err, fatal;

	output__put(&s->output, text, size);
	while ((err = output__flush(&s->output))) {
		fatal = give_up(s, err, since);
		if (fatal)
			return fatal;
		if (err != -EAGAIN && !told)
			complain("writing %s: %s; trying again, nothing is lost so far",
				 s->output.path, strerror(-err));
		told |= err != -EAGAIN;
		switch (ticker__wait_for_room(&s->ticker, output__poll_fd(&s->output))) {
		case EVENT_UPKEEP:
			/* What fails for want of memory is done by the next report */
			if (s->counters)
				collect(s);
			break;
		case EVENT_REOPEN:
			reopen(s);
			break;
		case EVENT_SUSPEND:
			terminal__suspend();
			break;
		case EVENT_CONTINUE:
			terminal__enter();
			break;
		default: /* room, or the end has come */
			since = now_ns();
		}
	}
	if (told)
		complain("writing %s: possible again, nothing was lost", s->output.path);
	return 0;
}

/* As deliver() where nothing else is to be done */
static int deliver_recorded(void *session, const char *text, size_t size)
{
	struct session *s = session;
	int err;

	output__put(&s->output, text, size);
	while ((err = output__flush(&s->output)) == -EAGAIN) {
		struct pollfd p = { .fd = output__poll_fd(&s->output), .events = POLLOUT };

		poll(&p, 1, p.fd < 0 ? 100 : -1);
	}
	return err;
}

/* What is shown in place once more, in a window or view that may be others; the exit code */
static int redraw(struct session *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int err = out ? 0 : -ENOMEM;

	measure_window(s);
	if (out) {
		err = live__redraw(s->view, out);
		if (fclose(out) || !text)
			err = -ENOMEM;
	}
	if (!err)
		err = deliver(s, text, size);
	free(text);
	if (err == -ENOMEM)
		return out_of_memory();
	return err ? tell_write(&s->output, err) : -1;
}

/* What happens to a terminal is seen to, and becomes the event that follows from it */
static enum event see_to_terminal(struct session *s, enum event event)
{
	char bytes[64];
	int n = 0;

	switch (event) {
	case EVENT_KEYS:
		n = terminal__read(bytes, sizeof(bytes));
		if (n < 0)
			s->ticker.keys = -1;
		break;
	case EVENT_SUSPEND:
		terminal__suspend();
		return EVENT_WINDOW;
	case EVENT_CONTINUE:
		terminal__enter();
		return EVENT_WINDOW;
	default:
		return event;
	}
	switch (n > 0 ? live__press(s->view, bytes, n) : WISH_NOTHING) {
	case WISH_END:
		s->ticker.stopped = true;
		return EVENT_LAST;
	case WISH_REPORT:
		ticker__put_off(&s->ticker, now_ns());
		return EVENT_REPORT;
	case WISH_REDRAW:
		return EVENT_WINDOW;
	default:
		return EVENT_KEYS;
	}
}

static int report(struct session *s, bool final)
{
	size_t failed;
	int err;

	if (take_snapshot(s, final) || explain(s, final))
		return out_of_memory();
	/* Who ends it has read what is shown: the rest of an interval is nothing to draw over it */
	if (s->view && s->ticker.stopped)
		live__keep(s->view);
	if (s->reopened != s->output.reopened)
		reports__restart(s->reports, s->nr_reports);
	s->reopened = s->output.reopened;
	s->last = final;
	measure_window(s);
	err = reports__print(s->reports, s->nr_reports, &s->snapshot, &failed);
	if (err && failed == s->nr_reports)
		return out_of_memory();
	if (err)
		return err == -EPIPE ? EXIT_OK : tell_write(&s->output, err);
	if (!s->live || final)
		tell_lost(s);
	tell_hidden(s);
	counters__forget(s->counters, process_is_gone);
	vms__forget(s->vms);
	s->snapshot.seq++;
	return final ? EXIT_OK : -1;
}

/* What -p, -n, -t or -T names has ended: the last report is due */
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
		enum event event = see_to_terminal(s, ticker__wait(&s->ticker));

		if ((event == EVENT_UPKEEP || event == EVENT_REPORT) && target_ended(s))
			event = EVENT_LAST;
		switch (event) {
		case EVENT_UPKEEP:
			if (collect(s))
				code = out_of_memory();
			break;
		case EVENT_REOPEN:
			reopen(s);
			break;
		case EVENT_WINDOW:
			code = redraw(s);
			break;
		case EVENT_REPORT:
		case EVENT_LAST:
			code = report(s, event == EVENT_LAST ||
						 (s->opts->count &&
						  s->snapshot.seq + 1 == s->opts->count));
			break;
		default: /* nothing follows from it */
			break;
		}
	}
	return code;
}

static int tell_open(const char *path, int err, const char *otherwise)
{
	complain("opening %s: %s%s%s", path, strerror(-err),
		 err == -EACCES ? "; this is done without capabilities, so that it can be done "
				  "again: name a directory that this user may write to"
				: "",
		 err == -EACCES ? otherwise : "");
	return EXIT_CREATE;
}

/* The exit code */
static int open_outputs(struct session *s)
{
	const struct options *o = s->opts;
	int err = output__open(&s->output, o->output);

	if (err)
		return o->output ? tell_open(o->output, err, ", or use >>FILE")
				 : tell_write(&s->output, err);
	err = o->metrics ? replaced__open(&s->metrics, o->metrics) : 0;
	if (err == -EEXIST) {
		complain("--metrics %s: not a file, which could be replaced", o->metrics);
		return EXIT_CREATE;
	}
	return err ? tell_open(s->metrics.beside, err, "") : EXIT_OK;
}

/* The exit code. The output has from its start no more rights than when reopened. */
static int drop_privileges(struct session *s)
{
	int fds[PROBE_FDS + STATE_READS + 4];
	struct needs needs = {
		.fds = fds,
		.output = s->opts->output,
		.replaced = s->opts->metrics,
		.terminal = s->live,
		.verbose = s->opts->verbose,
	};
	const char *what = "dropping capabilities";
	int err, code;

	if (!s->recording)
		sight__keep();
	err = privileges__drop_capabilities();
	if (!err) {
		code = open_outputs(s);
		if (code)
			return code;
		if (s->recording)
			fds[needs.nr_fds++] = recording__fd(s->recording);
		else
			needs.nr_fds = probe__fds(s->probe, fds);
		needs.nr_fds += explain__fds(s->explain, fds + needs.nr_fds);
		fds[needs.nr_fds++] = s->ticker.timer;
		fds[needs.nr_fds++] = s->ticker.signals;
		fds[needs.nr_fds++] = s->output.fd;
		if (s->live)
			needs.raises = terminal__raises(&needs.nr_raises);
		err = privileges__confine(&needs, &what);
	}
	if (!err)
		return EXIT_OK;
	complain("giving up privileges: %s: %s", what, strerror(-err));
	return EXIT_INTERNAL;
}

/*
 * A file of metrics that cannot be written holds up nothing: the next one has it all.
 * 0; what failed stop() tells.
 */
static int replace_metrics(void *session, const char *text, size_t size)
{
	struct session *s = session;
	int before = s->metrics.err, err;

	/* Of a recording, whose intervals follow without delay, the last report is enough */
	if (s->opts->from && !s->last)
		return 0;
	err = replaced__write(&s->metrics, text, size);
	if (!err != !before && !s->last)
		complain("writing %s: %s", s->opts->metrics,
			 err ? strerror(-err) : "possible again");
	return 0;
}

static unsigned int metrics_keys(const struct session *s)
{
	const struct options *o = s->opts;
	struct view view = { .keys = o->keys ? o->keys : KEY_VM | KEY_REASON };

	if (o->detail)
		view.keys |= KEY_DETAIL;
	return view__within(view, s->keys).keys;
}

/* What is made of each snapshot; the exit code */
static int choose_reports(struct session *s)
{
	const struct options *o = s->opts;
	const struct live_style live = {
		.known = (s->keys ? s->keys : KEY_SAMPLE) | (s->snapshot.details ? KEY_DETAIL : 0),
		.keys = s->ticker.keys >= 0,
	};
	const struct table_style style = {
		.view = view__within(view__of(o, s->live), s->keys),
		.timed = s->timed,
		.live = s->live,
		.times = o->time,
		.summary = view__summary(o),
		.cut = s->live || o->time,
		.window = &s->window,
	};
	const struct json_style records = {
		.view.keys = o->keys	  ? o->keys
			     : o->compact ? KEY_VM
					  : s->keys,
		.view.top = o->top,
		.compact = o->compact,
	};
	const struct metrics_style metrics = {
		.keys = metrics_keys(s),
		.times = o->time,
		.nodes = o->from,
	};
	size_t i;

	/* First: it waits for nobody */
	if (o->metrics)
		s->reports[s->nr_reports++] =
			(struct report){ metrics__new(&metrics), replace_metrics, s };
	s->reports[s->nr_reports++] =
		(struct report){ o->json   ? json__new(&records)
				 : s->live ? live__new(&style, &live)
					   : table__new(&style),
				 o->from && !s->live ? deliver_recorded : deliver, s };
	s->view = s->live ? s->reports[s->nr_reports - 1].renderer : NULL;
	for (i = 0; i < s->nr_reports; i++)
		if (!s->reports[i].renderer)
			return out_of_memory();
	return EXIT_OK;
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
		return out_of_memory();
	explain__open(s->explain);
	return EXIT_OK;
}

/* --devices; the exit code */
static int read_devices(struct session *s)
{
	const char *path = s->opts->devices;
	FILE *file = fopen(path, "re");
	char why[128];
	int err = file ? devices__read(&s->devices, file, why, sizeof(why)) : -errno;

	if (file)
		fclose(file);
	if (err == -EINVAL)
		complain("--devices %s: %s", path, why);
	else if (err)
		complain("reading %s: %s", path, strerror(-err));
	if (!err)
		return EXIT_OK;
	return err == -EINVAL ? EXIT_USAGE : err == -ENOMEM ? EXIT_INTERNAL : EXIT_NOTHING;
}

/* What reports are shown on, and when; the exit code */
static int open_ticker(struct session *s)
{
	const struct options *o = s->opts;
	int err;

	s->live = o->interval && !o->json && !o->output && !o->no_clear && terminal__can_show();
	err = ticker__open(&s->ticker, o->output, s->live);
	if (err) {
		complain("signals and timer: %s", strerror(-err));
		return EXIT_INTERNAL;
	}
	if (s->live) {
		terminal__open();
		s->ticker.keys = terminal__keys();
	}
	return EXIT_OK;
}

/* From here on it is the screen that is seen; what was shown before comes back with the end */
static void show(const struct session *s)
{
	if (!s->view)
		return;
	complain__hold();
	terminal__enter();
}

/* What was read last stays */
static void hide(struct session *s)
{
	const char *text = s->view ? live__text(s->view) : "";

	if (!s->live)
		return;
	terminal__leave();
	terminal__write(text, strlen(text));
	complain__release();
}

/* Everything that needs privilege; the exit code */
static int start(struct session *s, char *const *argv)
{
	const struct options *o = s->opts;
	struct shared shared;
	int err, code;

	s->timed = o->interval;
	err = run__begin(&s->run, o->node, argv + 1);
	if (err) {
		complain("naming the run: %s", strerror(-err));
		return EXIT_INTERNAL;
	}
	s->snapshot.run = &s->run;
	s->snapshot.details = o->detail;
	s->snapshot.devices = s->devices;
	code = open_ticker(s);
	if (code)
		return code;
	code = probe__open(&s->probe, o);
	if (code)
		return code;
	code = start_explaining(s);
	if (code)
		return code;
	s->start = now_ns();
	code = drop_privileges(s);
	if (code)
		return code;
	snprintf(s->run.probe, sizeof(s->run.probe), "%s", probe__name(s->probe));
	s->snapshot.untold = probe__untold(s->probe);
	shared = *probe__memory(s->probe);
	shared.is_gone = vm__sees_host_pids() ? vm__lacks_thread : NULL;
	s->vms = vms__new(&s->run);
	s->counters = counters__new(&shared, o->max_vcpus, s->vms);
	if (!s->vms || !s->counters)
		return out_of_memory();
	return choose_reports(s);
}

static int stop(struct session *s, int code)
{
	int err;

	hide(s);
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
	return err && code == EXIT_OK ? tell_write(&s->output, err) : code;
}

/* What is written would be read again, without an end */
static bool writes_what_it_reads(const struct session *s)
{
	struct stat in, out;

	return s->output.is_file && !fstat(recording__fd(s->recording), &in) &&
	       !fstat(s->output.fd, &out) && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

/* The outputs are opened, the rest is done without any privilege; the exit code */
static int start_recorded(struct session *s)
{
	const struct options *o = s->opts;
	int err, code;

	code = o->interval ? open_ticker(s) : EXIT_OK;
	if (code)
		return code;
	s->recording = recording__open(o->from, &err);
	if (!s->recording) {
		complain("reading %s: %s", o->from, strerror(-err));
		return EXIT_NOTHING;
	}
	if (isatty(STDERR_FILENO) && (o->output || !isatty(STDOUT_FILENO)))
		recording__show_progress(s->recording);
	code = drop_privileges(s);
	if (code || !writes_what_it_reads(s))
		return code;
	complain("-f %s: this is the file that is written to", o->from);
	return EXIT_USAGE;
}

static void tell_keys(const char *from, unsigned int keys, unsigned int missing)
{
	if (missing == KEY_DETAIL)
		complain("reading %s: its records have no details", from);
	else
		complain("reading %s: its records are sums, which tell no more apart than: "
			 "%s%s%s%s",
			 from, keys & KEY_VM ? "vm " : "", keys & KEY_VCPU ? "vcpu " : "",
			 keys & KEY_THREAD ? "thread " : "", keys & KEY_REASON ? "reason" : "");
}

/* With what is known of the recording from its first intervals; the exit code */
static int begin_recorded(struct session *s, const struct snapshot *first, unsigned int keys,
			  bool more)
{
	unsigned int wanted = replay__keys(s->opts);
	int code;

	if (wanted & ~keys) {
		tell_keys(s->opts->from, keys, wanted & ~keys);
		return EXIT_NOTHING;
	}
	s->keys = (keys & KEY_SAMPLE) == KEY_SAMPLE ? 0 : keys;
	/* One report alone was made without -i */
	s->timed = more || first->seq || !first->final || s->live;
	s->snapshot.details = first->details;
	code = choose_reports(s);
	if (code || !s->live)
		return code;
	ticker__start(&s->ticker, now_ns(), s->opts->interval, 0);
	show(s);
	return EXIT_OK;
}

/* One report: the exit code, or -1: go on */
static int report_recorded(struct session *s, struct snapshot *snap)
{
	size_t failed;
	int err;

	snap->devices = s->devices;
	replay__select(s->opts, snap);
	if (s->opts->filter)
		filter__apply(s->opts->filter, snap);
	measure_window(s);
	err = reports__print(s->reports, s->nr_reports, snap, &failed);
	if (err && failed == s->nr_reports)
		return out_of_memory();
	if (err)
		return err == -EPIPE ? EXIT_OK : tell_write(&s->output, err);
	return -1;
}

/*
 * Played back: until the next interval is due, or after the last one until nobody
 * looks any more. The exit code, or -1: go on.
 */
static int look(struct session *s)
{
	int code = -1;

	while (code < 0) {
		enum event event = see_to_terminal(s, ticker__wait(&s->ticker));

		if (event == EVENT_REPORT && !s->last)
			return -1;
		if (event == EVENT_LAST)
			return EXIT_OK;
		if (event == EVENT_WINDOW || event == EVENT_REPORT)
			code = redraw(s);
	}
	return code;
}

/*
 * Every interval of the recording as a report. The next one is read before: whether
 * there is one is something to know. The exit code.
 */
static int replay(struct session *s)
{
	struct snapshot two[2] = { 0 };
	unsigned int keys[2] = { 0 };
	int i = 0, code = -1, have, more;
	__u64 left_out = 0;

	have = recording__next(s->recording, &two[0], &keys[0]);
	if (!have) {
		complain("reading %s: there is no interval in it", s->opts->from);
		code = EXIT_NOTHING;
	}
	for (; code < 0 && have > 0; have = more, i ^= 1) {
		more = recording__next(s->recording, &two[i ^ 1], &keys[i ^ 1]);
		s->last = !more;
		if (!s->nr_reports)
			code = begin_recorded(s, &two[i], keys[i], more);
		if (code > 0)
			break;
		code = -1;
		if (((s->keys ? s->keys : KEY_SAMPLE) | replay__keys(s->opts)) & ~keys[i])
			left_out++;
		else
			code = report_recorded(s, &two[i]);
		if (code < 0 && s->live)
			code = look(s);
	}
	if (have < 0) {
		complain("reading %s: %s", s->opts->from, strerror(-have));
		code = EXIT_INTERNAL;
	}
	recording__tell(s->recording);
	if (left_out)
		complain("reading %s: %llu intervals are left out, whose records are sums of more",
			 s->opts->from, left_out);
	for (i = 0; i < 2; i++)
		free(two[i].samples);
	return code < 0 ? EXIT_OK : code;
}

/* At exit: what stdio could not write (--help, --list-reasons) is an error */
static void flush_stdout(void)
{
	if (!fflush(stdout))
		return;
	if (errno == EPIPE)
		_exit(EXIT_OK);
	complain("writing standard output: %s", strerror(errno));
	_exit(EXIT_WRITE);
}

int main(int argc, char **argv)
{
	/*
	 * stdio forgets what it could not write; the flush at the end, which tells, is to
	 * be the first that is tried with --help, which has more than 4096 bytes.
	 */
	static char room[1 << 14];
	struct options opts;
	struct session s = {
		.opts = &opts,
		.output.fd = -1,
		.ticker = { .timer = -1, .signals = -1, .keys = -1 },
	};
	int code;

	/* These are errors of the write */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	setvbuf(stdout, room, _IOFBF, sizeof(room));
	atexit(flush_stdout);
	privileges__occupy_standard_fds();
	options__parse(&opts, argc, argv);
	if (opts.list_reasons) {
		code = info__list_reasons(&opts);
	} else if (opts.explain && !opts.duration && !opts.interval) {
		code = target__check(&opts);
		if (!code)
			code = info__explain(&opts);
	} else if (opts.list_vms) {
		code = info__list_vms(&opts);
	} else if (opts.self_test) {
		code = selftest__run(&opts);
	} else if (opts.devices && (code = read_devices(&s))) {
		code = stop(&s, code);
	} else if (opts.from) {
		code = start_recorded(&s);
		if (!code)
			code = replay(&s);
		code = stop(&s, code);
	} else {
		code = target__check(&opts);
		if (!code)
			info__tell_idle(&opts);
		if (!code)
			code = start(&s, argv);
		if (!code) {
			info__banner(&opts);
			ticker__start(&s.ticker, s.start, opts.interval, opts.duration);
			show(&s);
			code = s.view ? redraw(&s) : -1;
			if (code < 0)
				code = run(&s);
		}
		code = stop(&s, code);
	}
	options__free(&opts);
	return code;
}
