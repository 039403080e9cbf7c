/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A session's terminal: reports shown in place, keys, the window */
#ifndef SCREEN_H
#define SCREEN_H

#include "app/session.h"

/* The size of the terminal's window, as it is now */
void screen__measure(struct session *s);

/* Opens the terminal, if reports are shown in place, and the ticker; the exit code */
int screen__open_ticker(struct session *s);

/* Switches to the live screen; what was shown before comes back at the end */
void screen__show(const struct session *s);

/* Leaves the live screen; the last report shown stays on the terminal */
void screen__hide(struct session *s);

/* Draws the report again, maybe in another window size or view; the exit code or -1 */
int screen__redraw(struct session *s);

/* Handles an event of the terminal; returns the event that follows from it */
enum event screen__see_to(struct session *s, enum event event);

#endif
