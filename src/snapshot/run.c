// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "snapshot/run.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include "lib/utf8.h"
#include "lib/util.h"
#include "lib/version.h"

#ifdef __x86_64__
const char *run__isa(void)
{
	const unsigned int vmx = 1u << 5, svm = 1u << 2;
	unsigned int a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && c & vmx)
		return "vmx";
	if (__get_cpuid(0x80000001, &a, &b, &c, &d) && c & svm)
		return "svm";
	return "unknown";
}
#else
const char *run__isa(void)
{
	return "arm64";
}
#endif

static void set_text(char *out, size_t size, const char *text)
{
	utf8__clean(out, size, text, strlen(text), size);
}

static void join(char *text, size_t size, char *const *argv)
{
	char raw[256];
	size_t used = 0;

	for (raw[0] = 0; *argv && used < sizeof(raw); argv++)
		used += snprintf(raw + used, sizeof(raw) - used, "%s%s", used ? " " : "", *argv);
	set_text(text, size, raw);
}

int run__begin(struct run *run, const char *node, char *const *argv)
{
	struct utsname name;
	__u32 random;
	char *p;

	*run = (struct run){ .version = KVMEXIT_VERSION };
	if (uname(&name) || getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	set_text(run->node, sizeof(run->node), node ? node : name.nodename);
	/* A host's name cannot have characters that JSON writes as two bytes: replace them */
	for (p = run->node; (p = strpbrk(p, "\"\\"));)
		*p = '?';
	snprintf(run->id, sizeof(run->id), "%08x", random);
	run->start = realtime_ns();
	if (read_file("/proc/sys/kernel/random/boot_id", run->boot_id, sizeof(run->boot_id)) < 0)
		run->boot_id[0] = 0;
	set_text(run->kernel, sizeof(run->kernel), name.release);
	join(run->options, sizeof(run->options), argv);
	snprintf(run->isa, sizeof(run->isa), "%s", run__isa());
	return 0;
}
