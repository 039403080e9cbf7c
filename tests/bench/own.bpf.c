// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvmexit's own code on a tracepoint that a bench can fire on any kernel:
 * task_rename, (struct task_struct *task, const char *comm). For the vCPU stands
 * the task, for vcpu->vcpu_id its pid, for svm->vmcb->control.exit_code its
 * cred->uid: as many loads of the same kinds, then on_exit() or slot_of() and
 * count() as they are.
 */
#include "../../kvmexit.bpf.c"

struct kuid {
	__u32 val;
} CORE;

struct cred {
	struct kuid uid;
} CORE;

struct task_struct___cred {
	const struct cred *cred;
} CORE;

static __always_inline int read_rename(__u64 *ctx, int direct)
{
	const struct task_struct *task = (void *)ctx[0];
	const void *cred = NULL;
	__u32 raw = 0, id;

	if (!task)
		return 0;
	id = task->pid;
	if (load(&cred, 8, (void *)task + bpf_core_field_offset(struct task_struct___cred, cred),
		 direct) ||
	    load(&raw, 4, cred + bpf_core_field_offset(struct cred, uid), direct))
		lose(LOST_READ);
	else
		on_exit(id, ISA_SVM, raw);
	return 0;
}

SEC("?tp_btf/task_rename")
int rename_direct(__u64 *ctx)
{
	return read_rename(ctx, 1);
}

SEC("?tp_btf/task_rename")
int rename_read(__u64 *ctx)
{
	return read_rename(ctx, 0);
}

struct task_rename_record {
	__u64 common;
	__u32 pid;
	char comms[2][16];
	__s16 oom_score_adj;
};

SEC("?tp/task/task_rename")
int rename_tracepoint(struct task_rename_record *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct slot *slot = slot_of(thread >> 32, thread, ctx->pid, ISA_SVM);

	if (slot)
		count(slot, ISA_SVM, ctx->oom_score_adj);
	return 1;
}
