// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* --devices: what QEMU's monitor tells. Names are printable; any detail may be asked for. */
#include "fuzz.h"
#include "names/details.h"
#include "names/devices.h"

static void check_names(const struct devices *d, uint64_t address)
{
	const __u64 details[] = { detail_mmio(address), detail_port(address, 1, 0, 0),
				  detail_fault(address, ACCESS_READ, 1), address };

	for (size_t i = 0; i < sizeof(details) / sizeof(*details); i++) {
		const char *name = devices__name(d, details[i]);

		MUST(!name || strlen(name) < DEVICE_NAME_MAX);
		for (; name && *name; name++)
			MUST(*name >= ' ' && *name <= '~' && *name != '"' && *name != '\\');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct devices *d = NULL;
	char why[256] = "";
	FILE *file;

	if (!size)
		return 0;
	file = fmemopen((void *)data, size, "r");
	if (!devices__read(&d, file, why, sizeof(why))) {
		MUST(!*why);
		for (size_t i = 0; i + 8 <= size; i += 8) {
			uint64_t address;

			memcpy(&address, data + i, 8);
			check_names(d, address);
		}
		for (uint64_t address = 0; address < 1ull << 40; address = address * 2 + 8)
			check_names(d, address);
		devices__free(d);
	} else {
		MUST(*why && fuzz__utf8(why) > 0);
	}
	fclose(file);
	return 0;
}
