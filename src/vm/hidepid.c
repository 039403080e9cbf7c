// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vm/hidepid.h"

#include <grp.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/privileges.h"
#include "lib/util.h"

/* How /proc is mounted */
struct hiding {
	char how[16]; /* hidepid=, "": it hides nothing */
	gid_t gid; /* this group's members see everything (except with hidepid=ptraceable) */
};

static void take_option(const struct mntent *mount, const char *option, char *text, size_t size)
{
	const char *value = hasmntopt(mount, option);

	value = value ? strchr(value, '=') : NULL;
	snprintf(text, size, "%.*s", value ? (int)strcspn(value + 1, ",") : 0,
		 value ? value + 1 : "");
}

static struct hiding read_hiding(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct hiding h = { .how = "" };
	const struct mntent *m;
	char gid[16];

	while (mounts && (m = getmntent(mounts))) {
		__u64 n = 0;

		if (strcmp(m->mnt_dir, "/proc") || strcmp(m->mnt_type, "proc"))
			continue;
		take_option(m, "hidepid", h.how, sizeof(h.how));
		take_option(m, "gid", gid, sizeof(gid));
		parse_uint(gid, 0, ~0u, &n);
		h.gid = n;
	}
	if (mounts)
		endmntent(mounts);
	return h;
}

static bool is_ptraceable(const struct hiding *h)
{
	return !strcmp(h->how, "ptraceable") || !strcmp(h->how, "4");
}

void sight__keep(void)
{
	struct hiding h = read_hiding();
	int n = *h.how ? getgroups(0, NULL) : -1;
	gid_t *groups = n < 0 ? NULL : calloc(n + 1, sizeof(*groups));

	if (groups && getgroups(n, groups) == n) {
		groups[n] = h.gid;
		/* Needs CAP_SETGID. Without it, a message comes later if a name is missing. */
		(void)!setgroups(n + 1, groups);
	}
	free(groups);
}

bool sight__hides(void)
{
	struct hiding h = read_hiding();

	if (is_ptraceable(&h))
		return !privileges__can_trace();
	return *h.how && strcmp(h.how, "noaccess") && strcmp(h.how, "1") &&
	       !privileges__can_trace() && !group_member(h.gid);
}

const char *sight__why_hidden(void)
{
	static char text[256];
	struct hiding h = read_hiding();

	if (is_ptraceable(&h))
		return "/proc is mounted with hidepid=ptraceable, which shows their processes only "
		       "with CAP_SYS_PTRACE; with hidepid=invisible,gid=GROUP that group sees them";
	if (!*h.how)
		return "/proc does not show their processes (a security module, or a container)";
	snprintf(
		text, sizeof(text),
		"/proc is mounted with hidepid=%s: start kvmexit with CAP_SETGID (root has it), or in "
		"the group %u (SupplementaryGroups=%u in its unit)",
		h.how, h.gid, h.gid);
	return text;
}

const char *sight__missing(void)
{
	static char text[128];
	const char *capabilities = privileges__missing_to_look();

	if (!capabilities)
		return "a security module or a container forbids it";
	snprintf(text, sizeof(text), "missing %s (root has all)", capabilities);
	return text;
}
