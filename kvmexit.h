/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wire format between kvmexit.bpf.c (kernel) and src/ (user space).
 * Fixed-size integers only; both sides assert the sizes.
 */
#ifndef KVMEXIT_H
#define KVMEXIT_H

#include <linux/types.h>

/* Values of the tracepoint's isa argument: KVM_ISA_* in arch/x86/kvm/trace.h */
enum isa {
	ISA_VMX = 1,
	ISA_SVM = 2,
};

/*
 * Counter index of a basic exit reason. The codes of both ISAs lie below
 * NR_LOW, SVM's nested paging and AVIC codes from HIGH_BASE on. Any other code
 * gets one of NR_EXTRA counters the first time it is seen (struct control).
 */
#define NR_LOW 176
#define HIGH_BASE 0x400
#define NR_HIGH 16
#define NR_EXTRA 32
#define NR_COUNTERS (NR_LOW + NR_HIGH + NR_EXTRA)

/* Flag bits of a VMX exit reason: union vmx_exit_reason in arch/x86/kvm/vmx */
#define VMX_BASIC_MASK 0xffffu
#define VMX_BUS_LOCK (1u << 26)
#define VMX_ENCLAVE (1u << 27)
#define VMX_FAILED_ENTRY (1u << 31)

enum flag {
	FLAG_FAILED_ENTRY,
	FLAG_BUS_LOCK,
	FLAG_ENCLAVE,
	NR_FLAGS,
};

/* Why an exit was not counted */
enum lost {
	LOST_FULL, /* more vCPU threads than slots */
	LOST_MAP, /* the thread map refused an entry */
	LOST_CODES, /* more than NR_EXTRA different unlisted codes */
	LOST_VCPU, /* no vCPU in the event */
	LOST_READ, /* reading the exit reason failed */
	LOST_VMX, /* struct vcpu_vmx was not in the BTF when the program was loaded */
	LOST_SVM, /* the same for struct vcpu_svm */
	LOST_ISA, /* neither VMX nor SVM */
	NR_LOST,
};

struct thread_key {
	__u64 thread; /* TGID << 32 | TID, of the initial PID namespace */
	__u32 vcpu; /* KVM's vcpu_id */
	__u32 pad;
};

/*
 * One vCPU thread's counters. Written by that thread alone, in the kernel,
 * while `thread` names it; by user space from the moment it set `thread` to 0
 * until it put the slot's number into the ring.
 */
struct slot {
	__u64 thread; /* 0: nobody's */
	__u32 vcpu;
	__u32 isa;
	__u64 old_thread; /* whose entry in the thread map is still to be removed */
	char comm[16]; /* of the thread, at its first exit */
	__u64 flags[NR_FLAGS]; /* exits that carried the flag */
	__u64 count[NR_COUNTERS];
};

/*
 * What both sides share besides the slots. User space gives slots back by
 * putting their numbers into the ring and advancing `tail`; the kernel takes
 * them from there, advancing `head`.
 */
struct control {
	__u64 head;
	__u64 tail;
	__u64 extra[NR_EXTRA]; /* isa << 32 | code, 0: not in use */
	__u64 lost[NR_LOST]; /* exits */
};

/* Set before loading, constant afterwards */
struct config {
	__u32 max_slots;
	__u32 tgid; /* 0: any */
	__u32 vcpu; /* where has_vcpu */
	__u32 has_vcpu;
	__u32 nr_tids; /* entries of the map `tids`; 0: any */
	/* Classic tracepoint, byte offsets from its format file */
	__u32 off_exit_reason;
	__u32 off_isa;
	__u32 off_vcpu_id;
	/* Raw tracepoint, byte offsets from BTF; 0: unknown */
	__u32 off_vmx_reason; /* in struct vcpu_vmx */
	__u32 off_svm_vmcb; /* in struct vcpu_svm */
	__u32 off_vmcb_code; /* in struct vmcb */
	__u32 off_kvm_vcpu_id; /* in struct kvm_vcpu */
};

_Static_assert(sizeof(struct thread_key) == 16, "struct thread_key");
_Static_assert(sizeof(struct slot) == 64 + 8 * NR_COUNTERS, "struct slot");
_Static_assert(sizeof(struct control) == 8 * (2 + NR_EXTRA + NR_LOST), "struct control");
_Static_assert(sizeof(struct config) == 48, "struct config");

#endif
