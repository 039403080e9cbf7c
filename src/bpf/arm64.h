/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs for arm64, whose kvm_exit tells the reason and no vCPU:
 * (int ret, unsigned esr_ec, unsigned long pc), and kvm_entry neither: (unsigned long
 * pc). KVM fires them in the vCPU's thread, preemption off; kvm_exit with interrupts on,
 * after those that were waiting.
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

/* The vCPU and its id; of its type to the verifier where @direct. NULL: not to be had. */
static __always_inline const struct kvm_vcpu *find_vcpu(int direct, __u32 *id)
{
	const struct kvm_vcpu *vcpu = running_vcpu(direct);

	if (!vcpu)
		return NULL;
	if (!direct || !HAVE_KFUNC)
		return bpf_core_read(id, sizeof(*id), &vcpu->vcpu_id) ? NULL : vcpu;
	vcpu = bpf_rdonly_cast(vcpu, bpf_core_type_id_kernel(struct kvm_vcpu));
	*id = vcpu->vcpu_id;
	return vcpu;
}

static __always_inline int count_running(const __u64 *args, int direct, int timed)
{
	__u32 id = 0;
	const struct kvm_vcpu *vcpu = find_vcpu(direct, &id);

	if (vcpu)
		count_told(id, ISA_ARM64, arm64_code(args[0], args[1]), vcpu, timed);
	else
		lose(LOST_VCPU);
	return 0;
}

static __always_inline int enter_running(int direct)
{
	__u32 id = 0;
	const struct kvm_vcpu *vcpu = find_vcpu(direct, &id);

	if (!vcpu)
		return 0;
	if (direct)
		enter((void *)bpf_get_current_task_btf(), current_thread(), id, vcpu, DIRECT);
	else
		enter(NULL, current_thread_anyhow(), id, vcpu, BY_ADDRESS);
	return 0;
}

/* Raw tracepoints, because all arguments are plain numbers */
SEC("?raw_tp/kvm_exit")
int kvm_exit_direct(struct bpf_raw_tracepoint_args *ctx)
{
	return count_running(ctx->args, 1, 0);
}

SEC("?raw_tp/kvm_exit")
int kvm_exit_direct_timed(struct bpf_raw_tracepoint_args *ctx)
{
	return count_running(ctx->args, 1, 1);
}

SEC("?raw_tp/kvm_entry")
int kvm_entry_direct(struct bpf_raw_tracepoint_args *ctx)
{
	(void)ctx;
	return enter_running(1);
}

/* For kernels without bpf_rdonly_cast */
SEC("?raw_tp/kvm_exit")
int kvm_exit_read(struct bpf_raw_tracepoint_args *ctx)
{
	return count_running(ctx->args, 0, 0);
}

SEC("?raw_tp/kvm_exit")
int kvm_exit_read_timed(struct bpf_raw_tracepoint_args *ctx)
{
	return count_running(ctx->args, 0, 1);
}

SEC("?raw_tp/kvm_entry")
int kvm_entry_read(struct bpf_raw_tracepoint_args *ctx)
{
	(void)ctx;
	return enter_running(0);
}

/* For kernels without BTF. They return 1: after 0 the kernel withholds the event from perf */
static __always_inline int count_record(const struct kvm_exit_record_arm64 *record, int timed)
{
	count_told(VCPU_UNKNOWN, ISA_ARM64, arm64_code(record->ret, record->esr_ec), NULL, timed);
	return 1;
}

SEC("?tp/kvm/kvm_exit")
int kvm_exit_tracepoint(struct kvm_exit_record_arm64 *ctx)
{
	return count_record(ctx, 0);
}

SEC("?tp/kvm/kvm_exit")
int kvm_exit_tracepoint_timed(struct kvm_exit_record_arm64 *ctx)
{
	return count_record(ctx, 1);
}

SEC("?tp/kvm/kvm_entry")
int kvm_entry_tracepoint(void *ctx)
{
	(void)ctx;
	enter(NULL, current_thread_anyhow(), VCPU_UNKNOWN, NULL, NO_VCPU);
	return 1;
}

#endif
