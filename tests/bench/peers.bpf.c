// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What kvmexit's cost is compared with: empty programs, and the store of the
 * tool it replaces (a per-CPU copy of the last thread's counters in front of a
 * per-CPU hash), written anew from its description. Each for kvm_exit, and for
 * task_rename, which a bench can fire cheaply on any kernel.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define REASONS 69
#define THREADS 1024

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct counts {
	__u64 of[REASONS];
};

struct cache {
	__u64 thread;
	struct counts counts;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} zeros SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, THREADS);
	__type(key, __u64);
	__type(value, struct counts);
} stat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cache);
} last SEC(".maps");

static __always_inline struct counts *counts_of(__u64 *thread)
{
	struct counts *counts = bpf_map_lookup_elem(&stat, thread), *zero;
	__u32 key = 0;

	if (counts)
		return counts;
	zero = bpf_map_lookup_elem(&zeros, &key);
	if (!zero)
		return NULL;
	bpf_map_update_elem(&stat, thread, zero, BPF_ANY);
	return bpf_map_lookup_elem(&stat, thread);
}

/* The reason is cut to the store's range, as SVM's codes go beyond it */
static __always_inline void store(__u32 reason)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct counts *counts;
	struct cache *cache;
	__u32 key = 0;

	cache = bpf_map_lookup_elem(&last, &key);
	if (!cache)
		return;
	if (cache->thread == thread) {
		cache->counts.of[reason & 63]++;
		return;
	}
	counts = counts_of(&thread);
	if (!counts)
		return;
	counts->of[reason & 63]++;
	if (cache->thread)
		bpf_map_update_elem(&stat, &cache->thread, &cache->counts, BPF_ANY);
	cache->thread = thread;
	bpf_probe_read_kernel(&cache->counts, sizeof(*counts), counts);
}

SEC("?tp_btf/kvm_exit")
int empty_tp_btf(void *ctx)
{
	(void)ctx;
	return 0;
}

SEC("?tp/kvm/kvm_exit")
int empty_tracepoint(void *ctx)
{
	(void)ctx;
	return 1;
}

struct kvm_exit_record {
	__u64 common;
	__u32 exit_reason;
};

SEC("?tp/kvm/kvm_exit")
int bcc_tracepoint(struct kvm_exit_record *ctx)
{
	store(ctx->exit_reason);
	return 1;
}

SEC("?tp_btf/task_rename")
int rename_empty_tp_btf(void *ctx)
{
	(void)ctx;
	return 0;
}

SEC("?tp/task/task_rename")
int rename_empty_tracepoint(void *ctx)
{
	(void)ctx;
	return 1;
}

struct task_rename_record {
	__u64 common;
	__s32 pid;
	char comms[2][16];
	__s16 oom_score_adj;
};

SEC("?tp/task/task_rename")
int rename_bcc_tracepoint(struct task_rename_record *ctx)
{
	store(ctx->oom_score_adj);
	return 1;
}

/* The store alone: what it would cost where the reason costs nothing */
SEC("?tp_btf/task_rename")
int rename_bcc_tp_btf(void *ctx)
{
	(void)ctx;
	store(0);
	return 0;
}
