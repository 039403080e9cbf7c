/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From an event to the slot of its vCPU thread.
 *
 * A thread runs on one CPU at a time and its slot is its own, so a plain ++ is
 * exact. Slots are found through hints, sets of four in a cache line, which are
 * read-mostly and so cost nothing when threads move between CPUs or share one. A
 * thread that a filter leaves out, or for which there was no slot, has a hint
 * that says so. All else is the slow path's.
 */
#ifndef BPF_SLOTS_H
#define BPF_SLOTS_H

#include "kernel.h"

#define DRAIN 8

const volatile struct config config = { .max_slots = 1 };
struct control control;

/*
 * An element for each slot and what follows it (struct layout); in the object with the
 * kfunc one for them all, whose address stands in the program (slot_at_once())
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct slot));
} slots SEC(".maps");

/* By slot, whether it has an owner: where user space looks for new ones */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} owned SEC(".maps");

/* Slots that user space has freed: see struct control */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ring SEC(".maps");

/*
 * Free slots and free extra counters. Queues, because taking from one is atomic
 * on all kernels; BPF's own atomics need 5.12.
 */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, NR_EXTRA);
	__type(value, __u32);
} free_extra SEC(".maps");

/* Who takes its only element may write hints, or move slots from ring to queue */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} token SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u32);
} threads SEC(".maps");

/* -t, -T: TID to the thread's start time in ticks, 0: any */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} tids SEC(".maps");

static __always_inline void lose(enum lost why)
{
	__u32 line = bpf_get_smp_processor_id() % NR_LOST_LINES;

	__sync_fetch_and_add(&control.lost[line].count[why], 1);
}

static __always_inline int take_token(void)
{
	__u32 t;

	return !bpf_map_pop_elem(&token, &t);
}

/* As a full barrier too: the queue has a lock */
static __always_inline void return_token(void)
{
	__u32 t = 0;

	bpf_map_push_elem(&token, &t, 0);
}

/* The set of hints of a key, or the next one */
static __always_inline struct hint *hints_of(__u64 key, __u32 next)
{
	__u32 offset = hint_offset(key);

	if (next)
		offset = (offset + 64) % (NR_SETS * 64);
	return (void *)control.hints + offset;
}

/* NULL: no slot has this number */
static __always_inline struct slot *slot_at(__u32 nr)
{
	__u32 at = HAVE_KFUNC ? 0 : nr;
	struct slot *slot = bpf_map_lookup_elem(&slots, &at);
	__u64 i = nr;

	if (!HAVE_KFUNC)
		return slot;
	barrier_var(i);
	if (!slot || i >= config.max_slots)
		return NULL;
	i *= config.layout.stride;
	barrier_var(i);
	return (void *)slot + i;
}

/*
 * The same in no more instructions than it takes, half of the lookup's: with numbers
 * that user space replaces (kvmexit.h), which it can't do in what is not inlined. *@nr
 * is the same after it, in the very register that the verifier sees tested and used.
 */
static __always_inline struct slot *slot_at_once(__u64 *nr)
{
	__u64 slot, first;

	if (!HAVE_KFUNC)
		return slot_at(*nr);
	barrier_var(*nr);
	if (unlikely(*nr >= PATCH_MAX_SLOTS))
		return NULL;
	slot = *nr;
	/* In the register that the number was in: another one costs every exit a push */
	asm volatile("%0 *= %3; %1 = %2 ll; %0 += %1"
		     : "+r"(slot), "=&r"(first)
		     : "i"(PATCH_SLOTS), "i"(PATCH_STRIDE));
	if (!slot)
		__builtin_unreachable();
	return (struct slot *)slot;
}

/*
 * Whether a set has a hint of a key, and what it says. That is read before the key: a
 * hint that is being given to another one does not match any more (remember()).
 */
static __always_inline int hinted(const struct hint *set, __u64 key, __u32 *nr)
{
	const volatile struct hint *h = set;
	__u32 i;

	/* Or the address would be computed anew for each way */
	barrier_var(h);
#pragma unroll
	for (i = 0; i < NR_WAYS; i++, h++) {
		*nr = h->slot;
		if (h->key == key)
			return 1;
	}
	return 0;
}

/* What the hints say of a key: those of its own set, or else of the next one */
static __always_inline __u32 hint_of(__u64 key)
{
	__u32 nr;

	return hinted(hints_of(key, 0), key, &nr) || hinted(hints_of(key, 1), key, &nr)
		       ? nr
		       : SLOT_UNKNOWN;
}

/* A hint in @set that may be overwritten: a free one, or @any without a slot */
static __always_inline struct hint *spare_hint(struct hint *set, int any)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < NR_WAYS; i++)
		if (any ? set[i].slot >= SLOT_NONE : !set[i].key)
			return &set[i];
	return NULL;
}

/*
 * Who is not let in, or finds no place, goes without, and comes by the slow path
 * again. Hints of slots are taken away by user space only, which also looks for
 * one here when it has retired the slot: hence the second look at its owner.
 */
static __always_inline void remember(__u64 key, __u32 nr, const struct slot *slot)
{
	struct hint *h;

	if (!take_token())
		return;
	h = spare_hint(hints_of(key, 0), 0);
	if (!h)
		h = spare_hint(hints_of(key, 1), 0);
	if (!h)
		h = spare_hint(hints_of(key, 0), 1);
	if (h) {
		*(volatile __u64 *)&h->key = 0;
		*(volatile __u32 *)&h->slot = nr;
		*(volatile __u64 *)&h->key = key;
	}
	return_token();
	if (h && slot && *(volatile __u64 *)&slot->key != key)
		*(volatile __u64 *)&h->key = 0;
}

static __always_inline int wanted(const struct identity *id, __u32 vcpu)
{
	__u32 tid = id->tid;
	__u64 *start;

	if (config.tgid && config.tgid != id->pid)
		return 0;
	if (config.start && id->start && config.start != id->start)
		return 0;
	if (config.has_vcpu && config.vcpu != vcpu)
		return 0;
	if (!config.nr_tids)
		return 1;
	start = bpf_map_lookup_elem(&tids, &tid);
	return start && (!*start || !id->thread_start || *start == id->thread_start);
}

/*
 * What a hint shall say of a thread that no slot can help: its exit reason is to be
 * found by types (@typed) that no BTF showed. 0: nothing stands against it.
 */
static __always_inline __u32 refused(__u32 isa, int typed)
{
	if (!typed)
		return 0;
	if (isa == ISA_SVM)
		return config.offsets[OFFSET_SVM_VMCB] ? 0 : SLOT_LOST(LOST_SVM);
	if (isa == ISA_VMX)
		return config.offsets[OFFSET_VMX_REASON] ? 0 : SLOT_LOST(LOST_VMX);
	return SLOT_LOST(LOST_ISA);
}

/*
 * Moves some of the freed slots to the queue. Who is not let in goes without: the
 * queue has others, or will have.
 */
static __always_inline void drain(void)
{
	__u64 head, *nr;
	__u32 slot, i, pos;

	if (control.head == *(volatile __u64 *)&control.tail || !take_token())
		return;
	head = *(volatile __u64 *)&control.head;
	for (i = 0; i < DRAIN && head != *(volatile __u64 *)&control.tail; i++, head++) {
		pos = head % config.max_slots;
		nr = bpf_map_lookup_elem(&ring, &pos);
		if (!nr)
			break;
		slot = *nr;
		bpf_map_push_elem(&free_slots, &slot, 0);
	}
	*(volatile __u64 *)&control.head = head;
	return_token();
}

/* The thread map still knows the slot's last owner: user space can't tell it */
static __always_inline void forget_owner(struct slot *slot, __u32 nr)
{
	__u64 old = slot->old_key;
	__u32 *of_old;

	if (!old)
		return;
	slot->old_key = 0;
	of_old = bpf_map_lookup_elem(&threads, &old);
	if (of_old && *of_old == nr)
		bpf_map_delete_elem(&threads, &old);
}

static __always_inline void describe(struct slot *slot, const struct identity *id, __u32 vcpu,
				     __u32 isa)
{
	slot->start = id->start;
	slot->pid = id->pid;
	slot->tid = id->tid;
	slot->vcpu = vcpu;
	slot->isa = isa;
}

/* The slot and its number in *@nr, or NULL and what a hint shall say instead */
static __always_inline struct slot *new_slot(__u64 key, const struct identity *id, __u32 vcpu,
					     __u32 isa, __u32 *nr)
{
	struct slot *slot;
	__u64 *mark;

	drain();
	if (bpf_map_pop_elem(&free_slots, nr)) {
		*nr = SLOT_LOST(LOST_FULL);
		return NULL;
	}
	slot = slot_at(*nr);
	mark = bpf_map_lookup_elem(&owned, nr);
	if (!slot || !mark)
		return NULL;
	forget_owner(slot, *nr);
	if (bpf_map_update_elem(&threads, &key, nr, BPF_ANY)) {
		bpf_map_push_elem(&free_slots, nr, 0);
		*nr = SLOT_LOST(LOST_MAP);
		return NULL;
	}
	describe(slot, id, vcpu, isa);
	/* Last: from here on all take it as this thread's */
	*(volatile __u64 *)&slot->key = key;
	*(volatile __u64 *)mark = 1;
	return slot;
}

/* A thread that has no slot: as new_slot() */
static __always_inline struct slot *admit(__u64 key, __u32 vcpu, __u32 isa, int typed, __u32 *nr)
{
	struct identity id;

	identify(&id);
	*nr = wanted(&id, vcpu) ? refused(isa, typed) : SLOT_UNWANTED;
	return *nr ? NULL : new_slot(key, &id, vcpu, isa, nr);
}

/* The slot of a thread of which no hint tells, and a hint for the next time */
static __always_inline struct slot *find_slot(__u64 key, __u32 vcpu, __u32 isa, int typed,
					      __u32 *nr)
{
	__u32 *known = bpf_map_lookup_elem(&threads, &key);
	struct slot *slot = NULL;

	if (known) {
		*nr = *known;
		slot = slot_at(*nr);
	}
	/* User space retires a slot before the thread map forgets it */
	if (!slot || slot->key != key)
		slot = admit(key, vcpu, isa, typed, nr);
	remember(key, *nr, slot);
	return slot;
}

/* An exit for which there is no slot, by what a hint says; if it is wanted, it is lost */
static __always_inline void lose_hinted(__u32 nr)
{
	if (nr != SLOT_UNWANTED && nr - SLOT_NONE < NR_LOST)
		lose(nr - SLOT_NONE);
}

/* After slot_of() found no hint. NULL: not wanted, or lost. */
static __noinline struct slot *look_further(__u64 key, __u32 vcpu, __u32 isa, int typed)
{
	__u32 nr = SLOT_UNKNOWN;
	struct slot *slot = find_slot(key, vcpu, isa, typed, &nr);

	if (!slot)
		lose_hinted(nr);
	return slot;
}

/* What most exits end with: what the hints say, in *@nr, and the slot, if there is one */
static __always_inline struct slot *slot_of(__u64 key, __u32 *nr)
{
	__u64 hint = hint_of(key);
	struct slot *slot = slot_at_once(&hint);

	*nr = hint;
	return slot;
}

#endif
