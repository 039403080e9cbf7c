/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From an event to the slot of its vCPU thread.
 *
 * A thread runs on one CPU at a time and nobody shares its slot, so a plain ++ is exact.
 * Slots are found through hints, sets of four in a cache line. Hints are rarely written, so
 * they cost nothing when threads move between CPUs or share one. A thread that a filter
 * leaves out, or for which there was no slot, has a hint that says so. Everything else is
 * the slow path.
 */
#ifndef BPF_SLOTS_H
#define BPF_SLOTS_H

#include "bpf/kernel.bpf.h"

#define DRAIN 8

const volatile struct config config = { .max_slots = 1 };
struct control control;

/*
 * One element for each slot and what follows it (struct layout). In the object with the
 * kfunc there is one element for all slots, and its address is patched into the program
 * (slot_at_once()).
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

/* A lock: whoever takes its only element may write hints, or move slots from ring to queue */
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

/* This is also a full barrier, because the queue has a lock */
static __always_inline void return_token(void)
{
	__u32 t = 0;

	bpf_map_push_elem(&token, &t, 0);
}

/*
 * Loads and stores before this come before those after it, as other CPUs see them. x86 keeps
 * the order of stores, and that of loads, by itself; only the compiler must do so. arm64 does
 * not, and BPF has no barriers for kernels as old as ours. There a lock that is given up
 * (release) and another that is taken after it (acquire) are a full barrier. To look at a
 * queue takes its lock, and gives it up.
 */
static __always_inline void order_memory(void)
{
#ifdef __TARGET_ARCH_arm64
	__u32 t;

	bpf_map_peek_elem(&token, &t);
	bpf_map_peek_elem(&token, &t);
#endif
	barrier();
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
 * The same in half of the lookup's instructions. It uses numbers that user space replaces
 * (kvmexit.h), which works only in inlined code. *@nr keeps its value, in the same register
 * for the test and for the use, as the verifier demands.
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
	/* Reuses the number's register: one more register would cost every exit a push */
	asm volatile("%0 *= %3; %1 = %2 ll; %0 += %1"
		     : "+r"(slot), "=&r"(first)
		     : "i"(PATCH_SLOTS), "i"(PATCH_STRIDE));
	if (!slot)
		__builtin_unreachable();
	return (struct slot *)slot;
}

/*
 * Where the key of a hint is: to be read after the slot @nr, as other CPUs see it. x86 keeps
 * the order of loads by itself. arm64 keeps it if the later address depends on what was
 * loaded before; without this, a thread whose hint another one takes over just now could
 * find its own key with the other's slot, and count there.
 */
static __always_inline const volatile struct hint *after(const volatile struct hint *h, __u64 nr)
{
#ifdef __TARGET_ARCH_arm64
	asm volatile("%0 &= 0" : "+r"(nr));
	return (const volatile void *)h + nr;
#else
	(void)nr;
	return h;
#endif
}

/*
 * Whether a set has a hint of a key, and in *@nr what it says. `slot` is read before `key`:
 * remember() clears `key` first, so a hint that changes meanwhile does not match. Only the
 * key's own thread writes hints of it, so a pair that is its own is never half written.
 */
static __always_inline int hinted(const struct hint *set, __u64 key, __u32 *nr)
{
	const volatile struct hint *h = set;
	__u32 i;

	/* Without this, the compiler computes the address anew for each way */
	barrier_var(h);
#pragma unroll
	for (i = 0; i < NR_WAYS; i++, h++) {
		*nr = h->slot;
		if (after(h, *nr)->key == key)
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

/* A hint in @set that may be overwritten: a free one, or with @any one that has no slot */
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
 * Makes a hint of a key. If the token is taken, or there is no place, the thread gets no
 * hint now and comes by the slow path again. Only user space removes hints of slots: it
 * looks here for them after it has retired a slot. It may miss a hint that is just being
 * written, so this checks the slot's owner once more afterwards.
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
		order_memory();
		*(volatile __u32 *)&h->slot = nr;
		order_memory();
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
 * For a thread whose exit reason needs types (@typed) that no BTF showed, so that a slot would
 * be of no use: what its hint says instead. 0: the thread may have a slot.
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
 * Moves some of the freed slots to the queue. If another CPU has the token, this does
 * nothing: that CPU fills the queue.
 */
static __always_inline void drain(void)
{
	__u64 head, tail, *nr;
	__u32 slot, i, pos;

	if (control.head == *(volatile __u64 *)&control.tail || !take_token())
		return;
	head = *(volatile __u64 *)&control.head;
	tail = *(volatile __u64 *)&control.tail;
	/* A slot's number that is read before the tail may be an old one, of a slot in use */
	order_memory();
	for (i = 0; i < DRAIN && head != tail; i++, head++) {
		pos = head % config.max_slots;
		nr = bpf_map_lookup_elem(&ring, &pos);
		if (!nr)
			break;
		slot = *(volatile __u64 *)nr;
		bpf_map_push_elem(&free_slots, &slot, 0);
	}
	*(volatile __u64 *)&control.head = head;
	return_token();
}

/* Removes the slot's last owner from the thread map: user space cannot do it without a race */
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

/* A new slot, and its number in *@nr; or NULL, and in *@nr what the hint says instead */
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
	*(volatile __u64 *)&slot->key = key;
	/* The mark comes last: whoever sees it reads the new owner, not the one before */
	order_memory();
	*(volatile __u64 *)mark = 1;
	return slot;
}

/* A slot for a thread that has none, if the thread is wanted; returns as new_slot() */
static __always_inline struct slot *admit(__u64 key, __u32 vcpu, __u32 isa, int typed, __u32 *nr)
{
	struct identity id;

	identify(&id);
	*nr = wanted(&id, vcpu) ? refused(isa, typed) : SLOT_UNWANTED;
	return *nr ? NULL : new_slot(key, &id, vcpu, isa, nr);
}

/* The slot of a thread that has no hint; makes a hint for the next time */
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

/* Counts an exit without a slot as lost, unless its hint says that it is not wanted */
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

/* The fast path: the slot, or NULL; in *@nr what the hints say */
static __always_inline struct slot *slot_of(__u64 key, __u32 *nr)
{
	__u64 hint = hint_of(key);
	struct slot *slot = slot_at_once(&hint);

	*nr = hint;
	return slot;
}

#endif
