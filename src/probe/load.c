// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/load.h"

#include "kvmexit.h"
#include "plain.skel.h"

/* libbpf does not write to it */
void *plain_object(size_t *size)
{
	return (void *)plain_bpf__elf_bytes(size);
}
