/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a session's snapshots come from: this host (count.c) or a recording (playback.c).
 * The loop of reports (loop.c) calls these functions, in this order. What goes wrong they say
 * themselves; an exit code ends the session.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>

struct session;

/* What next() returns besides exit codes */
#define REPORT_IT (-1) /* there is an interval: report it */
#define NO_REPORT (-2) /* there is none now, and the session goes on */

struct source_ops {
	/* Opens what needs privileges, before they are dropped; the exit code */
	int (*open)(struct session *s, char *const *argv);
	/* Makes what is known before the first report: s->keys, s->timed, s->start; the exit code
	 */
	int (*begin)(struct session *s);
	/* What has to be done between reports: 0 or -errno. NULL: nothing. */
	int (*keep_up)(struct session *s);
	/* Whether the last report is due, because nothing more can come. NULL: no. */
	bool (*is_over)(const struct session *s);
	/* Makes s->snapshot of the next interval; @final: the session ends with it */
	int (*next)(struct session *s, bool final);
	/* After each report: what it showed may be forgotten */
	void (*reported)(struct session *s);
	/* Says what was wrong with all of it, and frees; the exit code that follows from @code */
	int (*end)(struct session *s, int code);
};

extern const struct source_ops host_source, recording_source;

#endif
