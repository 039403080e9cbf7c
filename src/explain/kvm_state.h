/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What KVM knows of each VM: its own state, which the module's parameters do not tell. A
 * BPF program reads it from the open files of processes (bpf/vmstate.bpf.c).
 */
#ifndef KVM_STATE_H
#define KVM_STATE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

enum state {
	STATE_APICV_INHIBITS,
	STATE_DISABLED_EXITS, /* since 6.17; before that the next four */
	STATE_MWAIT_IN_GUEST,
	STATE_HLT_IN_GUEST,
	STATE_PAUSE_IN_GUEST,
	STATE_CSTATE_IN_GUEST,
	STATE_OVERRIDE_HALT_POLL,
	STATE_MAX_HALT_POLL,
	STATE_HALT_POLL_NOW, /* the largest of its vCPUs */
	STATE_DIRTY_LOGGING,
	STATE_DIRTY_RING,
	STATE_MASTER_CLOCK,
	STATE_IRQCHIP,
	STATE_PMU,
	STATE_USER_MSRS,
	STATE_NO_NX_HUGE_PAGES,
	STATE_NONCOHERENT_DMA,
	STATE_NOTIFY_WINDOW,
	STATE_BUS_LOCKS,
	STATE_VGIC,
	STATE_GICV4, /* arm64, as all that follow: vCPUs that GICv4 delivers to */
	STATE_HCR, /* the bits that any of its vCPUs has set */
	STATE_VCPU_PMU,
	STATE_EAGER_SPLIT,
	NR_STATES
};

#define INHIBIT_NAME_SIZE 40

/* What this kernel tells, from its BTF */
struct state_layout {
	__u32 there; /* bits 1 << enum state */
	char inhibits[64][INHIBIT_NAME_SIZE]; /* names of the bits; "": not known */
	bool is_svm; /* the host's CPU is AMD's: the name is AVIC, else APICv */
};

struct vm_state {
	__u32 pid;
	__u64 vm; /* tells the VMs of one process apart */
	__u32 nr_vcpus;
	__u64 values[NR_STATES];
};

struct vm_states {
	struct vm_state *vms; /* owned; by PID */
	size_t nr;
	size_t room;
};

/*
 * A setting by its name in explain.def ("vm.apicv"). Returns what people call it, and in
 * @value its value for this VM. NULL: there is no such setting, or this kernel does not
 * tell it.
 */
const char *vm_state__tell(const struct state_layout *layout, const struct vm_state *state,
			   const char *name, char *value, size_t size);

/* Whether there is such a setting on any kernel */
bool vm_state__is_name(const char *name);

struct vmstate;

/*
 * Loads the program that reads it. 0, or -errno and in *@what what failed. Loading needs
 * privileges; reading later does not.
 */
int vmstate__open(struct vmstate **out, const char **what);
void vmstate__close(struct vmstate *state);

/* How often the state can be read */
#define STATE_READS 2

/* Reads the state of all VMs of this host: 0 or -errno. Free @states in either case. */
int vmstate__read(struct vmstate *state, struct vm_states *states);
void vm_states__free(struct vm_states *states);
bool vm_states__have(const struct vm_states *states, __u32 pid);

const struct state_layout *vmstate__layout(const struct vmstate *state);

/* The files that reading still needs, STATE_READS of them; -1: not used */
const int *vmstate__fds(const struct vmstate *state);

#endif
