/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The exit reason of an event: where it is, and its counter in the slot */
#ifndef BPF_REASONS_H
#define BPF_REASONS_H

#include "bpf/slots.bpf.h"

/* isa << 32 | code: the number of the extra counter */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NR_EXTRA);
	__type(key, __u64);
	__type(value, __u32);
} codes SEC(".maps");

/* The counter of a code that has none of its own; NR_COUNTERS: lost */
static __always_inline __u32 extra_index(__u32 isa, __u32 raw)
{
	__u64 code = (__u64)isa << 32 | raw, n;
	__u32 *known = bpf_map_lookup_elem(&codes, &code), i;

	if (!known && !bpf_map_pop_elem(&free_extra, &i)) {
		n = i;
		barrier_var(n);
		if (n >= NR_EXTRA)
			return NR_COUNTERS;
		control.extra[n] = code;
		if (bpf_map_update_elem(&codes, &code, &i, BPF_NOEXIST))
			bpf_map_push_elem(&free_extra, &i, 0); /* another CPU was first */
		known = bpf_map_lookup_elem(&codes, &code);
	}
	if (!known) {
		lose(LOST_CODES);
		return NR_COUNTERS;
	}
	return NR_LOW + NR_HIGH + *known;
}

static __always_inline void count_flags(struct slot *slot, __u32 flags)
{
	if (flags & VMX_FAILED_ENTRY)
		slot->flags[FLAG_FAILED_ENTRY]++;
	if (flags & VMX_BUS_LOCK)
		slot->flags[FLAG_BUS_LOCK]++;
	if (flags & VMX_ENCLAVE)
		slot->flags[FLAG_ENCLAVE]++;
}

/* VMX with flag bits, and codes that have no counter of their own */
static __noinline int count_rare(struct slot *slot, __u32 isa, __u32 raw)
{
	__u32 flags = isa == ISA_VMX ? vmx_flags(raw) : 0;
	__u64 i = raw & ~flags;

	if (!slot)
		return 0;
	count_flags(slot, flags);
	if (i >= NR_LOW)
		i = extra_index(isa, i);
	if (i < NR_COUNTERS)
		slot->count[i]++;
	return 0;
}

static __always_inline void count(struct slot *slot, __u32 isa, __u32 raw)
{
	__u64 i = raw, high;

	/* The verifier must see that the register tested is the one used below */
	barrier_var(i);
	high = i - HIGH_BASE;
	if (likely(i < NR_LOW)) {
		slot->count[i]++;
		return;
	}
	barrier_var(high);
	if (high < NR_HIGH)
		slot->count[NR_LOW + high]++;
	else
		count_rare(slot, isa, i);
}

/* Counter index that count_rare() used; NR_COUNTERS if none was free */
static __noinline __u32 rare_index(__u32 isa, __u32 raw)
{
	__u32 i = isa == ISA_VMX ? raw & ~vmx_flags(raw) : raw, *known;
	__u64 code = (__u64)isa << 32 | i;

	if (i < NR_LOW)
		return i;
	known = bpf_map_lookup_elem(&codes, &code);
	return known ? NR_LOW + NR_HIGH + *known : NR_COUNTERS;
}

/* The counter of what count() has counted */
static __always_inline __u32 index_of(__u32 isa, __u32 raw)
{
	if (raw < NR_LOW)
		return raw;
	return raw - HIGH_BASE < NR_HIGH ? raw - HIGH_BASE + NR_LOW : rare_index(isa, raw);
}

/*
 * User space puts the offset into the instruction before it loads the program. As a
 * variable it would take two more loads, from one more cache line.
 */
static __always_inline const void *at_offset(const void *p, enum offset which)
{
	asm volatile("%0 += %1" : "+r"(p) : "i"(PATCH_OFFSET(which)));
	return p;
}

/* The address of a vCPU's exit reason, for loads; user space found the offsets */
static __always_inline const void *reason_at(const void *vcpu, __u32 isa)
{
	const void *const *vmcb;

	if (isa == ISA_VMX)
		return guarded(at_offset(vcpu, OFFSET_VMX_REASON), struct timespec64);
	vmcb = guarded(at_offset(vcpu, OFFSET_SVM_VMCB), struct bpf_perf_event_data_kern);
	return at_offset(*vmcb, OFFSET_VMCB_CODE);
}

/* Reads the exit reason with the copying helper. 0: done. */
static __always_inline int copy_reason(__u32 *raw, const void *vcpu, __u32 isa)
{
	const void *vmcb = NULL;

	if (isa == ISA_VMX)
		return bpf_probe_read_kernel(raw, 4, at_offset(vcpu, OFFSET_VMX_REASON));
	return bpf_probe_read_kernel(&vmcb, 8, at_offset(vcpu, OFFSET_SVM_VMCB)) ||
	       bpf_probe_read_kernel(raw, 4, at_offset(vmcb, OFFSET_VMCB_CODE));
}

/* The same, by loads if possible: then from *@at, whose neighbours can be loaded too */
static __always_inline int read_reason(__u32 *raw, const void **at, const void *vcpu, __u32 isa,
				       int direct)
{
	if (!direct || !HAVE_KFUNC)
		return copy_reason(raw, vcpu, isa);
	*at = reason_at(vcpu, isa);
	*raw = *(const __u32 *)*at;
	return 0;
}

#endif
