// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/target.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/options.h"
#include "lib/util.h"
#include "vm/hidepid.h"
#include "vm/process.h"
#include "vm/vmlist.h"

bool target__needs_host_pids(const char *what)
{
	if (!process__sees_host_pids())
		complain("%s processes of the host, which this PID namespace does not show; run "
			 "kvmexit on the host, or in a container with its PIDs (--pid=host)",
			 what);
	return process__sees_host_pids();
}

/* The ids as text, as many as fit */
static void list_vcpus(char *text, size_t size, const struct listed_vm *vm)
{
	size_t i, used = 0;

	snprintf(text, size, "none");
	for (i = 0; i < vm->nr_vcpus && used < size - 16; i++)
		used += sprintf(text + used, "%s%u", i ? ", " : "", vm->vcpus[i].id);
	if (i < vm->nr_vcpus)
		sprintf(text + used, " ...");
}

static int check_vcpu(const struct options *opts, const struct listed_vm *vm)
{
	char vcpus[256];
	size_t i;

	for (i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpus[i].id == opts->selection.vcpu)
			return 0;
	list_vcpus(vcpus, sizeof(vcpus), vm);
	complain("There's no vCPU %u for PID %u. Its vCPUs: %s", opts->selection.vcpu,
		 opts->selection.pid, vcpus);
	return EXIT_NOTHING;
}

/* Says that /proc does not show a process or thread; the exit code */
static int tell_absent(const char *option, __u32 id, const char *what)
{
	if (kill(id, 0) && errno == ESRCH) {
		complain("%s %u: there is no such %s", option, id, what);
		return EXIT_NOTHING;
	}
	complain("%s %u: /proc hides this %s: %s", option, id, what, sight__missing());
	return EXIT_PERMISSION;
}

/* -n: no VM has this name; the exit code */
static int tell_nameless(const struct options *opts, const struct vmlist *list)
{
	const char *name = opts->selection.name;
	__u32 pid = vmlist__find_without_vm(name);
	char unseen[256];

	if (pid) {
		complain("-n %s: process %u has this name, but no VM (no KVM file is open in it): "
			 "does it run without KVM (QEMU without -accel kvm)?",
			 name, pid);
		return EXIT_NOTHING;
	}
	if (vmlist__describe_unseen(list, unseen, sizeof(unseen))) {
		complain("-n %s: no VM of this name is seen; %s", name, unseen);
		return EXIT_PERMISSION;
	}
	complain("-n %s: there is no VM of this name; kvmexit --vms lists the VMs", name);
	return EXIT_NOTHING;
}

/* -n: finds the process of the only VM with that name */
static int pick(struct options *opts, const struct vmlist *list)
{
	size_t i;

	for (i = 0; i < list->nr_vms; i++) {
		const struct vm *vm = &list->vms[i].vm;

		if (!vm__is_called(vm, opts->selection.name))
			continue;
		if (opts->selection.pid) {
			complain("-n %s: processes %u and %u have this name; use -p PID",
				 opts->selection.name, opts->selection.pid, vm->pid);
			return EXIT_NOTHING;
		}
		opts->selection.pid = vm->pid;
		opts->selection.start = vm->start;
	}
	return opts->selection.pid ? 0 : tell_nameless(opts, list);
}

static int find_name(struct options *opts)
{
	struct vmlist list;
	int err = vmlist__find(&list), code = EXIT_INTERNAL;

	if (err)
		complain("reading /proc: %s", strerror(-err));
	else
		code = pick(opts, &list);
	vmlist__free(&list);
	return code;
}

/*
 * Whether a process has a VM, as vmlist__look_at() @found. If it may not be looked at, it is
 * believed to have one if it looks like a VMM. If not, complains about what @option names.
 * The exit code.
 */
static int need_vm(const char *option, __u32 id, const struct listed_vm *vm, int found)
{
	const __u32 pid = vm->vm.pid;
	char whose[32] = "this process";

	if (found > 0 || ((found || vm->denied) && vmlist__may_have_vm(pid)))
		return 0;
	if (strcmp(option, "-p"))
		snprintf(whose, sizeof(whose), "its process %u", pid);
	if (!found && !vm->denied) {
		complain("%s %u: %s has no VM (no KVM file is open in it)", option, id, whose);
		return EXIT_NOTHING;
	}
	complain("%s %u: %s may not be looked at, and does not look like a VM: %s", option, id,
		 whose, sight__missing());
	return EXIT_PERMISSION;
}

static int check_pid(struct options *opts)
{
	__u32 tgid = process__of_thread(opts->selection.pid);
	struct listed_vm vm;
	int found, code;

	if (!tgid)
		return tell_absent("-p", opts->selection.pid, "process");
	if (tgid != opts->selection.pid) {
		complain("-p %u: this is a thread of process %u; use -p %u or -t %u",
			 opts->selection.pid, tgid, tgid, opts->selection.pid);
		return EXIT_NOTHING;
	}
	found = vmlist__look_at(&vm, opts->selection.pid);
	if (!opts->selection.start)
		opts->selection.start = vm.vm.start;
	code = need_vm("-p", opts->selection.pid, &vm, found);
	if (found > 0 && opts->selection.has_vcpu && !vm.denied)
		code = check_vcpu(opts, &vm);
	free(vm.vcpus);
	return code;
}

static int check_tid(const struct options *opts, struct task *task)
{
	const char *option = opts->one_tid ? "-t" : "-T";
	__u32 tid = task->tid, tgid;
	struct listed_vm vm;
	int found;

	task->start = process__start(tid);
	task->pid = tgid = process__of_thread(tid);
	if (!tgid)
		return tell_absent(option, tid, "thread");
	if (opts->selection.pid && tgid != opts->selection.pid) {
		complain("%s %u: this is a thread of process %u, not of -p %u", option, tid, tgid,
			 opts->selection.pid);
		return EXIT_NOTHING;
	}
	found = vmlist__look_at(&vm, tgid);
	free(vm.vcpus);
	return need_vm(option, tid, &vm, found);
}

int target__check(struct options *opts)
{
	int code = 0;
	size_t i;

	if (selection__names_any(&opts->selection) &&
	    !target__needs_host_pids("-p, -n, -t and -T name"))
		return EXIT_NOTHING;
	if (opts->selection.name)
		code = find_name(opts);
	if (!code && opts->selection.pid)
		code = check_pid(opts);
	for (i = 0; i < opts->selection.nr_tids && !code; i++)
		code = check_tid(opts, &opts->selection.tids[i]);
	return code;
}

bool target__has_ended(const struct options *opts)
{
	const struct task *task = opts->selection.tids;
	size_t i;

	for (i = 0; i < opts->selection.nr_tids; i++)
		if (!process__is_gone(task[i].pid, task[i].tid, task[i].start))
			return false;
	return opts->selection.nr_tids ||
	       (opts->selection.pid &&
		process__is_gone(opts->selection.pid, opts->selection.pid, opts->selection.start));
}

void target__tell_end(const struct options *opts)
{
	if (opts->selection.nr_tids > 1)
		complain("the threads that -T names have ended");
	else if (opts->selection.nr_tids)
		complain("thread %u has ended", opts->selection.tids->tid);
	else if (opts->selection.name)
		complain("VM %s, process %u, has ended", opts->selection.name, opts->selection.pid);
	else
		complain("process %u has ended", opts->selection.pid);
}
