// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a process can still do after giving up privileges: all that the loop does,
 * nothing that an intruder would want. Each case runs in a process of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/landlock.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "lib/output.h"
#include "lib/privileges.h"
#include "lib/util.h"
#include "vm/process.h"
#include "vm/vm.h"

#define SIZE 64
static char top[] = "/tmp/kvmexit-test-XXXXXX";
static char path[SIZE]; /* the output, a file not yet there beside it, one elsewhere */
static char beside[SIZE];
static char other[SIZE];
static int kept; /* a file that was to be kept, one that was not, a pipe */
static int closed;
static int out[2];

/* Each: 0 where the call succeeded, else errno */

static int result(long value)
{
	return value < 0 ? errno : 0;
}

static int try_execve(void)
{
	return result(execl("/bin/true", "true", NULL));
}

static int try_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return result(pid);
}

static int try_socket(void)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_bpf(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return result(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int try_perf(void)
{
	return result(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int try_kill(void)
{
	return result(kill(getppid(), 0));
}

static int try_signal(void)
{
	return result(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGCONT));
}

static int try_ptrace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_write_file(void)
{
	return result(open(path, O_WRONLY));
}

static int try_truncate(void)
{
	return result(open(path, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC, 0600));
}

static int try_append(void)
{
	return result(open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
}

static int try_append_new(void)
{
	return result(open(beside, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
}

/* What can be opened by mode and owner, of files that are not the output's */
static int try_append_elsewhere(void)
{
	return result(open(other, O_WRONLY | O_APPEND));
}

static int try_create_elsewhere(void)
{
	return result(open("/tmp/kvmexit-test", O_WRONLY | O_APPEND | O_CREAT, 0600));
}

static int try_own_memory(void)
{
	return result(open("/proc/self/mem", O_WRONLY | O_APPEND));
}

/* Without O_APPEND a file could be written over, after lseek() */
static int try_not_appending(void)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? 0 : result(fcntl(fd, F_SETFL, 0));
}

static int try_positioned(void)
{
	return result(pwrite(kept, "y", 1, 0));
}

static int try_unlink(void)
{
	return result(unlink(path));
}

static int try_unlinkat(void)
{
	return result(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

static int try_chmod(void)
{
	return result(chmod(path, 0777));
}

static int try_mount(void)
{
	return result(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
}

static int try_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int try_mprotect(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	return result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int try_setuid(void)
{
	return result(syscall(SYS_setuid, 0));
}

static int try_ioctl(void)
{
	return result(ioctl(kept, FIONBIO, &(int){ 0 }));
}

static int try_closed(void)
{
	return result(fcntl(closed, F_GETFD)) == EPERM &&
			       result(read(closed, &(char){ 0 }, 1)) == EBADF
		       ? EBADF
		       : 0;
}

static int try_read(void)
{
	char text[64];
	int n = read_file("/proc/self/comm", text, sizeof(text));

	return n < 0 ? -n : result(pread(kept, text, 1, 0));
}

static int try_proc(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	char target[64];
	int n = 0;

	if (!dir)
		return errno;
	while ((e = readdir(dir)))
		n += readlinkat(dirfd(dir), e->d_name, target, sizeof(target)) > 0;
	closedir(dir);
	/* 0, 1, 2, the kept one, the pipe's end, the directory */
	return n == 6 ? 0 : 1000 + n;
}

static int try_output(void)
{
	struct output o = { .fd = kept, .path = path };
	int err = output__reopen(&o);

	output__put(&o, "x\n", 2);
	return err ? -err : -output__flush(&o);
}

/* Whose a file is has to be known when the output is opened anew */
static int try_own_file(void)
{
	struct stat st;

	return result(stat(path, &st)) ?: st.st_uid == geteuid() ? 0 : EPERM;
}

static int try_memory(void)
{
	char *p = malloc(1 << 20), *q = realloc(p, 1 << 26);

	if (!q)
		return errno;
	memset(q, 1, 1 << 26);
	free(q);
	return 0;
}

static int try_time(void)
{
	struct itimerspec when = { .it_value.tv_nsec = 1 };
	struct pollfd p = { .fd = kept, .events = POLLIN };
	struct timespec ts;
	struct tm tm;

	if (timerfd_settime(kept, 0, &when, NULL) && errno != EINVAL)
		return errno;
	if (poll(&p, 1, 10) < 0 || syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts))
		return errno;
	return localtime_r(&ts.tv_sec, &tm) ? 0 : EINVAL;
}

static int try_is_gone(void)
{
	return process__is_gone(getpid(), getpid(), 0) || !process__is_gone(1 << 22, 1 << 22, 0);
}

/* What standard output does if it is a socket, or may not be opened anew */
static int try_stream(void)
{
	const struct itimerval never = { 0 };

	if (send(kept, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != ENOTSOCK)
		return errno;
	return result(setitimer(ITIMER_REAL, &never, NULL));
}

static int try_send_elsewhere(void)
{
	const struct sockaddr to = { .sa_family = AF_UNIX };

	return result(sendto(kept, "x", 1, MSG_DONTWAIT, &to, sizeof(to)));
}

static int try_profile(void)
{
	const struct itimerval never = { 0 };

	return result(setitimer(ITIMER_PROF, &never, NULL));
}

static const struct test_case {
	const char *name;
	int (*try)(void);
	bool append;
	int want;
} cases[] = {
	{ "execve", try_execve, true, EPERM },
	{ "fork", try_fork, true, EPERM },
	{ "socket", try_socket, true, EPERM },
	{ "send to an address", try_send_elsewhere, true, EPERM },
	{ "setitimer, of a profile", try_profile, true, EPERM },
	{ "bpf", try_bpf, true, EPERM },
	{ "perf_event_open", try_perf, true, EPERM },
	{ "kill", try_kill, true, EPERM },
	{ "tgkill with a signal", try_signal, true, EPERM },
	{ "ptrace", try_ptrace, true, EPERM },
	{ "open to write", try_write_file, true, EPERM },
	{ "open to truncate", try_truncate, true, EPERM },
	{ "open to append, -o", try_append, true, 0 },
	{ "open to append, no -o", try_append, false, EPERM },
	{ "create, in the directory of -o", try_append_new, true, 0 },
	{ "append elsewhere, no -o", try_append_elsewhere, false, EPERM },
	{ "appending no longer", try_not_appending, true, EPERM },
	{ "pwrite", try_positioned, true, EPERM },
	{ "unlink", try_unlink, true, EPERM },
	{ "unlinkat", try_unlinkat, true, EPERM },
	{ "chmod", try_chmod, true, EPERM },
	{ "mount", try_mount, true, EPERM },
	{ "mmap of code", try_code, true, EPERM },
	{ "mprotect", try_mprotect, true, EPERM },
	{ "setuid", try_setuid, true, EPERM },
	{ "ioctl", try_ioctl, true, EPERM },
	{ "a file not kept", try_closed, true, EBADF },
	{ "read, pread", try_read, false, 0 },
	{ "/proc", try_proc, false, 0 },
	{ "output anew", try_output, true, 0 },
	{ "whose a file is", try_own_file, true, 0 },
	{ "send, a timer", try_stream, false, 0 },
	{ "memory", try_memory, false, 0 },
	{ "time", try_time, false, 0 },
	{ "is_gone", try_is_gone, false, 0 },
};

/* By Landlock */
static const struct test_case elsewhere[] = {
	{ "append elsewhere", try_append_elsewhere, true, EACCES },
	{ "create elsewhere", try_create_elsewhere, true, EACCES },
	{ "/proc/self/mem", try_own_memory, true, EACCES },
};

/* The value of a line of /proc/self/status, as text */
static void status_line(const char *key, char *value, size_t size)
{
	char text[8192];
	const char *p;

	*value = 0;
	if (read_file("/proc/self/status", text, sizeof(text)) <= 0)
		return;
	p = strstr(text, key);
	if (p)
		snprintf(value, size, "%.*s", (int)strcspn(p, "\n"), p);
}

static void drop(bool append)
{
	const int fds[] = { out[1], kept, -1, STDERR_FILENO };
	const struct needs needs = { .fds = fds,
				     .nr_fds = ARRAY_SIZE(fds),
				     .output = append ? path : NULL };
	const char *what = "dropping capabilities";
	int err = privileges__drop_capabilities();

	if (!err)
		err = privileges__confine(&needs, &what);
	if (err) {
		fprintf(stderr, "giving up privileges: %s: %s\n", what, strerror(-err));
		_exit(99);
	}
}

static void test_case(const struct test_case *c)
{
	int got = -1;
	pid_t pid = fork();

	if (!pid) {
		drop(c->append);
		got = c->try();
		check__leave(write(out[1], &got, sizeof(got)) != sizeof(got));
	}
	CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
	if (read(out[0], &got, sizeof(got)) != sizeof(got) || !CHECK_INT(got, c->want))
		fprintf(stderr, "case: %s\n", c->name);
}

static void test_status(void)
{
	static const char *const want[] = { "CapInh:\t0000000000000000",
					    "CapPrm:\t0000000000000000",
					    "CapEff:\t0000000000000000",
					    "CapAmb:\t0000000000000000",
					    "NoNewPrivs:\t1",
					    "Seccomp:\t2" };
	bool root = !geteuid();
	char line[64], text[512];
	pid_t pid = fork();
	ssize_t n;
	size_t i;

	if (!pid) {
		drop(false);
		for (i = 0; i < ARRAY_SIZE(want); i++) {
			snprintf(text, sizeof(text), "%.*s", (int)strcspn(want[i], "\t"), want[i]);
			status_line(text, line, sizeof(line));
			dprintf(out[1], "%s\n", line);
		}
		status_line("CapBnd:", line, sizeof(line));
		dprintf(out[1], "%s\n", line);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	n = read(out[0], text, sizeof(text) - 1);
	if (!CHECK(n > 0))
		return;
	text[n] = 0;
	for (i = 0; i < ARRAY_SIZE(want); i++)
		if (!CHECK(strstr(text, want[i])))
			fprintf(stderr, "%s in\n%s", want[i], text);
	if (root)
		CHECK(strstr(text, "CapBnd:\t0000000000000000"));
}

/* An abort must still be one: its core tells what happened */
static void test_abort(void)
{
	int status = 0;
	pid_t pid;

#ifdef __SANITIZE_ADDRESS__
	return; /* it has an end of its own */
#endif
	pid = fork();
	if (!pid) {
		prctl(PR_SET_DUMPABLE, 0);
		drop(false);
		abort();
	}
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_standard_fds(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		close(0);
		close(1);
		privileges__occupy_standard_fds();
		_exit(open("/dev/null", O_RDONLY) <= 2 || write(1, "x", 1) != -1 ||
		      errno != EBADF || read(0, &status, 1) != -1 || errno != EBADF);
	}
	waitpid(pid, &status, 0);
	CHECK_INT(status, 0);
}

/* Whether a file can be opened where @output is: a device is alone */
static int try_beside(const char *output, const char *file)
{
	const struct needs needs = { .fds = &kept, .nr_fds = 1, .output = output };
	const char *what;
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (privileges__drop_capabilities() || privileges__confine(&needs, &what))
			_exit(99);
		check__leave(result(open(file, O_WRONLY | O_APPEND)));
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

/* What the live view does to a terminal and to itself, which others cannot do */
static int try_modes(void)
{
	struct termios modes = { 0 };

	return result(tcsetattr(STDIN_FILENO, TCSANOW, &modes));
}

static int try_raise(void)
{
	return result(raise(SIGUSR1));
}

static int try_type(void)
{
	return result(ioctl(STDIN_FILENO, TIOCSTI, "x"));
}

static void test_terminal(void)
{
	const int raises[] = { SIGTSTP, SIGUSR1 };
	const struct {
		int (*try)(void);
		bool terminal;
		int want;
	} tries[] = {
		{ try_modes, true, ENOTTY }, { try_modes, false, EPERM }, { try_raise, true, 0 },
		{ try_raise, false, EPERM }, { try_type, true, EPERM },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		const struct needs needs = { .terminal = tries[i].terminal,
					     .raises = raises,
					     .nr_raises = tries[i].terminal ? 2 : 0 };
		const char *what;
		int status = 0;
		pid_t pid = fork();

		if (!pid) {
			signal(SIGUSR1, SIG_IGN);
			dup2(open("/dev/null", O_RDWR), STDIN_FILENO);
			if (privileges__drop_capabilities() || privileges__confine(&needs, &what))
				_exit(99);
			check__leave(tries[i].try());
		}
		waitpid(pid, &status, 0);
		if (!CHECK_INT(WEXITSTATUS(status), tries[i].want))
			fprintf(stderr, "terminal, try: %zu\n", i);
	}
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void test_landlock(void)
{
	char link[SIZE];
	size_t i;

	if (!has_landlock()) {
		printf("privileges: this kernel has no Landlock\n");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(elsewhere); i++)
		test_case(&elsewhere[i]);
	CHECK_INT(try_beside("/dev/full", "/dev/full"), 0);
	CHECK_INT(try_beside("/dev/full", "/dev/null"), EACCES);
	/* A link leads to where the file is */
	snprintf(link, sizeof(link), "%s/link", top);
	CHECK_INT(symlink(other, link), 0);
	CHECK_INT(try_beside(link, other), 0);
	CHECK_INT(try_beside(link, path), EACCES);
	unlink(link);
}

/* A file in a directory of its own; -1: it could not be made */
static int make_file(char *name, const char *directory)
{
	snprintf(name, SIZE, "%s/%s", top, directory);
	if (mkdir(name, 0700))
		return -1;
	snprintf(name, SIZE, "%s/%s/file", top, directory);
	return open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static bool prepare(void)
{
	if (!CHECK(mkdtemp(top)) || !CHECK(close(make_file(other, "other")) == 0))
		return false;
	kept = make_file(path, "output");
	snprintf(beside, sizeof(beside), "%s/output/new", top);
	closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return CHECK(kept >= 0) && CHECK(closed >= 0) && CHECK_INT(pipe(out), 0) &&
	       CHECK_INT(write(kept, "x\n", 2), 2);
}

static void clean_up(void)
{
	char *const files[] = { path, beside, other };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		unlink(files[i]);
	*strrchr(path, '/') = 0;
	*strrchr(other, '/') = 0;
	rmdir(path);
	rmdir(other);
	rmdir(top);
}

int main(void)
{
	size_t i;

	if (!prepare())
		return check__report("privileges");
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		test_case(&cases[i]);
	test_landlock();
	test_status();
	test_abort();
	test_standard_fds();
	test_terminal();
	clean_up();
	return check__report("privileges");
}
