/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Newline-delimited JSON, schema version 1: tests/kvmexit.schema.json */
#ifndef JSON_H
#define JSON_H

#include "report.h"
#include "vmlist.h"

/* The interval's records: an exit record per sample, a vcpu record per thread, then the interval's
 */
struct renderer *json__new(void); /* NULL: no memory */

/* Prints a record for each VM, and one for each of its vCPUs; 0 or -ENOMEM */
int json__print_vms(FILE *out, const struct vmlist *list);

/* Prints the known reasons, one object a line; 0 or -ENOMEM */
int json__print_reasons(FILE *out);

#endif
