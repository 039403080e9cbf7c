/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one run of kvmexit works with, and what counting on this host (kvmexit.c) and
 * a recording (playback.c) have in common: outputs, reports, privileges.
 */
#ifndef SESSION_H
#define SESSION_H

#include "lib/atomic_file.h"
#include "lib/events.h"
#include "lib/output.h"
#include "lib/terminal.h"
#include "render/renderer.h"
#include "snapshot/run.h"
#include "snapshot/snapshot.h"

struct counters;
struct devices;
struct explain;
struct options;
struct playback;
struct probe;
struct recording;
struct source_ops;
struct vms;

struct session {
	const struct options *opts;
	const struct source_ops *source;
	struct probe *probe;
	struct counters *counters;
	struct vms *vms;
	struct recording *recording; /* NULL: this host */
	struct playback *playback; /* what is being read of it */
	struct devices *devices; /* --devices */
	struct explain *explain; /* NULL: nothing is explained */
	struct output output;
	struct replaced metrics;
	struct ticker ticker;
	struct snapshot snapshot;
	struct report reports[2];
	unsigned int keys; /* what samples can be told apart by; 0: everything */
	bool waits; /* for an event before the next report */
	bool timed; /* reports have a time line */
	bool last; /* there is no report after this one */
	size_t nr_reports;
	struct run run;
	int misses_err; /* why the programs' misses could not be read, at last */
	struct misses told_missed; /* what the user knows of them */
	bool told_hidden; /* that names are missing */
	unsigned int reopened; /* output.reopened when run and vm records were last written */
	bool live; /* reports are shown in place, on a terminal */
	struct renderer *view; /* the renderer of the live view; NULL: there is none (yet) */
	struct window window; /* the terminal's, if standard output is one */
	__u64 start; /* of the interval, CLOCK_MONOTONIC */
	size_t running; /* VMs when it began; 0: none, or not known */
	char modules[64]; /* KVM's */
	__u64 exits; /* of all reports */
	__u64 told_lost; /* exits that the user knows to be lost */
};

/* These tell what went wrong and return the exit code */
int session__no_memory(void);
int session__tell_write(const struct output *out, int err);

/* Reads the counters, so that no counter overflows and no slot stays taken: 0 or -errno */
int session__collect(struct session *s);

/* After SIGHUP */
void session__reopen(struct session *s);

/*
 * Writes a report. While that is not possible, counting and all other work goes on, but
 * no further reports are made. 0 or -errno.
 */
int session__deliver(void *session, const char *text, size_t size);

/*
 * Drops the capabilities, then opens the outputs, so that they can be opened with the same
 * rights again later; the exit code
 */
int session__drop_privileges(struct session *s);

/* --devices; the exit code */
int session__read_devices(struct session *s);

/* Chooses what is made from each snapshot; the exit code */
int session__choose_reports(struct session *s);

#endif
