/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is behind an exit on x86. Registers and SVM's exit_info tell it at kvm_exit, except
 * that a page fault may turn out to be at an address that is not memory. On VMX,
 * KVM reads the exit qualification and the interruption information when it handles the exit,
 * and keeps them until the next exit. So this program reads them at the next kvm_entry, if
 * KVM's marks say that they are there. KVM does not keep the address of a page fault: the
 * event kvm_page_fault tells it. It is used only if no other event tells the exact address
 * of something that is not memory.
 */
#ifndef BPF_DETAIL_X86_H
#define BPF_DETAIL_X86_H

/* The lower half of one of the guest's registers; no detail needs more */
#define REGISTER(vcpu, access, which)                                 \
	(is_typed(access) ? *(const __u32 *)&(vcpu)->arch.regs[which] \
			  : (__u32)FIELD(vcpu, access, arch.regs[which]))

/* What is known of an exit at kvm_exit */
struct exit {
	const struct kvm_vcpu *vcpu;
	const struct kvm_exit_record *record; /* NULL: none */
	enum access access;
	__u32 raw; /* its reason */
	const void *at; /* where the reason was read, if by a load */
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

	return (FAR_FIELD_IF_ANY(kvm, access, arch.xen_hvm_config.flags) |
		FAR_FIELD_IF_ANY(moved, access, arch.xen.hvm_config.flags)) &
	       XEN_HYPERCALLS;
}

/*
 * Tells hypercalls apart as KVM does: Xen's come first, except those with bit 31 set in a
 * guest with Hyper-V, which are Hyper-V's. Those have the number in another register.
 */
static __always_inline __u64 by_hypercall(const struct kvm_vcpu *vcpu, enum access access)
{
	const struct kvm *kvm = (void *)FIELD(vcpu, access, kvm);
	__u32 rax = REGISTER(vcpu, access, RAX);
	int hyperv = !!FAR_FIELD_IF_ANY(kvm, access, arch.hyperv.hv_guest_os_id);

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
	switch (code & ~0xf) {
	case SVM_CR_READ:
		return detail_cr(code, CR_READ);
	case SVM_DR_READ:
	case SVM_DR_WRITE:
		return detail_dr(code, code < SVM_DR_WRITE);
	case SVM_EXCP:
	case SVM_EXCP + 0x10:
		return detail_vector(code - SVM_EXCP, VECTOR_EXCEPTION);
	case REASON_SVM_CR0_SEL_WRITE & ~0xf:
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
	FAULT_RESERVED = 8, /* KVM sets reserved bits in its page tables for what it emulates */
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
 * exit_info_1 or exit_info_2, which follow exit_code in the VMCB. At kvm_exit KVM has not
 * changed the VMCB yet.
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

	/* Types 10 and 15 are accesses by guest-physical addresses */
	return detail_apic(qual, type == 10 ? ACCESS_EVENT : type == 15 ? ACCESS_EXEC : type);
}

static __always_inline __u64 by_qualification(__u32 index, __u64 qual)
{
	switch (index) {
	case REASON_VMX_CR_ACCESS:
		return detail_cr(qual, qual >> 4);
	case REASON_VMX_DR_ACCESS:
		return detail_dr(qual, qual >> 4 & 1);
	case REASON_VMX_IO_INSTRUCTION:
		return detail_port(qual >> 16, (qual & 7) + 1, qual >> 3 & 1, qual >> 4 & 1);
	case REASON_VMX_APIC_ACCESS:
		return by_apic_access(qual);
	case REASON_VMX_EOI_INDUCED:
		return detail_vector(qual, VECTOR_EOI);
	case REASON_VMX_APIC_WRITE:
		return detail_apic(qual, ACCESS_WRITE);
	default:
		return detail_msr(qual, index == REASON_VMX_MSR_WRITE_IMM);
	}
}

/* Whether the interruption information, not the qualification, says what was behind it */
static __always_inline int is_interruption(__u32 index)
{
	return index <= REASON_VMX_EXTERNAL_INTERRUPT;
}

static __always_inline __u64 by_interruption(__u32 index, __u32 info)
{
	return detail_vector(info,
			     index == REASON_VMX_EXCEPTION_NMI ? VECTOR_EXCEPTION : VECTOR_HOST);
}

/*
 * DETAIL_L2 if the vCPU was in a guest's guest, else 0. KVM's statistics tell this since 5.14
 * (d5a0483f9f32). Older kernels have the flag below in hflags, always at this bit.
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

/* VMX: the detail comes later, except with the classic tracepoint, whose record has it */
static __always_inline void await_detail(struct details *d, const struct exit *exit, __u64 key,
					 enum source source, __u32 index)
{
	d->fault = 0;
	d->pending = key;
	d->raw = exit->raw;
	d->open = NR_DETAILS;
	if (exit->record && source == FROM_QUALIFICATION)
		settle(d, is_interruption(index) ? by_interruption(index, exit->record->intr_info)
						 : by_qualification(index, exit->record->info1));
}

static __always_inline void add_vmx_detail(struct details *d, const struct exit *exit,
					   enum source source, __u32 index)
{
	__u64 key = key_of_index(index) | level_of(exit->vcpu, exit->access);

	if (unlikely(d->pending))
		settle(d, d->fault);
	if (source >= FROM_QUALIFICATION)
		await_detail(d, exit, key, source, index);
	else
		add_detail(d, make_key(key,
				       by_registers(exit, source, index == REASON_VMX_MSR_WRITE)));
}

/*
 * SVM: at the first touch of a device's page KVM has not marked it yet, so this looks like a
 * page fault. kvm_mmio tells the address before the next exit, if it is not memory.
 */
static __always_inline void await_address(struct details *d, __u64 key, __u64 fault)
{
	d->fault = fault;
	d->pending = key;
	d->open = NR_DETAILS;
}

static __always_inline void add_svm_detail(struct details *d, const struct exit *exit,
					   enum source source, __u32 index)
{
	__u64 key = key_of_index(index) | level_of(exit->vcpu, exit->access), value;

	/* First what is most frequent on a host without other problems: CPUID */
	if (likely(source == FROM_LEAF))
		value = by_registers(exit, FROM_LEAF, 0);
	else if (source == FROM_CODE)
		value = by_svm_code(exit->raw);
	else if (source >= FROM_PORT)
		value = by_exit_info(source, exit);
	else
		value = by_registers(exit, source, source == FROM_MSR && exit_info(exit, 1) & 1);
	if (source == FROM_FAULT && value >> DETAIL_SHIFT == DETAIL_FAULT) {
		await_address(d, key, value);
		return;
	}
	add_detail(d, make_key(key, value));
}

/* Whether the address of an exit for this reason may turn out not to be memory */
static __always_inline int may_be_no_memory(__u32 index)
{
	return vmx_sources[index] == FROM_ADDRESS || svm_sources[index] == FROM_FAULT;
}

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
	d = details_in(slot);
	if (isa == ISA_SVM && unlikely(d->pending))
		settle(d, d->fault);
	if (!source)
		return;
	if (isa == ISA_SVM)
		add_svm_detail(d, exit, source, index);
	else
		add_vmx_detail(d, exit, source, index);
}

/*
 * The same for an event that tells the reason itself. The vCPU is at @address; if that is
 * NULL, the thread leads to it.
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
 * The detail that KVM has kept of the pending exit; 0: none. It is used only while the vCPU
 * still has the reason of that exit: when KVM emulates, it changes the reason and makes up
 * the qualification as well.
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
	if (is_interruption(index))
		return marks & HAS_INTR_INFO
			       ? by_interruption(index, word_at(vcpu, OFFSET_VMX_INTR_INFO, access))
			       : 0;
	return marks & HAS_QUALIFICATION
		       ? by_qualification(index, word_at(vcpu, OFFSET_VMX_QUALIFICATION, access))
		       : 0;
}

#endif
