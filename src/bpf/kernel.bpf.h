/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs read from the kernel: the types that CO-RE finds, and guarded loads.
 * Structs of KVM's vendor modules are not here. User space looks up their offsets in BTF
 * (src/probe/facts.c) and puts them into `config`, so that the programs need no privilege for it.
 */
#ifndef BPF_KERNEL_H
#define BPF_KERNEL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "kvmexit.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define CORE __attribute__((preserve_access_index))

struct kvm_vcpu_stat_generic {
	__u64 halt_poll_success_ns;
	__u64 halt_poll_fail_ns;
	__u64 halt_wait_ns;
} CORE;

struct kvm_vcpu_stat {
	struct kvm_vcpu_stat_generic generic;
	__u64 guest_mode; /* x86 */
} CORE;

enum {
	RAX,
	RCX
}; /* in regs[] */

/* arm64's */
struct kvm_vcpu_fault_info {
	__u64 esr_el2; /* 32 bits wide in older kernels */
	__u64 hpfar_el2;
} CORE;

struct user_pt_regs {
	__u64 regs[31];
} CORE;

struct kvm_cpu_context {
	struct user_pt_regs regs;
} CORE;

struct kvm_vcpu_arch {
	struct kvm_vcpu_fault_info fault;
	struct kvm_cpu_context ctxt;
	unsigned long regs[2];
	__u32 regs_avail;
	__u32 hflags;
	__u64 efer;
} CORE;

struct kvm_hv {
	__u64 hv_guest_os_id;
} CORE;

struct kvm_xen_hvm_config {
	__u32 flags;
} CORE;

struct kvm_arch {
	struct kvm_hv hyperv;
	struct kvm_xen_hvm_config xen_hvm_config;
} CORE;

struct kvm {
	struct kvm_arch arch;
} CORE;

struct kvm_vcpu {
	struct kvm *kvm;
	__u32 vcpu_id;
	struct kvm_vcpu_arch arch;
	struct kvm_vcpu_stat stat;
} CORE;

/* Where newer kernels have kvm_xen_hvm_config */
struct kvm_xen {
	struct kvm_xen_hvm_config hvm_config;
} CORE;

struct kvm_arch___moved {
	struct kvm_xen xen;
} CORE;

struct kvm___moved {
	struct kvm_arch___moved arch;
} CORE;

/* Since 7.x regs_avail is a bitmap; before, it was 32 bits wide */
struct kvm_vcpu_arch___bitmap {
	unsigned long regs_avail[1];
} CORE;

struct kvm_vcpu___bitmap {
	struct kvm_vcpu_arch___bitmap arch;
} CORE;

/* Before `generic`, until 5.13 (0193cc908b5a) */
struct kvm_vcpu_stat___flat {
	__u64 halt_poll_success_ns;
	__u64 halt_poll_fail_ns;
} CORE;

struct kvm_vcpu___flat {
	struct kvm_vcpu_stat___flat stat;
} CORE;

struct sched_info {
	unsigned long long run_delay;
} CORE;

struct task_struct {
	__u64 start_boottime; /* since 5.5 (cf25e24db61cc) */
	struct task_struct *group_leader;
	struct sched_info sched_info;
} CORE;

/* How a program reads from a vCPU */
enum access {
	DIRECT, /* by loads */
	BY_HELPER, /* by loads, but by a helper call where no BTF type covers it */
	BY_ADDRESS, /* all by a helper call: to the verifier the vCPU is only a number */
	NO_VCPU, /* the event does not tell it */
};

/* Used only to ask if the running kernel has this helper: since 5.11 (3ca1032ab7ab) */
enum bpf_func_id___task_btf {
	BPF_FUNC_get_current_task_btf___task_btf = 158,
};

/*
 * The types that bpf_rdonly_cast gives to an address. The first member of one is a number.
 * The first member of the other is a pointer to numbers, so they can be read without
 * another cast.
 */
struct timespec64 {
	__s64 tv_sec;
} CORE;

struct bpf_perf_event_data_kern {
	struct pt_regs *regs;
} CORE;

/*
 * A second object is built without the kfunc. The reason: whichever program is loaded,
 * libbpf looks for the kfunc in the BTF of all modules. This needs CAP_SYS_ADMIN, and fails
 * if the kernel has no BTF at all.
 */
#ifdef WITHOUT_KFUNC
#define bpf_rdonly_cast(from, type) ((void *)(from))
#define HAVE_KFUNC 0
#else
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
#define HAVE_KFUNC 1
#endif

/* An address from which @type may be loaded; the exception table guards these loads */
#define guarded(from, type) bpf_rdonly_cast(from, bpf_core_type_id_kernel(type))

/* When this thread was started, for thread_key(); for kernels from 5.11 on that have BTF */
static __always_inline __u64 current_thread(void)
{
	return ((struct task_struct *)bpf_get_current_task_btf())->start_boottime;
}

static __always_inline int has_task_btf(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id___task_btf,
					  BPF_FUNC_get_current_task_btf___task_btf);
}

/* The same on any kernel */
static __always_inline __u64 current_thread_anyhow(void)
{
	struct task_struct *task = NULL;
	__u64 start = 0;

	if (has_task_btf())
		return current_thread();
	if (!bpf_core_field_exists(task->start_boottime))
		return bpf_get_current_pid_tgid();
	task = (void *)bpf_get_current_task();
	bpf_core_read(&start, sizeof(start), &task->start_boottime);
	return start;
}

/* Start times in /proc/PID/stat (field 22) are in ticks: USER_HZ is 100 */
#define NSEC_PER_TICK 10000000

struct identity {
	__u32 pid, tid;
	__u64 start; /* of the process, ticks; 0: not known */
	__u64 thread_start;
};

/* By loads if possible: a kernel that is locked down for confidentiality permits nothing else */
static __always_inline void read_starts(struct identity *id)
{
	struct task_struct *task = NULL, *leader = NULL;

	if (has_task_btf()) {
		task = (void *)bpf_get_current_task_btf();
		id->thread_start = task->start_boottime;
		id->start = task->group_leader->start_boottime;
	} else if (bpf_core_field_exists(task->start_boottime)) {
		task = (void *)bpf_get_current_task();
		bpf_core_read(&id->thread_start, sizeof(id->thread_start), &task->start_boottime);
		bpf_core_read(&leader, sizeof(leader), &task->group_leader);
		bpf_core_read(&id->start, sizeof(id->start), &leader->start_boottime);
	}
}

static __always_inline void identify(struct identity *id)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	id->pid = pid_tgid >> 32;
	id->tid = pid_tgid;
	id->start = id->thread_start = 0;
	read_starts(id);
	id->thread_start /= NSEC_PER_TICK;
	id->start /= NSEC_PER_TICK;
}

struct task_struct___notified {
	struct {
		const void *first;
	} preempt_notifiers;
} CORE;

struct kvm_vcpu___notified {
	struct {
		struct {
			void *next;
		} link;
	} preempt_notifier;
} CORE;

/*
 * The vCPU that this thread runs, or NULL. The thread leads to it: KVM registers a preempt
 * notifier with the thread (vcpu_load()), and this notifier is part of the vCPU. The per-CPU
 * variable kvm_running_vcpu would tell it, too, but BPF finds that only by kallsyms, and
 * Debian's 6.1 does not have it there.
 */
static __always_inline const void *running_vcpu(int direct)
{
	const struct task_struct___notified *task;
	const void *link = NULL;

	if (direct) {
		task = (void *)bpf_get_current_task_btf();
		link = task->preempt_notifiers.first;
	} else {
		task = (void *)bpf_get_current_task();
		bpf_core_read(&link, sizeof(link), &task->preempt_notifiers.first);
	}
	if (!link)
		return NULL;
	return link - bpf_core_field_offset(struct kvm_vcpu___notified, preempt_notifier.link);
}

/* The vCPU and its id; if @direct, the verifier knows its type. NULL: there is none. */
static __always_inline const struct kvm_vcpu *find_vcpu(int direct, __u32 *id)
{
	const struct kvm_vcpu *vcpu = running_vcpu(direct);

	if (!vcpu)
		return NULL;
	if (!direct || !HAVE_KFUNC)
		return bpf_core_read(id, sizeof(*id), &vcpu->vcpu_id) ? NULL : vcpu;
	vcpu = bpf_rdonly_cast(vcpu, bpf_core_type_id_kernel(struct kvm_vcpu));
	*id = vcpu->vcpu_id;
	return vcpu;
}

#endif
