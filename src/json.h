/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Newline-delimited JSON, schema version 1: tests/kvmexit.schema.json */
#ifndef JSON_H
#define JSON_H

#include <stdio.h>

#include "snapshot.h"
#include "vm.h"
#include "vmlist.h"

/*
 * Prints the interval's records to @out: an exit record per sample, then the
 * interval record. Returns 0 or -ENOMEM; whether the writing succeeded @out
 * knows.
 */
int json__print(FILE *out, const struct snapshot *snap, struct vms *vms);

/* Prints a record for each VM, and one for each of its vCPUs; 0 or -ENOMEM */
int json__print_vms(FILE *out, const struct vmlist *list);

/* Prints the known reasons, one object a line; 0 or -ENOMEM */
int json__print_reasons(FILE *out);

#endif
