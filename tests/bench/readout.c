// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * readout: what user space spends on an interval, with 4096 live threads of 64
 * processes that all had exits of 20 reasons: the loop of kvmexit.c on slots made
 * here. Prints "NAME MS FORMATTING", the CPU time of the best interval, and that of
 * printing the same text from strings and numbers that lie ready:
 *
 *   json, table      every counter has changed
 *   groups, sums     the same, a table and records by VM and reason
 *   compact          the same with --compact
 *   rest             none has, and every thread is looked up, as once a second
 *   time             as json, with --time
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/options.h"
#include "app/reports.h"
#include "collect/counters.h"
#include "lib/util.h"
#include "render/json.h"
#include "render/table.h"
#include "snapshot/run.h"
#include "vm/process.h"
#include "vm/vm.h"

enum {
	VMS = 64,
	VCPUS = 64,
	ALL_THREADS = VMS * VCPUS,
	REASONS = 20,
	INTERVALS = 15,
};

static struct shared shared; /* with the kernel, in kvmexit; with the children, here */
static struct counters *counters;
static struct vms *vms;

static void *map_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "memory");
	return p;
}

/* A thread takes its slot, and lives on */
static void *thread_main(void *arg)
{
	struct slot *slot = arg;
	__u32 nr = ((char *)slot - (char *)shared.slots) / shared.layout.stride;

	slot->vcpu = nr % VCPUS;
	slot->isa = ISA_VMX;
	slot->key = nr + 1;
	slot->pid = getpid();
	slot->tid = syscall(SYS_gettid);
	__atomic_store_n(&shared.owned[nr], 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
	return NULL;
}

static void vm_main(int vm)
{
	pthread_attr_t attr;
	pthread_t thread;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (i = 0; i < VCPUS; i++)
		if (pthread_create(&thread, &attr, thread_main,
				   shared__slot(&shared, vm * VCPUS + i)))
			err(1, "thread");
	for (;;)
		pause();
}

static void start_vms(pid_t *pids)
{
	int i;

	for (i = 0; i < VMS; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			err(1, "fork");
		if (!pids[i])
			vm_main(i);
	}
	for (i = 0; i < ALL_THREADS; i++)
		while (!__atomic_load_n(&shared.owned[i], __ATOMIC_ACQUIRE))
			usleep(1000);
}

/* Exits of the most usual reasons of VMX, with counts of all sizes */
static __u64 exits_of(int thread, int reason)
{
	return (thread * 37 + reason * 12345) % 100003 + 1;
}

/*
 * Half of the time is the reasons', in equal parts, and half of that waiting; one is open.
 * With the guest's it is all the time there was, as src/snapshot/times.c asks for.
 */
static void take_time(int thread, struct clock *clock, __u64 now)
{
	__u64 part;
	int k;

	if (!clock->first)
		clock->first = clock->entry = now;
	part = (now - clock->entry) / (2 * REASONS);
	clock->nr_rows = REASONS;
	for (k = 0; k < REASONS; k++) {
		struct spans *row = &clock->rows[k + 1];
		__u64 n = exits_of(thread, k);

		clock->row_of[k * 3] = k + 1;
		row->time += part;
		row->wait += part / 2;
		row->max = 5000 + thread + k;
		row->buckets[4] += n / 2;
		row->buckets[5] += n - n / 2;
	}
	clock->guest += now - clock->entry - REASONS * part;
	clock->exit = clock->entry = now;
	clock->index = 30;
}

static void make_exits(__u64 now)
{
	int i, k;

	for (i = 0; i < ALL_THREADS; i++) {
		for (k = 0; k < REASONS; k++)
			shared__slot(&shared, i)->count[k * 3] += exits_of(i, k);
		if (shared.layout.timed)
			take_time(i, shared__clock(&shared, i), now);
	}
}

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static bool is_gone(__u32 pid, __u64 start)
{
	return process__is_gone(pid, pid, start);
}

static int quiesce(void)
{
	return 0;
}

struct text {
	char *bytes;
	size_t size;
};

/* The first report, which is not among the best */
static int keep(void *to, const char *text, size_t size)
{
	struct text *kept = to;

	if (kept->bytes)
		return 0;
	*kept = (struct text){ malloc(size), size };
	if (!kept->bytes)
		return -ENOMEM;
	memcpy(kept->bytes, text, size);
	return 0;
}

/* Some text and the number behind it */
struct piece {
	const char *text;
	int len;
	__u64 number;
};

/* The pieces of a text, which stay in it; what is behind the last number in *@rest */
static size_t take_apart(const struct text *text, struct piece *pieces, const char **rest)
{
	const char *p = text->bytes, *start = p, *end = p + text->size;
	size_t n = 0, digits;

	for (; p < end; p += digits ? digits : 1) {
		for (digits = 0; p + digits < end && isdigit(p[digits]);)
			digits++;
		/* "05" would come out as another text */
		if (!digits || digits > 18 || (*p == '0' && digits > 1))
			continue;
		pieces[n++] = (struct piece){ start, p - start, strtoull(p, NULL, 10) };
		start = p + digits;
	}
	*rest = start;
	return n;
}

static double time_printing(const struct text *text, const struct piece *pieces, size_t nr,
			    const char *rest)
{
	struct text copy = { 0 };
	double took = -cpu_ms();
	FILE *out = open_memstream(&copy.bytes, &copy.size);
	size_t i;

	if (!out)
		errx(1, "no memory");
	for (i = 0; i < nr; i++)
		fprintf(out, "%.*s%llu", pieces[i].len, pieces[i].text, pieces[i].number);
	fwrite(rest, 1, text->bytes + text->size - rest, out);
	fclose(out);
	took += cpu_ms();
	if (copy.size != text->size || memcmp(copy.bytes, text->bytes, copy.size))
		errx(1, "printed something else");
	free(copy.bytes);
	return took;
}

static double format_only(const struct text *text)
{
	struct piece *pieces = calloc(text->size, sizeof(*pieces));
	double best = 0, took;
	const char *rest;
	size_t n;
	int i;

	if (!pieces)
		errx(1, "no memory");
	n = take_apart(text, pieces, &rest);
	for (i = 0; i < INTERVALS; i++) {
		took = time_printing(text, pieces, n, rest);
		if (!i || took < best)
			best = took;
	}
	free(pieces);
	return best;
}

static void measure(const char *name, struct snapshot *snap, struct renderer *renderer, bool busy)
{
	struct text text = { 0 };
	const struct report report = { renderer, keep, &text };
	double best = 0, took;
	size_t failed;
	int i;

	if (!renderer)
		errx(1, "no memory");
	for (i = 0; i < INTERVALS; i++) {
		if (busy)
			make_exits(now_ns());
		snap->end = 1800000000 * NSEC_PER_SEC + i * NSEC_PER_SEC;
		snap->duration = NSEC_PER_SEC;
		took = -cpu_ms();
		/* As kvmexit.c's report(), but so early that no slot is given back */
		if (counters__collect(counters, snap->seq * NSEC_PER_MSEC) ||
		    counters__report(counters, snap, now_ns()) ||
		    reports__print(&report, 1, snap, &failed))
			errx(1, "no memory");
		counters__forget(counters, is_gone);
		vms__forget(vms);
		snap->seq++;
		took += cpu_ms();
		if (snap->nr_samples != (busy ? ALL_THREADS * REASONS : 0))
			errx(1, "%s: %zu records", name, snap->nr_samples);
		if (!i || took < best)
			best = took;
	}
	printf("%s %.2f %.2f\n", name, best, format_only(&text));
	free(text.bytes);
	reports__free(&report, 1);
}

/* The slots, as they are, where they have clocks besides */
static void add_clocks(void)
{
	const struct shared old = shared;
	int i;

	shared.layout = layout_of(1, 0);
	shared.slots = map_memory((size_t)ALL_THREADS * shared.layout.stride);
	for (i = 0; i < ALL_THREADS; i++)
		*shared__slot(&shared, i) = *shared__slot(&old, i);
}

/* The same slots anew, and what is known of them forgotten */
static void begin(void)
{
	static const struct run host = { .node = "host", .id = "0123abcd" };

	vms = vms__new(host.node);
	counters = vms ? counters__new(&shared, ALL_THREADS, vms) : NULL;
	if (!counters)
		errx(1, "no memory");
}

static void end(void)
{
	counters__free(counters);
	vms__free(vms);
}

int main(void)
{
	static const struct options plain, grouped = { .keys = KEY_VM | KEY_REASON };
	const struct table_style table = { .view = reports__view(&plain, false), .timed = true };
	const struct table_style groups = { .view = reports__view(&grouped, false), .timed = true };
	static const struct run host = { .node = "host", .id = "0123abcd" };
	static const struct json_style exits;
	static const struct json_style by_reason = { .view.keys = KEY_VM | KEY_REASON };
	static const struct json_style compact = { .view.keys = KEY_VM, .compact = true };
	struct snapshot snap = { .run = &host };
	pid_t pids[VMS];
	int i;

	shared.layout = layout_of(0, 0);
	shared.slots = map_memory((size_t)ALL_THREADS * shared.layout.stride);
	shared.owned = map_memory(ALL_THREADS * sizeof(*shared.owned));
	shared.ring = map_memory(ALL_THREADS * sizeof(*shared.ring));
	shared.control = map_memory(sizeof(*shared.control));
	shared.quiesce = quiesce;
	start_vms(pids);
	begin();
	measure("json", &snap, json__new(&exits), true);
	measure("table", &snap, table__new(&table), true);
	measure("groups", &snap, table__new(&groups), true);
	measure("sums", &snap, json__new(&by_reason), true);
	measure("compact", &snap, json__new(&compact), true);
	measure("rest", &snap, json__new(&exits), false);
	end();
	add_clocks();
	begin();
	measure("time", &snap, json__new(&exits), true);
	end();
	free(snap.samples);
	for (i = 0; i < VMS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	return 0;
}
