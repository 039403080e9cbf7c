/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the running kernel shows of its kvm_exit tracepoint */
#ifndef FACTS_H
#define FACTS_H

#include <linux/types.h>
#include <stdbool.h>

#include "kvmexit.h"

enum prototype {
	PROTO_UNKNOWN, /* no BTF, or a prototype that is not one of these */
	PROTO_VCPU, /* since 5.16: (struct kvm_vcpu *, u32 isa) */
	PROTO_REASON, /* until 5.15: (u32 exit_reason, struct kvm_vcpu *, u32 isa) */
	PROTO_ARM64, /* (int ret, unsigned int esr_ec, unsigned long pc) */
};

/* The arguments of kvm_page_fault */
enum fault {
	FAULT_UNKNOWN, /* no BTF, or others than these */
	FAULT_VCPU, /* (struct kvm_vcpu *, u64 address, u64 error code) */
	FAULT_OLD, /* before it got the vCPU: (unsigned long address, error code) */
};

struct facts {
	bool has_btf; /* of vmlinux */
	enum prototype prototype;
	bool rdonly_cast; /* kfunc bpf_rdonly_cast, since 6.2 */
	bool tdx_differs; /* struct vcpu_tdx has the exit reason elsewhere than struct vcpu_vmx */
	bool notifier; /* a thread's preempt_notifiers lead to the vCPU that it runs */
	int format_err; /* reading the tracepoint's format file: 0 or -errno */
	__u32 off_exit_reason; /* in the classic tracepoint's record, bytes */
	__u32 off_isa;
	__u32 off_vcpu_id;
	/* In the kernel's structs, bytes; 0: not known */
	__u32 offsets[NR_OFFSETS];
	__u32 off_vcpu; /* vcpu_id in struct kvm_vcpu */
	/* For --time */
	bool entry_vcpu; /* kvm_entry's first argument is the vCPU */
	bool entry_record; /* its classic record is struct kvm_entry_record */
	bool run_delay; /* struct task_struct tells how long a thread waited for a CPU */
	bool halt_wait; /* struct kvm_vcpu tells how long it was halted, since 5.15 */
	bool halt_poll; /* and how long it polled */
	bool run_function; /* BTF has the function that KVM_RUN calls, so that a program can be
			      there */
	/* For --detail */
	bool exit_record; /* kvm_exit's classic record has info1 and so on as struct kvm_exit_record
			   */
	enum fault fault;
};

struct btf;

/* What BTF shows of the arguments of kvm_page_fault */
enum fault facts__find_fault(const struct btf *btf);

/* The byte offset of a member ("a.b.c": in its members) of a struct; -ENOENT */
int facts__find_offset(const struct btf *btf, const char *name, const char *path);

/* The same, and in *@size its size in bytes, where it is a number, pointer or struct */
int facts__find_field(const struct btf *btf, const char *name, const char *path, __u32 *size);

/* Reads BTF and tracefs. A fact that cannot be read counts as not true. */
void facts__read(struct facts *f);

/*
 * The offsets in a tracepoint's format file with the text @format: 0, or
 * -EINVAL where a field is missing or not 4 bytes wide. On arm64 only whether they
 * are those of struct kvm_exit_record_arm64.
 */
int facts__parse_format(struct facts *f, const char *format);
int facts__parse_format_arm64(const char *format);

/* Whether a format file's record is like struct kvm_exit_record in the fields we use */
bool facts__has_record(const char *format);

#endif
