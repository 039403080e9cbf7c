/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The VMs of this host as /proc shows them, without BPF */
#ifndef VMLIST_H
#define VMLIST_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "vm/vm.h"

struct listed_vcpu {
	__u32 id; /* KVM's */
	__u32 tid; /* 0: not known */
};

struct listed_vm {
	struct vm vm;
	struct listed_vcpu *vcpus; /* by id */
	size_t nr_vcpus;
	bool denied; /* some of its files may not be looked at */
};

struct vmlist {
	struct listed_vm *vms; /* by PID */
	size_t nr_vms;
	size_t unreadable; /* processes whose open files may not be looked at */
};

/*
 * Fills @vm with the vCPUs of a process, by id; threads and name are left out.
 * Returns 1, 0: it has no VM, or -errno: it may not be looked at, is gone, or
 * there is no memory. The vCPUs are the caller's to free in each case.
 */
int vmlist__look_at(struct listed_vm *vm, __u32 pid);

/* Looks through /proc for VMs, without their threads: 0 or -errno. To be freed in either case. */
int vmlist__find(struct vmlist *list);

/* The same, with threads; this can take 0.1 s a VM */
int vmlist__read(struct vmlist *list);
void vmlist__free(struct vmlist *list);

/*
 * Whether a process whose open files may not be looked at may have a VM: it is a VMM that
 * kvmexit knows, or a thread has a vCPU's name
 */
bool vmlist__may_have_vm(__u32 pid);

/* The process of a known VMM with this name, but without a VM; 0: there is none */
__u32 vmlist__find_without_vm(const char *name);

/*
 * Notes the vCPUs' threads as far as KVM tells them below @dir, the directory kvm of
 * debugfs. KVM knows a thread even while it runs in the guest, whatever its name is.
 */
void vmlist__ask_kvm(struct vmlist *list, const char *dir);

/* What kvmexit could not look at and why, as the end of a message. False: nothing. */
bool vmlist__describe_unseen(const struct vmlist *list, char *text, size_t size);

void vmlist__print(FILE *out, const struct vmlist *list);

/*
 * The vCPU id in the name of a thread, in the forms that VMMs use ("CPU 3/KVM"); -1: it
 * has none. QEMU's number there is that of its CPU, which may differ from KVM's id.
 */
long vmlist__vcpu_of_comm(const char *comm);

#endif
