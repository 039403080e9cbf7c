/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* VMs: what /proc tells of the process that is one */
#ifndef VM_H
#define VM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Valid UTF-8, within the JSON schema's lengths */
#define VM_COMM_MAX 15 /* characters */
#define VM_NAME_MAX 64
#define VM_NAME_SIZE (4 * VM_NAME_MAX + 1) /* bytes */

#define VM_UUID_SIZE 37

/*
 * There is one object for each VM (node, pid, start), so VMs can be compared by their
 * pointers. Sources make these objects; samples and rows point to them.
 */
struct vm {
	const char *node; /* the name of its host */
	__u32 pid;
	__u64 start; /* of the process: process__start() */
	const char *vmm; /* "qemu" and so on; "other"; never NULL */
	/*
	 * As utf8__clean() makes them. Both are "pid-PID" if kvmexit could not look at the
	 * process; who is really called so is in single quotes.
	 */
	char comm[4 * VM_COMM_MAX + 1]; /* the process's name */
	char name[VM_NAME_SIZE]; /* the VM's name, else that of the process */
	char uuid[VM_UUID_SIZE]; /* "": not known */
	__u32 users; /* how many of its vCPUs the source keeps */
	__u32 refs; /* from outputs, which keep VMs from one report to the next */
	__u64 ended; /* when there were no more samples of it, CLOCK_REALTIME in ns; 0: not yet */
};

/* Whether it has this name, as its VMM has it or as it is shown */
bool vm__is_called(const struct vm *vm, const char *name);

/* The order of VMs in snapshots, three-way; NULL comes before all others */
int vm__compare(const struct vm *a, const struct vm *b);

struct vm *vm__ref(struct vm *vm);
void vm__unref(struct vm *vm);

/* Its source does not need it any more since @when: it is freed now or with its last reference */
void vm__end(struct vm *vm, __u64 when);

/*
 * Fills in @vm for its PID, from /proc; names that /proc does not tell become "pid-PID".
 * False: the process exists, but /proc does not show it.
 */
bool vm__identify(struct vm *vm);

struct vms;

/* The VMs of this host, to which samples point; @node must outlive it. NULL: no memory */
struct vms *vms__new(const char *node);
void vms__free(struct vms *vms);

/*
 * The VM of a process, as /proc described it when it was asked for the first time.
 * @start: its start time, as process__start() returns it. If another process gets the same PID,
 * it is another VM. NULL: no memory.
 */
struct vm *vms__get(struct vms *vms, __u32 pid, __u64 start);

/* Whether the process of one of them existed but was not shown in /proc */
bool vms__hidden(const struct vms *vms);

/* Ends those that have no users */
void vms__forget(struct vms *vms);

#endif
