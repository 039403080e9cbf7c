// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs: one for each way to learn of a VM exit, the vCPU and the reason.
 * One of them is loaded and attached (src/probe.c chooses); it counts each event
 * in the slot of its vCPU thread (src/bpf/slots.h), once.
 */
#include "src/bpf/reasons.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum access {
	DIRECT, /* by loads */
	BY_HELPER, /* what no BTF type covers, by a helper call */
	BY_ADDRESS, /* all of it, the vCPU being a mere number to the verifier */
};

/* KVM's id of the vCPU. 0: read. */
static __always_inline int read_id(__u32 *id, const struct kvm_vcpu *vcpu, enum access access)
{
	if (access == BY_ADDRESS)
		return bpf_probe_read_kernel(id, 4, (const void *)vcpu + config.off_vcpu);
	*id = vcpu->vcpu_id;
	return 0;
}

/*
 * The slot comes before the reason: an exit that is not wanted ends there. Inline,
 * for the ISA to be a constant in it. The thread and the vCPU's id are asked for
 * anew where no hint was found: kept, each would cost every exit a register.
 */
static __always_inline void count_exit(const struct kvm_vcpu *vcpu, __u32 isa, enum access access)
{
	__u64 thread = current_thread();
	__u32 id = 0, nr, raw = 0;
	struct slot *slot;

	if (read_id(&id, vcpu, access)) {
		lose(LOST_VCPU);
		return;
	}
	slot = slot_of(thread_key(thread, id), &nr);
	if (unlikely(!slot)) {
		if (nr == SLOT_UNWANTED)
			return;
		barrier_var(vcpu);
		read_id(&id, vcpu, access);
		slot = look_further(thread_key(current_thread(), id), id, isa, 1, nr);
		if (!slot)
			return;
	}
	if (read_reason(&raw, vcpu, isa, access == DIRECT))
		lose(LOST_READ);
	else
		count(slot, isa, raw);
}

/*
 * Prototype since 5.16 (0a62a0319abb): (struct kvm_vcpu *vcpu, u32 isa). The
 * exit reason is read from the vCPU. The ISAs part early.
 */
static __always_inline int count_vcpu(const struct kvm_vcpu *vcpu, __u32 isa, enum access access)
{
	/* To the verifier of 6.12 and later the vCPU may be NULL */
	if (!vcpu)
		lose(LOST_VCPU);
	else if (likely(isa == ISA_SVM))
		count_exit(vcpu, ISA_SVM, access);
	else if (isa == ISA_VMX)
		count_exit(vcpu, ISA_VMX, access);
	else
		lose(LOST_ISA);
	return 0;
}

SEC("?tp_btf/kvm_exit")
int kvm_exit_direct(__u64 *ctx)
{
	return count_vcpu((void *)ctx[0], ctx[1], DIRECT);
}

/* For kernels without bpf_rdonly_cast */
SEC("?tp_btf/kvm_exit")
int kvm_exit_read(__u64 *ctx)
{
	return count_vcpu((void *)ctx[0], ctx[1], BY_HELPER);
}

/*
 * For those without CAP_SYS_ADMIN, who may not look modules' BTF up by its id, as
 * tp_btf does
 */
SEC("?raw_tp/kvm_exit")
int kvm_exit_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return count_vcpu((void *)ctx->args[0], ctx->args[1], BY_ADDRESS);
}

/* An event that tells the reason itself */
static __always_inline void count_told(__u32 vcpu, __u32 isa, __u32 raw)
{
	__u32 nr;
	struct slot *slot = slot_of(thread_key(current_thread_anyhow(), vcpu), &nr);

	if (unlikely(!slot)) {
		if (nr == SLOT_UNWANTED)
			return;
		slot = look_further(thread_key(current_thread_anyhow(), vcpu), vcpu, isa, 0, nr);
		if (!slot)
			return;
	}
	count(slot, isa, raw);
}

/*
 * Prototype until 5.15: (u32 exit_reason, struct kvm_vcpu *vcpu, u32 isa).
 * raw_tp, because its arguments are plain numbers: BPF_PROG_TEST_RUN can give
 * them on any kernel, and only so can this be tested on a newer one.
 */
SEC("?raw_tp/kvm_exit")
int kvm_exit_legacy(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 id;

	if (read_id(&id, (void *)ctx->args[1], BY_ADDRESS))
		lose(LOST_VCPU);
	else
		count_told(id, ctx->args[2], ctx->args[0]);
	return 0;
}

/* Of a kernel where the record is another one, by what user space found */
static __always_inline void count_odd(const void *record)
{
	__u32 raw = 0, isa = 0, vcpu_id = 0;

	bpf_probe_read_kernel(&raw, 4, record + config.off_exit_reason);
	bpf_probe_read_kernel(&isa, 4, record + config.off_isa);
	bpf_probe_read_kernel(&vcpu_id, 4, record + config.off_vcpu_id);
	count_told(vcpu_id, isa, raw);
}

/* Returns 1: after 0 the kernel withholds the event from perf */
SEC("?tp/kvm/kvm_exit")
int kvm_exit_tracepoint(struct kvm_exit_record *ctx)
{
	if (likely(!config.odd_record))
		count_told(ctx->vcpu_id, ctx->isa, ctx->exit_reason);
	else
		count_odd(ctx);
	return 1;
}
