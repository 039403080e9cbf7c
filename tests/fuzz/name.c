// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A VMM's command line: the VM's name is valid UTF-8 within its limits; so the UUID */
#include "fuzz.h"
#include "vm/vm.h"
#include "vm/vmm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[VM_NAME_SIZE], uuid[VM_UUID_SIZE], *cmdline = malloc(size + !size);

	memcpy(cmdline, data, size);
	if (vmm__parse_name(cmdline, size, name, sizeof(name))) {
		MUST(*name);
		MUST(fuzz__utf8(name) >= 0 && fuzz__utf8(name) <= VM_NAME_MAX);
	}
	if (vmm__parse_uuid(cmdline, size, uuid, sizeof(uuid)))
		MUST(strlen(uuid) == VM_UUID_SIZE - 1);
	free(cmdline);
	return 0;
}
