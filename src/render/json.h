/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Newline-delimited JSON, schema version 1: tests/kvmexit.schema.json */
#ifndef JSON_H
#define JSON_H

#include "render/renderer.h"
#include "snapshot/keys.h"
#include "vm/vmlist.h"

struct filter;

struct json_style {
	struct view view; /* .keys 0: an exit record per sample; else a sum record per row */
	bool compact; /* one line per row, the reasons of it in an object */
};

/*
 * Prints the records of an interval: the run, if it is the first interval of the file; each
 * VM that is new in the file; exits, sums and what --top cut; last the interval record.
 */
struct renderer *json__new(const struct json_style *style); /* NULL: no memory */

/* Prints a record for each VM, and one for each of its vCPUs; 0 or -ENOMEM */
int json__print_vms(FILE *out, const struct vmlist *list);

/*
 * Prints the known reasons, one object a line. If @wanted is given, prints only those that
 * it keeps, and also the named details that they can have. 0 or -ENOMEM
 */
int json__print_reasons(FILE *out, struct filter *wanted);

#endif
