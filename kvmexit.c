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
#include "app/loop.h"
#include "app/options.h"
#include "app/paths.h"
#include "app/session.h"
#include "app/source.h"
#include "app/target.h"
#include "lib/events.h"
#include "lib/privileges.h"
#include "lib/stream.h"
#include "lib/util.h"
#include "names/devices.h"
#include "selftest/selftest.h"

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

/* Reports of a recording, or of this host */
static int report(struct session *s, struct options *o, char *const *argv)
{
	int code = paths__check(o);

	if (!code && o->devices)
		code = session__read_devices(s);

	s->source = o->from ? &recording_source : &host_source;
	if (!code && !o->from) {
		signals__hold();
		code = target__check(o);
		if (!code)
			s->running = info__look_around(o);
	}
	if (code) {
		devices__free(s->devices);
		return code;
	}
	return loop__run(s, argv);
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
		.metrics.lock = -1,
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
	stream__open();
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
	} else {
		code = report(&s, &opts, argv);
	}
	options__free(&opts);
	return code;
}
