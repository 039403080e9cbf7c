// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/events.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/util.h"

/* How often to look for new VMs between reports, to read their names */
#define UPKEEP (NSEC_PER_SEC / 5)

/* How often to look at the clock if the timer cannot be set */
#define WITHOUT_TIMER_MS 10

/* Further signals, for a terminal on which reports are shown in place */
static const struct {
	int signal;
	enum event event;
} on_terminals[] = {
	{ SIGWINCH, EVENT_WINDOW },
	{ SIGTSTP, EVENT_SUSPEND },
	{ SIGCONT, EVENT_CONTINUE },
};

static void change_mask(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
}

void signals__hold(void)
{
	change_mask(SIG_BLOCK);
}

void signals__let_go(void)
{
	change_mask(SIG_UNBLOCK);
}

int ticker__open(struct ticker *t, bool reopen, bool terminal)
{
	sigset_t set;
	size_t i;

	*t = (struct ticker){ .timer = -1, .signals = -1, .keys = -1, .reopen = reopen };
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	/* With nohup SIGHUP is ignored, and stays so */
	if (reopen || signal(SIGHUP, SIG_DFL) != SIG_IGN)
		sigaddset(&set, SIGHUP);
	else
		signal(SIGHUP, SIG_IGN);
	for (i = 0; terminal && i < ARRAY_SIZE(on_terminals); i++)
		sigaddset(&set, on_terminals[i].signal);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return t->signals < 0 || t->timer < 0 ? -errno : 0;
}

void ticker__close(struct ticker *t)
{
	if (t->timer >= 0)
		close(t->timer);
	if (t->signals >= 0)
		close(t->signals);
}

void ticker__start(struct ticker *t, __u64 start, __u64 interval, __u64 duration)
{
	t->interval = interval;
	t->next = interval ? start + interval : 0;
	t->end = duration ? start + duration : 0;
	t->upkeep = start + UPKEEP;
}

void ticker__put_off(struct ticker *t, __u64 now)
{
	if (t->next)
		t->next = now + t->interval;
}

/* The timeout for poll(): -1, as the timer ends the wait, or ms if the timer cannot be set */
static int arm(const struct ticker *t, bool reports)
{
	__u64 at = t->upkeep;
	struct itimerspec when = { 0 };

	if (reports && t->next && t->next < at)
		at = t->next;
	if (reports && t->end && t->end < at)
		at = t->end;
	when.it_value.tv_sec = at / NSEC_PER_SEC;
	when.it_value.tv_nsec = at % NSEC_PER_SEC;
	return timerfd_settime(t->timer, TFD_TIMER_ABSTIME, &when, NULL) ? WITHOUT_TIMER_MS : -1;
}

/* The deadline that has passed, or -1: none yet */
static int due(struct ticker *t, __u64 now, bool reports)
{
	if (reports && t->end && now >= t->end)
		return EVENT_LAST;
	if (reports && t->next && now >= t->next) {
		/* Missed intervals are not repeated: the report tells that it is longer */
		t->next += ((now - t->next) / t->interval + 1) * t->interval;
		t->upkeep = now + UPKEEP;
		return EVENT_REPORT;
	}
	if (now >= t->upkeep) {
		t->upkeep = now + UPKEEP;
		return EVENT_UPKEEP;
	}
	return -1;
}

static enum event event_of(struct ticker *t, int signal)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(on_terminals); i++)
		if (signal == on_terminals[i].signal)
			return on_terminals[i].event;
	if (signal == SIGHUP && t->reopen)
		return EVENT_REOPEN;
	t->stopped = true;
	return EVENT_LAST;
}

static enum event wait_for(struct ticker *t, bool reports, int fd)
{
	struct pollfd fds[] = {
		{ .fd = t->signals, .events = POLLIN },
		{ .fd = t->timer, .events = POLLIN },
		{ .fd = fd, .events = POLLOUT },
		{ .fd = reports ? t->keys : -1, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int event;

	for (;;) {
		if (read(t->signals, &info, sizeof(info)) == sizeof(info))
			return event_of(t, info.ssi_signo);
		event = due(t, now_ns(), reports);
		if (event >= 0)
			return event;
		poll(fds, ARRAY_SIZE(fds), arm(t, reports));
		if (fds[2].revents)
			return EVENT_ROOM;
		if (fds[3].revents)
			return EVENT_KEYS;
	}
}

enum event ticker__wait(struct ticker *t)
{
	return t->stopped ? EVENT_LAST : wait_for(t, true, -1);
}

enum event ticker__wait_for_room(struct ticker *t, int fd)
{
	return wait_for(t, false, fd);
}

bool ticker__is_over(const struct ticker *t)
{
	return t->stopped || (t->end && now_ns() >= t->end);
}
