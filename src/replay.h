/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* With -f: applies the options that name VMs and threads; on a live host the kernel does this */
#ifndef REPLAY_H
#define REPLAY_H

#include "options.h"
#include "snapshot.h"

/* What samples have to be told apart by for the options, enum key */
unsigned int replay__keys(const struct options *o);

/* Leaves out what -p, -n, -v, -t and -T do not name */
void replay__select(const struct options *o, struct snapshot *snap);

#endif
