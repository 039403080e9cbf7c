/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether other users' processes may be looked at, and what is missing to do so */
#ifndef HIDEPID_H
#define HIDEPID_H

#include <stdbool.h>

/*
 * If /proc is mounted with hidepid= and gid=, joins that group if it may. Then the names
 * of VMs can be read without any capability. Call it before privileges are dropped.
 */
void sight__keep(void);

/* Whether /proc does not even list other users' processes */
bool sight__hides(void);

/* Why /proc does not show a process that is there, and what helps */
const char *sight__why_hidden(void);

/*
 * What is missing to look at the open files of other users' processes, as the end
 * of a message.
 */
const char *sight__missing(void);

#endif
