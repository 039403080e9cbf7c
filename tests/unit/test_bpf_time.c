// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The times that the BPF programs keep of exits and entries */
#include <pthread.h>
#include <sched.h>

#include "bpf_events.h"
#include "lib/util.h"

static void run_prog(struct bpf_program *prog, __u64 arg0, __u64 arg1, __u64 arg2)
{
	__u64 args[3] = { arg0, arg1, arg2 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	CHECK_INT(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
}

static void leave_guest(__u32 raw, unsigned long address)
{
	run_prog(prog("kvm_exit_legacy_timed"), raw, address, ISA_VMX);
}

static void enter_guest(unsigned long address)
{
	run_prog(prog("kvm_entry_raw"), address, 0, 0);
}

static __u64 timed(const struct spans *row)
{
	__u64 n = 0;
	int i;

	for (i = 0; i < NR_BUCKETS; i++)
		n += row->buckets[i];
	return n;
}

static const struct spans *row_of(const struct clock *clock, __u32 index)
{
	return &clock->rows[clock->row_of[index]];
}

/* Where a time belongs: two buckets for each power of two from 256 ns on */
static __u32 bucket_of(__u64 ns)
{
	__u64 end = 256;
	__u32 i;

	for (i = 0; i < NR_BUCKETS - 1 && ns >= end; i++)
		end += i % 2 ? end / 3 : end / 2;
	return i;
}

/* Guest and spans: all the time between the first event and the last */
static __u64 told(const struct clock *clock)
{
	__u64 ns = clock->guest;
	__u32 i;

	for (i = 0; i <= clock->nr_rows; i++)
		ns += clock->rows[i].time;
	return ns;
}

/* Every exit has its span, or is known to have none, or its span is open */
static void test_pairing(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	const struct clock *clock;

	if (!load("kvm_exit_legacy_timed", &config))
		return;
	clock = clocks[0];
	/* Nobody's, as long as no exit was counted */
	enter_guest(vcpu);
	CHECK_INT(clock->first, 0);
	leave_guest(10, vcpu);
	CHECK(clock->first && clock->entry == clock->first && clock->exit >= clock->first);
	CHECK_INT(clock->index, 10);
	enter_guest(vcpu);
	CHECK_INT(clock->exit, 0);
	CHECK(clock->row_of[10] == 1 && clock->nr_rows == 1);
	CHECK_INT(timed(row_of(clock, 10)), 1);
	/* Out twice: the end of the first was not seen */
	leave_guest(10, vcpu);
	leave_guest(12, vcpu);
	enter_guest(vcpu);
	CHECK_INT(row_of(clock, 10)->untimed, 1);
	CHECK_INT(timed(row_of(clock, 10)), 1);
	CHECK_INT(timed(row_of(clock, 12)), 1);
	/* In twice: an exit was not seen */
	CHECK_INT(clock->unseen, 0);
	enter_guest(vcpu);
	CHECK_INT(clock->unseen, 1);
	leave_guest(12, vcpu);
	CHECK_INT(slots[0]->count[10] + slots[0]->count[12], 4);
	CHECK_INT(timed(row_of(clock, 12)), 1);
	enter_guest(vcpu);
	CHECK_INT(timed(row_of(clock, 12)), 2);
	CHECK(told(clock) == clock->entry - clock->first);
	CHECK(row_of(clock, 12)->max <= row_of(clock, 12)->time);
	CHECK(row_of(clock, 12)->max * 2 >= row_of(clock, 12)->time);
	CHECK_INT(row_of(clock, 12)->untimed + lost(LOST_FULL), 0);
	unload();
}

/* From the first return to user space on a span is the VMM's */
static void test_user(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	const struct spans *row;
	__u64 rest;
	int i;

	if (!load("kvm_exit_legacy_timed", &config))
		return;
	leave_guest(30, vcpu);
	usleep(3000);
	for (i = 0; i < 2; i++) {
		run_prog(skel->progs.kvm_userspace_exit, 0, 0, 0);
		usleep(10000);
	}
	enter_guest(vcpu);
	row = row_of(clocks[0], 30);
	rest = row->time - row->user - row->wait;
	CHECK(row->user + row->wait >= 20000000 && rest + row->wait >= 3000000);
	CHECK_INT(row->idle + row->poll, 0);
	CHECK(row->max == row->time);
	CHECK_INT(row->buckets[bucket_of(row->max)], 1);
	CHECK_INT(clocks[0]->user, 0);
	/* The next one knows nothing of it */
	leave_guest(31, vcpu);
	enter_guest(vcpu);
	CHECK_INT(row_of(clocks[0], 31)->user, 0);
	/* Nor where the end of the span before was not seen */
	leave_guest(30, vcpu);
	run_prog(skel->progs.kvm_userspace_exit, 0, 0, 0);
	leave_guest(31, vcpu);
	CHECK_INT(clocks[0]->user, 0);
	rest = row_of(clocks[0], 31)->user;
	enter_guest(vcpu);
	CHECK_INT(row_of(clocks[0], 31)->user, rest);
	unload();
}

/* Without a program where KVM_RUN begins: a halt began when the VMM had called it again */
static void test_kicked(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	const struct spans *row;

	if (!load("kvm_exit_legacy_timed", &config))
		return;
	leave_guest(12, vcpu);
	usleep(5000);
	run_prog(skel->progs.kvm_vcpu_wakeup, 5000000, 0, 0);
	run_prog(skel->progs.kvm_userspace_exit, 0, 0, 0);
	CHECK(clocks[0]->user > clocks[0]->exit);
	usleep(30000);
	run_prog(skel->progs.kvm_vcpu_wakeup, 29000000, 0, 0);
	CHECK_INT(clocks[0]->user, 0);
	CHECK(clocks[0]->in_user >= 1000000);
	enter_guest(vcpu);
	row = row_of(clocks[0], 12);
	CHECK(row->user >= 1000000 && row->user < row->time - 30000000);
	CHECK_INT(clocks[0]->in_user + clocks[0]->user_wait, 0);
	unload();
}

/* A thread of two vCPUs: what it does in user space is the one's that came out last */
static void test_runner(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	const unsigned long other = vcpu + 1;
	int i;

	if (!load("kvm_exit_legacy_timed", &config))
		return;
	leave_guest(10, vcpu);
	CHECK_INT(clocks[0]->shared, 0);
	leave_guest(10, other);
	CHECK(clocks[0]->shared && clocks[1]->shared);
	for (i = 0; i < 2; i++) {
		enter_guest(vcpu);
		enter_guest(other);
		leave_guest(10, other);
		leave_guest(10, vcpu);
		run_prog(skel->progs.kvm_userspace_exit, 0, 0, 0);
		CHECK(clocks[0]->user && !clocks[1]->user);
	}
	enter_guest(vcpu);
	enter_guest(other);
	CHECK_INT(timed(row_of(clocks[0], 10)), 3);
	CHECK_INT(timed(row_of(clocks[1], 10)), 3);
	CHECK_INT(clocks[0]->unseen + clocks[1]->unseen, 0);
	unload();
}

/* More reasons than rows: the others' spans are in the first */
static void test_rows(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	const struct clock *clock = NULL;
	int i;

	if (!load("kvm_exit_legacy_timed", &config))
		return;
	clock = clocks[0];
	for (i = 0; i < NR_ROWS + 9; i++) {
		/* Also codes that have no counter of their own, and one lost */
		leave_guest(i < NR_ROWS / 2 ? 16 + i : 0x1000 + i, vcpu);
		enter_guest(vcpu);
	}
	CHECK_INT(clock->nr_rows, NR_ROWS - 1);
	CHECK_INT(timed(&clock->rows[0]), 10);
	for (i = 1; i < NR_ROWS; i++)
		CHECK_INT(timed(&clock->rows[i]), 1);
	CHECK_INT(row_of(clock, NR_LOW + NR_HIGH) - clock->rows, NR_ROWS / 2 + 1);
	CHECK(told(clock) == clock->entry - clock->first);
	unload();
}

/* Spans of all lengths, 100 s among them: as if the exit had been that much earlier */
static void test_buckets(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	const struct spans *row;
	__u64 ns, before;

	if (!load("kvm_exit_legacy_timed", &config))
		return;
	leave_guest(10, vcpu);
	enter_guest(vcpu);
	row = row_of(clocks[0], 10);
	for (ns = 1000; ns < 100000000000; ns += ns / 3) {
		struct spans was = *row;

		leave_guest(10, vcpu);
		clocks[0]->exit -= ns;
		clocks[0]->entry = clocks[0]->exit;
		before = row->time;
		enter_guest(vcpu);
		CHECK(row->buckets[bucket_of(row->time - before)] ==
		      was.buckets[bucket_of(row->time - before)] + 1);
		CHECK_INT(timed(row), timed(&was) + 1);
	}
	/* 19 halts of 150 ms and one of 2.15 s are not in the same one */
	CHECK(bucket_of(150000000) < bucket_of(2150000000));
	CHECK(bucket_of(2150000000) < bucket_of(17000000000));
	CHECK(bucket_of(17000000000) < NR_BUCKETS - 1);
	unload();
}

/* Waiting for a CPU that another thread has */
static void *burn(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

static void test_wait(void)
{
	const struct config config = { .max_slots = MAX_SLOTS };
	struct spans row;
	bool stop = false;
	pthread_t thread;
	cpu_set_t all, one;
	__u64 until;

	if (!load("kvm_exit_legacy_timed", &config))
		return;
	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	pthread_create(&thread, NULL, burn, &stop);
	leave_guest(40, vcpu);
	for (until = now_ns() + 100000000; now_ns() < until;)
		;
	enter_guest(vcpu);
	stop = true;
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(all), &all);
	row = *row_of(clocks[0], 40);
	CHECK(row.wait >= 20000000 && row.wait < row.time);
	CHECK_INT(row.user + row.idle + row.poll, 0);
	/* It is not idle: the VMM does not get the CPU that the guest needs */
	CHECK(row.max == row.time);
	unload();
}

int main(void)
{
	int i;

	libbpf_set_print(NULL);
	if (skip("bpf_time", true))
		return 0;
	find_vcpu();
	for (i = 0; CHECK(vcpu) && i < 2; i++) {
		plain = i;
		test_pairing();
		test_user();
		test_kicked();
		test_runner();
		test_rows();
		test_buckets();
		test_wait();
	}
	return check__report("bpf_time");
}
