/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What was behind an exit (--detail): one detail for each, counted in a table of the
 * slot's own.
 *
 * Registers and SVM's exit_info tell it at kvm_exit. VMX's exit qualification and
 * interruption information KVM reads when it handles the exit, and keeps until the
 * next one: they are there at the next kvm_entry, if KVM's marks say so. The address
 * of a page fault it does not keep: the first event that tells it does.
 */
#ifndef BPF_DETAIL_H
#define BPF_DETAIL_H

#include "time.h"

/* Where there are details: those of a slot. What stands in the program is what is inlined. */
static __always_inline struct details *details_in(struct slot *slot)
{
	struct details *d = (void *)slot;

	asm volatile("%0 += %1" : "+r"(d) : "i"(PATCH_DETAILS));
	return d;
}

/* Where a detail comes from */
enum source {
	FROM_NOTHING, /* there is none, or nobody asks for it */
	FROM_MSR, /* the register RCX, and the way it went */
	FROM_LEAF, /* RAX and RCX */
	FROM_HYPERCALL, /* RAX, or RCX */
	FROM_XCR, /* RCX */
	FROM_PMC, /* RCX */
	FROM_CODE, /* SVM: the reason itself */
	FROM_PORT, /* SVM: exit_info_1, as the next two */
	FROM_AVIC,
	FROM_APIC,
	FROM_FAULT, /* SVM: exit_info_1 and 2 */
	FROM_QUALIFICATION, /* VMX: that, or the interruption information */
	FROM_ADDRESS, /* VMX and arm64: another event */
	FROM_WFX, /* arm64: the syndrome, as the next two */
	FROM_SYSREG,
	FROM_ABORT, /* and the address */
	FROM_SMCCC, /* arm64: X0 */
};

/* By counter; user space sets those to 0 that nobody asks for */
const volatile __u8 vmx_sources[NR_COUNTERS] = {
	[0 ... 1] = FROM_QUALIFICATION, /* EXCEPTION_NMI, EXTERNAL_INTERRUPT */
	[10] = FROM_LEAF,
	[15] = FROM_PMC,
	[18] = FROM_HYPERCALL,
	[28 ... 30] = FROM_QUALIFICATION, /* CR_ACCESS, DR_ACCESS, IO_INSTRUCTION */
	[31 ... 32] = FROM_MSR,
	[44 ... 45] = FROM_QUALIFICATION, /* APIC_ACCESS, EOI_INDUCED */
	[48 ... 49] = FROM_ADDRESS, /* EPT_VIOLATION, EPT_MISCONFIG */
	[55] = FROM_XCR,
	[56] = FROM_QUALIFICATION, /* APIC_WRITE */
	[84 ... 85] = FROM_QUALIFICATION, /* MSR_READ_IMM, MSR_WRITE_IMM */
};

const volatile __u8 svm_sources[NR_COUNTERS] = {
	[0x00 ... 0x5f] = FROM_CODE, /* CR and DR reads and writes, exceptions */
	[0x65] = FROM_CODE, /* CR0_SEL_WRITE */
	[0x6f] = FROM_PMC,	     [0x72] = FROM_LEAF,       [0x7b] = FROM_PORT,
	[0x7c] = FROM_MSR,	     [0x81] = FROM_HYPERCALL,  [0x8d] = FROM_XCR,
	[0x90 ... 0x9f] = FROM_CODE, /* CR write traps */
	[NR_LOW + 0] = FROM_FAULT,   [NR_LOW + 1] = FROM_AVIC, [NR_LOW + 2] = FROM_APIC,
};

const volatile __u8 arm64_sources[NR_COUNTERS] = {
	[0x01] = FROM_WFX,
	[0x12 ... 0x13] = FROM_SMCCC, /* HVC32, SMC32 */
	[0x16 ... 0x17] = FROM_SMCCC, /* HVC64, SMC64 */
	[0x18] = FROM_SYSREG, /* SYS64 */
	[0x20] = FROM_ABORT, /* IABT_LOW */
	[0x24] = FROM_ADDRESS, /* DABT_LOW */
};

/* One more than its counter's index, as keys have it */
static __always_inline __u64 key_of_index(__u32 index)
{
	__u64 key = index + 1;

	/* Or the compiler adds after the shift, which takes a constant of 64 bits */
	barrier_var(key);
	return key << DETAIL_INDEX_SHIFT;
}

/* An exit for which there was no room */
static __always_inline void crowd_out(struct details *d, __u64 key)
{
	__u8 reason = key >> DETAIL_INDEX_SHIFT;
	__u32 i;

	for (i = 0; i < NR_CROWDED; i++) {
		if (!d->reasons[i])
			d->reasons[i] = reason;
		if (d->reasons[i] == reason) {
			d->crowded[i]++;
			break;
		}
	}
	d->open = NR_DETAILS;
}

static __always_inline __u32 first_entry(__u64 key)
{
	return key * 0x9e3779b97f4a7c15ull >> 58;
}

/* Where it is not in the first of its entries: in the next free one, if there is any */
static __noinline int add_further(struct details *d, __u64 key)
{
	__u32 first = first_entry(key), i, at;
	struct detail_entry *e;

	if (!d)
		return 0;
	for (i = 0; i < NR_DETAILS; i++) {
		at = (first + i) & (NR_DETAILS - 1);
		e = &d->entries[at];
		if (!e->key)
			e->key = key;
		if (e->key == key) {
			e->count++;
			d->open = at;
			return 0;
		}
	}
	crowd_out(d, key);
	return 0;
}

static __always_inline void add_detail(struct details *d, __u64 key)
{
	__u64 at = first_entry(key);
	struct detail_entry *e;

	at &= NR_DETAILS - 1;
	e = &d->entries[at];
	if (unlikely(e->key != key)) {
		add_further(d, key);
		return;
	}
	e->count++;
	d->open = at;
}

/* A field of the kernel's struct at @p, which has it; as a number */
#define FIELD(p, access, field)                                          \
	(is_typed(access) ? (__u64)(p)->field : ({                       \
		__u64 value_ = 0;                                        \
		bpf_core_read(&value_, sizeof((p)->field), &(p)->field); \
		value_;                                                  \
	}))

/* 0 where it has not */
#define FIELD_IF_ANY(p, access, field) \
	(bpf_core_field_exists((p)->field) ? FIELD(p, access, field) : 0)

/* The lower half of a register of the guest's: all that any of these details need */
#define REGISTER(vcpu, access, which)                                 \
	(is_typed(access) ? *(const __u32 *)&(vcpu)->arch.regs[which] \
			  : (__u32)FIELD(vcpu, access, arch.regs[which]))

/* An exit, as it is known at kvm_exit */
struct exit {
	const struct kvm_vcpu *vcpu;
	const struct kvm_exit_record *record; /* NULL: none */
	enum access access;
	__u32 raw; /* its reason */
	const void *at; /* where that was read, if by a load */
};

/* A word at one of the offsets that user space found */
static __always_inline __u64 word_at(const void *p, enum offset which, enum access access)
{
	__u64 word = 0;

	if (access == DIRECT && HAVE_KFUNC)
		return *(__u64 *)guarded(at_offset(p, which), struct timespec64);
	bpf_probe_read_kernel(&word, sizeof(word), at_offset(p, which));
	return word;
}

#define XEN_HYPERCALLS 2 /* KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL */
#define EFER_LMA (1 << 10)

static __always_inline int has_xen(const struct kvm *kvm, enum access access)
{
	const struct kvm___moved *moved = (const void *)kvm;

	return (FIELD_IF_ANY(kvm, access, arch.xen_hvm_config.flags) |
		FIELD_IF_ANY(moved, access, arch.xen.hvm_config.flags)) &
	       XEN_HYPERCALLS;
}

/*
 * As KVM tells them apart: Xen's first, but that those with bit 31 are Hyper-V's, whose
 * guests have the number elsewhere
 */
static __always_inline __u64 by_hypercall(const struct kvm_vcpu *vcpu, enum access access)
{
	const struct kvm *kvm = (void *)FIELD(vcpu, access, kvm);
	__u32 rax = REGISTER(vcpu, access, RAX);
	int hyperv = !!FIELD_IF_ANY(kvm, access, arch.hyperv.hv_guest_os_id);

	if (has_xen(kvm, access) && !(hyperv && rax & 1u << 31))
		return detail_hypercall(rax, HYPERCALL_XEN);
	if (!hyperv)
		return detail_hypercall(rax, HYPERCALL_KVM);
	if (FIELD(vcpu, access, arch.efer) & EFER_LMA)
		rax = REGISTER(vcpu, access, RCX);
	return detail_hypercall(rax & 0xffff, HYPERCALL_HYPERV);
}

/* What registers tell, on both ISAs; 0: nothing */
static __always_inline __u64 by_registers(const struct exit *exit, enum source source, __u32 write)
{
	const struct kvm_vcpu *vcpu = exit->vcpu;
	const enum access access = exit->access;

	if (access == NO_VCPU)
		return 0;
	switch (source) {
	case FROM_MSR:
		return detail_msr(REGISTER(vcpu, access, RCX), write);
	case FROM_LEAF:
		return detail_leaf(REGISTER(vcpu, access, RAX), REGISTER(vcpu, access, RCX));
	case FROM_HYPERCALL:
		return by_hypercall(vcpu, access);
	case FROM_XCR:
		return detail(DETAIL_XCR, REGISTER(vcpu, access, RCX));
	case FROM_PMC:
		return detail(DETAIL_PMC, REGISTER(vcpu, access, RCX));
	default:
		return 0;
	}
}

/* As the AMD manual has it, appendix C */
static __always_inline __u64 by_svm_code(__u32 code)
{
	switch (code >> 4) {
	case 0:
		return detail_cr(code, CR_READ);
	case 2:
	case 3:
		return detail_dr(code, code < 0x30);
	case 4:
	case 5:
		return detail_vector(code - 0x40, VECTOR_EXCEPTION);
	case 6:
		return detail_cr(0, CR_WRITE);
	default:
		return detail_cr(code, CR_WRITE);
	}
}

static __always_inline __u64 svm_port(__u64 info)
{
	return detail_port(info >> 16, info >> 4, info & 1, info >> 2 & 1);
}

/* Bits of a nested page fault's error code */
enum {
	FAULT_PRESENT = 1,
	FAULT_WRITE = 2,
	FAULT_RESERVED = 8, /* KVM marks so what is emulated */
	FAULT_FETCH = 16,
};

static __always_inline __u64 svm_fault(__u64 error, __u64 address)
{
	if (error & FAULT_RESERVED)
		return detail_mmio(address);
	return detail_fault(address,
			    error & FAULT_FETCH	  ? ACCESS_EXEC
			    : error & FAULT_WRITE ? ACCESS_WRITE
						  : ACCESS_READ,
			    error & FAULT_PRESENT);
}

/*
 * exit_info_1 or 2, which follow exit_code; at kvm_exit KVM has not touched the VMCB
 * yet
 */
static __always_inline __u64 exit_info(const struct exit *exit, int which)
{
	const void *at;
	__u64 info = 0;

	if (exit->record)
		return which == 1 ? exit->record->info1 : exit->record->info2;
	if (exit->access == DIRECT && HAVE_KFUNC)
		return *(__u64 *)(exit->at + 8 * which);
	at = (void *)word_at(exit->vcpu, OFFSET_SVM_VMCB, exit->access);
	if (config.offsets[OFFSET_VMCB_CODE])
		bpf_probe_read_kernel(&info, 8, at_offset(at, OFFSET_VMCB_CODE) + 8 * which);
	return info;
}

static __always_inline __u64 by_exit_info(enum source source, const struct exit *exit)
{
	__u64 info = exit_info(exit, 1);

	switch (source) {
	case FROM_PORT:
		return svm_port(info);
	case FROM_FAULT:
		return svm_fault(info, exit_info(exit, 2));
	case FROM_AVIC:
		return detail(DETAIL_AVIC, exit_info(exit, 2) >> 32);
	default:
		return detail_apic(info & 0xff0, info >> 32 & 1);
	}
}

/* As the Intel manual has it, volume 3, "Basic VM-Exit Information" */
static __always_inline __u64 by_apic_access(__u64 qual)
{
	__u32 type = qual >> 12 & 15;

	/* By guest-physical addresses, too */
	return detail_apic(qual, type == 10 ? ACCESS_EVENT : type == 15 ? ACCESS_EXEC : type);
}

static __always_inline __u64 by_qualification(__u32 index, __u64 qual)
{
	switch (index) {
	case 28:
		return detail_cr(qual, qual >> 4);
	case 29:
		return detail_dr(qual, qual >> 4 & 1);
	case 30:
		return detail_port(qual >> 16, (qual & 7) + 1, qual >> 3 & 1, qual >> 4 & 1);
	case 44:
		return by_apic_access(qual);
	case 45:
		return detail_vector(qual, VECTOR_EOI);
	case 56:
		return detail_apic(qual, ACCESS_WRITE);
	default:
		return detail_msr(qual, index == 85);
	}
}

static __always_inline __u64 by_interruption(__u32 index, __u32 info)
{
	return detail_vector(info, index ? VECTOR_HOST : VECTOR_EXCEPTION);
}

/*
 * DETAIL_L2, if the vCPU was in a guest's guest. KVM says so in its statistics since 5.14
 * (d5a0483f9f32); before, this flag of its own had not moved.
 */
#define OLD_HF_GUEST (1 << 5)

static __always_inline __u64 level_of(const struct kvm_vcpu *vcpu, enum access access)
{
	if (access == NO_VCPU)
		return 0;
	if (bpf_core_field_exists(vcpu->stat.guest_mode))
		return (FIELD(vcpu, access, stat.guest_mode) & 1) * DETAIL_L2;
	return FIELD(vcpu, access, arch.hflags) & OLD_HF_GUEST ? DETAIL_L2 : 0;
}

/* A detail as a key of that reason; one that is not known is of no level */
static __always_inline __u64 make_key(__u64 index_and_level, __u64 value)
{
	return value ? index_and_level | value : index_and_level & ~DETAIL_L2;
}

/* Of an exit that waits for its detail, it is this; 0: not known */
static __always_inline void settle(struct details *d, __u64 value)
{
	__u64 key = make_key(d->pending, value);

	d->pending = 0;
	add_detail(d, key);
}

/* VMX: what it was is to come, but in the classic record */
static __always_inline void await_detail(struct details *d, const struct exit *exit, __u64 key,
					 enum source source, __u32 index)
{
	d->pending = key;
	d->raw = exit->raw;
	d->open = NR_DETAILS;
	if (exit->record && source == FROM_QUALIFICATION)
		settle(d, index < 2 ? by_interruption(index, exit->record->intr_info)
				    : by_qualification(index, exit->record->info1));
}

static __always_inline void add_vmx_detail(struct details *d, const struct exit *exit,
					   enum source source, __u32 index)
{
	__u64 key = key_of_index(index) | level_of(exit->vcpu, exit->access);

	/* Nobody told in time */
	if (unlikely(d->pending))
		settle(d, 0);
	if (source >= FROM_QUALIFICATION)
		await_detail(d, exit, key, source, index);
	else
		add_detail(d, make_key(key, by_registers(exit, source, index == 32)));
}

static __always_inline void add_svm_detail(struct details *d, const struct exit *exit,
					   enum source source, __u32 index)
{
	__u64 key = key_of_index(index) | level_of(exit->vcpu, exit->access), value;

	/* The one that is frequent where nothing else is wrong comes first */
	if (likely(source == FROM_LEAF))
		value = by_registers(exit, FROM_LEAF, 0);
	else if (source == FROM_CODE)
		value = by_svm_code(exit->raw);
	else if (source >= FROM_PORT)
		value = by_exit_info(source, exit);
	else
		value = by_registers(exit, source, source == FROM_MSR && exit_info(exit, 1) & 1);
	add_detail(d, make_key(key, value));
}

#ifdef __TARGET_ARCH_arm64
#include "detail_arm64.h"
#else

#define late_sources vmx_sources

/* What was behind an exit that was counted in this slot */
static __always_inline void note_detail(struct slot *slot, const struct exit *exit, __u32 isa)
{
	__u64 index = index_of(isa, exit->raw);
	enum source source;
	struct details *d;

	barrier_var(index);
	if (index >= NR_COUNTERS)
		return;
	source = isa == ISA_SVM ? svm_sources[index] : vmx_sources[index];
	if (!source)
		return;
	d = details_in(slot);
	if (isa == ISA_SVM)
		add_svm_detail(d, exit, source, index);
	else
		add_vmx_detail(d, exit, source, index);
}

/*
 * Of one whose event tells the reason itself: the vCPU from its own, at @address, or
 * from the thread
 */
static __always_inline void note_told_detail(struct slot *slot, __u32 isa, __u32 raw,
					     const struct kvm_vcpu *address,
					     const struct kvm_exit_record *record)
{
	const struct kvm_vcpu *vcpu = address ? address : running_vcpu(0);
	const struct exit exit = { vcpu, record, vcpu ? BY_ADDRESS : NO_VCPU, raw, NULL };

	if (isa == ISA_SVM)
		note_detail(slot, &exit, ISA_SVM);
	else if (isa == ISA_VMX)
		note_detail(slot, &exit, ISA_VMX);
}

/* KVM's marks of what it has read since the exit */
enum {
	HAS_QUALIFICATION = 1 << 23, /* VCPU_EXREG_EXIT_INFO_1 */
	HAS_INTR_INFO = 1 << 24, /* VCPU_EXREG_EXIT_INFO_2 */
};

static __always_inline __u32 marks_of(const struct kvm_vcpu *vcpu, enum access access)
{
	const struct kvm_vcpu___bitmap *newer = (const void *)vcpu;

	if (bpf_core_field_exists(vcpu->arch.regs_avail))
		return FIELD(vcpu, access, arch.regs_avail);
	if (bpf_core_field_exists(newer->arch.regs_avail))
		return FIELD(newer, access, arch.regs_avail[0]);
	return 0;
}

/*
 * What KVM has kept of the exit, while it still has the same reason: that changes where
 * it emulates, and makes up the rest as well. 0: nothing.
 */
static __always_inline __u64 kept_detail(const struct details *d, const struct kvm_vcpu *vcpu,
					 enum access access)
{
	__u32 index = (d->pending >> DETAIL_INDEX_SHIFT) - 1, marks, raw = 0;
	const void *at;

	if (index >= NR_COUNTERS || vmx_sources[index] != FROM_QUALIFICATION ||
	    !config.offsets[OFFSET_VMX_QUALIFICATION] ||
	    read_reason(&raw, &at, vcpu, ISA_VMX, access == DIRECT) || raw != d->raw)
		return 0;
	marks = marks_of(vcpu, access);
	if (index < 2)
		return marks & HAS_INTR_INFO
			       ? by_interruption(index, word_at(vcpu, OFFSET_VMX_INTR_INFO, access))
			       : 0;
	return marks & HAS_QUALIFICATION
		       ? by_qualification(index, word_at(vcpu, OFFSET_VMX_QUALIFICATION, access))
		       : 0;
}

#endif

static __always_inline void settle_at_entry(struct details *d, const struct kvm_vcpu *vcpu,
					    enum access access)
{
	if (d->pending)
		settle(d, access == NO_VCPU ? 0 : kept_detail(d, vcpu, access));
}

/* The entry of the exit whose span is open, if there are details of its reason; or NULL */
static __always_inline struct detail_entry *open_entry(struct details *d, const struct clock *clock)
{
	__u64 at = d->open;
	struct detail_entry *e;

	barrier_var(at);
	if (at >= NR_DETAILS)
		return NULL;
	e = &d->entries[at];
	return e->key >> DETAIL_INDEX_SHIFT == clock->index + 1 ? e : NULL;
}

static __always_inline void add_difference(struct detail_entry *e, const struct spans *row,
					   const struct spans *before)
{
	e->time += row->time - before->time;
	e->user += row->user - before->user;
	e->wait += row->wait - before->wait;
	e->poll += row->poll - before->poll;
	e->idle += row->idle - before->idle;
}

/* note_entry(); what the span adds to its reason it adds to its detail */
static __always_inline void note_entry_detailed(struct details *d, struct clock *clock,
						const struct task_struct *task,
						const struct kvm_vcpu *vcpu, enum access access)
{
	struct detail_entry *e = open_entry(d, clock);
	struct spans *row = row_of(clock);
	struct spans before;

	before.time = row->time;
	before.user = row->user;
	before.wait = row->wait;
	before.poll = row->poll;
	before.idle = row->idle;
	note_entry(clock, task, vcpu, access);
	if (e)
		add_difference(e, row, &before);
}

/* Of the vCPU that this thread runs, if its exit waits for an address: it is this */
static __always_inline void note_address(__u64 value)
{
	__u32 id = 0, index;
	const struct kvm_vcpu *vcpu = find_vcpu(HAVE_KFUNC, &id);
	struct slot *slot = vcpu ? known_slot(thread_key(current_thread_anyhow(), id)) : NULL;
	struct details *d;

	if (!slot)
		return;
	d = details_in(slot);
	if (!d->pending)
		return;
	index = (d->pending >> DETAIL_INDEX_SHIFT) - 1;
	if (index < NR_COUNTERS && late_sources[index] == FROM_ADDRESS)
		settle(d, value);
}

/* A fault's access, by VMX's exit qualification */
static __always_inline void note_fault(__u64 address, __u64 qual)
{
	note_address(detail_fault(address,
				  qual & 4   ? ACCESS_EXEC
				  : qual & 2 ? ACCESS_WRITE
					     : ACCESS_READ,
				  qual >> 3 & 7));
}

#endif
