// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/options.h"
#include "app/reports.h"
#include "collect/counters.h"
#include "explain/explain.h"
#include "lib/planted.h"
#include "lib/privileges.h"
#include "lib/stream.h"
#include "lib/terminal.h"
#include "lib/util.h"
#include "names/devices.h"
#include "probe/probe.h"
#include "recording/recording.h"
#include "render/json.h"
#include "render/live.h"
#include "render/metrics.h"
#include "vm/hidepid.h"

/* How long the end of the run waits for a reader that takes nothing, ns */
#define PATIENCE (2 * NSEC_PER_SEC)

int session__no_memory(void)
{
	complain("out of memory");
	return EXIT_INTERNAL;
}

int session__tell_write(const struct output *out, int err)
{
	complain("writing %s: %s", out->path ? out->path : "standard output",
		 err == -ETIMEDOUT ? "its reader takes nothing; the last interval is lost"
				   : strerror(-err));
	return EXIT_WRITE;
}

int session__collect(struct session *s)
{
	return counters__collect(s->counters, now_ns());
}

void session__reopen(struct session *s)
{
	int err = output__reopen(&s->output);

	if (err)
		complain("reopening %s: %s; writing on to the old file", s->output.path,
			 strerror(-err));
}

/* Whether the run is over, or has taken as long as its -c reports were to take */
static bool is_over(const struct session *s)
{
	const struct options *o = s->opts;

	return ticker__is_over(&s->ticker) ||
	       (o->count && now_ns() >= s->start + (o->count - 1 - s->snapshot.seq) * o->interval);
}

/*
 * Whether to give up a report that cannot be written yet: -errno why, 0: go on trying. A
 * reader is waited for; at the end of the run only for PATIENCE, from @since on: when it took
 * something, or the end came. A file may
 * have room again while the run goes on.
 */
static int give_up(const struct session *s, int err, __u64 since)
{
	if (err == -EAGAIN)
		return s->ticker.stopped && now_ns() - since >= PATIENCE ? -ETIMEDOUT : 0;
	if (!s->output.path || err == -EPIPE || s->snapshot.final || is_over(s))
		return err;
	return 0;
}

/*
 * Writes a report. While that is not possible, counting and all other work goes on, but
 * no further reports are made. 0 or -errno.
 */
int session__deliver(void *session, const char *text, size_t size)
{
	struct session *s = session;
	bool told = false, idle = false, stopped;
	__u64 since = now_ns();
	enum event event;
	size_t done = 0;
	int err, fatal;

	output__put(&s->output, text, size);
	while ((err = output__flush(&s->output))) {
		if (s->output.done != done)
			since = now_ns();
		else if (idle) /* it said that it had room */
			poll(NULL, 0, 20);
		done = s->output.done;
		fatal = give_up(s, err, since);
		if (fatal)
			return fatal;
		if (err != -EAGAIN && !told)
			complain("writing %s: %s; trying again, nothing is lost so far",
				 s->output.path, strerror(-err));
		told |= err != -EAGAIN;
		stopped = s->ticker.stopped;
		event = ticker__wait_for_room(&s->ticker, output__poll_fd(&s->output));
		idle = event == EVENT_ROOM;
		switch (event) {
		case EVENT_UPKEEP:
			/* If memory is short here, the next report reads the counters */
			if (s->counters)
				session__collect(s);
			break;
		case EVENT_REOPEN:
			session__reopen(s);
			break;
		case EVENT_SUSPEND:
			terminal__suspend();
			break;
		case EVENT_CONTINUE:
			terminal__enter();
			break;
		default: /* room, or the end has come */
			if (s->ticker.stopped && !stopped)
				since = now_ns();
		}
	}
	if (told)
		complain("writing %s: possible again, nothing was lost", s->output.path);
	return 0;
}

/* As session__deliver(), for a recording: there is nothing else to do meanwhile */
static int deliver_recorded(void *session, const char *text, size_t size)
{
	struct session *s = session;
	size_t done = 0;
	int err;

	output__put(&s->output, text, size);
	while ((err = output__flush(&s->output)) == -EAGAIN) {
		struct pollfd p = { .fd = output__poll_fd(&s->output), .events = POLLOUT };

		if (poll(&p, 1, p.fd < 0 ? 100 : -1) > 0 && s->output.done == done)
			poll(NULL, 0, 20); /* it said before that it had room */
		done = s->output.done;
	}
	return err;
}

static int tell_open(const char *path, int err, const char *otherwise)
{
	if (err == -EACCES && is_planted(path))
		complain("opening %s: %s; another user has put it into a directory that "
			 "everybody may write to",
			 path, strerror(-err));
	else
		complain("opening %s: %s%s%s", path, strerror(-err),
			 err == -EACCES
				 ? "; this is done without capabilities, so that it can be done "
				   "again: name a directory that this user may write to"
				 : "",
			 err == -EACCES ? otherwise : "");
	return EXIT_CREATE;
}

/* The exit code */
static int open_metrics(struct session *s)
{
	const char *path = s->opts->metrics;
	int err = replaced__open(&s->metrics, path);

	if (err == -EEXIST)
		complain("--metrics %s: not a file that could be replaced", path);
	else if (err == -EBUSY)
		complain("--metrics %s: another kvmexit writes this file (it has locked %s)", path,
			 s->metrics.lock_path);
	else if (err == -ENOMEM)
		return session__no_memory();
	else if (err)
		return tell_open(s->metrics.lock_path, err, "");
	return err ? EXIT_CREATE : EXIT_OK;
}

/* The exit code. A run that may not write the metrics leaves no other file behind. */
static int open_outputs(struct session *s)
{
	const struct options *o = s->opts;
	int code = o->metrics ? open_metrics(s) : EXIT_OK;
	int err = code ? 0 : output__open(&s->output, o->output);

	if (err)
		return o->output ? tell_open(o->output, err, ", or use >>FILE")
				 : session__tell_write(&s->output, err);
	return code;
}

/* The exit code. Opens the outputs without capabilities, as they are reopened without them, too. */
int session__drop_privileges(struct session *s)
{
	int fds[PROBE_FDS + STATE_READS + 6];
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
		fds[needs.nr_fds++] = stream__fd(STDOUT_FILENO);
		fds[needs.nr_fds++] = stream__fd(STDERR_FILENO);
		fds[needs.nr_fds++] = s->metrics.lock;
		if (s->live)
			needs.raises = terminal__raises(&needs.nr_raises);
		err = privileges__confine(&needs, &what);
	}
	if (!err)
		return EXIT_OK;
	complain("dropping privileges: %s: %s", what, strerror(-err));
	return EXIT_INTERNAL;
}

/* --devices; the exit code */
int session__read_devices(struct session *s)
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

/*
 * If a file of metrics cannot be written, nothing waits for it: the next file has all of it.
 * Always 0; stop() reports what failed.
 */
static int replace_metrics(void *session, const char *text, size_t size)
{
	struct session *s = session;
	int before = s->metrics.err, err;

	/* The intervals of a recording follow without delay: write only the last one */
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

/* Chooses what is made from each snapshot; the exit code */
int session__choose_reports(struct session *s)
{
	const struct options *o = s->opts;
	const struct live_style live = {
		.known = (s->keys ? s->keys : KEY_SAMPLE) | (s->snapshot.details ? KEY_DETAIL : 0),
		.keys = s->ticker.keys >= 0,
	};
	const struct table_style style = {
		.view = view__within(reports__view(o, s->live), s->keys),
		.timed = s->timed,
		.live = s->live,
		.times = o->time,
		.summary = reports__summary(o),
		.cut = s->live || o->time,
		.window = &s->window,
	};
	const struct json_style records = {
		.view.keys = reports__record_keys(o) ? reports__record_keys(o) : s->keys,
		.view.top = o->top,
		.compact = o->compact,
	};
	const struct metrics_style metrics = {
		.keys = metrics_keys(s),
		.times = o->time,
		.nodes = o->from,
	};
	size_t i;

	/* Metrics come first, because they never wait for a reader */
	if (o->metrics)
		s->reports[s->nr_reports++] =
			(struct report){ metrics__new(&metrics), replace_metrics, s };
	s->reports[s->nr_reports++] =
		(struct report){ o->json   ? json__new(&records)
				 : s->live ? live__new(&style, &live)
					   : table__new(&style),
				 o->from && !s->live ? deliver_recorded : session__deliver, s };
	s->view = s->live ? s->reports[s->nr_reports - 1].renderer : NULL;
	for (i = 0; i < s->nr_reports; i++)
		if (!s->reports[i].renderer)
			return session__no_memory();
	return EXIT_OK;
}
