/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the time goes (--time): spans from kvm_exit to the next kvm_entry, split.
 *
 * A thread's events come one after the other, so its clock (kvmexit.h) needs no
 * lock. The kernel's times of waiting, halting and polling only grow, and only while the
 * vCPU is out of its guest. So they are read only at kvm_entry, and compared with their
 * values at the entry before. Most often they are the same; then all of the span is KVM's.
 */
#ifndef BPF_TIME_H
#define BPF_TIME_H

#include "bpf/reasons.bpf.h"

#define OFF_NS \
	100000000 /* KVM itself takes microseconds; but a host may lose its CPU for a while */

/* The slot of the vCPU that a thread, by current_thread_anyhow(), ran last */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u32);
} runners SEC(".maps");

/* The clock of a slot; only with --time */
static __always_inline struct clock *clock_in(struct slot *slot)
{
	return (void *)slot + sizeof(*slot);
}

/* What the kernel tells of a thread and its vCPU, ns since their start */
struct away {
	__u64 run_delay; /* runnable without a CPU */
	__u64 halt;
	__u64 poll;
};

static __always_inline __u64 current_run_delay(void)
{
	struct task_struct *task = NULL;
	__u64 ns = 0;

	if (!bpf_core_field_exists(task->sched_info.run_delay))
		return 0;
	if (bpf_core_enum_value_exists(enum bpf_func_id___task_btf,
				       BPF_FUNC_get_current_task_btf___task_btf)) {
		task = (void *)bpf_get_current_task_btf();
		return task->sched_info.run_delay;
	}
	task = (void *)bpf_get_current_task();
	bpf_core_read(&ns, sizeof(ns), &task->sched_info.run_delay);
	return ns;
}

/* The verifier knows the vCPU's type */
static __always_inline int is_typed(enum access access)
{
	return access == DIRECT || access == BY_HELPER;
}

/*
 * Loads the fields without asking if they exist: each question would cost every exit two
 * instructions. If kvm_exit tells the vCPU, they exist. Otherwise the kernel refuses the
 * program, and user space takes another form of it.
 */
static __always_inline void load_away(struct away *away, const struct task_struct *task,
				      const struct kvm_vcpu *vcpu)
{
	away->run_delay = task->sched_info.run_delay;
	away->halt = vcpu->stat.generic.halt_wait_ns;
	away->poll = vcpu->stat.generic.halt_poll_success_ns + vcpu->stat.generic.halt_poll_fail_ns;
}

/* A field of the vCPU, which to the verifier is only a number; 0 if there is no such field */
#define VCPU_NS(type, vcpu, field)                                    \
	({                                                            \
		const struct type *v_ = (const void *)(vcpu);         \
		__u64 ns_ = 0;                                        \
		if (bpf_core_field_exists(v_->field))                 \
			bpf_core_read(&ns_, sizeof(ns_), &v_->field); \
		ns_;                                                  \
	})

static __always_inline void read_away(struct away *away, const struct task_struct *task,
				      const struct kvm_vcpu *vcpu, enum access access)
{
	if (is_typed(access)) {
		load_away(away, task, vcpu);
		return;
	}
	away->run_delay = current_run_delay();
	away->halt = away->poll = 0;
	if (access == NO_VCPU)
		return;
	away->halt = VCPU_NS(kvm_vcpu, vcpu, stat.generic.halt_wait_ns);
	away->poll = VCPU_NS(kvm_vcpu, vcpu, stat.generic.halt_poll_success_ns) +
		     VCPU_NS(kvm_vcpu, vcpu, stat.generic.halt_poll_fail_ns) +
		     VCPU_NS(kvm_vcpu___flat, vcpu, stat.halt_poll_success_ns) +
		     VCPU_NS(kvm_vcpu___flat, vcpu, stat.halt_poll_fail_ns);
}

static __always_inline void keep_away(struct clock *clock, const struct away *away)
{
	clock->run_delay = away->run_delay;
	clock->halt = away->halt;
	clock->poll = away->poll;
	clock->away = away->run_delay + away->halt + away->poll;
	clock->halted = 0;
}

/* Notes that the slot is this thread's from now on, and forgets whose it was before */
static __always_inline void set_runner(struct clock *clock)
{
	__u64 thread = current_thread_anyhow(), old = clock->thread;
	__u32 *known = bpf_map_lookup_elem(&runners, &old), nr = clock->nr;
	struct slot *of_other;
	__u64 other;

	if (old && old != thread && known && *known == nr)
		bpf_map_delete_elem(&runners, &old);
	clock->thread = thread;
	known = bpf_map_lookup_elem(&runners, &thread);
	other = known ? *known : nr;
	of_other = slot_at_once(&other);
	if (other != nr && of_other && clock_in(of_other)->thread == thread)
		clock->shared = clock_in(of_other)->shared = 1;
	bpf_map_update_elem(&runners, &thread, &nr, BPF_ANY);
}

/* Starts the clock of a slot, at its first exit. What came before is not known. */
static __always_inline void start_clock(struct slot *slot, const struct kvm_vcpu *vcpu,
					enum access access)
{
	__u64 key = slot->key;
	__u32 *known = bpf_map_lookup_elem(&threads, &key);
	struct clock *clock = clock_in(slot);
	struct away away;

	if (!known || clock->first)
		return;
	clock->nr = *known;
	read_away(&away, is_typed(access) ? (void *)bpf_get_current_task_btf() : NULL, vcpu,
		  access);
	keep_away(clock, &away);
	set_runner(clock);
	clock->entry = clock->first = bpf_ktime_get_ns();
}

/* The row of the open span's reason. Reasons for which no row is left share the first. */
static __always_inline struct spans *row_of(struct clock *clock)
{
	__u32 index = clock->index & (NR_INDICES - 1), row = clock->row_of[index];

	if (unlikely(!row) && index < NR_COUNTERS && clock->nr_rows < NR_ROWS - 1) {
		row = ++clock->nr_rows;
		clock->row_of[index] = row;
	}
	return &clock->rows[row & (NR_ROWS - 1)];
}

/* An exit while another span is still open, or an exit of a thread with several vCPUs */
static __noinline int odd_exit(struct clock *clock)
{
	__u64 thread = current_thread_anyhow();
	__u32 nr;

	if (!clock)
		return 0;
	nr = clock->nr;
	if (clock->exit) {
		row_of(clock)->untimed++;
		clock->user = clock->in_user = clock->user_wait = clock->halted = 0;
	}
	if (clock->shared)
		bpf_map_update_elem(&runners, &thread, &nr, BPF_ANY);
	return 0;
}

/* Opens the span of an exit that was counted at @index */
static __always_inline void note_exit(struct slot *slot, __u32 index)
{
	struct clock *clock = clock_in(slot);
	__u64 now, entered;

	if (unlikely(clock->exit | clock->shared))
		odd_exit(clock);
	now = bpf_ktime_get_ns();
	entered = clock->entry;
	/* The clock may step back a little when it is adjusted */
	if (unlikely(now < entered))
		now = entered;
	clock->index = index;
	*(volatile __u64 *)&clock->exit = now;
}

/* Slot of a thread without a hint */
static __noinline __u32 look_for(__u64 key)
{
	__u32 *known = bpf_map_lookup_elem(&threads, &key), nr;
	struct slot *slot;

	if (!known)
		return SLOT_UNKNOWN;
	nr = *known;
	slot = slot_at(nr);
	return slot && slot->key == key ? nr : SLOT_UNKNOWN;
}

/* NULL: no exit of this vCPU thread was counted */
static __always_inline struct slot *known_slot(__u64 key)
{
	__u32 nr;
	struct slot *slot = slot_of(key, &nr);
	__u64 found;

	if (likely(slot) || nr != SLOT_UNKNOWN)
		return slot;
	found = look_for(key);
	return slot_at_once(&found);
}

/*
 * The half octave of n, which is its bucket: 0 for 0 and 1, then 2 * floor(log2(n)) - 1, and
 * one more in the upper half of the octave. Values are byte offsets of buckets.
 */
#define BYTES(buckets) ((buckets) * sizeof(__u32))
const volatile __u8 half_octaves[256] = {
	[2] = BYTES(1),
	[3] = BYTES(2),
	[4 ... 5] = BYTES(3),
	[6 ... 7] = BYTES(4),
	[8 ... 11] = BYTES(5),
	[12 ... 15] = BYTES(6),
	[16 ... 23] = BYTES(7),
	[24 ... 31] = BYTES(8),
	[32 ... 47] = BYTES(9),
	[48 ... 63] = BYTES(10),
	[64 ... 95] = BYTES(11),
	[96 ... 127] = BYTES(12),
	[128 ... 191] = BYTES(13),
	[192 ... 255] = BYTES(14),
};

static __always_inline __u64 half_octave(__u64 n)
{
	return half_octaves[n] & BYTES(15);
}

/* The byte offset of the bucket of a span of @ns */
static __always_inline __u64 bucket_of(__u64 ns)
{
	__u64 n = ns >> 7, above;

	if (likely(n < 256))
		return half_octave(n);
	/* Kernels up to 6.1 demand that the register tested is the one used */
	n >>= 6;
	barrier_var(n);
	if (n < 256)
		return half_octave(n) + BYTES(12);
	n >>= 6;
	barrier_var(n);
	if (n < 256)
		return half_octave(n) + BYTES(24);
	n >>= 6;
	barrier_var(n);
	if (n < 256) {
		above = half_octave(n);
		/* Or the compiler adds in 8 bits, which hides the highest number from 5.10 */
		barrier_var(above);
		return above + BYTES(36);
	}
	/* From 2^33 ns on */
	n >>= 6;
	return n < 6 ? BYTES(51) : n < 8 ? BYTES(52) : BYTES(NR_BUCKETS - 1);
}

static __always_inline __u64 at_most(__u64 ns, __u64 most)
{
	return ns < most ? ns : most;
}

/* The difference, or 0 if it is negative */
static __always_inline __u64 beyond(__u64 ns, __u64 start)
{
	return (__s64)(ns - start) > 0 ? ns - start : 0;
}

/*
 * Ends a visit to user space, at the time @now. A vCPU can come there several times in one
 * span: a signal wakes it from its halt, the VMM calls KVM_RUN, and KVM halts it again.
 */
static __always_inline void leave_user(struct clock *clock, __u64 now, __u64 run_delay)
{
	__u64 ns = beyond(now, clock->user);
	__u64 wait = at_most(beyond(run_delay, clock->user_delay), ns);

	clock->user_wait += wait;
	clock->in_user += ns - wait;
	*(volatile __u64 *)&clock->user = 0;
}

/*
 * Whether @ns of a span in KVM are those of a vCPU that was switched off (PSCI's CPU_OFF, by HVC
 * or SMC). kvm_vcpu_sleep() has no statistics and no event. But what KVM does at such calls
 * takes microseconds, unless it halts the vCPU, and then it tells of that.
 */
static __always_inline int is_off(const struct clock *clock, __u64 ns)
{
#ifdef __TARGET_ARCH_arm64
	const __u32 class = clock->index; /* of the exception, ESR_EL2.EC */

	return ns >= OFF_NS && (class == 0x12 || class == 0x13 || class == 0x16 || class == 0x17);
#else
	(void)clock;
	(void)ns;
	return 0;
#endif
}

/*
 * Adds the parts of a span's time that are not KVM's own to @row; returns the idle part.
 * The kernel measures these parts with different clocks, so each part is limited to what
 * the others leave. A halt, as KVM tells it, ends when the thread runs again. So it includes
 * waiting for a CPU, but not the waiting in user space.
 */
static __always_inline __u64 split(struct clock *clock, struct spans *row, const struct away *away,
				   int halt_known)
{
	__u64 now = clock->entry, left = now - clock->exit, ns;
	__u64 wait = beyond(away->run_delay, clock->run_delay);
	__u64 poll = beyond(away->poll, clock->poll);
	__u64 halt = halt_known ? beyond(away->halt, clock->halt) : beyond(clock->halted, poll);

	/* Nothing told when KVM_RUN was called */
	if (clock->user)
		leave_user(clock, now, away->run_delay);
	ns = at_most(wait, left);
	row->wait += ns;
	left -= ns;
	ns = at_most(clock->in_user, left);
	row->user += ns;
	left -= ns;
	ns = at_most(poll, left);
	row->poll += ns;
	left -= ns;
	ns = at_most(beyond(halt, beyond(wait, clock->user_wait)), left);
	if (is_off(clock, left - ns))
		ns = left;
	row->idle += ns;
	clock->in_user = clock->user_wait = 0;
	keep_away(clock, away);
	return ns;
}

/* @busy: the span's time without idle */
static __always_inline void close_span(struct clock *clock, struct spans *row, __u64 busy)
{
	if (busy > row->max)
		row->max = busy;
	++*(__u32 *)((void *)row->buckets + bucket_of(busy));
	barrier();
	*(volatile __u64 *)&clock->exit = 0;
}

static __always_inline void split_and_close(struct clock *clock, struct spans *row,
					    const struct away *away, int halt_known)
{
	__u64 busy = clock->entry - clock->exit;

	close_span(clock, row, busy - split(clock, row, away, halt_known));
}

/* Out of line, because the registers that it needs would cost every span time */
static __noinline int split_typed(struct clock *clock, struct spans *row,
				  const struct task_struct *task, const struct kvm_vcpu *vcpu)
{
	struct away away;

	if (!clock || !row || !task || !vcpu)
		return 0;
	load_away(&away, task, vcpu);
	split_and_close(clock, row, &away, 1);
	return 0;
}

/* Closes the span that is open; most often it is all KVM's own */
static __always_inline void note_entry(struct clock *clock, const struct task_struct *task,
				       const struct kvm_vcpu *vcpu, enum access access)
{
	const struct kvm_vcpu *const none = NULL;
	__u64 now = bpf_ktime_get_ns(), began = clock->exit, entered = clock->entry, busy;
	struct spans *row;
	struct away away;

	if (unlikely(!began)) {
		clock->unseen++;
		return;
	}
	/* As in note_exit() */
	if (unlikely(now < began))
		now = began;
	*(volatile __u64 *)&clock->entry = now;
	barrier();
	busy = now - began;
	clock->guest += began - entered;
	row = row_of(clock);
	barrier_var(row);
	row->time += busy;
	read_away(&away, task, vcpu, access);
	if (likely(away.run_delay + away.halt + away.poll == clock->away && !is_off(clock, busy)))
		close_span(clock, row, busy);
	else if (is_typed(access))
		split_typed(clock, row, task, vcpu);
	else
		split_and_close(clock, row, &away,
				access != NO_VCPU &&
					bpf_core_field_exists(none->stat.generic.halt_wait_ns));
}

/* The clock of the vCPU that this thread ran last; NULL: it is in its guest, or there is none */
static __always_inline struct clock *open_clock(void)
{
	__u64 thread = current_thread_anyhow();
	__u32 *known = bpf_map_lookup_elem(&runners, &thread);
	__u64 nr = known ? *known : SLOT_UNKNOWN;
	struct slot *slot = slot_at_once(&nr);
	struct clock *clock;

	if (!slot)
		return NULL;
	clock = clock_in(slot);
	return clock->thread == thread && clock->exit ? clock : NULL;
}

static __always_inline void note_user(void)
{
	struct clock *clock = open_clock();

	if (!clock || clock->user)
		return;
	clock->user_delay = current_run_delay();
	clock->away = AWAY_UNKNOWN;
	*(volatile __u64 *)&clock->user = bpf_ktime_get_ns();
}

/*
 * The VMM has called KVM_RUN. @vcpu: typed, or NULL: not known. If KVM had halted it before
 * its visit to user space, user space learns so before the span is over.
 */
static __always_inline void note_run(const struct kvm_vcpu *vcpu)
{
	struct clock *clock = open_clock();

	if (!clock || !clock->user)
		return;
	leave_user(clock, bpf_ktime_get_ns(), current_run_delay());
	if (vcpu && bpf_core_field_exists(vcpu->stat.generic.halt_wait_ns))
		clock->halted = beyond(vcpu->stat.generic.halt_wait_ns, clock->halt);
}

/*
 * @ns: how long the vCPU was halted, from the first poll until the thread ran again. If
 * nothing told when KVM_RUN was called, it was just before that; waiting for a CPU since
 * counts as part of the halt.
 */
static __always_inline void note_wakeup(__u64 ns)
{
	struct clock *clock = open_clock();

	if (!clock)
		return;
	if (clock->user)
		leave_user(clock, bpf_ktime_get_ns() - ns, clock->user_delay);
	clock->halted += ns;
	clock->away = AWAY_UNKNOWN;
}

#endif
