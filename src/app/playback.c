// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A recording as a source of snapshots (-f) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/options.h"
#include "app/replay.h"
#include "app/screen.h"
#include "app/session.h"
#include "app/source.h"
#include "lib/util.h"
#include "recording/recording.h"
#include "rows/select.h"
#include "snapshot/keys.h"
#include "vm/vm.h"

/* An interval is read ahead, because a report must know whether it is the last one */
struct playback {
	struct interval {
		struct snapshot snapshot;
		unsigned int keys; /* what its samples can be told apart by */
	} two[2]; /* by turns the interval that is reported and the one after it */
	int now; /* the one that is reported */
	bool fresh; /* it has not been reported yet */
	bool have; /* there is one */
	bool more; /* there is one after it */
	__u64 left_out; /* intervals whose sums tell too little apart */
	__u64 skipped; /* intervals before the first exit of what -p, -n, -t or -T names */
	bool selected; /* there was such an exit */
};

static int playback__open(struct session *s, char *const *argv)
{
	const struct options *o = s->opts;
	int err, code;

	(void)argv;
	s->playback = calloc(1, sizeof(*s->playback));
	if (!s->playback)
		return session__no_memory();
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
	return EXIT_OK;
}

/* Reads the interval with this number of the two; the exit code */
static int read_interval(struct session *s, int nr, bool *got)
{
	struct interval *to = &s->playback->two[nr];
	int err = recording__next(s->recording, &to->snapshot, &to->keys);

	*got = err > 0;
	if (err >= 0)
		return EXIT_OK;
	complain("reading %s: %s", s->opts->from, strerror(-err));
	return EXIT_INTERNAL;
}

/* Goes on to the interval that was read ahead, and reads the one after it; the exit code */
static int go_on(struct session *s)
{
	struct playback *p = s->playback;

	p->now = !p->now;
	p->have = p->more;
	p->fresh = true;
	return p->have ? read_interval(s, !p->now, &p->more) : EXIT_OK;
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

static int playback__begin(struct session *s)
{
	const unsigned int wanted = replay__keys(s->opts);
	struct playback *p = s->playback;
	const struct interval *first = &p->two[0];
	int code;

	p->now = 1;
	code = read_interval(s, 0, &p->more);
	if (!code)
		code = go_on(s);
	if (code)
		return code;
	if (!p->have) {
		complain("reading %s: not a kvmexit recording: it has no complete interval",
			 s->opts->from);
		return EXIT_NOTHING;
	}
	if (wanted & ~first->keys) {
		tell_keys(s->opts->from, first->keys, wanted & ~first->keys);
		return EXIT_NOTHING;
	}
	s->keys = (first->keys & KEY_SAMPLE) == KEY_SAMPLE ? 0 : first->keys;
	/* A recording of only one report was made without -i: no time line */
	s->timed = p->more || first->snapshot.seq || !first->snapshot.final || s->live;
	s->snapshot.details = first->snapshot.details;
	s->start = now_ns();
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

/* Takes the present interval, if it has what was asked for; as next() */
static int take_interval(struct session *s)
{
	const struct selection *sel = &s->opts->selection;
	struct playback *p = s->playback;
	const struct interval *i = &p->two[p->now];

	p->fresh = false;
	if (((s->keys ? s->keys : KEY_SAMPLE) | replay__keys(s->opts)) & ~i->keys) {
		p->left_out++;
		return NO_REPORT;
	}
	s->snapshot = i->snapshot;
	s->snapshot.devices = s->devices;
	select__selection(sel, &s->snapshot);
	if (sel->name && s->snapshot.vms > 1)
		return tell_namesakes(s, &s->snapshot);
	p->selected |= s->snapshot.nr_samples > 0;
	if (selection__names_any(sel) && !p->selected && !s->live) {
		p->skipped++;
		return NO_REPORT;
	}
	s->last = !p->more;
	return REPORT_IT;
}

/* @final: the user ends the view, and has seen the last report */
static int playback__next(struct session *s, bool final)
{
	struct playback *p = s->playback;
	int code = NO_REPORT;

	while (!final && code == NO_REPORT && p->have) {
		code = p->fresh ? EXIT_OK : go_on(s);
		if (!code)
			code = p->have ? take_interval(s) : NO_REPORT;
	}
	return code == NO_REPORT && (final || !s->live) ? EXIT_OK : code;
}

static void playback__reported(struct session *s)
{
	(void)s;
}

/* What is wrong with a recording */
static void tell_faults(const char *path, const struct faults *f)
{
	if (f->lines)
		complain(
			"reading %s: passed over %s (torn, or not of kvmexit): the first is line %llu",
			path, plural(f->lines, "line"), f->first_line);
	if (f->missing)
		complain("reading %s: %s missing, by gaps in seq", path,
			 plural(f->missing, "interval"));
	if (f->incomplete)
		complain("reading %s: %s without all records, %s in all missing", path,
			 plural(f->incomplete, "interval"), plural(f->gone, "record"));
	if (f->wrong)
		complain("reading %s: in %s counts do not add up to exits", path,
			 plural(f->wrong, "interval"));
	if (f->orphans)
		complain("reading %s: left out %s whose interval has no record", path,
			 plural(f->orphans, "record"));
	if (f->repeated)
		complain("reading %s: left out %s, there twice or out of order", path,
			 plural(f->repeated, "interval"));
	if (f->doubled)
		complain("reading %s: left out %s, there twice", path,
			 plural(f->doubled, "record"));
	if (f->rest)
		complain("reading %s: %s of rows that --top cut off", path,
			 plural(f->rest, "exit"));
	if (f->details)
		complain("reading %s: %s with details that this version cannot read", path,
			 plural(f->details, "record"));
	if (f->timed)
		complain("reading %s: %s with times: -f reads only their counts", path,
			 plural(f->timed, "record"));
}

/* Says what was wrong with the recording; the exit code that follows from @code */
static int tell_end(const struct session *s, int code)
{
	const struct playback *p = s->playback;
	const char *from = s->opts->from;

	tell_faults(from, recording__faults(s->recording));
	if (p->selected && p->skipped)
		complain("reading %s: left out %s before the first exit of what was named", from,
			 plural(p->skipped, "interval"));
	if (p->left_out)
		complain("reading %s: skipped %s: grouped more coarsely than this view needs", from,
			 plural(p->left_out, "interval"));
	if (code != EXIT_OK || p->more || p->selected || !selection__names_any(&s->opts->selection))
		return code;
	complain("reading %s: it has no exits of what -p, -n, -v, -t or -T names", from);
	return EXIT_NOTHING;
}

static int playback__end(struct session *s, int code)
{
	struct playback *p = s->playback;

	if (s->recording)
		code = tell_end(s, code);
	recording__free(s->recording);
	if (p) {
		free(p->two[0].snapshot.samples);
		free(p->two[1].snapshot.samples);
	}
	free(p);
	return code;
}

const struct source_ops recording_source = {
	.open = playback__open,
	.begin = playback__begin,
	.next = playback__next,
	.reported = playback__reported,
	.end = playback__end,
};
