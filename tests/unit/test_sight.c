// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A /proc that hides processes: who may still read names, after privileges have
 * been given up, and what is told to who may not. Each case has a mount of its own.
 */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "lib/privileges.h"
#include "lib/util.h"
#include "vm/hidepid.h"
#include "vm/vm.h"

#define GROUP 4321

static pid_t other; /* a process of another user */

static const struct test {
	const char *options; /* of the mount */
	bool keep; /* CAP_SETGID, as it begins */
	bool shown;
	const char *why; /* part of what is told */
} tests[] = {
	{ "hidepid=0", false, true, "does not show their processes" },
	{ "hidepid=1,gid=4321", true, true, "hidepid=noaccess" },
	{ "hidepid=2,gid=4321", true, true, "hidepid=invisible" },
	{ "hidepid=2,gid=4321", false, false, "the group 4321 (SupplementaryGroups=4321" },
	{ "hidepid=1,gid=4321", false, false, "CAP_SETGID" },
	/* Without gid= it is group 0 */
	{ "hidepid=2,gid=0", true, true, "the group 0" },
	{ "hidepid=2,gid=0", false, false, "the group 0" },
	/* Here no group helps */
	{ "hidepid=4,gid=4321", true, false, "hidepid=ptraceable" },
};

static bool mount_proc(const char *options)
{
	return !unshare(CLONE_NEWNS) && !mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("proc", "/proc", "proc", 0, options);
}

/* As a service of group adm, which has only the capabilities that it needs */
static int check_test(const struct test *t)
{
	const struct needs needs = { 0 };
	struct vm vm = { .pid = other };
	const char *what;
	char mark[32];

	CHECK(!setgroups(0, NULL) && !setresgid(4, 4, 4));
	if (t->keep)
		sight__keep();
	CHECK_INT(privileges__drop_capabilities(), 0);
	CHECK_INT(privileges__confine(&needs, &what), 0);
	CHECK(vm__identify(&vm) == t->shown);
	snprintf(mark, sizeof(mark), "pid-%u", other);
	CHECK_STR(vm.comm, t->shown ? "sight other" : mark);
	CHECK(!strncmp(vm.name, "pid-", 4) == !t->shown);
	CHECK(strstr(sight__why_hidden(), t->why));
	return check__failed;
}

/* Listed at all: to whoever is in the group, or may trace */
static int check_listing(bool member)
{
	const gid_t group = GROUP;

	CHECK(!sight__hides());
	CHECK(!setgroups(member, &group) && !setresgid(65534, 65534, 65534) &&
	      !setresuid(65534, 65534, 65534));
	CHECK(sight__hides() == !member);
	CHECK_STR(sight__missing(),
		  "missing CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE (root has all)");
	return check__failed;
}

/* In a process of its own; its failures, or -1: no such mount can be made here */
static int run(const struct test *t, bool member)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		if (!mount_proc(t ? t->options : "hidepid=2,gid=4321"))
			_exit(77);
		check__leave(t ? check_test(t) : check_listing(member));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 77 ? -1 : status;
}

static pid_t start_other(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "sight other");
	if (setgroups(0, NULL) || setresgid(65533, 65533, 65533) || setresuid(65533, 65533, 65533))
		_exit(1);
	_exit(pause());
}

int main(void)
{
	size_t i;
	int skipped = 0;

	if (geteuid()) {
		printf("sight: 1 passed, 0 failed, %zu skipped\n", ARRAY_SIZE(tests));
		return 0;
	}
	other = start_other();
	usleep(50000);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		int failed = run(&tests[i], false);

		if (failed < 0)
			skipped++;
		else if (!CHECK_INT(failed, 0))
			fprintf(stderr, "\tin case %zu\n", i);
	}
	for (i = 0; i < 2; i++) {
		int failed = run(NULL, i);

		if (failed < 0)
			skipped++;
		else
			CHECK_INT(failed, 0);
	}
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	if (skipped)
		fprintf(stderr, "skipped: %d mounts of /proc\n", skipped);
	return check__report("sight");
}
