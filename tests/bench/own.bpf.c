// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvmexit's own code on a tracepoint that a bench can fire on any kernel:
 * task_rename, (struct task_struct *task, const char *comm). For the vCPU stands the
 * task, for vcpu->vcpu_id its pid; svm->vmcb->control.exit_code is, by the offsets
 * that own.h puts into the program, its cred->uid. For KVM's statistics stand numbers
 * of the scheduler's, which change now and then.
 */
#define kvm_vcpu task_struct___vcpu
#define vcpu_id pid
#define kvm_vcpu_stat sched_entity___stat
#define stat se
#define kvm_vcpu_stat_generic sched_avg___generic
#define generic avg
#define halt_poll_success_ns last_update_time
#define halt_poll_fail_ns load_sum
#define halt_wait_ns runnable_sum
#include "kvmexit.bpf.c"

/* To the compiler any ISA, as an argument of kvm_exit is */
static __always_inline __u32 some_isa(void)
{
	__u32 isa = ISA_SVM;

	barrier_var(isa);
	return isa;
}

SEC("?tp_btf/task_rename")
int rename_direct(__u64 *ctx)
{
	return count_vcpu((void *)ctx[0], some_isa(), DIRECT, COUNT);
}

/* With --time: what follows each other, kvm_exit and kvm_entry, in one */
SEC("?tp_btf/task_rename")
int rename_time(__u64 *ctx)
{
	const struct kvm_vcpu *vcpu = (void *)ctx[0];
	const struct task_struct *task = (void *)bpf_get_current_task_btf();

	count_vcpu(vcpu, some_isa(), DIRECT, TIMED);
	if (vcpu)
		enter(task, task->start_boottime, vcpu->vcpu_id, vcpu, DIRECT, TIMED);
	return 0;
}

SEC("?tp_btf/task_rename")
int rename_read(__u64 *ctx)
{
	return count_vcpu((void *)ctx[0], some_isa(), BY_HELPER, COUNT);
}

struct task_rename_record {
	__u64 common;
	__u32 tid;
	char comms[2][16];
	__s16 oom_score_adj;
};

SEC("?tp/task/task_rename")
int rename_tracepoint(struct task_rename_record *ctx)
{
	if (likely(!config.odd_record))
		count_told(ctx->tid, some_isa(), (__u16)ctx->oom_score_adj, NULL, COUNT, NULL);
	return 1;
}
