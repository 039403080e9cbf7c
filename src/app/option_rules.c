// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/option_rules.h"

#include <stdio.h>
#include <string.h>

#include "lib/util.h"

/* @option excludes each of @others */
static const struct {
	const char *option, *others, *why;
} exclusions[] = {
	{ "-v", "-a -t -T", NULL },
	{ "-a", "-t -T", NULL },
	{ "-t", "-T", NULL },
	{ "-p", "-n", NULL },
	{ "-g", "-w -a", "each says what the rows are" },
	{ "-w", "-a", "-w has a row per thread" },
	{ "--explain", "-f", "the settings shown would be those of this host" },
	{ "-f", "-c DURATION --no-clear --time --detail --node --max-vcpus --probe",
	  "what was recorded is reported as it is" },
	{ "--compact", "--detail", "its lines have no room for more than reasons; see -g detail" },
	{ "-j", "-w -a", "records are per thread and have every column; -g collapses them" },
	{ "--no-clear", "-j -o", "only tables on a terminal are shown in place" },
};

/* @option needs one of @others; if @with is set, only together with @with */
static const struct {
	const char *option, *with, *others, *named;
} needs[] = {
	{ "-v", NULL, "-p -n", "-p PID or -n VM" },
	{ "-a", NULL, "-p -n", "-p PID or -n VM" },
	{ "-c", NULL, "-i", "-i SEC" },
	{ "--no-clear", NULL, "-i", "-i SEC" },
	{ "--compact", NULL, "-j", "-j" },
	{ "--node", NULL, "-j --metrics", "-j or --metrics FILE" },
	{ "--devices", NULL, "-p -n", "-p PID or -n VM: the file is of one VM" },
	{ "--devices", NULL, "--detail -f", "--detail" },
	{ "--top", "-j", "-g --compact", "-g LIST or --compact" },
};

/* @option permits no other options than @others */
static const struct {
	const char *option, *others;
	const char *unless, *why; /* with one of @unless it permits all; NULL: never */
} alone[] = {
	{ "--list-vms", "-j", NULL, NULL },
	{ "--list-reasons", "-j REASON", NULL, NULL },
	{ "--explain", "-j -p -n -f REASON --verbose", "DURATION -i",
	  "without DURATION or -i nothing is counted" },
	{ "--self-test", "-j --node --probe --verbose", NULL, NULL },
};

/* Whether @name, of @len bytes, is one of the words in @list */
static bool is_in(const char *list, const char *name, size_t len)
{
	const char *p = list;
	size_t n;

	for (; p && *p; p += n) {
		p += strspn(p, " ");
		n = strcspn(p, " ");
		if (n == len && !strncmp(p, name, n))
			return true;
	}
	return false;
}

bool rules__is_given(const char *given, const char *name)
{
	return is_in(given, name, strlen(name));
}

/* The first word of @words that is in @list (or not, as @in says); *@len: its length. NULL: none */
static const char *find(const char *words, const char *list, bool in, size_t *len)
{
	const char *p;

	for (p = words + strspn(words, " "); *p; p += *len, p += strspn(p, " ")) {
		*len = strcspn(p, " ");
		if (is_in(list, p, *len) == in)
			return p;
	}
	return NULL;
}

static const char *other_than(const char *given, const char *option, const char *others,
			      size_t *len)
{
	char allowed[64];

	snprintf(allowed, sizeof(allowed), "%s %s", option, others);
	return find(given, allowed, false, len);
}

static void tell_exclusion(char *why, size_t size, const char *option, const char *other,
			   size_t len, const char *because)
{
	snprintf(why, size, "%s and %.*s exclude each other%s%s", option, (int)len, other,
		 because ? ": " : "", because ? because : "");
}

bool rules__are_broken(const char *given, char *why, size_t size)
{
	const char *other;
	size_t i, len = 0;

	for (i = 0; i < ARRAY_SIZE(alone); i++) {
		if (!rules__is_given(given, alone[i].option) ||
		    (alone[i].unless && find(alone[i].unless, given, true, &len)))
			continue;
		other = other_than(given, alone[i].option, alone[i].others, &len);
		if (other) {
			tell_exclusion(why, size, alone[i].option, other, len, alone[i].why);
			return true;
		}
	}
	for (i = 0; i < ARRAY_SIZE(exclusions); i++) {
		if (!rules__is_given(given, exclusions[i].option))
			continue;
		other = find(exclusions[i].others, given, true, &len);
		if (other) {
			tell_exclusion(why, size, exclusions[i].option, other, len,
				       exclusions[i].why);
			return true;
		}
	}
	for (i = 0; i < ARRAY_SIZE(needs); i++) {
		const char *with = needs[i].with;

		if (!rules__is_given(given, needs[i].option) ||
		    (with && !rules__is_given(given, with)) ||
		    find(needs[i].others, given, true, &len))
			continue;
		snprintf(why, size, "%s%s%s needs %s", needs[i].option, with ? " with " : "",
			 with ? with : "", needs[i].named);
		return true;
	}
	return false;
}
