/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the command line of a virtual machine monitor tells about its VM */
#ifndef VMM_H
#define VMM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A command line is as /proc/PID/cmdline has it: arguments, each ended by 0, @len bytes in
 * all
 */

/* Which VMM it is, by the name of its program: "qemu" and so on; else "other" */
const char *vmm__of(const char *cmdline);

/* The same constant for a name that vmm__of() gave, as a record has it; else "other" */
const char *vmm__named(const char *name);

/* The VM's name into @name, cut to VM_NAME_MAX characters. False: there is none. */
bool vmm__parse_name(const char *cmdline, size_t len, char *name, size_t size);

/* The same for its UUID, in lower case */
bool vmm__parse_uuid(const char *cmdline, size_t len, char *uuid, size_t size);

#endif
