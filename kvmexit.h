/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wire format between kvmexit.bpf.c (kernel) and src/ (user space).
 * Fixed-size integers only; both sides assert the sizes.
 */
#ifndef KVMEXIT_H
#define KVMEXIT_H

#include <linux/types.h>

/* On x86 these are the tracepoint's isa argument: KVM_ISA_* in arch/x86/kvm/trace.h */
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

/* The counter's index of a reason with a code below NR_LOW or from HIGH_BASE on */
#define COUNTER_OF(code) ((code) < NR_LOW ? (code) : (code) - (HIGH_BASE - NR_LOW))

/* Flag bits of a VMX exit reason: union vmx_exit_reason in arch/x86/kvm/vmx */
#define VMX_BUS_LOCK (1u << 26)
#define VMX_ENCLAVE (1u << 27)
#define VMX_FAILED_ENTRY (1u << 31)

/* All ones: a TDX guest's entry that ended without a reason (tdx.c), so no bit is a flag */
static inline __attribute__((always_inline)) __u32 vmx_flags(__u32 raw)
{
	return raw == ~0u ? 0 : raw & (VMX_BUS_LOCK | VMX_ENCLAVE | VMX_FAILED_ENTRY);
}

/*
 * On arm64 an exit has a return code and, if that is TRAP, an exception class. The code
 * of a class is the class itself; ARM64_RETURN + N is the code of the return code N.
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
	LOST_SVM, /* struct vcpu_svm was not in the BTF when the program was loaded */
	LOST_ISA, /* neither VMX nor SVM */
	NR_LOST,
};

/*
 * A vCPU thread in one number. @thread is the time when the thread was started
 * (CLOCK_BOOTTIME, ns) rather than its TID, because TIDs are used again. If no BTF shows
 * the start time, @thread is TGID << 32 | TID. Two threads that run vCPUs of different
 * ids share a key only if their start times differ, modulo 2^64, by exactly a multiple of
 * the constant below; for ids up to 4096 that is 26 days or more.
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

/* Byte offset of a key's set of hints. The nanoseconds in a key are random enough for a hash. */
static inline __attribute__((always_inline)) __u32 hint_offset(__u64 key)
{
	return key & (NR_SETS - 1) * 64;
}

/*
 * One vCPU thread's counters. What follows them in memory is in struct layout. The life
 * of a slot:
 *
 *   queued    the slot is in the map `free_slots`, from where the program takes it
 *   owned     `key` is that of its owner, the only thread that writes the slot; the slot
 *             is marked in `owned`
 *   retired   user space has set `key` to 0 and removed the hint. It now waits until
 *             every run of the program that began before has ended, as it could write
 *   free      user space has cleared the slot and put it into `ring`; the program moves
 *             it from there to the queue
 */
struct slot {
	__u64 key; /* of the owner; 0: there is none */
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
 * Times (--time). A span is the time between a kvm_exit and the next kvm_entry of the same
 * thread and vCPU. It belongs to the reason of that exit.
 */
#define NR_ROWS 32
#define NR_INDICES 256 /* of counters: a power of two, for a mask instead of a test */
#define NR_BUCKETS 54

/* All spans of one reason in one slot that are over; ns */
struct spans {
	__u64 time; /* all of it; KVM's own part is this minus the next four */
	__u64 user;
	__u64 wait;
	__u64 poll;
	__u64 idle;
	__u64 max; /* of a span without idle; user space sets it back to 0 */
	__u64 untimed; /* exits whose span's end was not seen */
	/*
	 * A histogram of the spans' lengths without idle: the first bucket counts those
	 * below 256 ns, then there are two for each power of two; the last has no upper end and
	 * begins at 17.2 s (2^34 ns). The counts wrap.
	 */
	__u32 buckets[NR_BUCKETS];
};

#define AWAY_UNKNOWN (~0ull)

/*
 * Where one vCPU thread's time goes. The clock follows its slot in memory. Only the slot's
 * owner writes it, and user space clears it with the slot. Each event ends with a store to
 * `exit`. A kvm_entry stores `entry` first. So while entry > exit > 0, an update is under
 * way, and what user space reads then is only half written.
 */
struct clock {
	__u64 exit; /* when the open span began; 0: in the guest, or not begun */
	__u64 entry; /* the last one */
	__u64 away; /* run_delay + halt + poll below; AWAY_UNKNOWN: compare each of them */
	__u64 guest; /* ns in the guest, without the time since `entry` */
	__u32 index; /* of the counter of the open span's reason; NR_COUNTERS: none */
	__u32 shared; /* the thread runs other vCPUs too */
	__u64 user; /* since when the open span is in user space; 0: it is not */
	/* What the kernel told at the last entry, ns */
	__u64 run_delay;
	__u64 halt; /* waiting for something to happen, halted */
	__u64 poll; /* polling for it */
	__u64 user_delay; /* run_delay at `user` */
	/* Of the open span's visits to user space that are over, ns */
	__u64 in_user; /* without waiting for a CPU there */
	__u64 user_wait; /* waiting for a CPU there */
	__u64 halted; /* in the open span: by kvm_vcpu_wakeup, or by the vCPU when KVM_RUN is called
		       */
	__u64 first; /* when this clock was started */
	__u64 unseen; /* entries without an exit before them */
	__u64 thread; /* of the last owner; not cleared */
	__u32 nr_rows; /* in use, without the first */
	__u32 nr; /* of the slot */
	__u8 row_of[NR_INDICES]; /* by counter; 0: no row yet. From NR_COUNTERS on: unused */
	struct spans rows[NR_ROWS]; /* the first is for all reasons that got none of their own */
} __attribute__((aligned(64)));

/*
 * Details (--detail): what was behind an exit, in one number. Bits 63..56 are the index
 * of its reason's counter plus one; only the tables shared with the kernel have these bits.
 * Bits 55..52 are the kind. Bit 51 is set for an exit of L2, a guest's guest. Bits 50..0
 * are the value, in the form that enum detail_kind says. In user space (struct sample)
 * bits 63..56 are 0, and a detail of 0 is not known.
 */
enum detail_kind {
	DETAIL_UNKNOWN, /* only as 0 */
	DETAIL_MSR, /* 31..0 its number, 32 it was written */
	DETAIL_PORT, /* 15..0 its number, 18..16 bytes, 19 in, 20 string */
	DETAIL_MMIO, /* 50..0 guest physical address */
	DETAIL_FAULT, /* 30..0 guest physical address / 2M, 32..31 access, 33 was mapped */
	DETAIL_LEAF, /* 31..0 EAX, 47..32 ECX (0xffff: or more), 48 the leaf has subleaves */
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
/* In user space only: exits that found no room, and exits whose details nobody asked for */
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
	VECTOR_HOST, /* an interrupt of the host */
	VECTOR_EXCEPTION, /* an exception of the guest, or an NMI of the host */
	VECTOR_EOI, /* the interrupt that the guest ended */
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
#define NR_REGIONS 32 /* of page faults, at most; a guest that boots would fill all 64 */
#define NR_CROWDED 32

/* All exits with the same detail, and their spans (--time) that are over */
struct detail_entry {
	__u64 key; /* 0: the entry is free. Once set, it does not change. */
	__u64 count;
	__u64 time; /* ns: these five as in struct spans */
	__u64 user;
	__u64 wait;
	__u64 poll;
	__u64 idle;
};

/*
 * What was behind one vCPU thread's exits. The same thread writes it as the slot.
 * Each exit of a reason with details is counted in one of the entries, or in `crowded` if
 * none was free. At most one exit is in neither: the last one, if it is `pending`.
 */
struct details {
	struct detail_entry entries[NR_DETAILS];
	__u64 pending; /* the last exit's key, still without kind and value; 0: none is pending */
	__u32 raw; /* its reason, as the vCPU has it */
	__u32 open; /* the last exit's entry; NR_DETAILS: it found none */
	__u64 crowded[NR_CROWDED]; /* exits that found no entry, by reason */
	__u8 reasons[NR_CROWDED]; /* which reason: its counter's index plus one; 0: free */
	__u64 fault; /* the pending exit's detail, unless the address turns out not to be memory */
	__u32 regions; /* entries of page faults: NR_REGIONS at most */
} __attribute__((aligned(64)));

/* What follows each slot, and where: with --time a clock, with --detail details */
struct layout {
	__u32 stride; /* bytes from one slot to the next */
	__u32 details; /* from the slot to its details; 0: there are none */
	__u32 timed; /* whether there is a clock; it comes first */
};

#define MAX_STRIDES (1u << 29) /* bytes of one map value: the verifier permits no larger offset */

static inline __attribute__((always_inline)) struct layout layout_of(int timed, int detailed)
{
	const __u32 first = sizeof(struct slot) + (timed ? sizeof(struct clock) : 0);

	return (struct layout){
		.stride = first + (detailed ? sizeof(struct details) : 0),
		.details = detailed ? first : 0,
		.timed = timed,
	};
}

/* Exits not counted, by cause; one cache line for each CPU, so that no CPU waits for another */
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

/* The classic tracepoint's record; its offsets are the same in all kernels looked at */
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
	__u32 vcpu; /* if has_vcpu */
	__u32 has_vcpu;
	__u32 nr_tids; /* entries of the map `tids`: TID to start time; 0: any */
	/* Classic tracepoint, byte offsets from its format file */
	__u32 odd_record; /* the next three are not as in struct kvm_exit_record */
	__u32 off_exit_reason;
	__u32 off_isa;
	__u32 off_vcpu_id;
	__u32 off_vcpu; /* byte offset of vcpu_id in struct kvm_vcpu */
	struct layout layout;
	/* Byte offsets from BTF; 0: no BTF shows it */
	__u32 offsets[NR_OFFSETS];
};

/*
 * Placeholders in the program's instructions. User space replaces them before it loads the
 * program: PATCH_OFFSET by offsets[which], PATCH_SLOTS by the address of the first slot, the
 * others by the member of config with the same name.
 */
#define PATCH_OFFSET(which) (0x6b766d00 + (which))
#define PATCH_MAX_SLOTS 0x6b766d81
#define PATCH_SLOTS 0x6b766d90
#define PATCH_STRIDE 0x6b766d91
#define PATCH_DETAILS 0x6b766d92
#define PATCH_TIMED 0x6b766d93

_Static_assert(sizeof(struct hint) * NR_WAYS == 64, "a set of hints is a cache line");
_Static_assert(sizeof(struct slot) == 64 + 8 * NR_COUNTERS, "struct slot");
_Static_assert(sizeof(struct spans) == 272, "struct spans");
_Static_assert(sizeof(struct clock) == 9152, "struct clock");
_Static_assert(NR_COUNTERS < NR_INDICES, "NR_INDICES");
_Static_assert(sizeof(struct details) == 3904, "struct details");
_Static_assert(NR_COUNTERS < 1 << (64 - DETAIL_INDEX_SHIFT), "a detail has room for any counter");
_Static_assert(DETAIL_SPECIAL < 1 << (DETAIL_INDEX_SHIFT - DETAIL_SHIFT), "enum detail_kind");
_Static_assert(sizeof(struct lost_line) == 64, "struct lost_line is a cache line");
_Static_assert(sizeof(struct config) == 80, "struct config");

#endif
