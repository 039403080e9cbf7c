// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "explain/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"
#include "lib/util.h"

/* Files with one setting each; from "always [madvise] never" the one in brackets is taken */
static const struct {
	const char *name, *path;
} files[] = {
	{ "clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource" },
	{ "transparent_hugepage", "/sys/kernel/mm/transparent_hugepage/enabled" },
	{ "transparent_hugepage/shmem", "/sys/kernel/mm/transparent_hugepage/shmem_enabled" },
	{ "ksm/run", "/sys/kernel/mm/ksm/run" },
	{ "ksm/pages_sharing", "/sys/kernel/mm/ksm/pages_sharing" },
	{ "kernel.numa_balancing", "/proc/sys/kernel/numa_balancing" },
	{ "nr_hugepages", "/proc/sys/vm/nr_hugepages" },
	{ "kernel.nmi_watchdog", "/proc/sys/kernel/nmi_watchdog" },
	{ "kernel.split_lock_mitigate", "/proc/sys/kernel/split_lock_mitigate" },
	{ "cpu/nohz_full", "/sys/devices/system/cpu/nohz_full" },
	{ "cpu/isolated", "/sys/devices/system/cpu/isolated" },
};

static const char *const modules[] = { "kvm.", "kvm_intel.", "kvm_amd." };
static const char cmdline[] = "cmdline.";

static const char *file_of(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		if (!strcmp(files[i].name, name))
			return files[i].path;
	return NULL;
}

static bool is_parameter(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modules); i++)
		if (!strncmp(name, modules[i], strlen(modules[i])))
			return true;
	return false;
}

static bool is_cmdline(const char *name)
{
	return !strncmp(name, cmdline, strlen(cmdline));
}

bool settings__is_name(const char *name)
{
	return is_parameter(name) || is_cmdline(name) || file_of(name);
}

/* Reads a file below @root, without the newline at its end; false: it cannot be read */
static bool read_below(const char *root, const char *path, char *text, size_t size)
{
	char whole[PATH_MAX];
	int n;

	if (snprintf(whole, sizeof(whole), "%s%s", root, path) >= (int)sizeof(whole))
		return false;
	n = read_file(whole, text, size);
	if (n < 0)
		return false;
	text[strcspn(text, "\n")] = 0;
	return true;
}

static void set_value(char *value, size_t size, const char *text, size_t len)
{
	utf8__clean(value, size, text, len, size);
}

static void choose_bracketed(char *value)
{
	char *open = strchr(value, '['), *close = open ? strchr(open, ']') : NULL;

	if (!close)
		return;
	*close = 0;
	memmove(value, open + 1, close - open);
}

/*
 * Finds a key on the kernel's command line: the value of "KEY=VALUE", "yes" for "KEY"; if the
 * key is there several times, all values.
 */
static void find_word(const char *text, const char *key, char *value, size_t size)
{
	size_t len = strlen(key), used = 0, n;
	const char *p;

	*value = 0;
	for (p = text + strspn(text, " "); *p; p += n, p += strspn(p, " ")) {
		n = strcspn(p, " ");
		if (strncmp(p, key, len) || (n != len && p[len] != '=') || used + 1 >= size)
			continue;
		if (used)
			value[used++] = ' ';
		if (n == len)
			set_value(value + used, size - used, "yes", 3);
		else
			set_value(value + used, size - used, p + len + 1, n - len - 1);
		used += strlen(value + used);
	}
	if (!used)
		snprintf(value, size, "not given");
}

static bool read_cmdline(const char *root, const char *key, char *value, size_t size)
{
	char text[4096];

	if (!read_below(root, "/proc/cmdline", text, sizeof(text)))
		return false;
	find_word(text, key, value, size);
	return true;
}

static bool read_parameter(const char *root, const char *name, char *text, size_t size)
{
	const char *dot = strchr(name, '.');
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%.*s/parameters/%s", (int)(dot - name), name,
		 dot + 1);
	return read_below(root, path, text, size);
}

bool settings__read(const char *root, const char *name, char *value, size_t size)
{
	char text[SETTING_SIZE];

	if (is_cmdline(name))
		return read_cmdline(root, name + strlen(cmdline), value, size);
	if (is_parameter(name)
		    ? !read_parameter(root, name, text, sizeof(text))
		    : !file_of(name) || !read_below(root, file_of(name), text, sizeof(text)))
		return false;
	choose_bracketed(text);
	/* As the kernel prints the CPUs of a list that it does not have */
	if (strstr(text, "(null)"))
		*text = 0;
	set_value(value, size, *text ? text : "none", *text ? strlen(text) : 4);
	return true;
}
