// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What kvmexit's cost is compared with: empty programs, and the store of the
 * tool it replaces (a per-CPU copy of the last thread's counters in front of a
 * per-CPU hash), written anew from its description.
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

static __always_inline int bcc_store(__u32 reason)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct counts *counts, *zero;
	struct cache *cache;
	__u32 key = 0;

	if (reason >= REASONS)
		return 0;
	cache = bpf_map_lookup_elem(&last, &key);
	if (!cache)
		return 0;
	if (cache->thread == thread) {
		cache->counts.of[reason & 63]++;
		return 0;
	}
	counts = bpf_map_lookup_elem(&stat, &thread);
	if (!counts) {
		zero = bpf_map_lookup_elem(&zeros, &key);
		if (!zero)
			return 0;
		bpf_map_update_elem(&stat, &thread, zero, BPF_ANY);
		counts = bpf_map_lookup_elem(&stat, &thread);
		if (!counts)
			return 0;
	}
	counts->of[reason & 63]++;
	if (cache->thread)
		bpf_map_update_elem(&stat, &cache->thread, &cache->counts, BPF_ANY);
	cache->thread = thread;
	bpf_probe_read_kernel(&cache->counts, sizeof(*counts), counts);
	return 0;
}

SEC("?tp_btf/kvm_exit")
int empty_tp_btf(void *ctx)
{
	return 0;
}

SEC("?tp/kvm/kvm_exit")
int empty_tracepoint(void *ctx)
{
	return 1;
}

struct kvm_exit_record {
	__u64 common;
	__u32 exit_reason;
};

/* The reason is cut to the store's range, as SVM's codes go beyond it */
SEC("?tp/kvm/kvm_exit")
int bcc_tracepoint(struct kvm_exit_record *ctx)
{
	bcc_store(ctx->exit_reason % REASONS);
	return 1;
}
