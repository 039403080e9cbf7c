/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Newline-delimited JSON, schema version 1: tests/kvmexit.schema.json */
#ifndef JSON_H
#define JSON_H

#include "report.h"
#include "view.h"
#include "vmlist.h"

struct filter;

struct json_style {
	struct view view; /* .keys 0: an exit record per sample; else a sum record per row */
	bool compact; /* one line per row, the reasons of it in an object */
};

/*
 * The records of an interval: of the run, if this is the first of the file; of each
 * VM that is new there; exits, sums and what --top cut; the interval's own, last.
 */
struct renderer *json__new(const struct json_style *style); /* NULL: no memory */

/* Prints a record for each VM, and one for each of its vCPUs; 0 or -ENOMEM */
int json__print_vms(FILE *out, const struct vmlist *list);

/*
 * Prints the known reasons, one object a line; of those that @wanted keeps, where it is
 * given, also the named details that they can have. 0 or -ENOMEM
 */
int json__print_reasons(FILE *out, struct filter *wanted);

#endif
