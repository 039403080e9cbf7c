/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What was behind an exit (--detail): one detail for each, counted in a table of the
 * slot's own.
 */
#ifndef BPF_DETAIL_H
#define BPF_DETAIL_H

#include "bpf/time.bpf.h"
#include "names/reason_codes.h"

/* The details of a slot; only with --detail. Inlined, because user space patches the offset. */
static __always_inline struct details *details_in(struct slot *slot)
{
	struct details *d = (void *)slot;

	asm volatile("%0 += %1" : "+r"(d) : "i"(PATCH_DETAILS));
	return d;
}

/*
 * Where the detail of a reason comes from, by counter: what reasons.def says. User space sets
 * it to 0 for reasons whose details nobody asks for.
 */
const volatile __u8 vmx_sources[NR_COUNTERS] = {
#define VMX_DETAIL(reason, source, kind, known, value) [COUNTER_OF(REASON_VMX_##reason)] = source,
#include "reasons.def"
};

const volatile __u8 svm_sources[NR_COUNTERS] = {
	/* What the code itself says: CR and DR reads and writes, exceptions, CR write traps */
	[SVM_CR_READ... SVM_EXCP_LAST] = FROM_CODE,
	[REASON_SVM_CR0_SEL_WRITE] = FROM_CODE,
	[SVM_CR_WRITE_TRAP... SVM_CR_WRITE_TRAP + 0xf] = FROM_CODE,
#define SVM_DETAIL(reason, source, kind, known, value) [COUNTER_OF(REASON_SVM_##reason)] = source,
#include "reasons.def"
};

const volatile __u8 arm64_sources[NR_COUNTERS] = {
#define ARM64_DETAIL(reason, source, kind, known, value) \
	[COUNTER_OF(REASON_ARM64_##reason)] = source,
#include "reasons.def"
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
#include "bpf/detail_arm64.bpf.h"
#else
#include "bpf/detail_x86.bpf.h"
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

/* The details of the vCPU that this thread runs; NULL: no pending exit needs an address */
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
	return index < NR_COUNTERS && may_be_no_memory(index) ? d : NULL;
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
