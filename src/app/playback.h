/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* -f: a recording's intervals as reports */
#ifndef PLAYBACK_H
#define PLAYBACK_H

#include "app/session.h"

/* Opens the recording, drops the capabilities, opens the outputs; the exit code */
int playback__start(struct session *s);

/* Every interval of the recording as a report; the exit code */
int playback__run(struct session *s);

#endif
