// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs on kvm_exit: one for each way to learn of a VM exit, its vCPU and its
 * reason. src/probe/probe.c chooses one of them, loads and attaches it. It counts each event
 * once, in the slot of its vCPU thread (src/bpf/slots.bpf.h). With --time, a program is taken
 * that also notes when the exit was, and further programs on other events are attached
 * (src/bpf/time.bpf.h). With --detail they note what was behind the exit (src/bpf/detail.bpf.h).
 */
#include "bpf/detail.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What a program notes of an exit */
enum extent {
	COUNT,
	TIMED,
	DETAILED, /* and, if user space says so, the time */
};

/* Makes programs from one body, @call, one for each extent: NAME, NAME_timed, NAME_detailed */
#define PROGRAM(section, name, type, call, what) \
	SEC(section)                             \
	int name(type *ctx)                      \
	{                                        \
		const enum extent extent = what; \
                                                 \
		(void)ctx;                       \
		return call;                     \
	}

#define ON_EXIT(section, name, type, call)                \
	PROGRAM(section, name, type, call, COUNT)         \
	PROGRAM(section, name##_timed, type, call, TIMED) \
	PROGRAM(section, name##_detailed, type, call, DETAILED)

/* The same for kvm_entry, where plain counting needs no program: NAME, NAME_detailed */
#define ON_ENTRY(section, name, type, call)       \
	PROGRAM(section, name, type, call, TIMED) \
	PROGRAM(section, name##_detailed, type, call, DETAILED)

static __always_inline int is_timed(enum extent extent)
{
	__u64 timed = extent == TIMED;

	/* User space patches this constant, so the verifier removes the code that is not wanted */
	if (extent == DETAILED)
		asm volatile("%0 = %1" : "=r"(timed) : "i"(PATCH_TIMED));
	return timed;
}

/* An event that tells the reason itself */
static __always_inline void count_told(__u32 vcpu, __u32 isa, __u32 raw,
				       const struct kvm_vcpu *address, enum extent extent,
				       const struct kvm_exit_record *record)
{
	__u32 nr;
	struct slot *slot = slot_of(thread_key(current_thread_anyhow(), vcpu), &nr);

	if (unlikely(!slot)) {
		if (nr != SLOT_UNKNOWN) {
			lose_hinted(nr);
			return;
		}
		slot = look_further(thread_key(current_thread_anyhow(), vcpu), vcpu, isa, 0);
		if (!slot)
			return;
		if (is_timed(extent))
			start_clock(slot, address, address ? BY_ADDRESS : NO_VCPU);
	}
	count(slot, isa, raw);
	if (extent == DETAILED)
		note_told_detail(slot, isa, raw, address, record);
	if (is_timed(extent))
		note_exit(slot, index_of(isa, raw));
}

static __always_inline void enter(const struct task_struct *task, __u64 thread, __u32 id,
				  const struct kvm_vcpu *vcpu, enum access access,
				  enum extent extent)
{
	struct slot *slot = known_slot(thread_key(thread, id));

	if (!slot)
		return;
	if (extent == DETAILED)
		settle_at_entry(details_in(slot), vcpu, access);
	if (!is_timed(extent))
		return;
	if (extent == DETAILED)
		note_entry_detailed(details_in(slot), clock_in(slot), task, vcpu, access);
	else
		note_entry(clock_in(slot), task, vcpu, access);
}

#ifdef __TARGET_ARCH_arm64
#include "bpf/programs_arm64.bpf.h"
#else

/* KVM's id of the vCPU. 0: read. */
static __always_inline int read_id(__u32 *id, const struct kvm_vcpu *vcpu, enum access access)
{
	if (access == BY_ADDRESS)
		return bpf_probe_read_kernel(id, 4, (const void *)vcpu + config.off_vcpu);
	*id = vcpu->vcpu_id;
	return 0;
}

/*
 * Looks for the slot before it reads the reason, because an exit that is not wanted ends
 * there. Inline, so that the ISA is a constant. If no hint is found, the thread and the
 * vCPU's id are read again: to keep them would cost every exit two registers.
 */
static __always_inline void count_exit(const struct kvm_vcpu *vcpu, __u32 isa, enum access access,
				       enum extent extent)
{
	__u64 thread = current_thread();
	__u32 id = 0, nr, raw = 0;
	const void *at = NULL;
	struct slot *slot;

	if (read_id(&id, vcpu, access)) {
		lose(LOST_VCPU);
		return;
	}
	slot = slot_of(thread_key(thread, id), &nr);
	if (unlikely(!slot)) {
		if (nr != SLOT_UNKNOWN) {
			lose_hinted(nr);
			return;
		}
		thread = current_thread();
		barrier_var(vcpu);
		read_id(&id, vcpu, access);
		slot = look_further(thread_key(thread, id), id, isa, 1);
		if (!slot)
			return;
		if (is_timed(extent))
			start_clock(slot, vcpu, access);
	}
	if (read_reason(&raw, &at, vcpu, isa, access == DIRECT)) {
		lose(LOST_READ);
		return;
	}
	count(slot, isa, raw);
	if (extent == DETAILED)
		note_detail(slot, &(struct exit){ vcpu, NULL, access, raw, at }, isa);
	if (is_timed(extent))
		note_exit(slot, index_of(isa, raw));
}

/*
 * Prototype since 5.16 (0a62a0319abb): (struct kvm_vcpu *vcpu, u32 isa). The
 * exit reason is read from the vCPU. Each ISA has its own code from here on.
 */
static __always_inline int count_vcpu(const struct kvm_vcpu *vcpu, __u32 isa, enum access access,
				      enum extent extent)
{
	/* To the verifier of 6.12 and later the vCPU may be NULL */
	if (!vcpu)
		lose(LOST_VCPU);
	else if (likely(isa == ISA_SVM))
		count_exit(vcpu, ISA_SVM, access, extent);
	else if (isa == ISA_VMX)
		count_exit(vcpu, ISA_VMX, access, extent);
	else
		lose(LOST_ISA);
	return 0;
}

ON_EXIT("?tp_btf/kvm_exit", kvm_exit_direct, __u64,
	count_vcpu((void *)ctx[0], ctx[1], DIRECT, extent))

/* For kernels without bpf_rdonly_cast */
ON_EXIT("?tp_btf/kvm_exit", kvm_exit_read, __u64,
	count_vcpu((void *)ctx[0], ctx[1], BY_HELPER, extent))

/*
 * For users without CAP_SYS_ADMIN: they may not look up a module's BTF by its id, as
 * tp_btf needs
 */
ON_EXIT("?raw_tp/kvm_exit", kvm_exit_raw, struct bpf_raw_tracepoint_args,
	count_vcpu((void *)ctx->args[0], ctx->args[1], BY_ADDRESS, extent))

/*
 * Prototype until 5.15: (u32 exit_reason, struct kvm_vcpu *vcpu, u32 isa).
 * raw_tp, because its arguments are plain numbers. So BPF_PROG_TEST_RUN can pass them on
 * any kernel, and tests can run this program on newer ones.
 */
static __always_inline int count_legacy(struct bpf_raw_tracepoint_args *ctx, enum extent extent)
{
	const struct kvm_vcpu *vcpu = (void *)ctx->args[1];
	__u32 id;

	if (read_id(&id, vcpu, BY_ADDRESS))
		lose(LOST_VCPU);
	else
		count_told(id, ctx->args[2], ctx->args[0], vcpu, extent, NULL);
	return 0;
}

ON_EXIT("?raw_tp/kvm_exit", kvm_exit_legacy, struct bpf_raw_tracepoint_args,
	count_legacy(ctx, extent))

/* For a kernel whose record has other offsets, which user space found */
static __always_inline void count_odd(const void *record, enum extent extent)
{
	__u32 raw = 0, isa = 0, vcpu_id = 0;

	bpf_probe_read_kernel(&raw, 4, record + config.off_exit_reason);
	bpf_probe_read_kernel(&isa, 4, record + config.off_isa);
	bpf_probe_read_kernel(&vcpu_id, 4, record + config.off_vcpu_id);
	count_told(vcpu_id, isa, raw, NULL, extent, NULL);
}

/* Returns 1: after 0 the kernel withholds the event from perf */
static __always_inline int count_record(struct kvm_exit_record *record, enum extent extent)
{
	if (likely(!config.odd_record))
		count_told(record->vcpu_id, record->isa, record->exit_reason, NULL, extent, record);
	else
		count_odd(record, extent);
	return 1;
}

ON_EXIT("?tp/kvm/kvm_exit", kvm_exit_tracepoint, struct kvm_exit_record, count_record(ctx, extent))

/* Its first argument has been the vCPU since before 5.10 */
static __always_inline int enter_typed(const struct kvm_vcpu *vcpu, enum access access,
				       enum extent extent)
{
	const struct task_struct *task = (void *)bpf_get_current_task_btf();

	if (vcpu)
		enter(task, task->start_boottime, vcpu->vcpu_id, vcpu, access, extent);
	return 0;
}

ON_ENTRY("?tp_btf/kvm_entry", kvm_entry_typed, __u64, enter_typed((void *)ctx[0], DIRECT, extent))

static __always_inline int enter_raw(const struct kvm_vcpu *vcpu, enum extent extent)
{
	__u32 id;

	if (!read_id(&id, vcpu, BY_ADDRESS))
		enter(NULL, current_thread_anyhow(), id, vcpu, BY_ADDRESS, extent);
	return 0;
}

ON_ENTRY("?raw_tp/kvm_entry", kvm_entry_raw, struct bpf_raw_tracepoint_args,
	 enter_raw((void *)ctx->args[0], extent))

static __always_inline int enter_record(const struct kvm_entry_record *record, enum extent extent)
{
	enter(NULL, current_thread_anyhow(), record->vcpu_id, NULL, NO_VCPU, extent);
	return 1;
}

ON_ENTRY("?tp/kvm/kvm_entry", kvm_entry_tracepoint, struct kvm_entry_record,
	 enter_record(ctx, extent))

/*
 * The events that tell the address of an EPT_VIOLATION or EPT_MISCONFIG on VMX. This is the
 * prototype of kvm_page_fault since 6.1 at the latest: (struct kvm_vcpu *, u64 address, u64
 * qualification). The other events have the same prototypes since before 5.10.
 */
SEC("?raw_tp/kvm_page_fault")
int kvm_page_fault(struct bpf_raw_tracepoint_args *ctx)
{
	note_fault(ctx->args[1], ctx->args[2]);
	return 0;
}

/* Before it got the vCPU, 5.15 among others: (unsigned long address, error code) */
SEC("?raw_tp/kvm_page_fault")
int kvm_page_fault_old(struct bpf_raw_tracepoint_args *ctx)
{
	note_fault(ctx->args[0], ctx->args[1]);
	return 0;
}

/* (u64 address): a write that an ioeventfd takes */
SEC("?raw_tp/kvm_fast_mmio")
int kvm_fast_mmio(struct bpf_raw_tracepoint_args *ctx)
{
	note_address(ctx->args[0]);
	return 0;
}

#endif

/* (int type, int len, u64 address, void *) */
SEC("?raw_tp/kvm_mmio")
int kvm_mmio(struct bpf_raw_tracepoint_args *ctx)
{
	note_address(ctx->args[2]);
	return 0;
}

/* KVM_RUN returns to the VMM */
SEC("?raw_tp/kvm_userspace_exit")
int kvm_userspace_exit(struct bpf_raw_tracepoint_args *ctx)
{
	(void)ctx;
	note_user();
	return 0;
}

/* The VMM has called KVM_RUN */
SEC("?fentry/kvm_arch_vcpu_ioctl_run")
int kvm_run(__u64 *ctx)
{
	note_run((void *)ctx[0]);
	return 0;
}

/* For kernels and users without BTF of that function, and for Arm kernels before 6.5 */
SEC("?kprobe/kvm_arch_vcpu_ioctl_run")
int kvm_run_kprobe(void *ctx)
{
	(void)ctx;
	note_run(NULL);
	return 0;
}

/* (u64 ns, bool waited, bool valid): for kernels whose vCPUs do not tell how long they halt */
SEC("?raw_tp/kvm_vcpu_wakeup")
int kvm_vcpu_wakeup(struct bpf_raw_tracepoint_args *ctx)
{
	note_wakeup(ctx->args[0]);
	return 0;
}
