/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The loop of reports: of this host and of a recording alike */
#ifndef LOOP_H
#define LOOP_H

#include "app/session.h"

/* Runs a session from its source's open() to its end(), and closes all of it; the exit code */
int loop__run(struct session *s, char *const *argv);

#endif
