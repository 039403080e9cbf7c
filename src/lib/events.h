/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the main loop waits for: deadlines and signals, without races */
#ifndef EVENTS_H
#define EVENTS_H

#include <linux/types.h>
#include <stdbool.h>

struct ticker {
	int timer;
	int signals;
	int keys; /* the file on which they come, -1: none */
	bool reopen; /* SIGHUP means EVENT_REOPEN, else the end */
	bool stopped; /* by a signal, not by time */
	__u64 interval; /* ns, 0: none */
	__u64 next; /* end of the interval, CLOCK_MONOTONIC, 0: none */
	__u64 end; /* of the run, 0: none */
	__u64 upkeep; /* next look at the counters without a report */
};

enum event {
	EVENT_UPKEEP,
	EVENT_REPORT, /* an interval is over */
	EVENT_LAST, /* the run is over, by time or by a signal */
	EVENT_REOPEN, /* SIGHUP */
	EVENT_ROOM, /* the rest of a report can be written now */
	EVENT_KEYS, /* there is something to be read on that file */
	EVENT_WINDOW, /* SIGWINCH */
	EVENT_SUSPEND, /* SIGTSTP */
	EVENT_CONTINUE, /* SIGCONT */
};

/*
 * From the start of the program until ticker__open() SIGINT, SIGTERM and SIGHUP are held, so
 * that none of them ends a run that is only beginning. What opens no ticker lets them go.
 */
void signals__hold(void);
void signals__let_go(void);

/*
 * Takes SIGINT, SIGTERM and SIGHUP from now on. SIGHUP becomes EVENT_REOPEN if @reopen,
 * else it acts like SIGTERM. With @terminal it also takes the signals of a terminal; then
 * t->keys may be set. Returns 0 or -errno.
 */
int ticker__open(struct ticker *t, bool reopen, bool terminal);
void ticker__close(struct ticker *t);

/* Starts the clock: intervals and run begin at @start; ns; @interval or @duration 0: none */
void ticker__start(struct ticker *t, __u64 start, __u64 interval, __u64 duration);

enum event ticker__wait(struct ticker *t);

/* A report was made early, at @now: the next one is due an interval later */
void ticker__put_off(struct ticker *t, __u64 now);

/*
 * The same while a report waits for its reader: the next ones are not due before it
 * is written. @fd: polled for writing, -1: none.
 */
enum event ticker__wait_for_room(struct ticker *t, int fd);

/* Whether the run is over, by a signal or by time */
bool ticker__is_over(const struct ticker *t);

#endif
