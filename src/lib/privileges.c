// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <libgen.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define OPEN_BITS (O_ACCMODE | O_TRUNC | O_APPEND)

/* What Landlock forbids: all that its first version (Linux 5.13) knows, except reading */
#define NOT_READING                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |     \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |     \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |     \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |   \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)

/* No condition */
#define ANY NO_ARG, 0, 0

/*
 * The system calls of the loop, and a condition: in the low half of argument @arg, the bits
 * in @mask must be @value. The kernel takes all of these arguments as 32 bits wide, or
 * looks only at the low half (mmap's protection).
 */
enum {
	NO_ARG = -1
};

static const struct call {
	int nr;
	int arg;
	__u32 mask;
	__u32 value;
} calls[] = {
	/* The loop and its output */
	{ SYS_read, ANY },
	{ SYS_pread64, ANY },
	{ SYS_write, ANY },
	{ SYS_writev, ANY },
	/* To a socket that is standard output or error, to no other address; what ends a write */
	{ SYS_sendto, 5, ~0u, 0 },
	{ SYS_setitimer, 0, ~0u, ITIMER_REAL },
#ifdef SYS_poll
	{ SYS_poll, ANY },
#endif
	{ SYS_ppoll, ANY },
	{ SYS_timerfd_settime, ANY },
	/* If the vDSO cannot tell the time */
	{ SYS_clock_gettime, ANY },
	{ SYS_gettimeofday, ANY },
	/* /proc, and the output file opened anew */
	{ SYS_openat, 2, OPEN_BITS | O_CREAT, O_RDONLY },
#ifdef SYS_readlink
	{ SYS_readlink, ANY },
#endif
	{ SYS_readlinkat, ANY },
	{ SYS_getdents64, ANY },
	{ SYS_fstat, ANY },
	{ SYS_newfstatat, ANY },
	{ SYS_lseek, ANY },
	{ SYS_close, ANY },
	{ SYS_tgkill, 2, ~0u, 0 }, /* whether a thread is there */
	/* Whether it is a terminal, and its size */
	{ SYS_ioctl, 1, ~0u, TCGETS },
	{ SYS_ioctl, 1, ~0u, TIOCGWINSZ },
	/* malloc; qsort asks for the size of the memory, jansson for a seed */
	{ SYS_brk, ANY },
	{ SYS_mmap, 2, PROT_EXEC, 0 },
	{ SYS_munmap, ANY },
	{ SYS_mremap, ANY },
	{ SYS_madvise, ANY },
	{ SYS_futex, ANY },
	/* Before a slot is used again */
	{ SYS_membarrier, 0, ~0u, MEMBARRIER_CMD_GLOBAL },
	{ SYS_sysinfo, ANY },
	{ SYS_getrandom, ANY },
	/* Signals (poll is continued by restart_syscall after SIGCONT), the end */
	{ SYS_rt_sigprocmask, ANY },
	{ SYS_rt_sigreturn, ANY },
	{ SYS_restart_syscall, ANY },
	{ SYS_getpid, ANY },
	{ SYS_gettid, ANY },
	{ SYS_geteuid, ANY }, /* whose a file is that is opened anew */
	{ SYS_exit, ANY },
	{ SYS_exit_group, ANY },
};

static const struct call terminal_call = { SYS_ioctl, 1, ~0u, TCSETS };

static const struct call append_call = { SYS_openat, 2, OPEN_BITS, O_WRONLY | O_APPEND };

/* A file is opened for this only if it was not there before */
static const struct call replace_calls[] = {
	{ SYS_openat, 2, OPEN_BITS | O_CREAT | O_EXCL, O_WRONLY | O_CREAT | O_EXCL },
	{ SYS_renameat, ANY },
	{ SYS_unlinkat, 2, ~0u, 0 },
};

static bool has_capability(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

/* Until 5.10 BPF maps count as locked memory, of which there is little by default */
static bool is_short_of_memory(void)
{
	struct rlimit memlock;

	return !getrlimit(RLIMIT_MEMLOCK, &memlock) && memlock.rlim_cur != RLIM_INFINITY;
}

static bool counts_locked_memory(void)
{
	unsigned int major, minor;
	struct utsname name;

	return !uname(&name) && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 5 || (major == 5 && minor < 11));
}

const char *privileges__missing_to_probe(void)
{
	bool bpf = has_capability(CAP_BPF), perfmon = has_capability(CAP_PERFMON);

	if (has_capability(CAP_SYS_ADMIN))
		return is_short_of_memory() && counts_locked_memory()
			       ? "CAP_SYS_RESOURCE, or ulimit -l unlimited"
			       : NULL;
	if (!bpf)
		return perfmon ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
	if (!perfmon)
		return "CAP_PERFMON";
	if (is_short_of_memory())
		return "CAP_SYS_ADMIN, or (kernels until 5.10) ulimit -l unlimited";
	return "CAP_SYS_ADMIN";
}

const char *privileges__missing_to_read(void)
{
	return has_capability(CAP_DAC_READ_SEARCH) ? NULL : "CAP_DAC_READ_SEARCH";
}

bool privileges__can_trace(void)
{
	return has_capability(CAP_SYS_PTRACE);
}

const char *privileges__missing_to_look(void)
{
	bool search = has_capability(CAP_DAC_READ_SEARCH) || has_capability(CAP_DAC_OVERRIDE);

	if (!privileges__can_trace())
		return search ? "CAP_SYS_PTRACE" : "CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE";
	return search ? NULL : "CAP_DAC_READ_SEARCH";
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

	/* Opened the wrong way round: its use stays an error. open() takes the lowest fd. */
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static int compare_ints(const void *a, const void *b)
{
	return THREE_WAY(*(const int *)a, *(const int *)b);
}

static void close_between(int first, int last)
{
	if (first > last || !syscall(SYS_close_range, first, last, 0))
		return;
	/* Kernels before 5.9, and containers that do not know the call */
	if (last > sysconf(_SC_OPEN_MAX))
		last = sysconf(_SC_OPEN_MAX);
	for (; first <= last; first++)
		close(first);
}

static int close_files(const struct needs *needs)
{
	int *fds = calloc(needs->nr_fds + 1, sizeof(*fds));
	int next = STDERR_FILENO + 1;
	size_t i, n = 0;

	if (!fds)
		return -ENOMEM;
	for (i = 0; i < needs->nr_fds; i++)
		if (needs->fds[i] > STDERR_FILENO)
			fds[n++] = needs->fds[i];
	qsort(fds, n, sizeof(*fds), compare_ints);
	for (i = 0; i < n; i++) {
		close_between(next, fds[i] - 1);
		next = fds[i] + 1;
	}
	close_between(next, INT_MAX);
	free(fds);
	return 0;
}

int privileges__drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int cap;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	/* Needs CAP_SETPCAP, which a service may not have; a failure does no harm */
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static int add_rule(int ruleset, const char *path, __u64 access)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	int err = 0;

	if (rule.parent_fd < 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		err = -errno;
	if (rule.parent_fd >= 0)
		close(rule.parent_fd);
	return err;
}

/*
 * A file may be rotated, so the rule permits writing to its directory (after symbolic
 * links). For a device it permits only the device. What has no path, such as the pipe
 * behind /dev/stdout, needs no rule.
 */
static int allow_output(int ruleset, const char *output)
{
	__u64 access = LANDLOCK_ACCESS_FS_WRITE_FILE;
	char *path = realpath(output, NULL), *slash;
	struct stat st;
	int err;

	if (!path)
		return errno == ENOENT ? 0 : -errno;
	if (!stat(path, &st) && !S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) {
		access |= LANDLOCK_ACCESS_FS_MAKE_REG;
		slash = strrchr(path, '/');
		slash[slash == path] = 0; /* the root keeps its own */
	}
	err = add_rule(ruleset, path, access);
	free(path);
	return err;
}

/* The new file is made in the same directory, then it is renamed */
static int allow_replaced(int ruleset, const char *replaced)
{
	const __u64 access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
			     LANDLOCK_ACCESS_FS_REMOVE_FILE;
	char *path = strdup(replaced);
	int err = path ? add_rule(ruleset, dirname(path), access) : -ENOMEM;

	free(path);
	return err;
}

/* Needed even without capabilities: root may still open all files that belong to root */
static int restrict_files(const struct needs *needs)
{
	const struct landlock_ruleset_attr attr = { .handled_access_fs = NOT_READING };
	int ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int err;

	if (ruleset < 0)
		return -errno;
	err = needs->output ? allow_output(ruleset, needs->output) : 0;
	if (!err && needs->replaced)
		err = allow_replaced(ruleset, needs->replaced);
	if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0))
		err = -errno;
	close(ruleset);
	return err;
}

/* A program for seccomp; the number of the call is in the accumulator */
struct filter {
	struct sock_filter insns[6 * ARRAY_SIZE(calls) + 96];
	unsigned short n;
};

static void emit(struct filter *f, __u16 code, __u32 k, __u8 if_true, __u8 if_false)
{
	f->insns[f->n++] = (struct sock_filter){ code, if_true, if_false, k };
}

static void emit_load(struct filter *f, size_t offset)
{
	emit(f, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void emit_return(struct filter *f, __u32 action)
{
	emit(f, BPF_RET | BPF_K, action, 0, 0);
}

/* Goes on with the next instruction where equal, else skips @skip of them */
static void emit_equal(struct filter *f, __u32 value, __u8 skip)
{
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
}

static size_t arg_offset(int arg)
{
	size_t offset = offsetof(struct seccomp_data, args) + 8 * arg;

	return offset + 4 * (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static void allow(struct filter *f, const struct call *c)
{
	if (c->arg == NO_ARG) {
		emit_equal(f, c->nr, 1);
		emit_return(f, SECCOMP_RET_ALLOW);
		return;
	}
	emit_equal(f, c->nr, 5);
	emit_load(f, arg_offset(c->arg));
	emit(f, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
	emit_equal(f, c->value, 1);
	emit_return(f, SECCOMP_RET_ALLOW);
	emit_load(f, offsetof(struct seccomp_data, nr));
}

/* tgkill(own PID, any of its threads, @signal) */
static void allow_raise(struct filter *f, int signal)
{
	emit_equal(f, SYS_tgkill, 5);
	emit_load(f, arg_offset(0));
	emit_equal(f, getpid(), 3);
	emit_load(f, arg_offset(2));
	emit_equal(f, signal, 1);
	emit_return(f, SECCOMP_RET_ALLOW);
	emit_load(f, offsetof(struct seccomp_data, nr));
}

/* Files may be read, and written to only in the way that is needed */
static int filter_calls(const struct needs *needs)
{
	struct filter f = { .n = 0 };
	struct sock_fprog program = { .filter = f.insns };
	size_t i;

	emit_load(&f, offsetof(struct seccomp_data, arch));
	emit_equal(&f, ARCH, 1);
	emit(&f, BPF_JMP | BPF_JA, 1, 0, 0);
	emit_return(&f, SECCOMP_RET_KILL_PROCESS);
	emit_load(&f, offsetof(struct seccomp_data, nr));
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		allow(&f, &calls[i]);
	if (needs->output)
		allow(&f, &append_call);
	for (i = 0; needs->replaced && i < ARRAY_SIZE(replace_calls); i++)
		allow(&f, &replace_calls[i]);
	if (needs->terminal)
		allow(&f, &terminal_call);
	/* abort() must work */
	allow_raise(&f, SIGABRT);
	for (i = 0; i < needs->nr_raises; i++)
		allow_raise(&f, needs->raises[i]);
	emit_return(&f, SECCOMP_RET_ERRNO | EPERM);
	program.len = f.n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) ? -errno : 0;
}

int privileges__confine(const struct needs *needs, const char **what)
{
	int err, unrestricted;

	tzset(); /* reads /etc/localtime now rather than at the first report */
	*what = "closing files";
	err = close_files(needs);
	if (err)
		return err;
	/* Fails on kernels without Landlock (before 5.13, or built without); go on without it */
	unrestricted = restrict_files(needs);
	*what = "filtering system calls";
	err = filter_calls(needs);
	if (err && err != -EINVAL && err != -ENOSYS)
		return err;
	if (needs->verbose)
		complain("privileges dropped: no capabilities, none by execve, files no longer "
			 "needed are closed; files are written %s%s%s; %s",
			 unrestricted			    ? "anywhere (no Landlock: "
			 : needs->output || needs->replaced ? "in the output's directory only"
							    : "nowhere",
			 unrestricted ? strerror(-unrestricted) : "", unrestricted ? ")" : "",
			 err ? "all system calls remain (this kernel cannot filter them)"
			     : "only the system calls that reporting needs remain");
	return 0;
}
