// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/options.h"
#include "lib/terminal.h"
#include "lib/util.h"
#include "render/live.h"

void screen__measure(struct session *s)
{
	if (!s->opts->output)
		s->window = terminal__window();
}

/* Opens the terminal, if reports are shown in place, and the ticker; the exit code */
int screen__open_ticker(struct session *s)
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

/* Switches to the live screen; what was shown before comes back at the end */
void screen__show(const struct session *s)
{
	if (!s->view)
		return;
	complain__hold();
	terminal__enter();
}

/* Leaves the live screen; the last report shown stays on the terminal */
void screen__hide(struct session *s)
{
	const char *text = s->view ? live__text(s->view) : "";

	if (!s->live)
		return;
	terminal__leave();
	terminal__write(text, strlen(text));
	complain__release();
}

/* Draws the report again, maybe in another window size or view; the exit code */
int screen__redraw(struct session *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int err = out ? 0 : -ENOMEM;

	screen__measure(s);
	if (out) {
		err = live__redraw(s->view, out);
		if (fclose(out) || !text)
			err = -ENOMEM;
	}
	if (!err)
		err = session__deliver(s, text, size);
	free(text);
	if (err == -ENOMEM)
		return session__no_memory();
	return err ? session__tell_write(&s->output, err) : -1;
}

/* Handles an event of the terminal; returns the event that follows from it */
enum event screen__see_to(struct session *s, enum event event)
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
