/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Between vmstate.bpf.c and src/explain/kvm_state.c, which reads what the program writes */
#ifndef BPF_KVM_STATE_H
#define BPF_KVM_STATE_H

#include <linux/types.h>

#define MAX_STATE_FIELDS 24

/* A number in struct kvm or, if of_vcpu, in struct kvm_vcpu */
struct state_field {
	__u32 off; /* bytes */
	__u32 size; /* bytes, at most 8; 0: this kernel has no such field */
	__u32 of_vcpu;
};

struct vmstate_config {
	__u32 off_vm_mm; /* in struct kvm: the memory (mm) of the process that made the VM */
	__u32 off_vcpu_vm; /* in struct kvm_vcpu: its struct kvm */
	struct state_field fields[MAX_STATE_FIELDS];
};

/* An open file of a process that is a VM or a vCPU */
struct kvm_file {
	__u32 pid; /* in the initial PID namespace */
	__u32 of_vcpu;
	__u64 vm; /* its address, only to tell the VMs of one process apart */
	__u64 values[MAX_STATE_FIELDS]; /* of the fields that are there and in this struct */
};

#endif
