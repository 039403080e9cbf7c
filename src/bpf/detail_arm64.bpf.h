/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is behind an exit on arm64. KVM keeps the syndrome and addresses of a trap in the
 * vCPU until the next trap. They do not tell whether an abort was at an address without
 * memory. The event kvm_mmio tells this; if it has not come by the next kvm_entry, the
 * address was memory.
 */
#ifndef BPF_DETAIL_ARM64_H
#define BPF_DETAIL_ARM64_H

/* Whether the address of an exit for this reason may turn out not to be memory */
static __always_inline int may_be_no_memory(__u32 index)
{
	return arm64_sources[index] == FROM_ADDRESS;
}

/* @esr: the syndrome, as the Arm manual describes ESR_ELx; 5.10 has 32 bits of it */
static __always_inline __u64 by_wfx(__u32 esr)
{
	/* The instruction's encoding: WFI and WFE have CRm 0, those with a time limit CRn 1 */
	const __u32 wfi = esr & 2 ? 3 << 11 | 1 << 7 | 1 : 3 << 11 | 2 << 7 | 3;

	return detail_sysreg(esr & 1 ? wfi - 1 : wfi, 0);
}

static __always_inline __u64 by_sysreg(__u32 esr)
{
	__u32 op0 = esr >> 20 & 3, op2 = esr >> 17 & 7, op1 = esr >> 14 & 7, crn = esr >> 10 & 15;

	return detail_sysreg(op0 << 14 | op1 << 11 | crn << 7 | (esr >> 1 & 15) << 3 | op2,
			     !(esr & 1));
}

enum {
	ABORT_WRITE = 1 << 6,
	ABORT_WALK = 1 << 7, /* of the guest's page tables */
	ABORT_STATUS = 0x3c,
	STATUS_TRANSLATION = 0x04, /* nothing was mapped */
};

/* An abort; hpfar_el2 has the physical address without its lowest 12 bits */
static __always_inline __u64 by_abort(const struct kvm_vcpu *vcpu, enum access access, int exec)
{
	__u32 esr = FIELD(vcpu, access, arch.fault.esr_el2);
	__u64 page = FIELD(vcpu, access, arch.fault.hpfar_el2) & 0xffffffffff0ull;
	enum detail_access how = ACCESS_READ;

	if (exec)
		how = ACCESS_EXEC;
	else if (esr & ABORT_WRITE && !(esr & ABORT_WALK))
		how = ACCESS_WRITE;
	return detail_fault(page << 8, how, (esr & ABORT_STATUS) != STATUS_TRANSLATION);
}

static __always_inline __u64 by_trap(const struct kvm_vcpu *vcpu, enum access access,
				     enum source source)
{
	switch (source) {
	case FROM_WFX:
		return by_wfx(FIELD(vcpu, access, arch.fault.esr_el2));
	case FROM_SYSREG:
		return by_sysreg(FIELD(vcpu, access, arch.fault.esr_el2));
	case FROM_SMCCC:
		return detail_hypercall(FIELD(vcpu, access, arch.ctxt.regs.regs[0]),
					HYPERCALL_SMCCC);
	default:
		return by_abort(vcpu, access, 1);
	}
}

/* What was behind an exit that was counted in this slot */
static __always_inline void note_told_detail(struct slot *slot, __u32 isa, __u32 raw,
					     const struct kvm_vcpu *address,
					     const struct kvm_exit_record *record)
{
	const enum access access = HAVE_KFUNC ? DIRECT : BY_ADDRESS;
	const struct kvm_vcpu *vcpu = address ? address : running_vcpu(0);
	__u64 index = index_of(isa, raw), key;
	enum source source;
	struct details *d;

	(void)record;
	barrier_var(index);
	if (index >= NR_COUNTERS)
		return;
	source = arm64_sources[index];
	if (!source)
		return;
	d = details_in(slot);
	key = key_of_index(index);
	if (unlikely(d->pending))
		settle(d, 0);
	if (source == FROM_ADDRESS) {
		d->pending = key;
		d->open = NR_DETAILS;
		return;
	}
	add_detail(d, make_key(key, vcpu ? by_trap(vcpu, access, source) : 0));
}

/* The detail of an abort for which no kvm_mmio came. 0: not known. */
static __always_inline __u64 kept_detail(const struct details *d, const struct kvm_vcpu *vcpu,
					 enum access access)
{
	(void)d;
	return by_abort(vcpu, access, 0);
}

#endif
