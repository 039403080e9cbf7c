// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/host.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

#ifdef __x86_64__
void host__cpu(char *model, size_t size)
{
	unsigned int brand[13] = { 0 }, *b = brand, leaf;
	const char *text = (const char *)brand;

	for (leaf = 0x80000002; leaf <= 0x80000004; leaf++, b += 4)
		if (!__get_cpuid(leaf, &b[0], &b[1], &b[2], &b[3]))
			break;
	snprintf(model, size, "%s", text + strspn(text, " "));
}

void host__vendor(char *vendor, size_t size)
{
	unsigned int name[4] = { 0 }, highest;

	if (!__get_cpuid(0, &highest, &name[0], &name[2], &name[1]))
		name[0] = 0;
	snprintf(vendor, size, "%s", (const char *)name);
}
#else
void host__cpu(char *model, size_t size)
{
	char text[32];
	int n = read_file("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", text,
			  sizeof(text));

	snprintf(model, size, "MIDR %.*s", n < 0 ? 0 : (int)strcspn(text, "\n"), text);
}

void host__vendor(char *vendor, size_t size)
{
	snprintf(vendor, size, "arm64");
}
#endif

void host__modules(char *modules, size_t size)
{
	size_t used = 0, i;
	glob_t found;

	snprintf(modules, size, "%s", access("/sys/module/kvm", F_OK) ? "no KVM" : "KVM built in");
	if (glob("/sys/module/kvm_*", 0, NULL, &found))
		return;
	for (i = 0; i < found.gl_pathc && used < size; i++)
		used += snprintf(modules + used, size - used, "%s%s", used ? " " : "",
				 strrchr(found.gl_pathv[i], '/') + 1);
	globfree(&found);
}
