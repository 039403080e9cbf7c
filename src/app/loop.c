// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/options.h"
#include "app/screen.h"
#include "app/source.h"
#include "explain/explain.h"
#include "lib/terminal.h"
#include "lib/util.h"
#include "names/devices.h"
#include "render/live.h"
#include "rows/select.h"

/* For --explain, with what is known at the end: 0 or -errno */
static int explain(struct session *s, bool final)
{
	int err = s->explain ? explain__count(s->explain, &s->snapshot) : 0;

	if (err || !s->explain || !final)
		return err;
	s->snapshot.explanation = explain__finish(s->explain);
	return s->snapshot.explanation ? 0 : -ENOMEM;
}

/* Gives the snapshot to each output; the exit code, or -1: go on */
static int print(struct session *s)
{
	size_t failed;
	int err;

	if (s->reopened != s->output.reopened)
		reports__restart(s->reports, s->nr_reports);
	s->reopened = s->output.reopened;
	screen__measure(s);
	err = reports__print(s->reports, s->nr_reports, &s->snapshot, &failed);
	if (err && failed == s->nr_reports)
		return session__no_memory();
	if (err)
		return err == -EPIPE ? EXIT_OK : session__tell_write(&s->output, err);
	return -1;
}

/* One report; the exit code, or -1: go on */
static int report(struct session *s, bool final)
{
	int code = s->source->next(s, final);

	if (code == NO_REPORT)
		return s->view ? screen__redraw(s) : -1;
	if (code >= 0)
		return code;
	if (s->opts->filter)
		select__reasons(s->opts->filter, &s->snapshot);
	if (explain(s, final))
		return session__no_memory();
	/* The user who ends the view has read the report: do not draw a partial interval over it */
	if (s->view && s->ticker.stopped)
		live__keep(s->view);
	code = print(s);
	if (code >= 0)
		return code;
	s->source->reported(s);
	/* The last interval of a recording stays in view until the user ends it */
	return final || (s->last && !s->live) ? EXIT_OK : -1;
}

/* Waits for what is to be done next; a recording that is not shown in place waits for nothing */
static enum event next_event(struct session *s)
{
	enum event event;

	if (s->ticker.timer < 0)
		return EVENT_REPORT;
	event = screen__see_to(s, ticker__wait(&s->ticker));
	if ((event == EVENT_UPKEEP || event == EVENT_REPORT) && s->source->is_over &&
	    s->source->is_over(s))
		return EVENT_LAST;
	return event;
}

/* The exit code */
static int loop(struct session *s)
{
	const __u64 count = s->opts->count;
	int code = -1;

	while (code < 0) {
		const enum event event = s->waits ? next_event(s) : EVENT_REPORT;

		s->waits = true;
		switch (event) {
		case EVENT_UPKEEP:
			if (s->source->keep_up && s->source->keep_up(s))
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
						 (count && s->snapshot.seq + 1 == count));
			break;
		default: /* nothing to do */
			break;
		}
	}
	return code;
}

static int start(struct session *s, char *const *argv)
{
	const struct options *o = s->opts;
	int code = s->source->open(s, argv);

	if (!code)
		code = session__drop_privileges(s);
	if (!code)
		code = s->source->begin(s);
	if (!code)
		code = session__choose_reports(s);
	if (code)
		return code;
	if (s->ticker.timer >= 0)
		ticker__start(&s->ticker, s->start, o->interval, o->duration);
	screen__show(s);
	/* Before the first report there is only a head to be shown */
	return s->view && s->waits ? screen__redraw(s) : -1;
}

static int stop(struct session *s, int code)
{
	int err;

	screen__hide(s);
	code = s->source->end(s, code);
	err = output__close(&s->output);
	ticker__close(&s->ticker);
	reports__free(s->reports, s->nr_reports);
	explain__free(s->explain);
	devices__free(s->devices);
	if (s->metrics.err && code == EXIT_OK) {
		complain("writing %s: %s", s->opts->metrics, strerror(-s->metrics.err));
		code = EXIT_WRITE;
	}
	replaced__close(&s->metrics);
	return err && code == EXIT_OK ? session__tell_write(&s->output, err) : code;
}

int loop__run(struct session *s, char *const *argv)
{
	int code = start(s, argv);

	if (code < 0)
		code = loop(s);
	return stop(s, code);
}
