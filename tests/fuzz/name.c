// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A VMM's command line: the VM's name is valid UTF-8 within its limits */
#include "../../src/vm.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[VM_NAME_SIZE], *cmdline = malloc(size + !size);

	memcpy(cmdline, data, size);
	if (vm__parse_name(cmdline, size, name, sizeof(name))) {
		MUST(*name);
		MUST(fuzz__utf8(name) >= 0 && fuzz__utf8(name) <= VM_NAME_MAX);
	}
	free(cmdline);
	return 0;
}
