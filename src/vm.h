/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who is this PID: the VM's name, whether it and its threads are there */
#ifndef VM_H
#define VM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether the thread has ended. Where that cannot be known: no. */
bool vm__is_gone(__u32 pid, __u32 tid);

/* Valid UTF-8, within the JSON schema's lengths */
#define VM_COMM_MAX 15 /* characters */
#define VM_NAME_MAX 64
#define VM_NAME_SIZE (4 * VM_NAME_MAX + 1) /* bytes */

struct vm {
	__u32 pid;
	__u64 start; /* of the process, as vms__get() was told */
	const char *vmm; /* "qemu" and so on; "other" */
	char comm[4 * VM_COMM_MAX + 1]; /* the process's */
	char name[VM_NAME_SIZE]; /* the VM's, else that of the process */
};

/* Fills @vm for its PID, from /proc; @comm where that knows no such process */
void vm__identify(struct vm *vm, const char *comm);

/*
 * Whether the PIDs that the kernel counts by are those this process sees: not
 * so in a PID namespace of its own, where /proc tells of other processes, or
 * none, under these numbers.
 */
bool vm__sees_host_pids(void);

struct vms;

struct vms *vms__new(void); /* NULL: no memory */
void vms__free(struct vms *vms);

/*
 * The VM of a process: as /proc told it when it was asked for the first time.
 * @start: its start time, field 22 of /proc/PID/stat (clock ticks since boot), 0:
 * not known. A PID that was given out again is another VM.
 * @comm is its name where /proc knows no such process any more. The result is
 * valid until vms__forget(). Never NULL.
 */
const struct vm *vms__get(struct vms *vms, __u32 pid, __u64 start, const char *comm);

/* Forgets processes that have ended */
void vms__forget(struct vms *vms);

/*
 * The VM's name in a command line of @len bytes, its arguments ended by 0, as
 * /proc/PID/cmdline has it: into @name, cut to VM_NAME_MAX characters. False:
 * the command line has none.
 */
bool vm__parse_name(const char *cmdline, size_t len, char *name, size_t size);

/* @in as valid UTF-8 of at most @max characters; what is not becomes U+FFFD */
void utf8__clean(char *out, size_t size, const char *in, size_t len, size_t max);

/* For terminals: control characters, of C0 and C1, become question marks */
void utf8__printable(char *text);

#endif
