/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What was behind an exit (--detail): one detail for each, counted in a table of the
 * slot's own.
 */
#ifndef BPF_DETAIL_H
#define BPF_DETAIL_H

#include "time.h"

/* The details of a slot; only with --detail. Inlined, because user space patches the offset. */
static __always_inline struct details *details_in(struct slot *slot)
{
	struct details *d = (void *)slot;

	asm volatile("%0 += %1" : "+r"(d) : "i"(PATCH_DETAILS));
	return d;
}

/* Where a detail comes from */
enum source {
	FROM_NOTHING, /* there is none, or nobody asks for it */
	FROM_MSR, /* the register RCX, and whether it was read or written */
	FROM_LEAF, /* RAX and RCX */
	FROM_HYPERCALL, /* RAX, or RCX */
	FROM_XCR, /* RCX */
	FROM_PMC, /* RCX */
	FROM_CODE, /* SVM: the reason itself */
	FROM_PORT, /* SVM: exit_info_1; the same for the next two */
	FROM_AVIC,
	FROM_APIC,
	FROM_FAULT, /* SVM: exit_info_1 and 2 */
	FROM_QUALIFICATION, /* VMX: the exit qualification, or the interruption information */
	FROM_ADDRESS, /* VMX and arm64: another event tells it */
	FROM_WFX, /* arm64: the syndrome; the same for the next two */
	FROM_SYSREG,
	FROM_ABORT, /* also the address */
	FROM_SMCCC, /* arm64: X0 */
};

/* By counter. User space sets the sources of those that nobody asks for to 0. */
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

/* The index plus one, at its place in a key */
static __always_inline __u64 key_of_index(__u32 index)
{
	__u64 key = index + 1;

	/* Without this the compiler adds after the shift, which needs a constant of 64 bits */
	barrier_var(key);
	return key << DETAIL_INDEX_SHIFT;
}

/* Counts an exit for which there was no free entry */
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

/* Whether a new key may take a free entry */
static __always_inline int has_room(struct details *d, __u64 key)
{
	if ((key & DETAIL_MASK) >> DETAIL_SHIFT != DETAIL_FAULT)
		return 1;
	if (d->regions == NR_REGIONS)
		return 0;
	d->regions++;
	return 1;
}

/* For a key that is not in the first entry it hashes to: looks further, up to a free entry */
static __noinline int add_further(struct details *d, __u64 key)
{
	__u32 first = first_entry(key), i, at;
	struct detail_entry *e;

	if (!d)
		return 0;
	for (i = 0; i < NR_DETAILS; i++) {
		at = (first + i) & (NR_DETAILS - 1);
		e = &d->entries[at];
		if (!e->key) {
			if (!has_room(d, key))
				break;
			e->key = key;
		}
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

/* A field of the kernel's struct at @p, as a number. The struct must have this field. */
#define FIELD(p, access, field)                                          \
	(is_typed(access) ? (__u64)(p)->field : ({                       \
		__u64 value_ = 0;                                        \
		bpf_core_read(&value_, sizeof((p)->field), &(p)->field); \
		value_;                                                  \
	}))

/* The same for fields further than the 32 KB that a load reaches: in struct kvm (6.16) */
#define FAR_FIELD(p, access, field)                                                       \
	(is_typed(access) ? (__u64) * (const typeof((p)->field) *)({                      \
				    __u64 offset_ = bpf_core_field_offset((p)->field);    \
				    barrier_var(offset_); /* or it ends up in the load */ \
				    (const void *)(p) + offset_;                          \
			    })                                                            \
			  : FIELD(p, access, field))

/* The same, or 0 if the struct has no such field */
#define FAR_FIELD_IF_ANY(p, access, field) \
	(bpf_core_field_exists((p)->field) ? FAR_FIELD(p, access, field) : 0)

/* The key of a detail of a reason. One that is not known gets no level (DETAIL_L2). */
static __always_inline __u64 make_key(__u64 index_and_level, __u64 value)
{
	return value ? index_and_level | value : index_and_level & ~DETAIL_L2;
}

/* Counts @value as the detail of the exit that is pending; 0: not known */
static __always_inline void settle(struct details *d, __u64 value)
{
	__u64 key = make_key(d->pending, value);

	d->pending = 0;
	add_detail(d, key);
}

#ifdef __TARGET_ARCH_arm64
#include "detail_arm64.h"
#else
#include "detail_x86.h"
#endif

static __always_inline void settle_at_entry(struct details *d, const struct kvm_vcpu *vcpu,
					    enum access access)
{
	__u64 value = d->fault;

	if (!d->pending)
		return;
	if (!value && access != NO_VCPU)
		value = kept_detail(d, vcpu, access);
	settle(d, value);
}

/* The entry of the exit whose span is open; NULL: its reason has no details */
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

/* Calls note_entry(), and adds what the span added to its reason to its detail, too */
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

/* The details of the vCPU that this thread runs; NULL: no exit waits for an address there */
static __always_inline struct details *waiting_details(void)
{
	__u32 id = 0, index;
	const struct kvm_vcpu *vcpu = find_vcpu(HAVE_KFUNC, &id);
	struct slot *slot = vcpu ? known_slot(thread_key(current_thread_anyhow(), id)) : NULL;
	struct details *d;

	if (!slot)
		return NULL;
	d = details_in(slot);
	index = (d->pending >> DETAIL_INDEX_SHIFT) - 1;
	return index < NR_COUNTERS && late_sources[index] == FROM_ADDRESS ? d : NULL;
}

/* The pending exit's address is not memory: a device, for example */
static __always_inline void note_address(__u64 address)
{
	struct details *d = waiting_details();

	if (d)
		settle(d, detail_mmio(address));
}

/* Keeps a page fault for the pending exit; @qual: VMX's exit qualification, has the access */
static __always_inline void note_fault(__u64 address, __u64 qual)
{
	struct details *d = waiting_details();

	if (d)
		d->fault = detail_fault(address,
					qual & 4   ? ACCESS_EXEC
					: qual & 2 ? ACCESS_WRITE
						   : ACCESS_READ,
					qual >> 3 & 7);
}

#endif
