// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vm/process.h"
#include "vm/vmlist.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"
#include "lib/width.h"
#include "vm/hidepid.h"

static const char vcpu_file[] = "anon_inode:kvm-vcpu:";

static int compare_ids(const void *a, const void *b)
{
	return THREE_WAY(((const struct listed_vcpu *)a)->id, ((const struct listed_vcpu *)b)->id);
}

static int compare_pids(const void *a, const void *b)
{
	return THREE_WAY(((const struct listed_vm *)a)->vm.pid,
			 ((const struct listed_vm *)b)->vm.pid);
}

/* The vCPU that file @fd of a process is; -ENOENT: it is none, or another -errno */
static long vcpu_of_file(__u32 pid, const char *fd, bool *is_vm)
{
	char path[64], target[64];
	ssize_t n;
	__u64 id;

	snprintf(path, sizeof(path), "/proc/%u/fd/%.20s", pid, fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = 0;
	*is_vm |= !strcmp(target, "anon_inode:kvm-vm");
	if (strncmp(target, vcpu_file, strlen(vcpu_file)) ||
	    parse_uint(target + strlen(vcpu_file), 0, UINT_MAX, &id))
		return -ENOENT;
	return id;
}

long vmlist__vcpu_of_comm(const char *comm)
{
	static const struct {
		const char *before, *after;
	} customs[] = {
		{ "CPU ", "/KVM" }, /* QEMU */
		{ "fc_vcpu ", "" }, /* Firecracker */
		{ "vcpu", "" }, /* Cloud Hypervisor */
		{ "crosvm_vcpu", "" }, { "kvm-vcpu-", "" }, /* kvmtool */
		{ "EMT-", "" }, /* VirtualBox */
	};
	char digits[16];
	size_t i, len;
	__u64 id;

	for (i = 0; i < ARRAY_SIZE(customs); i++) {
		if (strncmp(comm, customs[i].before, strlen(customs[i].before)))
			continue;
		comm += strlen(customs[i].before);
		len = strspn(comm, "0123456789");
		if (len >= sizeof(digits) || strcmp(comm + len, customs[i].after))
			return -1;
		snprintf(digits, sizeof(digits), "%.*s", (int)len, comm);
		return parse_uint(digits, 0, INT_MAX, &id) ? -1 : (long)id;
	}
	return -1;
}

/*
 * The vCPU that a thread is just running, if it sleeps in ioctl(KVM_RUN). Threads
 * that the kernel made for the VM (kvm-nx-lpage-recovery) inherit the call's
 * arguments, but have no program counter in user space: the last number is 0.
 */
static long vcpu_of_syscall(__u32 pid, __u32 tid)
{
	char path[64], text[256], fd[24];
	unsigned long nr, file, request, pc;
	bool is_vm = false;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/syscall", pid, tid);
	if (read_file(path, text, sizeof(text)) <= 0 ||
	    sscanf(text, "%lu %lx %lx %*x %*x %*x %*x %*x %lx", &nr, &file, &request, &pc) != 4 ||
	    nr != SYS_ioctl || request != KVM_RUN || !pc)
		return -1;
	snprintf(fd, sizeof(fd), "%lu", file);
	return vcpu_of_file(pid, fd, &is_vm);
}

static long vcpu_of_thread(__u32 pid, __u32 tid)
{
	long id = vcpu_of_syscall(pid, tid);
	char path[64], comm[32];
	int n;

	if (id >= 0)
		return id;
	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", pid, tid);
	n = read_file(path, comm, sizeof(comm));
	if (n > 0 && comm[n - 1] == '\n')
		comm[n - 1] = 0;
	return n > 0 ? vmlist__vcpu_of_comm(comm) : -1;
}

/*
 * Notes a thread for vCPU @id: the first vCPU with this id whose thread is not known yet. If
 * the process has several VMs, several vCPUs have the same id.
 */
static void note_thread(struct listed_vm *vm, __u32 id, __u32 tid)
{
	size_t i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		struct listed_vcpu *vcpu = &vm->vcpus[i];

		if (vcpu->id != id || (vcpu->tid && vcpu->tid != tid))
			continue;
		vcpu->tid = tid;
		return;
	}
}

static void look_at_threads(struct listed_vm *vm)
{
	const struct dirent *e;
	char path[64];
	__u64 tid;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", vm->vm.pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		long id;

		if (parse_uint(e->d_name, 1, INT_MAX, &tid))
			continue;
		id = vcpu_of_thread(vm->vm.pid, tid);
		if (id >= 0)
			note_thread(vm, id, tid);
	}
	if (dir)
		closedir(dir);
}

static bool has_unknown(const struct listed_vm *vm)
{
	size_t i;

	for (i = 0; i < vm->nr_vcpus; i++)
		if (!vm->vcpus[i].tid)
			return true;
	return false;
}

/* A thread that is running shows no system call: so look again, some 0.1 s in all */
static void find_threads(struct listed_vm *vm)
{
	const struct timespec pause = { .tv_nsec = 5 * NSEC_PER_MSEC };
	int tries = 20;

	while (has_unknown(vm) && tries--) {
		look_at_threads(vm);
		if (has_unknown(vm))
			nanosleep(&pause, NULL);
	}
}

/* The thread that a vCPU was run by last, as KVM tells in debugfs; 0: none yet, or ended */
static __u32 last_thread(const struct listed_vm *vm, const char *dir, const char *name, __u32 id)
{
	char path[PATH_MAX], text[32];
	__u64 tid;

	snprintf(path, sizeof(path), "%s/%s/vcpu%u/pid", dir, name, id);
	if (read_file(path, text, sizeof(text)) <= 0)
		return 0;
	text[strcspn(text, "\n")] = 0;
	if (parse_uint(text, 1, INT_MAX, &tid) || process__is_gone(vm->vm.pid, tid, 0))
		return 0;
	return tid;
}

static void ask_kvm(struct listed_vm *vm, const char *dir, const char *name)
{
	size_t i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		__u32 id = vm->vcpus[i].id;
		__u32 tid = vm->vcpus[i].tid ? 0 : last_thread(vm, dir, name, id);

		if (!tid)
			continue;
		vm->vcpus[i].tid = tid;
		/* Others of this id are of another VM of the process */
		while (i + 1 < vm->nr_vcpus && vm->vcpus[i + 1].id == id)
			i++;
	}
}

void vmlist__ask_kvm(struct vmlist *list, const char *dir)
{
	DIR *vms = list->nr_vms && process__sees_host_pids() ? opendir(dir) : NULL;
	const struct dirent *e;

	while (vms && (e = readdir(vms))) {
		struct listed_vm key = { 0 }, *vm;
		char *end;

		/* THREAD-FD: which thread created the VM, and its file */
		key.vm.pid = process__of_thread(strtoul(e->d_name, &end, 10));
		if (*end != '-' || !key.vm.pid)
			continue;
		vm = bsearch(&key, list->vms, list->nr_vms, sizeof(key), compare_pids);
		if (vm)
			ask_kvm(vm, dir, e->d_name);
	}
	if (vms)
		closedir(vms);
}

int vmlist__look_at(struct listed_vm *vm, __u32 pid)
{
	bool is_vm = false;
	const struct dirent *e;
	size_t room = 0;
	char path[64];
	DIR *dir;
	int err = 0;

	/* Reads the start first, so that a new process with the same PID is noticed */
	*vm = (struct listed_vm){ .vm.pid = pid, .vm.start = process__start(pid) };
	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!err && (e = readdir(dir))) {
		long id = vcpu_of_file(pid, e->d_name, &is_vm);
		struct listed_vcpu *grown;

		vm->denied |= id == -EACCES;
		if (id < 0)
			continue;
		grown = array_grow(vm->vcpus, &room, vm->nr_vcpus, sizeof(*grown));
		if (!grown) {
			err = -ENOMEM;
			break;
		}
		vm->vcpus = grown;
		vm->vcpus[vm->nr_vcpus++] = (struct listed_vcpu){ .id = id };
	}
	closedir(dir);
	if (err)
		return err;
	if (vm->nr_vcpus)
		qsort(vm->vcpus, vm->nr_vcpus, sizeof(*vm->vcpus), compare_ids);
	return is_vm;
}

int vmlist__find(struct vmlist *list)
{
	DIR *proc = opendir("/proc");
	struct listed_vm vm, *grown;
	const struct dirent *e;
	size_t room = 0;
	int err = 0;
	__u64 pid;

	*list = (struct vmlist){ 0 };
	if (!proc)
		return -errno;
	while (!err && (e = readdir(proc))) {
		int found;

		if (parse_uint(e->d_name, 1, INT_MAX, &pid))
			continue;
		found = vmlist__look_at(&vm, pid);
		/* Process 1 may be closed to everybody, but it is not a VM */
		list->unreadable +=
			pid != 1 && (found == -EACCES || found == -EPERM || (!found && vm.denied));
		err = found == -ENOMEM ? found : 0;
		grown = found > 0 ? array_grow(list->vms, &room, list->nr_vms, sizeof(*grown))
				  : NULL;
		if (!grown) {
			free(vm.vcpus);
			err = found > 0 ? -ENOMEM : err;
			continue;
		}
		vm__identify(&vm.vm);
		list->vms = grown;
		list->vms[list->nr_vms++] = vm;
	}
	closedir(proc);
	if (list->nr_vms)
		qsort(list->vms, list->nr_vms, sizeof(*list->vms), compare_pids);
	return err;
}

int vmlist__read(struct vmlist *list)
{
	int err = vmlist__find(list);
	size_t i;

	vmlist__ask_kvm(list, "/sys/kernel/debug/kvm");
	for (i = 0; i < list->nr_vms; i++)
		find_threads(&list->vms[i]);
	return err;
}

bool vmlist__may_have_vm(__u32 pid)
{
	struct vm vm = { .pid = pid };
	const struct dirent *e;
	bool may = false;
	char path[64];
	DIR *dir;

	vm__identify(&vm);
	if (strcmp(vm.vmm, "other"))
		return true;
	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	while (dir && !may && (e = readdir(dir)))
		may = vcpu_of_thread(pid, strtoul(e->d_name, NULL, 10)) >= 0;
	if (dir)
		closedir(dir);
	return may;
}

__u32 vmlist__find_without_vm(const char *name)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;
	__u32 found = 0;
	__u64 pid;

	while (proc && !found && (e = readdir(proc))) {
		struct listed_vm vm = { 0 };

		if (parse_uint(e->d_name, 1, INT_MAX, &pid))
			continue;
		vm.vm.pid = pid;
		vm__identify(&vm.vm);
		if (!strcmp(vm.vm.vmm, "other") || !vm__is_called(&vm.vm, name))
			continue;
		if (!vmlist__look_at(&vm, pid) && !vm.denied)
			found = pid;
		free(vm.vcpus);
	}
	if (proc)
		closedir(proc);
	return found;
}

void vmlist__free(struct vmlist *list)
{
	size_t i;

	for (i = 0; i < list->nr_vms; i++)
		free(list->vms[i].vcpus);
	free(list->vms);
	*list = (struct vmlist){ 0 };
}

bool vmlist__describe_unseen(const struct vmlist *list, char *text, size_t size)
{
	bool hidden = sight__hides();

	if (hidden)
		snprintf(text, size, "/proc hides processes of others (hidepid): %s",
			 sight__missing());
	else
		snprintf(text, size, "%s may not be looked at: %s",
			 plural(list->unreadable, "process"), sight__missing());
	return hidden || list->unreadable;
}

/* Of the column with the names: that of the widest one */
static int name_width(const struct vmlist *list)
{
	int width = 16;
	size_t i;

	for (i = 0; i < list->nr_vms; i++) {
		int needed = text__width(list->vms[i].vm.name);

		width = needed > width ? needed : width;
	}
	return width;
}

/* The list of vCPUs and threads comes last, after the VMM, because it may be long */
void vmlist__print(FILE *out, const struct vmlist *list)
{
	const int width = name_width(list);
	size_t i, k;

	fprintf(out, "%-8s %-*s %-17s %5s  %s\n", "PID", width, "VM", "VMM", "VCPUS", "VCPU:TID");
	for (i = 0; i < list->nr_vms; i++) {
		const struct listed_vm *vm = &list->vms[i];

		fprintf(out, "%-8u %s%*s %-17s %5zu ", vm->vm.pid, vm->vm.name,
			width - text__width(vm->vm.name), "", vm->vm.vmm, vm->nr_vcpus);
		for (k = 0; k < vm->nr_vcpus; k++)
			if (vm->vcpus[k].tid)
				fprintf(out, " %u:%u", vm->vcpus[k].id, vm->vcpus[k].tid);
			else
				fprintf(out, " %u:?", vm->vcpus[k].id);
		fputc('\n', out);
	}
}
