// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counters and reports where memory is short: each allocation fails in turn.
 * Also 1000 VMs, and processes that end while /proc is asked about them.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "collect/counters.h"
#include "failing_malloc.h"
#include "lib/terminal.h"
#include "lib/util.h"
#include "recording/recording.h"
#include "render/json.h"
#include "render/live.h"
#include "render/table.h"
#include "snapshot/run.h"
#include "vm/process.h"
#include "vm/vm.h"

#define MAX_SLOTS 4096

static const struct run host = { .node = "host", .id = "00000001" };

static struct slot slots[MAX_SLOTS];
static __u64 owned[MAX_SLOTS], ring[MAX_SLOTS];
static struct control control;
static int quiesce(void)
{
	return 0;
}

static const struct shared shared = { .slots = slots,
				      .layout = { .stride = sizeof(struct slot) },
				      .owned = owned,
				      .ring = ring,
				      .control = &control,
				      .quiesce = quiesce };

static bool none_gone(__u32 pid, __u64 start)
{
	(void)pid, (void)start;
	return false;
}

static bool all_gone(__u32 pid, __u64 start)
{
	(void)pid, (void)start;
	return true;
}

/* @n VMs with two vCPUs each, all having exited for two reasons */
static void fill(__u32 n)
{
	__u32 i;

	memset(slots, 0, sizeof(slots));
	memset(owned, 0, sizeof(owned));
	memset(&control, 0, sizeof(control));
	for (i = 0; i < 2 * n; i++) {
		/* PIDs that no process has: above the largest pid_max */
		slots[i].key = i + 1;
		slots[i].pid = 5000000 + i / 2;
		slots[i].tid = 6000000 + i;
		slots[i].vcpu = i % 2;
		slots[i].isa = ISA_VMX;
		slots[i].count[12] = 10;
		slots[i].count[i % 60] += 1;
		owned[i] = 1;
	}
}

static const struct json_style exits, compact = { .view.keys = KEY_VM, .compact = true };

static int print(struct renderer *r, FILE *out, const struct snapshot *snap)
{
	int err = r ? r->print(r, out, snap) : -ENOMEM;

	if (r)
		r->free(r);
	return err;
}

/* With what its keys make it allocate */
static struct renderer *shown_in_place(const struct table_style *style)
{
	static const struct window window = { 24, 80 };
	const struct live_style live = { .known = style->view.keys, .keys = true };
	struct table_style table = *style;
	struct renderer *r;

	table.live = table.cut = true;
	table.window = &window;
	r = live__new(&table, &live);
	if (r)
		live__press(r, "g/hlt\nr", 7);
	return r;
}

/* What one run of the program does between attaching and its end. 0 or -ENOMEM. */
static int run_once(struct counters *c, FILE *out, struct snapshot *snap)
{
	const struct table_style style = {
		.view.keys = KEY_VM | KEY_VCPU | KEY_THREAD | KEY_REASON,
		.timed = true,
	};
	int err = counters__collect(c, 0);

	if (!err)
		err = counters__report(c, snap, 0);
	if (!err)
		err = print(json__new(&exits), out, snap);
	if (!err)
		err = print(json__new(&compact), out, snap);
	if (!err)
		err = print(table__new(&style), out, snap);
	if (!err)
		err = print(shown_in_place(&style), out, snap);
	if (!err)
		counters__forget(c, none_gone);
	return err;
}

/* Returns the number of allocations; the @at-th, or all @from there on, fail */
static unsigned long run(unsigned long at, unsigned long from, int *err)
{
	struct snapshot snap = { .run = &host };
	struct counters *c;
	struct vms *vms;
	unsigned long count;
	FILE *out;

	failing__count = 0;
	failing__at = at;
	failing__from = from;
	out = fopen("/dev/null", "w");
	vms = vms__new(host.node);
	c = vms ? counters__new(&shared, MAX_SLOTS, vms) : NULL;
	*err = out && c ? run_once(c, out, &snap) : -ENOMEM;
	count = failing__count;
	failing__at = failing__from = 0;
	counters__free(c);
	vms__free(vms);
	free(snap.samples);
	if (out)
		fclose(out);
	return count;
}

static void test_each_fails(void)
{
	unsigned long n, i, failed = 0;
	int err;

	fill(3);
	n = run(0, 0, &err);
	CHECK_INT(err, 0);
	CHECK(n > 20);
	for (i = 1; i <= n; i++) {
		run(i, 0, &err);
		CHECK(err == 0 || err == -ENOMEM);
		failed += err == -ENOMEM;
		run(0, i, &err);
		CHECK(err == 0 || err == -ENOMEM);
	}
	/* Names may be done without; counters may not */
	CHECK(failed > n / 2);
}

/* Two intervals of three exit records */
static void write_recording(const char *path)
{
	FILE *f = fopen(path, "w");
	int i;

	for (i = 0; f && i < 8; i++)
		if (i % 4 < 3)
			fprintf(f,
				"{\"v\":1,\"type\":\"exit\",\"ts\":\"2026-01-01T00:00:0%d.000Z\","
				"\"seq\":%d,\"dur_ms\":1000,\"pid\":7,\"comm\":\"qemu\",\"vm\":\"web1\","
				"\"vcpu\":%d,\"tid\":8,\"isa\":\"vmx\",\"reason\":\"HLT\",\"code\":12,"
				"\"count\":5,\"total\":%d}\n",
				i / 4, i / 4, i % 4, 5 + i / 4 * 5);
		else
			fprintf(f,
				"{\"v\":1,\"type\":\"interval\",\"ts\":\"2026-01-01T00:00:0%d.000Z\","
				"\"seq\":%d,\"dur_ms\":1000,\"vms\":1,\"vcpus\":3,\"records\":3,"
				"\"exits\":15,\"lost\":0,\"final\":%s,\"version\":\"0.1.0\"}\n",
				i / 4, i / 4, i / 4 ? "true" : "false");
	if (f)
		fclose(f);
}

/* As run(), of a recording; *@told: the exits that it told of, where there is no error */
static unsigned long run_recorded(const char *path, unsigned long at, unsigned long from, int *err,
				  __u64 *told)
{
	struct snapshot snap = { 0 };
	struct recording *r;
	unsigned int keys;
	unsigned long count;

	*told = 0;
	failing__count = 0;
	failing__at = at;
	failing__from = from;
	r = recording__open(path, err);
	while (r && (*err = recording__next(r, &snap, &keys)) > 0)
		*told += snap.exits;
	count = failing__count;
	failing__at = failing__from = 0;
	recording__free(r);
	free(snap.samples);
	return count;
}

/* Want of memory is told as such: no record is taken for another one's, or for torn */
static void test_recording(void)
{
	char path[] = "/tmp/test_memory.XXXXXX";
	unsigned long n, i, way;
	int err = 0, fd = mkstemp(path);
	__u64 told;

	write_recording(path);
	n = run_recorded(path, 0, 0, &err, &told);
	CHECK_INT(err, 0);
	CHECK_INT(told, 30);
	CHECK(n > 100);
	for (i = 1; i <= n; i++)
		for (way = 0; way < 2; way++) {
			run_recorded(path, way ? 0 : i, way ? i : 0, &err, &told);
			CHECK(err == -ENOMEM || (!err && told == 30));
		}
	unlink(path);
	close(fd);
}

/* What could not be read for want of memory is read the next time, once */
static void test_collect_again(void)
{
	struct vms *vms = vms__new(host.node);
	struct snapshot snap = { 0 };
	struct counters *c;
	unsigned long i;
	int err = -ENOMEM;

	fill(3);
	for (i = 1; err && i < 1000; i++) {
		c = counters__new(&shared, MAX_SLOTS, vms);
		failing__count = 0;
		failing__at = i;
		err = counters__collect(c, 0);
		failing__at = 0;
		slots[0].count[12]++;
		CHECK_INT(counters__collect(c, 0), 0);
		CHECK_INT(counters__report(c, &snap, 0), 0);
		CHECK_INT(snap.exits, 3 * 2 * 11 + i);
		CHECK_INT(snap.vms, 3);
		counters__free(c);
		vms__forget(vms);
	}
	CHECK_INT(err, 0);
	vms__free(vms);
	free(snap.samples);
}

static void test_thousand_vms(void)
{
	struct vms *vms = vms__new(host.node);
	struct counters *c = counters__new(&shared, MAX_SLOTS, vms);
	struct snapshot snap = { .run = &host };
	char *text = NULL, *p;
	size_t size, lines = 0;
	FILE *out;

	fill(1000);
	out = open_memstream(&text, &size);
	if (!CHECK(c && vms && out))
		return;
	CHECK_INT(counters__collect(c, 0), 0);
	CHECK_INT(counters__report(c, &snap, 0), 0);
	CHECK_INT(snap.vms, 1000);
	CHECK_INT(snap.vcpus, 2000);
	CHECK_INT(snap.exits, 2000 * 11);
	CHECK_INT(print(json__new(&exits), out, &snap), 0);
	fclose(out);
	for (p = text; (p = strchr(p, '\n')); p++)
		lines++;
	/* The run, 1000 VMs, the interval */
	CHECK_INT(lines, snap.nr_samples + 1002);
	counters__forget(c, all_gone);
	vms__forget(vms);
	free(text);
	free(snap.samples);
	counters__free(c);
	vms__free(vms);
}

static void test_vanishing(void)
{
	struct vms *vms = vms__new(host.node);
	pid_t pids[8] = { 0 };
	int i, k;

	for (i = 0; i < 400; i++) {
		for (k = 0; k < 8; k++) {
			pids[k] = fork();
			if (!pids[k]) {
				usleep(rand() % 300);
				_exit(0);
			}
		}
		for (k = 0; k < 8; k++) {
			const struct vm *vm = vms__get(vms, pids[k], 0);

			CHECK(*vm->comm && *vm->name);
			process__is_gone(pids[k], pids[k], 0);
			waitpid(pids[k], NULL, 0);
			CHECK(process__is_gone(pids[k], pids[k], 0));
		}
		vms__forget(vms);
	}
	vms__free(vms);
}

int main(void)
{
	test_each_fails();
	test_recording();
	test_collect_again();
	test_thousand_vms();
	test_vanishing();
	return check__report("memory");
}
