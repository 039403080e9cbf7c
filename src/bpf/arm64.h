/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs for arm64, whose kvm_exit tells the reason and no vCPU:
 * (int ret, unsigned esr_ec, unsigned long pc). KVM fires it with interrupts on and
 * preemption off, in the vCPU's thread.
 */
#ifndef BPF_ARM64_H
#define BPF_ARM64_H

struct task_struct___notified {
	struct {
		const void *first;
	} preempt_notifiers;
} CORE;

struct kvm_vcpu___notified {
	struct {
		struct {
			void *next;
		} link;
	} preempt_notifier;
} CORE;

/*
 * KVM has the scheduler call it when the thread that runs a vCPU is preempted
 * (vcpu_load()): where that leads to the vCPU. The per-CPU variable kvm_running_vcpu
 * would too, but BPF finds it by kallsyms only, where Debian's 6.1 does not have it.
 */
static __always_inline const void *running_vcpu(int direct)
{
	const struct task_struct___notified *task;
	const void *link = NULL;

	if (direct) {
		task = (void *)bpf_get_current_task_btf();
		link = task->preempt_notifiers.first;
	} else {
		task = (void *)bpf_get_current_task();
		bpf_core_read(&link, sizeof(link), &task->preempt_notifiers.first);
	}
	if (!link)
		return NULL;
	return link - bpf_core_field_offset(struct kvm_vcpu___notified, preempt_notifier.link);
}

static __always_inline int count_running(const __u64 *args, int direct)
{
	const struct kvm_vcpu *vcpu = running_vcpu(direct);
	__u32 id = 0;

	if (!vcpu) {
		lose(LOST_VCPU);
		return 0;
	}
	if (direct && HAVE_KFUNC) {
		vcpu = bpf_rdonly_cast(vcpu, bpf_core_type_id_kernel(struct kvm_vcpu));
		id = vcpu->vcpu_id;
	} else if (bpf_core_read(&id, sizeof(id), &vcpu->vcpu_id)) {
		lose(LOST_VCPU);
		return 0;
	}
	count_told(id, ISA_ARM64, arm64_code(args[0], args[1]), NULL, 0);
	return 0;
}

/* Raw tracepoints, because all arguments are plain numbers */
SEC("?raw_tp/kvm_exit")
int kvm_exit_direct(struct bpf_raw_tracepoint_args *ctx)
{
	return count_running(ctx->args, 1);
}

/* For kernels without bpf_rdonly_cast */
SEC("?raw_tp/kvm_exit")
int kvm_exit_read(struct bpf_raw_tracepoint_args *ctx)
{
	return count_running(ctx->args, 0);
}

/* For kernels without BTF. Returns 1: after 0 the kernel withholds the event from perf */
SEC("?tp/kvm/kvm_exit")
int kvm_exit_tracepoint(struct kvm_exit_record_arm64 *ctx)
{
	count_told(VCPU_UNKNOWN, ISA_ARM64, arm64_code(ctx->ret, ctx->esr_ec), NULL, 0);
	return 1;
}

#endif
