// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvmexit's own code on a tracepoint that a bench can fire on any kernel:
 * task_rename, (struct task_struct *task, const char *comm). Names are all that
 * is changed: for the vCPU stands the task, for vcpu->vcpu_id its pid, and for
 * svm->vmcb->control.exit_code its cred->uid.val.
 */
#define kvm_vcpu task_struct___vcpu
#define vcpu_id pid
#define vcpu_svm task_struct___svm
#define vmcb cred
#define control uid
#define exit_code val
#include "../../kvmexit.bpf.c"

static __always_inline int count_rename(__u64 *ctx, int direct)
{
	const struct kvm_vcpu *vcpu = (void *)ctx[0];

	if (!vcpu)
		lose(LOST_VCPU);
	else if (knows_vcpu(ISA_SVM))
		count_exit(vcpu, ISA_SVM, direct);
	else
		lose(LOST_SVM);
	return 0;
}

SEC("?tp_btf/task_rename")
int rename_direct(__u64 *ctx)
{
	return count_rename(ctx, 1);
}

SEC("?tp_btf/task_rename")
int rename_read(__u64 *ctx)
{
	return count_rename(ctx, 0);
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
	__u64 thread = bpf_get_current_pid_tgid();
	struct slot *slot = slot_of(thread, ctx->tid, ISA_SVM);

	if (slot)
		count(slot, ISA_SVM, ctx->oom_score_adj);
	return 1;
}
