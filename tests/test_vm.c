// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The VM's name from a command line, names made UTF-8, who is gone. */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/options.h"
#include "../src/run.h"
#include "../src/util.h"
#include "../src/target.h"
#include "../src/vm.h"
#include "../src/vmlist.h"
#include "check.h"

static const struct run host = { .node = "host" }, other_host = { .node = "other" };

#define NAME_SIZE (4 * VM_NAME_MAX + 1)
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Arguments separated by '|' here, ended by 0 there */
static void test_parse_name(void)
{
	static const struct {
		const char *cmdline;
		const char *name; /* NULL: none */
	} cases[] = {
		/* QEMU by hand */
		{ "qemu-system-x86_64|-name|web1", "web1" },
		{ "/usr/bin/qemu-system-x86_64|-m|1G|-name|web1|-smp|2", "web1" },
		{ "qemu-system-x86_64|--name|web1", "web1" },
		{ "/usr/libexec/qemu-kvm|-name|web1", "web1" },
		{ "/usr/bin/kvm|-name|web1", "web1" },
		{ "qemu-system-x86_64|-name|web 1", "web 1" },
		{ "qemu-system-x86_64|-name|guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|web1,process=p", "web1" },
		{ "qemu-system-x86_64|-name|web1,debug-threads=on", "web1" },
		{ "qemu-system-x86_64|-name|guest=web1,process=p,debug-threads=on", "web1" },
		{ "qemu-system-x86_64|-name|process=p,guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|debug-threads=on,process=p,guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|process=guest,guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|process=a,,guest=b,guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|a,,b", "a,b" },
		{ "qemu-system-x86_64|-name|guest=a,,b,process=p", "a,b" },
		{ "qemu-system-x86_64|-name|guest=,,,,,debug-threads=on", ",," },
		{ "qemu-system-x86_64|-name|guest=a=b", "a=b" },
		{ "qemu-system-x86_64|-name|guest=guest=b", "guest=b" },
		{ "qemu-system-x86_64|-name|b\xc3\xbc\xc3\xbc", "b\xc3\xbc\xc3\xbc" },
		{ "qemu-system-x86_64|-name|b\xc3", "b\xef\xbf\xbd" },
		{ "qemu-system-x86_64|-name|guest=" A64 "b", A64 },
		{ "qemu-system-x86_64|-name|" A64, A64 },
		{ "qemu-system-x86_64|-name|process=p", NULL },
		{ "qemu-system-x86_64|-name|debug-threads=on", NULL },
		{ "qemu-system-x86_64|-name|", NULL },
		{ "qemu-system-x86_64|-name|guest=", NULL },
		{ "qemu-system-x86_64|-name", NULL },
		{ "qemu-system-x86_64|-m|1G", NULL },
		{ "qemu-system-x86_64|-names|web1", NULL },
		{ "qemu-system-x86_64|-name=web1", NULL },
		{ "qemu-system-x86_64|name|web1", NULL },
		{ "qemu-system-x86_64", NULL },
		/* libvirt */
		{ "/usr/bin/qemu-system-x86_64|-name|guest=web1,debug-threads=on|-S|-object|"
		  "{\"qom-type\":\"secret\",\"id\":\"masterKey0\"}|-uuid|"
		  "c7a5fdbd-edaf-9455-926a-d65c16db1809|-no-user-config",
		  "web1" },
		/* Firecracker, also by its jailer */
		{ "firecracker|--api-sock|/tmp/f.sock|--id|anonymous-instance",
		  "anonymous-instance" },
		{ "/usr/bin/firecracker|--id=551e7604-e35c-42b3-b825-416853441234|"
		  "--start-time-us=1",
		  "551e7604-e35c-42b3-b825-416853441234" },
		{ "firecracker-v1.16.1-x86_64|--id|f1|--no-api", "f1" },
		{ "firecracker|--id", NULL },
		{ "firecracker|--id=", NULL },
		{ "firecracker|--identity|x", NULL },
		{ "firecracker|--no-api", NULL },
		/* Cloud Hypervisor has no name: that of its socket */
		{ "cloud-hypervisor|--api-socket|/run/ch/vm1.sock|--kernel|/k", "vm1" },
		{ "/usr/bin/cloud-hypervisor|--api-socket=/run/vm2.sock", "vm2" },
		{ "cloud-hypervisor|--api-socket|path=/run/ch/vm3.sock", "vm3" },
		{ "cloud-hypervisor|--api-socket|vm4", "vm4" },
		{ "cloud-hypervisor|--api-socket|a.b.sock", "a.b" },
		{ "cloud-hypervisor|--api-socket|/run/.hidden", ".hidden" },
		{ "cloud-hypervisor|--kernel|/k", NULL },
		/* crosvm */
		{ "crosvm|run|--name|c1|-s|/run/other.sock", "c1" },
		{ "crosvm|run|-s|/run/c2.sock|vmlinux", "c2" },
		{ "/usr/bin/crosvm|run|--socket=/run/c3.sock", "c3" },
		{ "crosvm|run|--socket|/run/c4.sock", "c4" },
		{ "crosvm|run|vmlinux", NULL },
		/* kvmtool */
		{ "lkvm|run|--name|l1|-k|bzImage", "l1" },
		{ "/usr/bin/lkvm|run|-n|l2", "l2" },
		{ "lkvm|run|-k|bzImage", NULL },
		/* VirtualBox */
		{ "/usr/lib/virtualbox/VBoxHeadless|--comment|v1|--startvm|"
		  "c7a5fdbd-edaf-9455-926a-d65c16db1809|--vrde|config",
		  "v1" },
		{ "VBoxHeadless|--startvm|v2", "v2" },
		{ "/usr/lib/virtualbox/VirtualBoxVM|--comment|v3|--startvm|x", "v3" },
		/* Others, and paths that only contain such a name */
		{ "bash|-name|web1|--id|x|--name|y", NULL },
		{ "/opt/qemu/other|-name|web1", NULL },
		{ "my-firecracker|--id|x", NULL },
		{ "|-name|web1", NULL },
		{ "", NULL },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].cmdline) + 1;
		char *cmdline = malloc(len), name[NAME_SIZE] = "";
		bool found;

		memcpy(cmdline, cases[i].cmdline, len);
		for (k = 0; k < len; k++)
			if (cmdline[k] == '|')
				cmdline[k] = 0;
		found = vm__parse_name(cmdline, len, name, sizeof(name));
		if (!CHECK_INT(found, !!cases[i].name) ||
		    (found && !CHECK_STR(name, cases[i].name)))
			fprintf(stderr, "\tin %s\n", cases[i].cmdline);
		free(cmdline);
	}
}

#define UUID "550e8400-e29b-11d4-a716-446655440000"

static void test_parse_uuid(void)
{
	static const struct {
		const char *cmdline;
		const char *uuid; /* NULL: none */
	} cases[] = {
		{ "qemu-system-x86_64|-uuid|" UUID, UUID },
		{ "/usr/bin/kvm|-name|x|-uuid|" UUID "|-smp|2", UUID },
		{ "qemu-system-x86_64|-uuid|550E8400-E29B-11D4-A716-446655440000", UUID },
		{ "qemu-system-x86_64|-smbios|type=1,uuid=" UUID ",serial=1", UUID },
		{ "qemu-system-x86_64|-smbios|uuid=" UUID, UUID },
		{ "qemu-system-x86_64|-smbios|type=1,xuuid=" UUID, NULL },
		{ "cloud-hypervisor|--platform|num_pci_segments=1,uuid=" UUID, UUID },
		{ "cloud-hypervisor|--platform=uuid=" UUID, UUID },
		{ "cloud-hypervisor|--uuid|" UUID, NULL },
		{ "firecracker|--id|" UUID, UUID },
		{ "firecracker|--id|web1", NULL },
		{ "crosvm|run|--smbios|bios-vendor=x,uuid=" UUID, UUID },
		{ "VBoxHeadless|--startvm|" UUID, UUID },
		{ "qemu-system-x86_64|-uuid|550e8400", NULL },
		{ "qemu-system-x86_64|-uuid|" UUID "0", NULL },
		{ "qemu-system-x86_64|-uuid|550e8400xe29b-11d4-a716-446655440000", NULL },
		{ "qemu-system-x86_64|-uuid|550e8400-e29b-11d4-a716-44665544000g", NULL },
		{ "qemu-system-x86_64|-uuid|", NULL },
		{ "qemu-system-x86_64|-uuid", NULL },
		{ "other|-uuid|" UUID, NULL },
	};
	char cmdline[256], uuid[VM_UUID_SIZE], *p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].cmdline) + 1;
		bool found;

		memcpy(cmdline, cases[i].cmdline, len);
		for (p = cmdline; (p = memchr(p, '|', cmdline + len - p));)
			*p = 0;
		found = vm__parse_uuid(cmdline, len, uuid, sizeof(uuid));
		if (!CHECK_STR(found ? uuid : NULL, cases[i].uuid))
			fprintf(stderr, "\tin %s\n", cases[i].cmdline);
	}
	memcpy(cmdline, "qemu\0-uuid\0" UUID, 48);
	CHECK(!vm__parse_uuid(cmdline, 48, uuid, sizeof(uuid) - 1));
}

static void test_parse_name_limits(void)
{
	static const char line[] = "qemu\0-name\0web1";
	char name[NAME_SIZE] = "untouched", tight[4], *cmdline;
	size_t len;

	/* Nothing at all, and no 0 at the end, wherever it is cut */
	CHECK(!vm__parse_name("", 0, name, sizeof(name)));
	for (len = 1; len < sizeof(line); len++) {
		cmdline = malloc(len); /* exactly: valgrind and ASan see what is behind */
		memcpy(cmdline, line, len);
		if (!CHECK_INT(vm__parse_name(cmdline, len, name, sizeof(name)), false))
			fprintf(stderr, "\tat %zu bytes\n", len);
		free(cmdline);
	}
	CHECK(vm__parse_name(line, sizeof(line), name, sizeof(name)));
	CHECK_STR(name, "web1");
	/* A name of a megabyte, each comma of it doubled */
	len = 1 << 20;
	cmdline = malloc(len);
	memset(cmdline, ',', len);
	memcpy(cmdline, "qemu\0-name\0guest=", 17);
	cmdline[len - 1] = 0;
	CHECK(vm__parse_name(cmdline, len, name, sizeof(name)));
	CHECK_INT(strlen(name), VM_NAME_MAX);
	CHECK_INT(strspn(name, ","), VM_NAME_MAX);
	/* A long line with the name at its very end */
	memset(cmdline, 'x', len);
	cmdline[4] = 0;
	memcpy(cmdline, "qemu", 4);
	memcpy(cmdline + len - 11, "\0-name\0end", 11);
	CHECK(vm__parse_name(cmdline, len, name, sizeof(name)));
	CHECK_STR(name, "end");
	free(cmdline);
	CHECK(vm__parse_name(line, sizeof(line), tight, sizeof(tight)));
	CHECK_STR(tight, "web");
}

#define FFFD "\xef\xbf\xbd"

static void test_clean(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "\x01\x7f", "\x01\x7f" },
		/* First and last of each length */
		{ "\xc2\x80\xdf\xbf", "\xc2\x80\xdf\xbf" },
		{ "\xe0\xa0\x80\xef\xbf\xbf", "\xe0\xa0\x80\xef\xbf\xbf" },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
		/* Around the surrogates */
		{ "\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80" },
		{ "\xed\xa0\x80", FFFD FFFD FFFD },
		{ "\xed\xbf\xbf", FFFD FFFD FFFD },
		/* Overlong, too large, never valid */
		{ "\xc0\x80", FFFD FFFD },
		{ "\xc1\xbf", FFFD FFFD },
		{ "\xe0\x9f\xbf", FFFD FFFD FFFD },
		{ "\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD },
		{ "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD },
		{ "\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD },
		{ "\xff\xfe", FFFD FFFD },
		/* Continuation alone, lead alone, cut in the middle */
		{ "\x80", FFFD },
		{ "a\xbfz", "a" FFFD "z" },
		{ "\xc3", FFFD },
		{ "\xc3z", FFFD "z" },
		{ "\xe2\x82", FFFD FFFD },
		{ "\xe2\x82z", FFFD FFFD "z" },
		{ "\xf0\x9f\x92", FFFD FFFD FFFD },
		{ "\xf0\x9f\x92z", FFFD FFFD FFFD "z" },
		/* A valid one right behind a broken one */
		{ "\xe2\xc3\xbc", FFFD "\xc3\xbc" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].in);
		char *in = malloc(len + 1), out[64];

		memcpy(in, cases[i].in, len); /* no 0 behind it */
		in[len] = 0xbf;
		utf8__clean(out, sizeof(out), in, len, 20);
		if (!CHECK_STR(out, cases[i].out))
			fprintf(stderr, "\tin case %zu\n", i);
		free(in);
	}
}

/* At most so many characters and so many bytes, never half a character */
static void test_clean_limits(void)
{
	static const struct {
		const char *in;
		size_t size, max;
		const char *out;
	} cases[] = {
		{ "abc", 64, 3, "abc" },
		{ "abc", 64, 2, "ab" },
		{ "abc", 64, 0, "" },
		{ "abc", 4, 9, "abc" },
		{ "abc", 3, 9, "ab" },
		{ "abc", 1, 9, "" },
		{ "\xc3\xbc\xc3\xbc", 64, 1, "\xc3\xbc" },
		{ "\xc3\xbc\xc3\xbc", 5, 9, "\xc3\xbc\xc3\xbc" },
		{ "\xc3\xbc\xc3\xbc", 4, 9, "\xc3\xbc" },
		{ "\xc3\xbc\xc3\xbc", 3, 9, "\xc3\xbc" },
		{ "\xc3\xbc\xc3\xbc", 2, 9, "" },
		{ "\xf0\x9f\x92\xbb", 5, 9, "\xf0\x9f\x92\xbb" },
		{ "\xf0\x9f\x92\xbb", 4, 9, "" },
		{ "\xff", 4, 9, FFFD },
		{ "\xff", 3, 9, "" },
		{ "\xff\xff\xff", 64, 2, FFFD FFFD },
		{ "a\xe2\x82\xac"
		  "b",
		  4, 9, "a" },
		{ "a\xe2\x82\xac"
		  "b",
		  5, 9, "a\xe2\x82\xac" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[65];

		memset(out, '#', sizeof(out));
		utf8__clean(out, cases[i].size, cases[i].in, strlen(cases[i].in), cases[i].max);
		if (!CHECK_STR(out, cases[i].out) || !CHECK(out[cases[i].size] == '#'))
			fprintf(stderr, "\tin case %zu\n", i);
	}
}

/*
 * The reference: decodes the way the RFC describes it, by number and not by
 * tables of bytes. Bytes of the character at @p, 0: none.
 */
static size_t reference_length(const unsigned char *p, size_t len)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *p < 0x80 ? 1 : (*p & 0xe0) == 0xc0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : 4;
	unsigned int c = n == 1 ? *p : *p & (0x7f >> n);
	size_t i;

	if (n > len || (n == 4 && (*p & 0xf8) != 0xf0))
		return 0;
	for (i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static bool as_reference(const unsigned char *in, size_t len)
{
	char out[32], want[32];
	size_t used = 0, n, i;

	for (i = 0; i < len; i += n ? n : 1) {
		n = reference_length(in + i, len - i);
		memcpy(want + used, n ? (const char *)in + i : FFFD, n ? n : 3);
		used += n ? n : 3;
	}
	want[used] = 0;
	utf8__clean(out, sizeof(out), (const char *)in, len, 99);
	return !memcmp(out, want, used + 1);
}

static void test_clean_all(void)
{
	unsigned int wrong[3] = { 0 }, i, k, state = 1;
	unsigned char in[4];

	for (i = 0; i < 256; i++) {
		in[0] = i;
		wrong[0] += !as_reference(in, 1);
		for (k = 0; k < 256; k++) {
			in[1] = k;
			wrong[1] += !as_reference(in, 2);
		}
	}
	for (i = 0; i < 1000000; i++) {
		for (k = 0; k < 4; k++) {
			state = state * 1664525 + 1013904223;
			/* Mostly bytes with the high bit, or few would be long */
			in[k] = state >> 24 | (state & 0x30000 ? 0x80 : 0);
			if (k && state & 0xc0000)
				in[k] &= 0xbf;
		}
		wrong[2] += !as_reference(in, 4);
	}
	CHECK_INT(wrong[0], 0);
	CHECK_INT(wrong[1], 0);
	CHECK_INT(wrong[2], 0);
}

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

	CHECK(!vm__is_gone(getpid(), getpid(), 0));
	CHECK(!vm__is_gone(1, 1, 0));
	if (CHECK(!pthread_create(&thread, NULL, tell_tid, &tid))) {
		pthread_join(thread, NULL);
		/* The kernel lets the joiner go a moment before the TID is free */
		for (int i = 0; i < 1000 && !vm__is_gone(getpid(), tid, 0); i++)
			usleep(1000);
		CHECK(vm__is_gone(getpid(), tid, 0));
	}
	pid = fork();
	if (!pid)
		_exit(pause());
	CHECK(!vm__is_gone(pid, pid, 0));
	/* There is such a thread, but not in this process */
	CHECK(vm__is_gone(getpid(), pid, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(vm__is_gone(pid, pid, 0));
	/* Somebody else's process is there, though it may not be signalled */
	pid = fork();
	if (!pid)
		_exit((!geteuid() && setuid(65534)) || vm__is_gone(1, 1, 0));
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
		struct vm_stat st = { 0 };

		if (!CHECK(vm__parse_stat(cases[i].text, &st) == cases[i].ok))
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
	start = vm__start(pid);
	CHECK(start && start <= ticks && start + 100 > ticks);
	CHECK(vm__start(getpid()) && vm__start(getpid()) < start);
	CHECK_INT(vm__start(2000000000), 0);
	CHECK(!vm__is_gone(pid, pid, start));
	CHECK(!vm__is_gone(pid, pid, 0));
	CHECK(vm__is_gone(pid, pid, start - 1));
	CHECK(vm__is_gone(pid, pid, start + 1));
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
	for (i = 0; i < 1000 && !vm__is_gone(pid, pid, 0); i++)
		usleep(1000);
	CHECK(vm__is_gone(pid, pid, 0));
	CHECK(!kill(pid, 0));
	waitpid(pid, NULL, 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_create(&thread, NULL, sleep_and_tell, &tid);
		pthread_exit(NULL);
	}
	usleep(50000);
	CHECK(!vm__is_gone(pid, pid, vm__start(pid)));
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
	struct vms *vms = vms__new(&host);
	const struct vm *vm;
	char mark[32];
	pid_t a = start("main \xff", named), b = start("name\nline", unnamed);

	vm = vms__get(vms, a, 0);
	CHECK_INT(vm->pid, a);
	CHECK_STR(vm->comm, "main " FFFD);
	CHECK_STR(vm->name, "web1");
	vm = vms__get(vms, b, 0);
	CHECK_STR(vm->comm, "name\nline");
	CHECK_STR(vm->name, "name\nline");
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
	CHECK_STR(vms__get(vms, b, vm__start(b) + 1)->name, mark);
	CHECK_STR(vms__get(vms, b, vm__start(b))->name, "name\nline");
	stop(b);
	vms__forget(vms);
	CHECK(vms__get(vms, b, 0) == vm);
	vms__free(vms);
}

/* An output that still holds a VM is told that it has ended */
static void test_refs(void)
{
	struct vms *vms = vms__new(&host), *others = vms__new(&other_host);
	struct vm *vm = vm__ref(vms__get(vms, 2000000000, 5));
	struct vm *next = vms__get(vms, 2000000000, 6);
	struct vm *other = vms__get(others, 2000000000, 5);

	CHECK_INT(vm__compare(vm, vm), 0);
	CHECK_INT(vm__compare(vm, next), -1);
	CHECK_INT(vm__compare(next, vm), 1);
	CHECK_INT(vm__compare(NULL, vm), -1);
	CHECK_INT(vm__compare(vm, NULL), 1);
	CHECK(vm__compare(vm, other) < 0 && vm__compare(other, next) > 0);
	CHECK(vm->run == &host);
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
	struct vms *vms = vms__new(&host);
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
	test_parse_name();
	test_parse_uuid();
	test_parse_name_limits();
	test_clean();
	test_clean_limits();
	test_clean_all();
	test_is_gone();
	test_parse_stat();
	test_start();
	test_zombies();
	test_refs();
	test_get_running();
	test_get_gone();
	test_ask_kvm();
	test_check_target();
	return check__report("vm");
}
