// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Whose a PID is, and who is gone */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/options.h"
#include "app/target.h"
#include "check.h"
#include "lib/util.h"
#include "snapshot/run.h"
#include "vm/process.h"
#include "vm/vm.h"
#include "vm/vmlist.h"

static const struct run host = { .node = "host" }, other_host = { .node = "other" };

static void *tell_tid(void *arg)
{
	*(pid_t *)arg = syscall(SYS_gettid);
	return NULL;
}

static void test_is_gone(void)
{
	pthread_t thread;
	pid_t pid, tid = 0;
	int status = -1;

	CHECK(!process__is_gone(getpid(), getpid(), 0));
	CHECK(!process__is_gone(1, 1, 0));
	if (CHECK(!pthread_create(&thread, NULL, tell_tid, &tid))) {
		pthread_join(thread, NULL);
		/* The kernel lets the joiner go a moment before the TID is free */
		for (int i = 0; i < 1000 && !process__is_gone(getpid(), tid, 0); i++)
			usleep(1000);
		CHECK(process__is_gone(getpid(), tid, 0));
	}
	pid = fork();
	if (!pid)
		_exit(pause());
	CHECK(!process__is_gone(pid, pid, 0));
	/* There is such a thread, but not in this process */
	CHECK(process__is_gone(getpid(), pid, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(process__is_gone(pid, pid, 0));
	/* Somebody else's process is there, though it may not be signalled */
	pid = fork();
	if (!pid)
		_exit((!geteuid() && setuid(65534)) || process__is_gone(1, 1, 0));
	waitpid(pid, &status, 0);
	CHECK_INT(status, 0);
}

static void test_parse_stat(void)
{
	static const struct {
		const char *text;
		bool ok;
		char state;
		__u64 threads, start;
	} cases[] = {
		{ "1 (sh) S 0 1 1 0 -1 4194560 8 9 1 2 3 4 5 6 20 0 7 0 42 100\n", true, 'S', 7,
		  42 },
		/* A name that tries */
		{ "1 (a) Z 1) R 0 1 1 0 -1 0 8 9 1 2 3 4 5 6 20 0 1 0 18446744073709551615 1", true,
		  'R', 1, ~0ull },
		{ "1 () Z 0 1 1 0 -1 4194560 8 9 1 2 3 4 5 6 20 0 0 0 5", true, 'Z', 0, 5 },
		{ "1 (sh) S 0 1 1 0 -1 4194560 8 9 1 2 3 4 5 6 20 0 7 0", false, 0, 0, 0 },
		{ "1 (sh)", false, 0, 0, 0 },
		{ "1 sh S 0", false, 0, 0, 0 },
		{ "", false, 0, 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct process_stat st = { 0 };

		if (!CHECK(process__parse_stat(cases[i].text, &st) == cases[i].ok))
			fprintf(stderr, "\tin case %zu\n", i);
		if (!cases[i].ok)
			continue;
		CHECK_INT(st.state, cases[i].state);
		CHECK_INT(st.threads, cases[i].threads);
		CHECK_INT(st.start, cases[i].start);
	}
}

/* One that came later under the same number is another one */
static void test_start(void)
{
	struct timespec now;
	__u64 start, ticks;
	pid_t pid;

	usleep(20000); /* two ticks */
	pid = fork();
	if (!pid)
		_exit(pause());
	clock_gettime(CLOCK_BOOTTIME, &now);
	ticks = now.tv_sec * 100 + now.tv_nsec / 10000000;
	start = process__start(pid);
	CHECK(start && start <= ticks && start + 100 > ticks);
	CHECK(process__start(getpid()) && process__start(getpid()) < start);
	CHECK_INT(process__start(2000000000), 0);
	CHECK(!process__is_gone(pid, pid, start));
	CHECK(!process__is_gone(pid, pid, 0));
	CHECK(process__is_gone(pid, pid, start - 1));
	CHECK(process__is_gone(pid, pid, start + 1));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void *sleep_and_tell(void *arg)
{
	__atomic_store_n((pid_t *)arg, syscall(SYS_gettid), __ATOMIC_RELEASE);
	pause();
	return NULL;
}

/* Ended, but not asked for by its parent; and one whose first thread alone has ended */
static void test_zombies(void)
{
	pthread_t thread;
	pid_t pid = fork(), tid;
	int i;

	if (!pid)
		_exit(0);
	for (i = 0; i < 1000 && !process__is_gone(pid, pid, 0); i++)
		usleep(1000);
	CHECK(process__is_gone(pid, pid, 0));
	CHECK(!kill(pid, 0));
	waitpid(pid, NULL, 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_create(&thread, NULL, sleep_and_tell, &tid);
		pthread_exit(NULL);
	}
	usleep(50000);
	CHECK(!process__is_gone(pid, pid, process__start(pid)));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A process with this comm and these arguments, waiting for its end */
static pid_t start(const char *comm, char *const argv[])
{
	int ready[2];
	pid_t pid;
	char c = 0;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(ready[1], STDOUT_FILENO);
		setenv("KVMEXIT_TEST_COMM", comm, 1);
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	close(ready[1]);
	CHECK(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_get_running(void)
{
	char *const named[] = { "qemu-system-x86_64", "-name", "guest=web1", NULL };
	char *const unnamed[] = { "qemu-system-x86_64", "-m", "1G", NULL };
	struct vms *vms = vms__new(host.node);
	const struct vm *vm;
	char mark[32];
	pid_t a = start("main \xff", named), b = start("name\nline", unnamed);

	vm = vms__get(vms, a, 0);
	CHECK_INT(vm->pid, a);
	CHECK_STR(vm->comm, "main \xef\xbf\xbd");
	CHECK_STR(vm->name, "web1");
	vm = vms__get(vms, b, 0);
	CHECK_STR(vm->comm, "name\xef\xbf\xbdline");
	CHECK_STR(vm->name, "name\xef\xbf\xbdline");
	vms__get(vms, b, 0)->users++;
	stop(a);
	/* Still told after its end, until it is forgotten */
	CHECK_STR(vms__get(vms, a, 0)->name, "web1");
	vms__forget(vms);
	snprintf(mark, sizeof(mark), "pid-%u", a);
	CHECK_STR(vms__get(vms, a, 0)->name, mark);
	CHECK_STR(vms__get(vms, a, 0)->comm, mark);
	/* One that has users stays what it was */
	CHECK(vms__get(vms, b, 0) == vm);
	/* Whoever has its PID now is not asked in its place */
	snprintf(mark, sizeof(mark), "pid-%u", b);
	CHECK_STR(vms__get(vms, b, process__start(b) + 1)->name, mark);
	CHECK_STR(vms__get(vms, b, process__start(b))->name, "name\xef\xbf\xbdline");
	stop(b);
	vms__forget(vms);
	CHECK(vms__get(vms, b, 0) == vm);
	vms__free(vms);
}

/* An output that still holds a VM is told that it has ended */
/* "pid-4242" says that there is no name, so a VM that is called so is shown in quotes */
static void test_called_as_none(void)
{
	char *const named[] = { "qemu-system-x86_64", "-name", "guest=pid-4242", NULL };
	char *const similar[] = { "qemu-system-x86_64", "-name", "guest=pid-42a", NULL };
	pid_t a = start("pid-12345678901", named), b = start("pid-", similar);
	struct vm hidden = { .name = "pid-4242" };
	struct vms *vms = vms__new(host.node);
	const struct vm *vm = vms__get(vms, a, 0);

	CHECK_STR(vm->name, "'pid-4242'");
	CHECK_STR(vm->comm, "'pid-123456789'");
	CHECK(vm__is_called(vm, "pid-4242"));
	CHECK(vm__is_called(vm, "'pid-4242'"));
	CHECK(vm__is_called(&hidden, "pid-4242"));
	CHECK(!vm__is_called(&hidden, "pid-424"));
	vm = vms__get(vms, b, 0);
	CHECK_STR(vm->name, "pid-42a");
	CHECK_STR(vm->comm, "pid-");
	stop(a);
	stop(b);
	vms__free(vms);
}

/* A name is found as the VMM has it, and as it is shown */
static void test_is_called(void)
{
	static const struct vm vm = { .name = "web1\xef\xbf\xbd" };
	char longer[VM_NAME_MAX + 20];
	struct vm cut = { .name = "" };

	CHECK(vm__is_called(&vm, "web1\xe2\x80\x8b"));
	CHECK(vm__is_called(&vm, "web1\xef\xbf\xbd"));
	CHECK(!vm__is_called(&vm, "web1"));
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	memcpy(cut.name, longer, VM_NAME_MAX);
	CHECK(vm__is_called(&cut, longer));
	CHECK(!vm__is_called(&cut, longer + 20));
}

static void test_refs(void)
{
	struct vms *vms = vms__new(host.node), *others = vms__new(other_host.node);
	struct vm *vm = vm__ref(vms__get(vms, 2000000000, 5));
	struct vm *next = vms__get(vms, 2000000000, 6);
	struct vm *other = vms__get(others, 2000000000, 5);

	CHECK_INT(vm__compare(vm, vm), 0);
	CHECK_INT(vm__compare(vm, next), -1);
	CHECK_INT(vm__compare(next, vm), 1);
	CHECK_INT(vm__compare(NULL, vm), -1);
	CHECK_INT(vm__compare(vm, NULL), 1);
	CHECK(vm__compare(vm, other) < 0 && vm__compare(other, next) > 0);
	CHECK(vm->node == host.node);
	vms__forget(vms);
	CHECK(vm->ended);
	CHECK_STR(vm->name, "pid-2000000000");
	vm__unref(vm);
	vms__free(vms);
	vms__free(others);
}

/* PIDs that no process can have: they are told apart, and never like a thread's name */
static void test_get_gone(void)
{
	struct vms *vms = vms__new(host.node);
	char mark[32];
	__u32 i;

	CHECK_STR(vms__get(vms, 2000000000, 0)->comm, "pid-2000000000");
	CHECK_STR(vms__get(vms, 2000000000, 0)->vmm, "other");
	CHECK_STR(vms__get(vms, 4294967295, 0)->name, "pid-4294967295");
	vms__forget(vms);
	/* Many, in any order */
	for (i = 0; i < 1000; i++)
		vms__get(vms, 2000000000 + i * 7919 % 1000, 0);
	for (i = 0; i < 1000; i++) {
		snprintf(mark, sizeof(mark), "pid-%u", 2000000000 + i);
		if (!CHECK_STR(vms__get(vms, 2000000000 + i, 0)->name, mark))
			break;
	}
	vms__free(vms);
}

static void put_file(const char *dir, const char *text, const char *fmt, ...)
{
	char path[256];
	va_list ap;
	int n = snprintf(path, sizeof(path), "%s/", dir);
	char *p;
	FILE *out;

	va_start(ap, fmt);
	vsnprintf(path + n, sizeof(path) - n, fmt, ap);
	va_end(ap);
	for (p = path + n; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(path, 0755);
	}
	out = fopen(path, "w");
	CHECK(out && fputs(text, out) >= 0 && !fclose(out));
}

/* A process of two VMs: two vCPUs 0, of which each has its own thread */
static void test_ask_kvm(void)
{
	char dir[] = "/tmp/kvmexit-test-XXXXXX", mine[32], theirs[32], command[64];
	struct listed_vcpu vcpus[] = { { .id = 0 }, { .id = 0 }, { .id = 1 }, { .id = 7 } };
	struct listed_vm vms[] = {
		{ .vm.pid = 1 },
		{ .vm.pid = getpid(), .vcpus = vcpus, .nr_vcpus = ARRAY_SIZE(vcpus) }
	};
	struct vmlist list = { .vms = vms, .nr_vms = 2 };
	pthread_t thread;
	pid_t tid = 0;

	if (!CHECK(mkdtemp(dir)))
		return;
	pthread_create(&thread, NULL, sleep_and_tell, &tid);
	while (!__atomic_load_n(&tid, __ATOMIC_ACQUIRE))
		usleep(1000);
	snprintf(mine, sizeof(mine), "%d\n", getpid());
	snprintf(theirs, sizeof(theirs), "%d\n", tid);
	put_file(dir, "5\n", "exits");
	put_file(dir, mine, "%d-4/vcpu0/pid", getpid());
	put_file(dir, "0\n", "%d-4/vcpu1/pid", getpid()); /* has not run yet */
	put_file(dir, "1\n", "%d-4/vcpu7/pid", getpid()); /* a thread of another process */
	put_file(dir, theirs, "%d-9/vcpu0/pid", tid); /* which also created it */
	put_file(dir, mine, "2000000000-4/vcpu1/pid");
	put_file(dir, mine, "x-4/vcpu1/pid");
	vmlist__ask_kvm(&list, dir);
	CHECK(vcpus[0].tid != vcpus[1].tid);
	CHECK(vcpus[0].tid == (__u32)getpid() || vcpus[0].tid == (__u32)tid);
	CHECK(vcpus[1].tid == (__u32)getpid() || vcpus[1].tid == (__u32)tid);
	CHECK_INT(vcpus[2].tid, 0);
	CHECK_INT(vcpus[3].tid, 0);
	vmlist__ask_kvm(&list, "/nonexistent");
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	CHECK_INT(system(command), 0);
}

/* --vms: the columns stay below each other, however long or wide a name is */
static void test_print(void)
{
	struct listed_vcpu vcpus[] = { { .id = 0, .tid = 11 }, { .id = 1 } };
	struct listed_vm vms[] = {
		{ .vm = { .pid = 10, .name = "web1", .vmm = "qemu" }, vcpus, 2 },
		{ .vm = { .pid = 20, .name = "instance-0000abcd-1", .vmm = "qemu" }, vcpus, 1 },
		{ .vm = { .pid = 30, .name = "\xe4\xbb\xae\xf0\x9f\x90\xa7", .vmm = "other" },
		  vcpus,
		  1 },
	};
	struct vmlist list = { .vms = vms, .nr_vms = 3 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	vmlist__print(out, &list);
	fclose(out);
	CHECK_STR(text, "PID      VM                  VMM               VCPUS  VCPU:TID\n"
			"10       web1                qemu                  2  0:11 1:?\n"
			"20       instance-0000abcd-1 qemu                  1  0:11\n"
			"30       \xe4\xbb\xae\xf0\x9f\x90\xa7                other"
			"                 1  0:11\n");
	free(text);
}

static void test_check_target(void)
{
	struct options none = { 0 };

	CHECK_INT(target__check(&none), 0);
}

int main(void)
{
	const char *comm = getenv("KVMEXIT_TEST_COMM");

	if (comm) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, comm);
		return write(STDOUT_FILENO, "x", 1) == 1 ? pause() : 1;
	}
	test_is_gone();
	test_parse_stat();
	test_start();
	test_zombies();
	test_refs();
	test_get_running();
	test_called_as_none();
	test_is_called();
	test_get_gone();
	test_ask_kvm();
	test_print();
	test_check_target();
	return check__report("vm");
}
