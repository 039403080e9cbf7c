/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs for arm64. Its kvm_exit tells the reason but no vCPU: (int ret, unsigned
 * esr_ec, unsigned long pc). Its kvm_entry tells neither: (unsigned long pc). KVM fires both
 * in the vCPU's thread, with preemption off. It fires kvm_exit with interrupts on, after the
 * host has taken those that were waiting.
 */
#ifndef BPF_PROGRAMS_ARM64_H
#define BPF_PROGRAMS_ARM64_H

static __always_inline int count_running(const __u64 *args, int direct, enum extent extent)
{
	__u32 id = 0;
	const struct kvm_vcpu *vcpu = find_vcpu(direct, &id);

	if (vcpu)
		count_told(id, ISA_ARM64, arm64_code(args[0], args[1]), vcpu, extent, NULL);
	else
		lose(LOST_VCPU);
	return 0;
}

static __always_inline int enter_running(int direct, enum extent extent)
{
	__u32 id = 0;
	const struct kvm_vcpu *vcpu = find_vcpu(direct, &id);

	if (!vcpu)
		return 0;
	if (direct)
		enter((void *)bpf_get_current_task_btf(), current_thread(), id, vcpu, DIRECT,
		      extent);
	else
		enter(NULL, current_thread_anyhow(), id, vcpu, BY_ADDRESS, extent);
	return 0;
}

/* Raw tracepoints, because all arguments are plain numbers */
ON_EXIT("?raw_tp/kvm_exit", kvm_exit_direct, struct bpf_raw_tracepoint_args,
	count_running(ctx->args, 1, extent))

ON_ENTRY("?raw_tp/kvm_entry", kvm_entry_direct, struct bpf_raw_tracepoint_args,
	 enter_running(1, extent))

/* For kernels without bpf_rdonly_cast */
ON_EXIT("?raw_tp/kvm_exit", kvm_exit_read, struct bpf_raw_tracepoint_args,
	count_running(ctx->args, 0, extent))

ON_ENTRY("?raw_tp/kvm_entry", kvm_entry_read, struct bpf_raw_tracepoint_args,
	 enter_running(0, extent))

/* For kernels without BTF. They return 1: after 0 the kernel withholds the event from perf */
static __always_inline int count_record(const struct kvm_exit_record_arm64 *record,
					enum extent extent)
{
	count_told(VCPU_UNKNOWN, ISA_ARM64, arm64_code(record->ret, record->esr_ec), NULL, extent,
		   NULL);
	return 1;
}

ON_EXIT("?tp/kvm/kvm_exit", kvm_exit_tracepoint, struct kvm_exit_record_arm64,
	count_record(ctx, extent))

static __always_inline int enter_record(enum extent extent)
{
	enter(NULL, current_thread_anyhow(), VCPU_UNKNOWN, NULL, NO_VCPU, extent);
	return 1;
}

ON_ENTRY("?tp/kvm/kvm_entry", kvm_entry_tracepoint, void, enter_record(extent))

#endif
