/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who is this PID: the VM's name, whether it and its threads are there */
#ifndef VM_H
#define VM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* What /proc/TID/stat tells: fields 3, 20 (of its process) and 22 */
struct vm_stat {
	char state;
	__u64 threads;
	__u64 start;
};

/* False: @text is no such file's */
bool vm__parse_stat(const char *text, struct vm_stat *st);

/* The process that a thread belongs to; 0: there is no such thread, or it is hidden */
__u32 vm__process(__u32 tid);

/*
 * When a thread, or a process by its PID, was started: clock ticks since boot, as
 * the BPF program tells it too (struct slot); 0: that cannot be known.
 */
__u64 vm__start(__u32 tid);

/*
 * Whether the thread has ended: there is none, or another one, started at another
 * time than @start (0: not known). Where that cannot be known: no.
 */
bool vm__is_gone(__u32 pid, __u32 tid, __u64 start);

/* Whether the process has no such thread: less than that, for a hundredth of the time */
bool vm__lacks_thread(__u32 pid, __u32 tid);

/* Valid UTF-8, within the JSON schema's lengths */
#define VM_COMM_MAX 15 /* characters */
#define VM_NAME_MAX 64
#define VM_NAME_SIZE (4 * VM_NAME_MAX + 1) /* bytes */

#define VM_UUID_SIZE 37

/*
 * One object for each VM, told apart by (node, pid, start): wherever two pointers
 * differ, so do the VMs. Sources make them, samples and rows point to them.
 */
struct vm {
	const struct run *run; /* of kvmexit, that tells of it, and so the node (run.h) */
	__u32 pid;
	__u64 start; /* of the process: vm__start() */
	const char *vmm; /* "qemu" and so on; "other"; never NULL */
	/* Both are "pid-PID" of a process that could not be looked at */
	char comm[4 * VM_COMM_MAX + 1]; /* the process's */
	char name[VM_NAME_SIZE]; /* the VM's, else that of the process */
	char uuid[VM_UUID_SIZE]; /* "": not known */
	__u32 users; /* in the source: vCPUs that are kept of it */
	__u32 refs; /* in outputs, which keep it from one report to the next */
	__u64 ended; /* when there were no more samples of it, CLOCK_REALTIME in ns; 0: not yet */
};

/* The order of VMs in snapshots, three-way; the one of 0 is before all others */
int vm__compare(const struct vm *a, const struct vm *b);

struct vm *vm__ref(struct vm *vm);
void vm__unref(struct vm *vm);

/* Its source is done with it, @when: to be freed now or with its last reference */
void vm__end(struct vm *vm, __u64 when);

/*
 * Fills @vm for its PID, from /proc; what that does not tell is "pid-PID". False: the
 * process is there, but not shown.
 */
bool vm__identify(struct vm *vm);

/*
 * Whether the PIDs that the kernel counts by are those this process sees: not
 * so in a PID namespace of its own, where /proc tells of other processes, or
 * none, under these numbers.
 */
bool vm__sees_host_pids(void);

/* The same; if not so, complains that @what ("--vms lists") cannot be had without */
bool vm__needs_host_pids(const char *what);

struct vms;

/* The VMs of this host, as samples point to them; @run outlives it. NULL: no memory */
struct vms *vms__new(const struct run *run);
void vms__free(struct vms *vms);

/*
 * The VM of a process: as /proc told it when it was asked for the first time.
 * @start: its start time, as vm__start(). A PID that was given out again is another
 * VM.
 * NULL: no memory.
 */
struct vm *vms__get(struct vms *vms, __u32 pid, __u64 start);

/* Whether the process of one of them was there, but not shown in /proc */
bool vms__hidden(const struct vms *vms);

/* Ends those that have no users */
void vms__forget(struct vms *vms);

#endif
