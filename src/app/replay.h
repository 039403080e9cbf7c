/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* With -f: what the options need of a recording */
#ifndef REPLAY_H
#define REPLAY_H

struct options;

/* What samples have to be told apart by for the options, enum key */
unsigned int replay__keys(const struct options *o);

#endif
