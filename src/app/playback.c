// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/playback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/options.h"
#include "app/replay.h"
#include "app/screen.h"
#include "lib/util.h"
#include "recording/recording.h"
#include "rows/select.h"
#include "snapshot/keys.h"
#include "vm/vm.h"

/* Whether the output is the file that is read: this would never end */
static bool writes_what_it_reads(const struct session *s)
{
	struct stat in, out;

	return s->output.is_file && !fstat(recording__fd(s->recording), &in) &&
	       !fstat(s->output.fd, &out) && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

/* Opens the recording, drops the capabilities, opens the outputs; the exit code */
int playback__start(struct session *s)
{
	const struct options *o = s->opts;
	int err, code;

	code = o->interval ? screen__open_ticker(s) : EXIT_OK;
	if (code)
		return code;
	s->recording = recording__open(o->from, &err);
	if (!s->recording) {
		complain("reading %s: %s", o->from, strerror(-err));
		return EXIT_NOTHING;
	}
	if (isatty(STDERR_FILENO) && (o->output || !isatty(STDOUT_FILENO)))
		recording__show_progress(s->recording);
	code = session__drop_privileges(s);
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
		complain("reading %s: its records are sums, which tell apart only: "
			 "%s%s%s%s",
			 from, keys & KEY_VM ? "vm " : "", keys & KEY_VCPU ? "vcpu " : "",
			 keys & KEY_THREAD ? "thread " : "", keys & KEY_REASON ? "reason" : "");
}

/* Decides what to do from the recording's first intervals; the exit code */
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
	/* A recording of only one report was made without -i: no time line */
	s->timed = more || first->seq || !first->final || s->live;
	s->snapshot.details = first->details;
	code = session__choose_reports(s);
	if (code || !s->live)
		return code;
	ticker__start(&s->ticker, now_ns(), s->opts->interval, 0);
	screen__show(s);
	return EXIT_OK;
}

/* The exit code */
static int tell_namesakes(const struct session *s, const struct snapshot *snap)
{
	complain("-n %s: processes %u and %u of the recording have this name at the same time; "
		 "use -p PID",
		 s->opts->selection.name, snap->samples[0].vm->pid,
		 snap->samples[snap->nr_samples - 1].vm->pid);
	return EXIT_NOTHING;
}

/* Makes one report; returns the exit code, or -1: go on */
static int report_recorded(struct session *s, struct snapshot *snap)
{
	const struct selection *sel = &s->opts->selection;
	size_t failed;
	int err;

	snap->devices = s->devices;
	select__selection(sel, snap);
	if (sel->name && snap->vms > 1)
		return tell_namesakes(s, snap);
	s->selected |= snap->nr_samples > 0;
	if (selection__names_any(sel) && !s->selected && !s->live) {
		s->skipped++;
		return -1;
	}
	if (s->opts->filter)
		select__reasons(s->opts->filter, snap);
	screen__measure(s);
	err = reports__print(s->reports, s->nr_reports, snap, &failed);
	if (err && failed == s->nr_reports)
		return session__no_memory();
	if (err)
		return err == -EPIPE ? EXIT_OK : session__tell_write(&s->output, err);
	return -1;
}

/*
 * Shows a report until the next interval is due, or the last one until the user ends the
 * view. The exit code, or -1: go on.
 */
static int look(struct session *s)
{
	int code = -1;

	while (code < 0) {
		enum event event = screen__see_to(s, ticker__wait(&s->ticker));

		if (event == EVENT_REPORT && !s->last)
			return -1;
		if (event == EVENT_LAST)
			return EXIT_OK;
		if (event == EVENT_WINDOW || event == EVENT_REPORT)
			code = screen__redraw(s);
	}
	return code;
}

/* Reports what was wrong with the recording; the exit code: @code, or if that is -1 its own */
static int end_recorded(const struct session *s, int code, __u64 left_out)
{
	recording__tell(s->recording);
	if (s->selected && s->skipped)
		complain("reading %s: left out %s before the first exit of what was named",
			 s->opts->from, plural(s->skipped, "interval"));
	if (left_out)
		complain("reading %s: left out %s: their sums tell too little apart", s->opts->from,
			 plural(left_out, "interval"));
	if (code >= 0)
		return code;
	if (s->selected || !selection__names_any(&s->opts->selection))
		return EXIT_OK;
	complain("reading %s: it has no exits of what -p, -n, -v, -t or -T names", s->opts->from);
	return EXIT_NOTHING;
}

/*
 * Makes a report of every interval of the recording. It reads one interval ahead, because a
 * report must know whether it is the last one. The exit code.
 */
int playback__run(struct session *s)
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
	code = end_recorded(s, code, left_out);
	for (i = 0; i < 2; i++)
		free(two[i].samples);
	return code;
}
