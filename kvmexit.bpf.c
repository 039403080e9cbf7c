// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts kvm_exit events, each once, in the slot of its vCPU thread.
 *
 * A thread runs on one CPU at a time and its slot is its own, so a plain ++ is
 * exact. A slot is found through `hint`, a table by TID that is read-mostly and
 * so costs nothing when threads move between CPUs or share one; what the hint
 * names is believed only if the slot says that it belongs to this thread and
 * vCPU. Everything else is the slow path's.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "kvmexit.h"

#define unlikely(x) __builtin_expect(!!(x), 0)
#define NR_HINTS 8192
#define DRAIN 8

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct config config = { .max_slots = 1 };
struct control control;
__u32 hint[NR_HINTS];

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

/* Slots that have an owner: what user space looks through for new ones */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} taken SEC(".maps");

/* Slots that user space gives back: see struct control */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ring SEC(".maps");

/*
 * Free slots and free extra counters. Queues, because taking from one is atomic
 * on all kernels; BPF's own atomics need 5.12.
 */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, NR_EXTRA);
	__type(value, __u32);
} free_extra SEC(".maps");

/* Who takes its only element may move slots from the ring to the queue */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} token SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct thread_key);
	__type(value, __u32);
} threads SEC(".maps");

/* isa << 32 | code: the number of the extra counter */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NR_EXTRA);
	__type(key, __u64);
	__type(value, __u32);
} codes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tids SEC(".maps");

/*
 * Kernel types, only what is read. For each change of the kernel there is a
 * flavour; libbpf puts in the offsets of the running kernel's BTF.
 */
#define CORE __attribute__((preserve_access_index))

struct kvm_vcpu {
	__u32 vcpu_id;
} CORE;

struct task_struct {
	int pid;
	int tgid;
} CORE;

/* Begins with an integer: bpf_rdonly_cast to it gives a number, not a pointer */
struct timespec64 {
	__s64 tv_sec;
} CORE;

union vmx_exit_reason {
	__u32 full;
} CORE;

/* 5.11 (8e53324021645) to 6.15 */
struct vcpu_vmx {
	union vmx_exit_reason exit_reason;
} CORE;

/* Since 6.16: common to VMX and TDX */
struct vcpu_vt {
	union vmx_exit_reason exit_reason;
} CORE;

struct vcpu_vmx___vt {
	struct vcpu_vt vt;
} CORE;

/* exit_code is u32, u64 since 7.0: the low half is the code in both */
struct vmcb_control_area {
	__u32 exit_code;
} CORE;

struct vmcb {
	struct vmcb_control_area control;
} CORE;

struct vcpu_svm {
	struct vmcb *vmcb;
} CORE;

/*
 * A second object is built without the kfunc: libbpf looks for it in the BTF of
 * all modules, which needs CAP_SYS_ADMIN, whichever program is to be loaded, and
 * fails where the kernel has no BTF at all.
 */
#ifdef WITHOUT_KFUNC
#define bpf_rdonly_cast(from, type) NULL
#define HAVE_KFUNC 0
#else
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
#define HAVE_KFUNC 1
#endif

static __always_inline void lose(enum lost why)
{
	__sync_fetch_and_add(&control.lost[why], 1);
}

static __always_inline int wanted_vcpu(__u64 thread, __u32 vcpu)
{
	return (!config.tgid || config.tgid == thread >> 32) &&
	       (!config.has_vcpu || config.vcpu == vcpu);
}

static __always_inline int wanted(const struct thread_key *key)
{
	__u32 tid = key->thread;

	return wanted_vcpu(key->thread, key->vcpu) &&
	       (!config.nr_tids || bpf_map_lookup_elem(&tids, &tid));
}

/*
 * Moves some of the slots given back to the queue. Who is not let in goes
 * without: the queue has others, or will have.
 */
static __always_inline void drain(void)
{
	__u64 head, *nr;
	__u32 t = 0, i, pos;

	if (control.head == *(volatile __u64 *)&control.tail || bpf_map_pop_elem(&token, &t))
		return;
	head = *(volatile __u64 *)&control.head;
	for (i = 0; i < DRAIN && head != *(volatile __u64 *)&control.tail; i++, head++) {
		pos = head % config.max_slots;
		nr = bpf_map_lookup_elem(&ring, &pos);
		if (!nr)
			break;
		t = *nr;
		bpf_map_push_elem(&free_slots, &t, 0);
	}
	*(volatile __u64 *)&control.head = head;
	bpf_map_push_elem(&token, &t, 0);
}

/* The thread map still knows the slot's last owner: user space can't tell it */
static __always_inline void forget_owner(struct slot *slot, __u32 nr)
{
	struct thread_key old = { .thread = slot->old_thread, .vcpu = slot->vcpu };
	__u32 *owned;

	if (!slot->old_thread)
		return;
	slot->old_thread = 0;
	owned = bpf_map_lookup_elem(&threads, &old);
	if (owned && *owned == nr)
		bpf_map_delete_elem(&threads, &old);
}

static __always_inline struct slot *new_slot(const struct thread_key *key, __u32 isa, __u32 *nr)
{
	struct slot *slot;
	__u64 *mark;

	drain();
	if (bpf_map_pop_elem(&free_slots, nr)) {
		lose(LOST_FULL);
		return NULL;
	}
	slot = bpf_map_lookup_elem(&slots, nr);
	mark = bpf_map_lookup_elem(&taken, nr);
	if (!slot || !mark)
		return NULL;
	forget_owner(slot, *nr);
	if (bpf_map_update_elem(&threads, key, nr, BPF_ANY)) {
		lose(LOST_MAP);
		bpf_map_push_elem(&free_slots, nr, 0);
		return NULL;
	}
	slot->vcpu = key->vcpu;
	slot->isa = isa;
	bpf_get_current_comm(slot->comm, sizeof(slot->comm));
	/* Last: from here on the fast path and user space take it as this thread's */
	*(volatile __u64 *)&slot->thread = key->thread;
	*(volatile __u64 *)mark = 1;
	return slot;
}

/* A thread's slot when the hint did not name it. NULL: not wanted, or lost. */
static __noinline struct slot *find_slot(__u64 thread, __u32 vcpu, __u32 isa)
{
	struct thread_key key = { .thread = thread, .vcpu = vcpu };
	__u32 h = (__u32)thread % NR_HINTS, nr, *known;
	struct slot *slot = NULL, *hinted;

	if (!wanted(&key))
		return NULL;
	known = bpf_map_lookup_elem(&threads, &key);
	if (known) {
		nr = *known;
		slot = bpf_map_lookup_elem(&slots, &nr);
	}
	/* User space takes a slot back before the thread map forgets it */
	if (!slot || slot->thread != thread || slot->vcpu != vcpu) {
		slot = new_slot(&key, isa, &nr);
		if (!slot)
			return NULL;
	}
	/* Two threads that share a hint leave it to the first, or both would pay */
	hinted = bpf_map_lookup_elem(&slots, &hint[h]);
	if (!hinted || !hinted->thread || (__u32)hinted->thread % NR_HINTS != h)
		hint[h] = nr;
	return slot;
}

/* The counter of a code that has none of its own; NR_COUNTERS: lost */
static __always_inline __u32 extra_index(__u32 isa, __u32 raw)
{
	__u64 code = (__u64)isa << 32 | raw, n;
	__u32 *known = bpf_map_lookup_elem(&codes, &code), i;

	if (!known && !bpf_map_pop_elem(&free_extra, &i)) {
		n = i;
		barrier_var(n);
		if (n >= NR_EXTRA)
			return NR_COUNTERS;
		control.extra[n] = code;
		if (bpf_map_update_elem(&codes, &code, &i, BPF_NOEXIST))
			bpf_map_push_elem(&free_extra, &i, 0); /* another CPU was first */
		known = bpf_map_lookup_elem(&codes, &code);
	}
	if (!known) {
		lose(LOST_CODES);
		return NR_COUNTERS;
	}
	return NR_LOW + NR_HIGH + *known;
}

static __always_inline void count_flags(struct slot *slot, __u32 raw)
{
	if (raw & VMX_FAILED_ENTRY)
		slot->flags[FLAG_FAILED_ENTRY]++;
	if (raw & VMX_BUS_LOCK)
		slot->flags[FLAG_BUS_LOCK]++;
	if (raw & VMX_ENCLAVE)
		slot->flags[FLAG_ENCLAVE]++;
}

/* VMX with flag bits, and codes that have no counter of their own */
static __noinline int count_rare(struct slot *slot, __u32 isa, __u32 raw)
{
	__u64 i = raw;

	if (!slot)
		return 0;
	if (isa == ISA_VMX) {
		/* All ones: a TDX guest's entry that ended without a reason (tdx.c) */
		if (raw != ~0u)
			count_flags(slot, raw);
		i = raw & VMX_BASIC_MASK;
	}
	if (i >= NR_LOW)
		i = extra_index(isa, i);
	if (i < NR_COUNTERS)
		slot->count[i]++;
	return 0;
}

static __always_inline struct slot *slot_of(__u64 thread, __u32 vcpu, __u32 isa)
{
	struct slot *slot = bpf_map_lookup_elem(&slots, &hint[(__u32)thread % NR_HINTS]);

	if (unlikely(!slot || slot->thread != thread || slot->vcpu != vcpu)) {
		/* Here too: with a filter this is where most exits end */
		barrier_var(thread);
		slot = wanted_vcpu(thread, vcpu) ? find_slot(thread, vcpu, isa) : NULL;
	}
	return slot;
}

static __always_inline void count(struct slot *slot, __u32 isa, __u32 raw)
{
	__u64 i = raw, high;

	/* What is tested must be the very register the verifier sees used below */
	barrier_var(i);
	high = i - HIGH_BASE;
	if (i < NR_LOW) {
		slot->count[i]++;
		return;
	}
	barrier_var(high);
	if (high < NR_HIGH)
		slot->count[NR_LOW + high]++;
	else
		count_rare(slot, isa, i);
}

/*
 * Reads @size (4 or 8) bytes at a kernel address. Direct: a load that the
 * kernel's exception table guards, no helper call.
 */
static __always_inline int load(void *to, __u32 size, const void *from, int direct)
{
	void *p;

	if (!direct || !HAVE_KFUNC)
		return bpf_probe_read_kernel(to, size, from);
	p = bpf_rdonly_cast(from, bpf_core_type_id_kernel(struct timespec64));
	if (size == 8)
		*(__u64 *)to = *(__u64 *)p;
	else
		*(__u32 *)to = *(__u32 *)p;
	return 0;
}

/* Whether BTF showed where a vCPU of the ISA has the exit reason */
static __always_inline int knows_vcpu(__u32 isa)
{
	if (isa == ISA_SVM)
		return bpf_core_field_exists(struct vcpu_svm, vmcb);
	return bpf_core_field_exists(struct vcpu_vmx___vt, vt) ||
	       bpf_core_field_exists(struct vcpu_vmx, exit_reason);
}

static __always_inline int read_reason(__u32 *raw, const struct kvm_vcpu *vcpu, __u32 isa,
				       int direct)
{
	const void *p = vcpu;

	if (isa == ISA_SVM)
		return load(&p, 8, p + bpf_core_field_offset(struct vcpu_svm, vmcb), direct) ||
		       load(raw, 4, p + bpf_core_field_offset(struct vmcb, control.exit_code),
			    direct);
	if (bpf_core_field_exists(struct vcpu_vmx___vt, vt))
		p += bpf_core_field_offset(struct vcpu_vmx___vt, vt.exit_reason.full);
	else
		p += bpf_core_field_offset(struct vcpu_vmx, exit_reason.full);
	return load(raw, 4, p, direct);
}

/*
 * The slot comes before the reason: an exit that is not wanted ends there. All of
 * this is inline: a function of its own would bring its CO-RE relocations into
 * the other programs too, which then need what they can do without.
 */
static __always_inline void count_exit(const struct kvm_vcpu *vcpu, __u32 isa, int direct)
{
	const struct task_struct *task = (void *)bpf_get_current_task_btf();
	__u64 thread = (__u64)task->tgid << 32 | (__u32)task->pid;
	struct slot *slot = slot_of(thread, vcpu->vcpu_id, isa);
	__u32 raw = 0;

	if (!slot)
		return;
	if (read_reason(&raw, vcpu, isa, direct))
		lose(LOST_READ);
	else
		count(slot, isa, raw);
}

/*
 * Prototype since 5.16 (0a62a0319abb): (struct kvm_vcpu *vcpu, u32 isa). The
 * exit reason is read from the vCPU. The ISAs part early, for the ISA to be a
 * constant from there on; what no BTF shows ends in a branch of its own, which
 * the verifier then takes out.
 */
static __always_inline int read_exit(__u64 *ctx, int direct)
{
	const struct kvm_vcpu *vcpu = (void *)ctx[0];
	__u32 isa = ctx[1];

	/* To the verifier of 6.12 and later the vCPU may be NULL */
	if (!vcpu) {
		lose(LOST_VCPU);
	} else if (__builtin_expect(isa == ISA_SVM, 1)) {
		if (knows_vcpu(ISA_SVM))
			count_exit(vcpu, ISA_SVM, direct);
		else
			lose(LOST_SVM);
	} else if (isa == ISA_VMX) {
		if (knows_vcpu(ISA_VMX))
			count_exit(vcpu, ISA_VMX, direct);
		else
			lose(LOST_VMX);
	} else {
		lose(LOST_ISA);
	}
	return 0;
}

SEC("?tp_btf/kvm_exit")
int kvm_exit_direct(__u64 *ctx)
{
	return read_exit(ctx, 1);
}

SEC("?tp_btf/kvm_exit")
int kvm_exit_read(__u64 *ctx)
{
	return read_exit(ctx, 0);
}

/* The exit reason at the offsets that user space found. 0: read. */
static __always_inline int read_by_offset(__u32 *raw, const void *vcpu, __u32 isa)
{
	const void *vmcb = NULL;

	if (isa == ISA_VMX)
		return bpf_probe_read_kernel(raw, 4, vcpu + config.off_vmx_reason);
	if (bpf_probe_read_kernel(&vmcb, 8, vcpu + config.off_svm_vmcb))
		return -1;
	return bpf_probe_read_kernel(raw, 4, vmcb + config.off_vmcb_code);
}

/*
 * The same for those without CAP_SYS_ADMIN, who may not look modules' BTF up by
 * its id, as both tp_btf and CO-RE do: user space found the offsets in
 * /sys/kernel/btf, which all may read.
 */
SEC("?raw_tp/kvm_exit")
int kvm_exit_raw(struct bpf_raw_tracepoint_args *ctx)
{
	const void *vcpu = (void *)ctx->args[0];
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 isa = ctx->args[1], vcpu_id = 0, raw = 0;
	struct slot *slot;

	if (isa != ISA_SVM && isa != ISA_VMX) {
		lose(LOST_ISA);
	} else if (isa == ISA_SVM ? !config.off_svm_vmcb : !config.off_vmx_reason) {
		lose(isa == ISA_SVM ? LOST_SVM : LOST_VMX);
	} else if (bpf_probe_read_kernel(&vcpu_id, 4, vcpu + config.off_kvm_vcpu_id)) {
		lose(LOST_VCPU);
	} else if (read_by_offset(&raw, vcpu, isa)) {
		lose(LOST_READ);
	} else {
		slot = slot_of(thread, vcpu_id, isa);
		if (slot)
			count(slot, isa, raw);
	}
	return 0;
}

/*
 * Prototype until 5.15: (u32 exit_reason, struct kvm_vcpu *vcpu, u32 isa).
 * raw_tp, because its arguments are plain numbers: BPF_PROG_TEST_RUN can give
 * them on any kernel, and only so can this be tested on a newer one.
 */
SEC("?raw_tp/kvm_exit")
int kvm_exit_legacy(struct bpf_raw_tracepoint_args *ctx)
{
	const struct kvm_vcpu *vcpu = (void *)ctx->args[1];
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 isa = ctx->args[2];
	struct slot *slot;
	__u32 vcpu_id;

	if (bpf_core_read(&vcpu_id, sizeof(vcpu_id), &vcpu->vcpu_id)) {
		lose(LOST_VCPU);
		return 0;
	}
	slot = slot_of(thread, vcpu_id, isa);
	if (slot)
		count(slot, isa, ctx->args[0]);
	return 0;
}

/* The classic tracepoint's record; these offsets in all kernels looked at */
struct kvm_exit_record {
	__u64 common;
	__u32 exit_reason;
	__u32 pad;
	__u64 guest_rip;
	__u32 isa;
	__u32 pad2;
	__u64 info1;
	__u64 info2;
	__u32 intr_info;
	__u32 error_code;
	__u32 vcpu_id;
};

#define OFFSET(field) __builtin_offsetof(struct kvm_exit_record, field)

/* Returns 1: after 0 the kernel withholds the event from perf */
SEC("?tp/kvm/kvm_exit")
int kvm_exit_tracepoint(struct kvm_exit_record *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 raw = 0, isa = 0, vcpu_id = 0;
	struct slot *slot;

	if (config.off_exit_reason == OFFSET(exit_reason) && config.off_isa == OFFSET(isa) &&
	    config.off_vcpu_id == OFFSET(vcpu_id)) {
		raw = ctx->exit_reason;
		isa = ctx->isa;
		vcpu_id = ctx->vcpu_id;
	} else {
		const void *record = ctx;

		bpf_probe_read_kernel(&raw, 4, record + config.off_exit_reason);
		bpf_probe_read_kernel(&isa, 4, record + config.off_isa);
		bpf_probe_read_kernel(&vcpu_id, 4, record + config.off_vcpu_id);
	}
	slot = slot_of(thread, vcpu_id, isa);
	if (slot)
		count(slot, isa, raw);
	return 1;
}
