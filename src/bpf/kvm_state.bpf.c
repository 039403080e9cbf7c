// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What KVM knows of each VM. User space runs this program when it asks; it reads the open
 * files of processes. It is not attached to any event, and counting does not depend on it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf/kvm_state.h"

#define CORE __attribute__((preserve_access_index))
#define ANON_INODE_FS_MAGIC 0x09041934

struct super_block {
	unsigned long s_magic;
} CORE;

struct inode {
	struct super_block *i_sb;
} CORE;

struct qstr {
	const unsigned char *name;
} CORE;

struct dentry {
	struct qstr d_name;
} CORE;

struct path {
	struct dentry *dentry;
} CORE;

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
} CORE;

struct mm_struct;

struct task_struct {
	int pid, tgid;
	struct mm_struct *mm;
} CORE;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} CORE;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} CORE;

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct vmstate_config config;

enum file_kind {
	OTHER_FILE,
	VM_FILE,
	VCPU_FILE,
};

static __always_inline int begins_with(const char *text, const char *with, int len)
{
	int i;

	for (i = 0; i < len; i++)
		if (text[i] != with[i])
			return 0;
	return 1;
}

/* KVM's files have no path in a file system, but their anonymous inode has a name */
static __always_inline enum file_kind kind_of(struct file *file)
{
	static const char vm[] = "kvm-vm", vcpu[] = "kvm-vcpu:";
	const unsigned char *at = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char name[16] = { 0 };

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC ||
	    bpf_probe_read_kernel_str(name, sizeof(name), at) < 0)
		return OTHER_FILE;
	if (begins_with(name, vm, sizeof(vm)))
		return VM_FILE;
	return begins_with(name, vcpu, sizeof(vcpu) - 1) ? VCPU_FILE : OTHER_FILE;
}

static __always_inline void read_fields(struct kvm_file *out, const char *from)
{
	int i;

	/* Kernels such as 6.1 refuse the loop, so it is unrolled */
#pragma clang loop unroll(full)
	for (i = 0; i < MAX_STATE_FIELDS; i++) {
		__u32 size = config.fields[i].size;

		if (config.fields[i].of_vcpu == out->of_vcpu && size && size <= 8)
			bpf_probe_read_kernel(&out->values[i], size, from + config.fields[i].off);
	}
}

SEC("iter/task_file")
int read_vm_state(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct kvm_file out = { 0 };
	const void *mm = NULL, *data, *vm;
	enum file_kind kind;

	/* Threads have the files of their process */
	if (!task || !file || BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
		return 0;
	kind = kind_of(file);
	if (kind == OTHER_FILE)
		return 0;
	vm = data = BPF_CORE_READ(file, private_data);
	if (kind == VCPU_FILE)
		bpf_probe_read_kernel(&vm, sizeof(vm), data + config.off_vcpu_vm);
	/* Another process may have the file open, too: it is not that process's VM */
	bpf_probe_read_kernel(&mm, sizeof(mm), vm + config.off_vm_mm);
	if (!mm || mm != BPF_CORE_READ(task, mm))
		return 0;
	out.pid = BPF_CORE_READ(task, tgid);
	out.of_vcpu = kind == VCPU_FILE;
	out.vm = (__u64)vm;
	read_fields(&out, data);
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	return 0;
}
