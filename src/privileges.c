// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

/* These whatever their arguments; those with conditions are added below */
static const int plain_calls[] = {
	/* The loop and its output */
	SCMP_SYS(read),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(timerfd_settime),
	/* Where the vDSO cannot tell the time */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	/* /proc, and the output file opened anew */
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	/* malloc; qsort asks for the size of the memory, jansson for a seed */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getrandom),
	/* Signals (poll is continued by restart_syscall after SIGCONT), the end */
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static bool has_capability(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

const char *privileges__missing_to_probe(void)
{
	bool bpf = has_capability(CAP_BPF), perfmon = has_capability(CAP_PERFMON);
	struct rlimit memlock;

	if (has_capability(CAP_SYS_ADMIN))
		return NULL;
	if (!bpf)
		return perfmon ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
	if (!perfmon)
		return "CAP_PERFMON";
	/* Until 5.10 BPF maps count as locked memory */
	if (!getrlimit(RLIMIT_MEMLOCK, &memlock) && memlock.rlim_cur != RLIM_INFINITY)
		return "CAP_SYS_ADMIN, or (kernels until 5.10) ulimit -l unlimited";
	return "CAP_SYS_ADMIN";
}

const char *privileges__missing_to_read(void)
{
	return has_capability(CAP_DAC_READ_SEARCH) ? NULL : "CAP_DAC_READ_SEARCH";
}

bool privileges__locked_down(void)
{
	char text[64];

	return read_file("/sys/kernel/security/lockdown", text, sizeof(text)) > 0 &&
	       strstr(text, "[confidentiality]");
}

void privileges__occupy_standard_fds(void)
{
	int fd;

	/* The wrong way round: to use it stays an error. open() takes the lowest. */
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static int compare_ints(const void *a, const void *b)
{
	return THREE_WAY(*(const int *)a, *(const int *)b);
}

static int close_between(int first, int last)
{
	if (first > last || !syscall(SYS_close_range, first, last, 0))
		return 0;
	return -errno;
}

static int close_files(const struct needs *needs)
{
	int *fds = calloc(needs->nr_fds + 1, sizeof(*fds));
	int next = STDERR_FILENO + 1, err = 0;
	size_t i, n = 0;

	if (!fds)
		return -ENOMEM;
	for (i = 0; i < needs->nr_fds; i++)
		if (needs->fds[i] > STDERR_FILENO)
			fds[n++] = needs->fds[i];
	qsort(fds, n, sizeof(*fds), compare_ints);
	for (i = 0; i < n && !err; i++) {
		err = close_between(next, fds[i] - 1);
		next = fds[i] + 1;
	}
	free(fds);
	return err ? err : close_between(next, INT_MAX);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int cap;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	/* Needs CAP_SETPCAP, which a service may not have; nothing hangs on it */
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static int allow(scmp_filter_ctx filter, int call, unsigned int n, const struct scmp_arg_cmp *args)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, args);
}

/*
 * Reading, and where @append appending: no file is ever truncated. Root's own
 * files could be written to without any capability.
 */
static int allow_open(scmp_filter_ctx filter, bool append)
{
	const scmp_datum_t bits = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
	const struct scmp_arg_cmp reading[] = { SCMP_A2(SCMP_CMP_MASKED_EQ, bits, O_RDONLY) };
	const struct scmp_arg_cmp appending[] = { SCMP_A2(SCMP_CMP_MASKED_EQ, bits,
							  O_WRONLY | O_APPEND | O_CREAT) };
	int err = allow(filter, SCMP_SYS(openat), 1, reading);

	return err || !append ? err : allow(filter, SCMP_SYS(openat), 1, appending);
}

static int allow_conditional(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp terminal[] = { SCMP_A1(SCMP_CMP_EQ, TCGETS) };
	const struct scmp_arg_cmp window[] = { SCMP_A1(SCMP_CMP_EQ, TIOCGWINSZ) };
	const struct scmp_arg_cmp no_code[] = { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) };
	const struct scmp_arg_cmp is_there[] = { SCMP_A2(SCMP_CMP_EQ, 0) };
	const struct scmp_arg_cmp own_abort[] = { SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()),
						  SCMP_A2(SCMP_CMP_EQ, SIGABRT) };
	int err = allow(filter, SCMP_SYS(ioctl), 1, terminal);

	if (!err)
		err = allow(filter, SCMP_SYS(ioctl), 1, window);
	if (!err)
		err = allow(filter, SCMP_SYS(mmap), 1, no_code);
	if (!err)
		err = allow(filter, SCMP_SYS(tgkill), 1, is_there);
	return err ? err : allow(filter, SCMP_SYS(tgkill), 2, own_abort);
}

static int filter_calls(bool append)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(plain_calls) && !err; i++)
		err = allow(filter, plain_calls[i], 0, NULL);
	if (!err)
		err = allow_open(filter, append);
	if (!err)
		err = allow_conditional(filter);
	if (!err)
		err = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return err;
}

int privileges__drop(const struct needs *needs, const char **what)
{
	int err;

	tzset(); /* reads /etc/localtime now rather than at the first report */
	*what = "closing files";
	err = close_files(needs);
	if (err)
		return err;
	*what = "dropping capabilities";
	err = drop_capabilities();
	if (err)
		return err;
	*what = "filtering system calls";
	err = filter_calls(needs->append);
	if (err && err != -EINVAL && err != -ENOSYS)
		return err;
	/* A kernel built without: the rest holds all the same */
	if (needs->verbose)
		complain("privileges given up: all capabilities, new ones by execve, files no "
			 "longer needed, system calls%s",
			 err ? " not: this kernel cannot filter them"
			     : " but those that reporting makes (others: EPERM)");
	return 0;
}
