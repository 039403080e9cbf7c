/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "vm/selection.h"

#define DEFAULT_MAX_VCPUS 4096

struct filter;

struct options {
	__u64 duration; /* ns, 0: until a signal */
	__u64 interval; /* ns, 0: one report, at the end */
	__u64 count; /* reports, 0: no limit */
	struct selection selection;
	bool alltids;
	bool one_tid; /* given with -t: no TID column */
	struct filter *filter; /* -r, NULL: all reasons; owned */
	struct filter *detail; /* --detail: of these reasons; NULL: of none; owned */
	const char *devices; /* a file of names for addresses and ports; NULL: none */
	unsigned int keys; /* -g: enum key (view.h), 0: not given */
	bool wide;
	__u64 top; /* rows of a table, 0: all */
	bool time;
	bool no_clear;
	bool list_vms;
	bool json;
	bool compact;
	const char *node; /* what records call this host; NULL: its name */
	const char *from; /* a recording, "-": standard input; NULL: this host */
	const char *metrics; /* a file; NULL: none */
	const char *output; /* NULL: standard output */
	__u32 max_vcpus;
	const char *probe; /* a variant's name, NULL: the best that works */
	bool list_reasons;
	bool explain;
	struct filter *reasons; /* operands of --explain, --list-reasons; NULL: none; owned */
	bool self_test;
	bool verbose;
	char reason_list[1024]; /* `reasons` as text, for options.c */
	char given[384]; /* options given, for rules.h */
};

/*
 * Fills @opts from the command line. What is wrong there ends the program with
 * EXIT_USAGE and a message that names the option and the reason.
 */
void options__parse(struct options *opts, int argc, char **argv);
void options__free(struct options *opts);

#endif
