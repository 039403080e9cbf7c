/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A session's terminal: reports shown in place, keys, the window */
#ifndef SCREEN_H
#define SCREEN_H

#include "session.h"

/* The size of the terminal's window, as it is now */
void screen__measure(struct session *s);

/* What reports are shown on, and when; the exit code */
int screen__open_ticker(struct session *s);

/* From here on it is the screen that is seen; what was shown before comes back with the end */
void screen__show(const struct session *s);

/* What was read last stays */
void screen__hide(struct session *s);

/* What is shown in place once more, in a window or view that may be others; the exit code or -1 */
int screen__redraw(struct session *s);

/* What happens to a terminal is seen to, and becomes the event that follows from it */
enum event screen__see_to(struct session *s, enum event event);

#endif
