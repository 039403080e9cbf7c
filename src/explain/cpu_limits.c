// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "explain/cpu_limits.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

/* As in times.c: gcc cannot see that the array keeps what is copied into it */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* ---- quotas ---- */

void cpu_limits__free(struct cpu_limits *l)
{
	size_t i;

	for (i = 0; i < l->nr_groups; i++)
		free(l->groups[i].path);
	free(l->groups);
	free(l->members);
}

/* The number of @key in lines "KEY NUMBER"; 0: there is none */
static __u64 find_number(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (; text; text = strchr(text, '\n'), text = text ? text + 1 : NULL)
		if (!strncmp(text, key, len) && text[len] == ' ')
			return strtoull(text + len + 1, NULL, 10);
	return 0;
}

static void read_group(const char *root, struct cpu_group *g)
{
	char file[PATH_MAX + 64], text[1024], quota[32], period[32];

	snprintf(file, sizeof(file), "%s/sys/fs/cgroup%.4000s/cpu.max", root, g->path);
	if (read_file(file, text, sizeof(text)) >= 0) {
		*g->max = 0;
		if (sscanf(text, "%31s %31s", quota, period) == 2 && strcmp(quota, "max") != 0)
			snprintf(g->max, sizeof(g->max), "%.24s of %.24s us", quota, period);
	}
	snprintf(file, sizeof(file), "%s/sys/fs/cgroup%.4000s/cpu.stat", root, g->path);
	if (read_file(file, text, sizeof(text)) >= 0)
		g->now = (struct throttling){ .us = find_number(text, "throttled_usec"),
					      .times = find_number(text, "nr_throttled") };
}

void cpu_limits__read(struct cpu_limits *l)
{
	size_t i;

	for (i = 0; i < l->nr_groups; i++)
		read_group(l->root, &l->groups[i]);
}

/* Adds the group at @path, if it is not known; -ENOMEM, or its index */
static long add_group(struct cpu_limits *l, const char *path, bool late)
{
	struct cpu_group *grown;
	char *copy;
	size_t i;

	for (i = 0; i < l->nr_groups; i++)
		if (!strcmp(l->groups[i].path, path))
			return i;
	grown = array_grow(l->groups, &l->groups_room, l->nr_groups, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	l->groups = grown;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	l->groups[l->nr_groups] = (struct cpu_group){ .path = copy, .late = late };
	grown = &l->groups[l->nr_groups];
	read_group(l->root, grown);
	if (!late)
		grown->begin = grown->now;
	return l->nr_groups++;
}

static int add_member(struct cpu_limits *l, __u32 pid, size_t group)
{
	struct cpu_member *grown;
	size_t i;

	for (i = 0; i < l->nr_members; i++)
		if (l->members[i].pid == pid && l->members[i].group == group)
			return 0;
	grown = array_grow(l->members, &l->members_room, l->nr_members, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	l->members = grown;
	l->members[l->nr_members++] = (struct cpu_member){ pid, group };
	return 0;
}

/* Adds the group at @path and all above it, whose quotas stop a thread, too */
static int add_upwards(struct cpu_limits *l, __u32 pid, char *path, bool late)
{
	char *slash;
	int err = 0;

	while (!err && (slash = strrchr(path, '/')) && slash[1]) {
		long group = add_group(l, path, late);

		err = group < 0 ? (int)group : add_member(l, pid, group);
		*slash = 0;
	}
	return err;
}

static bool group_of(const char *root, __u32 pid, const char *tid, char *path, size_t size)
{
	char file[PATH_MAX], text[PATH_MAX];
	const char *line;

	snprintf(file, sizeof(file), "%s/proc/%u/task/%.20s/cgroup", root, pid, tid);
	if (read_file(file, text, sizeof(text)) < 0)
		return false;
	line = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");
	line = line ? strchr(line, '/') : NULL;
	if (!line)
		return false;
	snprintf(path, size, "%.*s", (int)strcspn(line, "\n"), line);
	return true;
}

int cpu_limits__meet(struct cpu_limits *l, __u32 pid, bool late)
{
	char path[PATH_MAX], last[PATH_MAX] = "", dir_path[PATH_MAX];
	const struct dirent *e;
	DIR *dir;
	int err = 0;

	snprintf(dir_path, sizeof(dir_path), "%s/proc/%u/task", l->root, pid);
	dir = opendir(dir_path);
	while (dir && !err && (e = readdir(dir))) {
		if (*e->d_name == '.' || !group_of(l->root, pid, e->d_name, path, sizeof(path)) ||
		    !strcmp(path, last))
			continue;
		snprintf(last, sizeof(last), "%s", path);
		err = add_upwards(l, pid, path, late);
	}
	if (dir)
		closedir(dir);
	return err;
}

bool cpu_limits__knows(const struct cpu_limits *l, __u32 pid)
{
	size_t i;

	for (i = 0; i < l->nr_members; i++)
		if (l->members[i].pid == pid)
			return true;
	return false;
}

struct throttling cpu_group__throttling(const struct cpu_group *g)
{
	/* Less than at the beginning: it was made anew */
	if (g->now.us < g->begin.us || g->now.times < g->begin.times)
		return g->now;
	return (struct throttling){ g->now.us - g->begin.us, g->now.times - g->begin.times };
}

const struct cpu_group *cpu_limits__worst(const struct cpu_limits *l, __u32 pid)
{
	const struct cpu_group *worst = NULL;
	size_t i;

	for (i = 0; i < l->nr_members; i++) {
		const struct cpu_group *g = &l->groups[l->members[i].group];

		if (l->members[i].pid == pid && *g->max &&
		    (!worst || cpu_group__throttling(g).us > cpu_group__throttling(worst).us))
			worst = g;
	}
	return worst;
}

/* ---- CPUs ---- */

static bool has_cpu(const struct cpus *cpus, size_t cpu)
{
	return cpu < MOST_CPUS && cpus->bits[cpu / 64] >> cpu % 64 & 1;
}

void cpus__parse(struct cpus *cpus, const char *list)
{
	char *end;

	*cpus = (struct cpus){ 0 };
	for (; *list >= '0' && *list <= '9'; list = *end == ',' ? end + 1 : end) {
		unsigned long first = strtoul(list, &end, 10);
		unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;

		for (; first <= last && first < MOST_CPUS; first++)
			cpus->bits[first / 64] |= 1ull << first % 64;
	}
}

size_t cpus__print(const struct cpus *cpus, char *text, size_t size)
{
	size_t i, last, nr = 0, used = 0;

	*text = 0;
	for (i = 0; i < MOST_CPUS; i = last + 1) {
		last = i;
		if (!has_cpu(cpus, i))
			continue;
		while (has_cpu(cpus, last + 1))
			last++;
		nr += last - i + 1;
		if (used < size)
			used += snprintf(text + used, size - used, "%s%zu", used ? "," : "", i);
		if (used < size && last > i)
			used += snprintf(text + used, size - used, "-%zu", last);
	}
	return nr;
}

bool cpus__overlap(const struct cpus *a, const struct cpus *b)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(a->bits); i++)
		if (a->bits[i] & b->bits[i])
			return true;
	return false;
}

bool cpus__add_allowed(struct cpus *cpus, const char *root, __u32 pid, __u32 tid)
{
	static const char key[] = "\nCpus_allowed_list:\t";
	char file[PATH_MAX], text[8192];
	struct cpus allowed, online;
	const char *line;
	size_t i;

	snprintf(file, sizeof(file), "%s/proc/%u/task/%u/status", root, pid, tid);
	line = read_file(file, text, sizeof(text)) < 0 ? NULL : strstr(text, key);
	if (!line)
		return false;
	cpus__parse(&allowed, line + strlen(key));
	snprintf(file, sizeof(file), "%s/sys/devices/system/cpu/online", root);
	if (read_file(file, text, sizeof(text)) < 0)
		return false;
	cpus__parse(&online, text);
	for (i = 0; i < ARRAY_SIZE(cpus->bits); i++)
		cpus->bits[i] |= allowed.bits[i] & online.bits[i];
	return true;
}
