// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * JSON lines: exact text, limits, worst cases. With --print it prints records
 * for tests/test_schema.sh and tests nothing.
 */
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../src/json.h"
#include "../src/options.h"
#include "../src/reasons.h"
#include "../src/util.h"
#include "check.h"

#define NO_FLAGS "\",\"failed_entries\":0,\"bus_locks\":0,\"enclave_exits\":0}\n"

#define END 1767225620004000000 /* 2026-01-01T00:00:20.004Z */
/* No process can have these PIDs: comm and name are those of the sample */
#define PID_A 2000000000
#define PID_B 2000000001

#define HEAD(type) "{\"v\":1,\"type\":\"" type "\",\"ts\":\"2026-01-01T00:00:20.004Z\","

static char *print(const struct snapshot *snap)
{
	struct vms *vms = vms__new();
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(json__print(out, snap, vms), 0);
	CHECK_INT(fclose(out), 0);
	CHECK_INT(strlen(text), size);
	vms__free(vms);
	return text;
}

static void check_text(int line, const struct snapshot *snap, const char *want)
{
	char *text = print(snap);

	check__str(__FILE__, line, "JSON", text, want);
	free(text);
}

#define CHECK_TEXT(snap, want) check_text(__LINE__, snap, want)

static struct sample samples[] = {
	{ PID_A, 4250, 0, ISA_VMX, 12, 12034, 24110, "qemu-system-x86" },
	{ PID_A, 4251, 1, ISA_VMX, 49, 311, 640, "other" },
	{ PID_B, 1, 4294967295, ISA_SVM, 0x400, 1, 1, "fc_vcpu 0" },
	{ PID_B, 1, 4294967295, ISA_SVM, 4294967294, 2, 3, "fc_vcpu 0" },
};

static struct snapshot snap = {
	.samples = samples,
	.nr_samples = ARRAY_SIZE(samples),
	.seq = 1,
	.end = END,
	.duration = 10000 * NSEC_PER_MSEC,
	.vms = 2,
	.vcpus = 3,
	.exits = 12348,
};

static void test_exact(void)
{
	CHECK_TEXT(
		&snap,
		HEAD("exit") "\"seq\":1,\"dur_ms\":10000,\"pid\":2000000000,"
			     "\"comm\":\"qemu-system-x86\",\"vm\":\"qemu-system-x86\",\"vcpu\":0,"
			     "\"tid\":4250,\"isa\":\"vmx\",\"reason\":\"HLT\",\"code\":12,"
			     "\"count\":12034,\"total\":24110}\n" HEAD(
				     "exit") "\"seq\":1,\"dur_ms\":10000,\"pid\":2000000000,"
					     "\"comm\":\"qemu-system-x86\",\"vm\":\"qemu-system-x86\",\"vcpu\":1,"
					     "\"tid\":4251,\"isa\":\"vmx\",\"reason\":\"EPT_MISCONFIG\",\"code\":49,"
					     "\"count\":311,\"total\":640}\n" HEAD(
						     "exit") "\"seq\":1,\"dur_ms\":10000,\"pid\":2000000001,\"comm\":\"fc_vcpu 0\","
							     "\"vm\":\"fc_vcpu 0\",\"vcpu\":4294967295,\"tid\":1,\"isa\":\"svm\","
							     "\"reason\":\"NPF\",\"code\":1024,\"count\":1,\"total\":1}\n" HEAD(
								     "exit") "\"seq\":1,\"dur_ms\":10000,\"pid\":2000000001,\"comm\":\"fc_vcpu 0\","
									     "\"vm\":\"fc_vcpu 0\",\"vcpu\":4294967295,\"tid\":1,\"isa\":\"svm\","
									     "\"reason\":\"UNKNOWN_4294967294\",\"code\":4294967294,\"count\":2,"
									     "\"total\":3}\n" HEAD(
										     "interval") "\"seq\":1,\"dur_ms\":10000,\"vms\":2,\"vcpus\":3,\"records\":4,"
												 "\"exits\":12348,\"lost\":0,\"final\":false,"
												 "\"version\":\"" KVMEXIT_VERSION
													 NO_FLAGS);
}

#define INTERVAL(seq, dur, exits, lost, final)                                                    \
	"\"seq\":" seq ",\"dur_ms\":" dur ",\"vms\":0,\"vcpus\":0,\"records\":0,\"exits\":" exits \
	",\"lost\":" lost ",\"final\":" final ",\"version\":\"" KVMEXIT_VERSION NO_FLAGS

/* Masked off the reasons, the flags are told here */
static void test_flags(void)
{
	struct snapshot flagged = { .end = END, .duration = 1000000, .flags = { 3, 2, 1 } };
	char *text = print(&flagged);

	CHECK(strstr(text, "\"failed_entries\":3,\"bus_locks\":2,\"enclave_exits\":1}\n"));
	free(text);
}

static void test_interval(void)
{
	/* Idle */
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 1000000 }),
		   HEAD("interval") INTERVAL("0", "1", "0", "0", "false"));
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 1000000, .final = true }),
		   HEAD("interval") INTERVAL("0", "1", "0", "0", "true"));
	/* At least 1 ms, whole ones otherwise */
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 0 }),
		   HEAD("interval") INTERVAL("0", "1", "0", "0", "false"));
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 999999 }),
		   HEAD("interval") INTERVAL("0", "1", "0", "0", "false"));
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 1999999999 }),
		   HEAD("interval") INTERVAL("0", "1999", "0", "0", "false"));
	/* Lost: all causes and misses */
	CHECK_TEXT(&((struct snapshot){ .end = END,
					.duration = 1000000,
					.lost = { 1, 2, 3, 4, 5, 6 },
					.misses = 100 }),
		   HEAD("interval") INTERVAL("0", "1", "0", "121", "false"));
	/* What a double does not hold */
	CHECK_TEXT(&((struct snapshot){ .end = END,
					.duration = 1000000,
					.seq = 9007199254740991,
					.exits = 9007199254740992,
					.lost = { 1ull << 63 } }),
		   HEAD("interval") INTERVAL("9007199254740991", "1", "9007199254740991",
					     "9007199254740991", "false"));
}

static void test_time(void)
{
	static const struct {
		__u64 end;
		const char *ts;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 999999, "1970-01-01T00:00:00.000Z" },
		{ 1000000, "1970-01-01T00:00:00.001Z" },
		{ END + 995999999, "2026-01-01T00:00:20.999Z" },
		{ END + 996000000, "2026-01-01T00:00:21.000Z" },
		{ 1709251199100000000, "2024-02-29T23:59:59.100Z" },
	};
	size_t i;

	/* UTC wherever the host is */
	setenv("TZ", "XXX-3", 1);
	tzset();
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot s = { .end = cases[i].end };
		char *text = print(&s);
		json_t *o = json_loads(text, 0, NULL);

		CHECK_STR(json_string_value(json_object_get(o, "ts")), cases[i].ts);
		json_decref(o);
		free(text);
	}
}

/* The largest of everything, names as given */
static struct snapshot worst(struct sample *s, __u32 pid, const char *comm)
{
	const __u64 max = ~0ull;

	*s = (struct sample){ pid, 4294967295, 4294967295, ISA_SVM, 4294967295, max, max, comm };
	/* The longest name is an unknown code's or VMGEXIT_...: either will do */
	return (struct snapshot){ .samples = s,
				  .nr_samples = 1,
				  .seq = max,
				  .end = END,
				  .duration = max,
				  .vms = max,
				  .vcpus = max,
				  .exits = max,
				  .misses = max };
}

/*
 * One line per sample and one more, each less than 1024 bytes and an object;
 * comm and vm of the first as wanted.
 */
static void check_worst(const struct snapshot *s, const char *comm, const char *vm)
{
	char *text = print(s), *p = text;
	size_t lines = 0;

	while (*p) {
		size_t len = strcspn(p, "\n") + 1;
		json_t *o = json_loadb(p, len, 0, NULL);

		CHECK(len < 1024);
		if (!CHECK(o))
			fprintf(stderr, "\tin %.*s", (int)len, p);
		if (!lines && s->nr_samples) {
			CHECK_STR(json_string_value(json_object_get(o, "comm")), comm);
			CHECK_STR(json_string_value(json_object_get(o, "vm")), vm);
			CHECK(json_integer_value(json_object_get(o, "count")) == 9007199254740991);
			CHECK(json_integer_value(json_object_get(o, "total")) == 9007199254740991);
		}
		json_decref(o);
		lines++;
		p += len;
	}
	CHECK_INT(lines, s->nr_samples + 1);
	free(text);
}

static void test_worst_comm(void)
{
	static const char *const comms[] = {
		"\1\2\3\4\5\6\7\10\13\14\16\17\20\21\22", /* six bytes each as JSON */
		"\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"",
		"\xf0\x9f\x92\xbb\xf0\x9f\x92\xbb\xf0\x9f\x92\xbb",
		"",
	};
	struct sample sample;
	struct snapshot s;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(comms); i++) {
		s = worst(&sample, PID_A, comms[i]);
		check_worst(&s, comms[i], comms[i]);
	}
	/* Cut and broken characters */
	s = worst(&sample, PID_A, "CPU \xc3\x28 \xf0\x9f\x92");
	check_worst(&s, "CPU \xef\xbf\xbd( \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		    "CPU \xef\xbf\xbd( \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

/* A process called @comm whose command line names a VM @name; its PID */
static pid_t start_vmm(const char *comm, const char *name)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(ready[1], STDOUT_FILENO);
		execl("/proc/self/exe", "qemu-system-x86_64", "-name", name, comm, NULL);
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

static int be_vmm(const char *comm)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, comm);
	if (write(STDOUT_FILENO, "x", 1) != 1)
		return 1;
	return pause();
}

static void stop_vmm(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_worst_vm(void)
{
	static const char comm[] = "\1\2\3\4\5\6\7\10\13\14\16\17\20\21\22";
	char name[101], wanted[65];
	struct sample sample;
	struct snapshot s;
	pid_t pid;

	memset(name, 1, sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	memset(wanted, 1, sizeof(wanted) - 1);
	wanted[sizeof(wanted) - 1] = 0;
	pid = start_vmm(comm, name);
	if (!CHECK(pid > 0))
		return;
	s = worst(&sample, pid, "not asked");
	check_worst(&s, comm, wanted);
	stop_vmm(pid);
}

/* Names change with the PID, also back */
static void test_names_follow_pid(void)
{
	struct sample two[] = {
		{ PID_A, 10, 0, ISA_VMX, 12, 1, 1, "a" },
		{ PID_B, 20, 0, ISA_VMX, 12, 1, 1, "b" },
		{ PID_A, 11, 1, ISA_VMX, 12, 1, 1, "c" },
	};
	static const char *const names[] = { "a", "b", "a" };
	struct snapshot s = { .samples = two, .nr_samples = 3, .end = END };
	char *text = print(&s), *p = text;
	size_t i;

	for (i = 0; i < 3; i++) {
		size_t len = strcspn(p, "\n") + 1;
		json_t *o = json_loadb(p, len, 0, NULL);

		CHECK_STR(json_string_value(json_object_get(o, "comm")), names[i]);
		CHECK_STR(json_string_value(json_object_get(o, "vm")), names[i]);
		json_decref(o);
		p += len;
	}
	free(text);
}

static void test_reasons(void)
{
	char *text = NULL, *p;
	size_t size = 0, i;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(json__print_reasons(out), 0);
	fclose(out);
	p = text;
	for (i = 0; i < reasons_count && *p; i++) {
		const struct reason *r = &reasons[i];
		size_t len = strcspn(p, "\n") + 1;
		char *want = NULL;

		/* No meaning has a character that JSON escapes but " */
		if (!strchr(r->meaning, '"') &&
		    asprintf(&want,
			     "{\"isa\":\"%s\",\"code\":%u,\"reason\":\"%s\",\"meaning\":\"%s\"}\n",
			     isa__name(r->isa), r->code, r->name, r->meaning) > 0)
			CHECK(strlen(want) == len && !memcmp(p, want, len));
		free(want);
		p += len;
	}
	CHECK_INT(i, reasons_count);
	CHECK_STR(p, "");
	free(text);
}

/* For the schema: plain, idle, final, worst */
static int print_all(void)
{
	struct vms *vms = vms__new();
	struct snapshot idle = { .end = END, .final = true }, s;
	struct sample sample;
	int err;

	err = json__print(stdout, &snap, vms) || json__print(stdout, &idle, vms);
	s = worst(&sample, 4294967295, "\1\2\3\4\5\6\7\10\13\14\16\17\20\21\22");
	err = err || json__print(stdout, &s, vms);
	s = worst(&sample, 4294967294,
		  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	err = err || json__print(stdout, &s, vms);
	vms__free(vms);
	return err || fflush(stdout);
}

int main(int argc, char **argv)
{
	if (!strcmp(argv[0], "qemu-system-x86_64"))
		return be_vmm(argv[argc - 1]);
	if (argc > 1 && !strcmp(argv[1], "--print"))
		return print_all();
	test_exact();
	test_interval();
	test_flags();
	test_time();
	test_worst_comm();
	test_worst_vm();
	test_names_follow_pid();
	test_reasons();
	return check__report("json");
}
