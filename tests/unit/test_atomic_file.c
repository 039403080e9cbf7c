// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A file that is replaced as a whole: one writer, and what it can do after giving up
 * privileges. Each try runs in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "lib/atomic_file.h"
#include "lib/privileges.h"
#include "lib/util.h"

#define SIZE 64
static char top[] = "/tmp/kvmexit-test-XXXXXX";
static char path[SIZE]; /* what is replaced, and a file elsewhere */
static char other[SIZE];

/* 0 where the call succeeded, else errno */
static int result(long value)
{
	return value < 0 ? errno : 0;
}

static int try_append(void)
{
	return result(open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
}

static int try_unlink(void)
{
	return result(unlink(path));
}

/* --metrics: a file is made beside another and takes its place, there only */
static struct replaced replaced;

static int try_replace(void)
{
	char lock[SIZE + 8];
	struct stat st;
	int err = replaced__write(&replaced, "x\n", 2);

	replaced__close(&replaced);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	return err ? -err : !stat(lock, &st);
}

/* Only what was not there before can be written to */
static int try_truncate_there(void)
{
	return result(open(path, O_WRONLY | O_TRUNC));
}

static int try_create_over(void)
{
	return result(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int try_exclusive_elsewhere(void)
{
	char name[SIZE + 8];

	snprintf(name, sizeof(name), "%s.new", other);
	return result(open(name, O_WRONLY | O_CREAT | O_EXCL, 0600))
		       ?: result(syscall(SYS_unlinkat, AT_FDCWD, name, 0));
}

/* Of a file that was written only in part */
static int try_remove_new(void)
{
	char name[SIZE + 8];
	int fd;

	snprintf(name, sizeof(name), "%s.new", path);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return result(fd) ?: result(syscall(SYS_unlinkat, AT_FDCWD, name, 0));
}

static int try_remove_elsewhere(void)
{
	return result(syscall(SYS_unlinkat, AT_FDCWD, other, 0));
}

static int try_rename_elsewhere(void)
{
	return result(syscall(SYS_renameat, AT_FDCWD, other, AT_FDCWD, path));
}

static void test_confined(bool landlock)
{
	int fds[1];
	const struct needs needs = { .fds = fds, .nr_fds = 1, .replaced = path };
	const struct {
		int (*try)(void);
		int want;
	} tries[] = {
		{ try_replace, 0 },
		{ try_append, EPERM },
		{ try_unlink, EPERM },
		{ try_truncate_there, EPERM },
		{ try_create_over, EPERM },
		{ try_remove_new, 0 },
		{ try_exclusive_elsewhere, landlock ? EACCES : 0 },

		{ try_rename_elsewhere, landlock ? EACCES : 0 },
		/* Without Landlock the file has been renamed */
		{ try_remove_elsewhere, landlock ? EACCES : ENOENT },
	};
	const char *what;
	size_t i;

	CHECK_INT(replaced__open(&replaced, path), 0);
	fds[0] = replaced.lock;
	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		int status = 0;
		pid_t pid = fork();

		if (!pid) {
			if (privileges__drop_capabilities() || privileges__confine(&needs, &what))
				_exit(99);
			check__leave(tries[i].try());
		}
		waitpid(pid, &status, 0);
		if (!CHECK_INT(WEXITSTATUS(status), tries[i].want))
			fprintf(stderr, "try: %zu\n", i);
	}
	replaced__close(&replaced);
}

static void test_names(void)
{
	CHECK(replaced__uses("m.prom", "m.prom.lock"));
	CHECK(replaced__uses("m.prom", "m.prom.new-0123456789abcdef"));
	CHECK(!replaced__uses("m.prom", "m.prom"));
	CHECK(!replaced__uses("m.prom", "m.prom.new"));
	CHECK(!replaced__uses("m.prom", "m.prom.new-0123456789abcde"));
	CHECK(!replaced__uses("m.prom", "m.prom.new-0123456789abcdef0"));
	CHECK(!replaced__uses("m.prom", "m.prom.new-0123456789ABCDEF"));
	CHECK(!replaced__uses("m.prom", "n.prom.lock"));
}

static void test_one_writer(void)
{
	struct replaced first, second;

	CHECK_INT(replaced__open(&first, path), 0);
	CHECK_INT(replaced__open(&second, path), -EBUSY);
	replaced__close(&second);
	CHECK_INT(replaced__write(&first, "x\n", 2), 0);
	CHECK_INT(replaced__open(&second, path), -EBUSY);
	replaced__close(&second);
	replaced__close(&first);
	CHECK_INT(replaced__open(&second, path), 0);
	replaced__close(&second);
	CHECK_INT(replaced__open(&first, top), -EEXIST);
	replaced__close(&first);
}

/* Two directories with a file in each */
static bool prepare(void)
{
	char *const files[] = { path, other };
	size_t i;

	if (!CHECK(mkdtemp(top)))
		return false;
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(files[i], SIZE, "%s/%zu", top, i);
		CHECK_INT(mkdir(files[i], 0700), 0);
		snprintf(files[i], SIZE, "%s/%zu/file", top, i);
		CHECK_INT(close(open(files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	}
	return true;
}

static void clean_up(void)
{
	char *const files[] = { path, other };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		unlink(files[i]);
		*strrchr(files[i], '/') = 0;
		CHECK_INT(rmdir(files[i]), 0);
	}
	CHECK_INT(rmdir(top), 0);
}

int main(void)
{
	bool landlock =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;

	if (!prepare())
		return check__report("atomic_file");
	test_names();
	test_one_writer();
	test_confined(landlock);
	clean_up();
	return check__report("atomic_file");
}
