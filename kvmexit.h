/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wire format between kvmexit.bpf.c (kernel) and src/ (user space).
 * Fixed-size integers only; both sides assert the sizes.
 */
#ifndef KVMEXIT_H
#define KVMEXIT_H

#include <linux/types.h>

/* Of x86 the tracepoint's isa argument: KVM_ISA_* in arch/x86/kvm/trace.h */
enum isa {
	ISA_VMX = 1,
	ISA_SVM = 2,
	ISA_ARM64 = 3,
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

/*
 * On arm64 KVM has a return code from the guest, and an exception class where that
 * is TRAP: a class is its own code, ARM64_RETURN + N stands for the return code N.
 */
#define ARM64_RETURN 0x40u
#define ARM64_TRAP 2u /* ARM_EXCEPTION_TRAP in arch/arm64/include/asm/kvm_asm.h */
#define ARM64_SERROR_BIT (1u << 31) /* an SError was pending as well */

static inline __attribute__((always_inline)) __u32 arm64_code(__u32 ret, __u32 esr_ec)
{
	ret &= ~ARM64_SERROR_BIT;
	return ret == ARM64_TRAP ? esr_ec : ARM64_RETURN + ret;
}

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

/*
 * A vCPU thread in one number. Threads are told apart by when they were started
 * (CLOCK_BOOTTIME, ns), not by their TIDs, which are given out again; where no BTF
 * shows that, by TGID << 32 | TID. Two threads that run vCPUs of different ids could
 * share a key only if they had been started, to the nanosecond, at a distance that
 * for ids up to 4096 is 26 days and more.
 */
static inline __attribute__((always_inline)) __u64 thread_key(__u64 thread, __u32 vcpu)
{
	return thread + vcpu * 0x9e3779b97f4a7c15ull;
}

/*
 * What the program looks up first: a key and its slot. Sets of one cache line,
 * chosen by hash; a key is in its own set or in the next one.
 */
struct hint {
	__u64 key; /* 0: free */
	__u32 slot; /* or one of these */
	__u32 pad;
};

#define SLOT_NONE 0xffffff00u /* these and above are no slots */
#define SLOT_LOST(why) (SLOT_NONE + (why)) /* the thread has none, for this cause */
#define SLOT_UNWANTED 0xfffffffeu /* a filter leaves the thread out */
#define SLOT_UNKNOWN 0xffffffffu /* no hint of it */
#define MAX_SLOTS_LIMIT (1u << 20)

#define NR_WAYS 4
#define NR_SETS 4096u

/* Byte offset of a key's set of hints: the nanoseconds are dice enough */
static inline __attribute__((always_inline)) __u32 hint_offset(__u64 key)
{
	return key & (NR_SETS - 1) * 64;
}

/*
 * One vCPU thread's counters, and what struct layout says follows. The life of a slot:
 *
 *   queued    in the map `free_slots`, from where the program takes it
 *   owned     `key` is its owner's, who alone writes it; marked in `owned`
 *   retired   user space has set `key` to 0 and removed the hint, and waits
 *             until no run of the program that began before can be writing
 *   free      cleared and put into `ring` by user space; the program moves it
 *             from there to the queue
 */
struct slot {
	__u64 key; /* of the owner; 0: nobody's */
	__u64 old_key; /* whose entry in the thread map is still to be removed */
	__u64 start; /* of the process: clock ticks since boot; 0: not known */
	__u32 pid; /* TGID and TID, of the initial PID namespace */
	__u32 tid;
	__u32 vcpu; /* KVM's vcpu_id */
	__u32 isa;
	__u64 flags[NR_FLAGS]; /* exits that carried the flag */
	__u64 count[NR_COUNTERS];
};

/*
 * Times (--time). What lies between a kvm_exit and the next kvm_entry of the same
 * thread and vCPU is a span; it is the exit reason's.
 */
#define NR_ROWS 32
#define NR_INDICES 256 /* of counters: a power of two, for a mask instead of a test */
#define NR_BUCKETS 40

/* The spans of one reason in one slot, once they are over; ns */
struct spans {
	__u64 time; /* all of it: KVM's own part is what the others leave */
	__u64 user;
	__u64 wait;
	__u64 poll;
	__u64 idle;
	__u64 max; /* of a span without idle; user space sets it back to 0 */
	__u64 untimed; /* exits whose span's end was not seen */
	/*
	 * How many spans took so long, without idle: the first those below 256 ns,
	 * then two for each power of two. They wrap.
	 */
	__u32 buckets[NR_BUCKETS];
};

#define AWAY_UNKNOWN (~0ull)

/*
 * Where one vCPU thread's time goes. Like the slot before it, it is
 * written by the slot's owner alone, and cleared by user space with the slot. Each
 * event ends with a store to `exit`. At an entry `entry` is stored before all
 * else: what is read while entry > exit > 0 is half done.
 */
struct clock {
	__u64 exit; /* when the open span began; 0: in the guest, or not begun */
	__u64 entry; /* the last one */
	__u64 away; /* sum of what `last` tells; AWAY_UNKNOWN: look closer */
	__u64 guest; /* ns in the guest until the last entry but the time since `entry` */
	__u32 index; /* of the counter of the open span's reason; NR_COUNTERS: none */
	__u32 shared; /* the thread runs other vCPUs too */
	__u64 user; /* when the open span came to user space first; 0: it did not */
	/* What the kernel told at the last entry, ns */
	__u64 run_delay;
	__u64 halt; /* waiting for something to happen, halted */
	__u64 poll; /* polling for it */
	__u64 user_delay; /* run_delay at `user` */
	__u64 halted; /* as kvm_vcpu_wakeup told it, where nothing else does */
	__u64 first; /* when this clock was started */
	__u64 unseen; /* entries without an exit before them */
	__u64 thread; /* of the last owner; not cleared */
	__u32 nr_rows; /* in use, but for the first */
	__u32 nr; /* of the slot */
	__u8 row_of[NR_INDICES]; /* 0: none yet; from NR_COUNTERS on none */
	struct spans rows[NR_ROWS]; /* the first is of reasons that found none */
} __attribute__((aligned(64)));

/*
 * Details (--detail): what was behind an exit, in one number. Bits 63..56 are one
 * more than the index of its reason's counter, in the kernel's tables only; 55..52 the
 * kind; 51 is set for an exit of L2, a guest's guest; 50..0 is the value, as the kind
 * has it. In user space (struct sample) the index is left off, and 0 is what is not
 * known.
 */
enum detail_kind {
	DETAIL_UNKNOWN, /* only as 0 */
	DETAIL_MSR, /* 31..0 its number, 32 it was written */
	DETAIL_PORT, /* 15..0 its number, 18..16 bytes, 19 in, 20 string */
	DETAIL_MMIO, /* 50..0 guest physical address */
	DETAIL_FAULT, /* 30..0 guest physical address / 2M, 32..31 access, 33 was mapped */
	DETAIL_LEAF, /* 31..0 EAX, 47..32 ECX, at most, 48 the leaf has such */
	DETAIL_HYPERCALL, /* 31..0 its number, 33..32 whose */
	DETAIL_VECTOR, /* 7..0 vector, 9..8 of what */
	DETAIL_CR, /* 3..0 its number, 5..4 access, as VMX's exit qualification has it */
	DETAIL_DR, /* 2..0 its number, 3 it was read */
	DETAIL_APIC, /* 11..0 offset, 13..12 access, as VMX's exit qualification has it */
	DETAIL_AVIC, /* 31..0 why an IPI was incomplete: KVM's AVIC_IPI_FAILURE_... */
	DETAIL_XCR, /* 31..0 its number, of XSETBV */
	DETAIL_PMC, /* 31..0 ECX, of RDPMC */
	DETAIL_SYSREG, /* arm64: 15..0 op0, op1, CRn, CRm, op2 as MSR has them, 16 written */
	DETAIL_SPECIAL, /* none of these: */
};

#define DETAIL_SHIFT 52
#define DETAIL_INDEX_SHIFT 56
#define DETAIL_MASK ((1ull << DETAIL_INDEX_SHIFT) - 1)
#define DETAIL_L2 (1ull << 51)
#define DETAIL_VALUE_MASK (DETAIL_L2 - 1)
/* In user space only. Exits that found no room; and of what details are not asked for. */
#define DETAIL_OTHER ((__u64)DETAIL_SPECIAL << DETAIL_SHIFT)
#define DETAIL_NONE (DETAIL_OTHER | 1)

enum detail_access {
	ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_EXEC,
	ACCESS_EVENT, /* of the APIC, while an event is delivered */
};

enum detail_cr {
	CR_WRITE, /* MOV to it */
	CR_READ,
	CR_CLTS,
	CR_LMSW,
};

enum detail_hypercall {
	HYPERCALL_KVM,
	HYPERCALL_HYPERV,
	HYPERCALL_XEN,
	HYPERCALL_SMCCC, /* arm64's HVC and SMC */
};

enum detail_vector {
	VECTOR_HOST, /* a host's interrupt */
	VECTOR_EXCEPTION, /* the guest's; or NMI, the host's */
	VECTOR_EOI, /* what the guest ended */
};

static inline __attribute__((always_inline)) __u64 detail(enum detail_kind kind, __u64 value)
{
	return (__u64)kind << DETAIL_SHIFT | value;
}

static inline __attribute__((always_inline)) __u64 detail_msr(__u32 nr, __u32 write)
{
	return detail(DETAIL_MSR, (__u64) !!write << 32 | nr);
}

static inline __attribute__((always_inline)) __u64 detail_port(__u32 port, __u32 size, __u32 in,
							       __u32 string)
{
	return detail(DETAIL_PORT, (port & 0xffff) | (size & 7) << 16 | (__u32) !!in << 19 |
					   (__u32) !!string << 20);
}

static inline __attribute__((always_inline)) __u64 detail_mmio(__u64 address)
{
	return detail(DETAIL_MMIO, address & DETAIL_VALUE_MASK);
}

static inline __attribute__((always_inline)) __u64 detail_fault(__u64 address, __u64 access,
								__u32 mapped)
{
	return detail(DETAIL_FAULT,
		      (address >> 21 & 0x7fffffff) | (access & 3) << 31 | (__u64) !!mapped << 33);
}

/* Leaves whose ECX says which part of them is meant */
static inline __attribute__((always_inline)) __u32 leaf_has_subleaf(__u32 leaf)
{
	const __u64 low = 1ull << 0x4 | 1ull << 0x7 | 1ull << 0xb | 1ull << 0xd | 1ull << 0xf |
			  1ull << 0x10 | 1ull << 0x12 | 1ull << 0x14 | 1ull << 0x17 | 1ull << 0x18 |
			  1ull << 0x1b | 1ull << 0x1d | 1ull << 0x1e | 1ull << 0x1f | 1ull << 0x20 |
			  1ull << 0x23 | 1ull << 0x24;
	const __u64 high = 1ull << 0x1d | 1ull << 0x20 | 1ull << 0x26;

	if (leaf < 64)
		return low >> leaf & 1;
	return leaf - 0x80000000u < 64 && high >> (leaf - 0x80000000u) & 1;
}

static inline __attribute__((always_inline)) __u64 detail_leaf(__u32 leaf, __u32 subleaf)
{
	__u64 value = leaf;

	if (leaf_has_subleaf(leaf))
		value |= 1ull << 48 | (__u64)(subleaf < 0xffff ? subleaf : 0xffff) << 32;
	return detail(DETAIL_LEAF, value);
}

static inline __attribute__((always_inline)) __u64 detail_hypercall(__u32 nr,
								    enum detail_hypercall whose)
{
	return detail(DETAIL_HYPERCALL, (__u64)whose << 32 | nr);
}

static inline __attribute__((always_inline)) __u64 detail_vector(__u32 vector,
								 enum detail_vector of)
{
	return detail(DETAIL_VECTOR, (vector & 0xff) | (__u32)of << 8);
}

static inline __attribute__((always_inline)) __u64 detail_cr(__u32 nr, __u32 access)
{
	return detail(DETAIL_CR, (nr & 0xf) | (access & 3) << 4);
}

static inline __attribute__((always_inline)) __u64 detail_dr(__u32 nr, __u32 read)
{
	return detail(DETAIL_DR, (nr & 7) | (__u32) !!read << 3);
}

static inline __attribute__((always_inline)) __u64 detail_apic(__u32 offset, __u32 access)
{
	return detail(DETAIL_APIC, (offset & 0xfff) | (access & 3) << 12);
}

static inline __attribute__((always_inline)) __u64 detail_sysreg(__u32 encoding, __u32 write)
{
	return detail(DETAIL_SYSREG, (encoding & 0xffff) | (__u32) !!write << 16);
}

#define NR_DETAILS 64
#define NR_REGIONS 32 /* or a guest that boots would fill them all, for good */
#define NR_CROWDED 32

/* Exits behind which there was the same, and their spans (--time), once they are over */
struct detail_entry {
	__u64 key; /* 0: free. Else it stays. */
	__u64 count;
	__u64 time; /* ns: these five as in struct spans */
	__u64 user;
	__u64 wait;
	__u64 poll;
	__u64 idle;
};

/*
 * What was behind one vCPU thread's exits. Written like the slot.
 * The exits of a reason of which there are details are its entries', those that found
 * none free, and at most one of which it is not known yet.
 */
struct details {
	struct detail_entry entries[NR_DETAILS];
	__u64 pending; /* the last exit's key but for kind and value, which are to come; 0: none */
	__u32 raw; /* its reason, as the vCPU has it */
	__u32 open; /* the last exit's entry; NR_DETAILS: it found none */
	__u64 crowded[NR_CROWDED]; /* exits that found none, of some reason */
	__u8 reasons[NR_CROWDED]; /* of this one: one more than its counter's index; 0: free */
	__u64 fault; /* what the pending one is, unless it was of what is no memory */
	__u32 regions; /* entries of page faults: NR_REGIONS at most */
} __attribute__((aligned(64)));

/* What follows each slot, and where: with --time a clock, with --detail details */
struct layout {
	__u32 stride; /* bytes from one slot to the next */
	__u32 details; /* from the slot to its details; 0: there are none */
	__u32 timed; /* whether there is a clock; it comes first */
};

#define MAX_STRIDES (1u << 29) /* of one map value: what the verifier adds to its address */

static inline __attribute__((always_inline)) struct layout layout_of(int timed, int detailed)
{
	const __u32 first = sizeof(struct slot) + (timed ? sizeof(struct clock) : 0);

	return (struct layout){
		.stride = first + (detailed ? sizeof(struct details) : 0),
		.details = detailed ? first : 0,
		.timed = timed,
	};
}

/* Exits not counted, by cause; a line for each CPU, so that none waits for another */
struct lost_line {
	__u64 count[NR_LOST];
};

#define NR_LOST_LINES 256

/*
 * What both sides share besides the slots. User space frees slots by putting
 * their numbers into the ring and advancing `tail`; the program takes them from
 * there, advancing `head`.
 */
struct control {
	struct hint hints[NR_SETS * NR_WAYS];
	struct lost_line lost[NR_LOST_LINES]; /* exits since the start */
	__u64 head;
	__u64 tail;
	__u64 extra[NR_EXTRA]; /* isa << 32 | code, 0: not in use */
} __attribute__((aligned(64)));

/* Where a vCPU has its exit reason */
enum offset {
	OFFSET_VMX_REASON, /* in struct vcpu_vmx */
	OFFSET_SVM_VMCB, /* in struct vcpu_svm: a pointer to struct vmcb */
	OFFSET_VMCB_CODE, /* in struct vmcb */
	/* What details need, in struct vcpu_vmx */
	OFFSET_VMX_QUALIFICATION,
	OFFSET_VMX_INTR_INFO,
	NR_OFFSETS,
};

/* The classic tracepoint's record; these offsets in all kernels looked at */
struct kvm_exit_record {
	__u64 common;
	__u32 exit_reason;
	__u32 pad;
	__u64 guest_rip;
	__u32 isa;
	__u32 pad2;
	__u64 info1;
	__u64 info2;
	__u32 intr_info;
	__u32 error_code;
	__u32 vcpu_id;
};

/* The same of kvm_entry */
struct kvm_entry_record {
	__u64 common;
	__u32 vcpu_id;
};

/* The same of arm64 */
struct kvm_exit_record_arm64 {
	__u64 common;
	__u32 ret;
	__u32 esr_ec;
	__u64 vcpu_pc;
};

/* A vCPU's id where the event does not tell it: counted by thread only */
#define VCPU_UNKNOWN 0xffffffffu

/* Set before loading, constant afterwards */
struct config {
	__u32 max_slots;
	__u32 tgid; /* 0: any */
	__u64 start; /* of that process, as in struct slot; 0: any */
	__u32 vcpu; /* where has_vcpu */
	__u32 has_vcpu;
	__u32 nr_tids; /* entries of the map `tids`: TID to start time; 0: any */
	/* Classic tracepoint, byte offsets from its format file */
	__u32 odd_record; /* they are not those of struct kvm_exit_record */
	__u32 off_exit_reason;
	__u32 off_isa;
	__u32 off_vcpu_id;
	__u32 off_vcpu; /* byte offset of vcpu_id in struct kvm_vcpu */
	struct layout layout;
	/* Byte offsets from BTF; 0: no BTF shows it */
	__u32 offsets[NR_OFFSETS];
};

/*
 * Numbers in the program's instructions that are to be replaced before it is loaded:
 * by offsets[which], by what config has of the same name, and by the first slot's address.
 */
#define PATCH_OFFSET(which) (0x6b766d00 + (which))
#define PATCH_MAX_SLOTS 0x6b766d81
#define PATCH_SLOTS 0x6b766d90
#define PATCH_STRIDE 0x6b766d91
#define PATCH_DETAILS 0x6b766d92
#define PATCH_TIMED 0x6b766d93

_Static_assert(sizeof(struct hint) * NR_WAYS == 64, "a set of hints is a cache line");
_Static_assert(sizeof(struct slot) == 64 + 8 * NR_COUNTERS, "struct slot");
_Static_assert(sizeof(struct spans) == 216, "struct spans");
_Static_assert(sizeof(struct clock) == 7296, "struct clock");
_Static_assert(NR_COUNTERS < NR_INDICES, "NR_INDICES");
_Static_assert(sizeof(struct details) == 3904, "struct details");
_Static_assert(NR_COUNTERS < 1 << (64 - DETAIL_INDEX_SHIFT), "a detail has room for any counter");
_Static_assert(DETAIL_SPECIAL < 1 << (DETAIL_INDEX_SHIFT - DETAIL_SHIFT), "enum detail_kind");
_Static_assert(sizeof(struct lost_line) == 64, "struct lost_line is a cache line");
_Static_assert(sizeof(struct config) == 80, "struct config");

#endif
