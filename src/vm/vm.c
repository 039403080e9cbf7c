// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vm/process.h"
#include "vm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/utf8.h"
#include "lib/util.h"
#include "vm/vmm.h"

int vm__compare(const struct vm *a, const struct vm *b)
{
	int order;

	if (a == b || !a || !b)
		return THREE_WAY(!!a, !!b);
	order = a->node == b->node ? 0 : strcmp(a->node, b->node);
	if (!order)
		order = THREE_WAY(a->pid, b->pid);
	return order ? order : THREE_WAY(a->start, b->start);
}

struct vm *vm__ref(struct vm *vm)
{
	vm->refs++;
	return vm;
}

void vm__unref(struct vm *vm)
{
	if (!--vm->refs && vm->ended)
		free(vm);
}

void vm__end(struct vm *vm, __u64 when)
{
	vm->ended = when;
	if (!vm->refs)
		free(vm);
}

struct vms {
	const char *node;
	struct vm **vms; /* sorted by PID and start */
	size_t nr;
	size_t room;
	bool hidden; /* /proc did not show the process of one of them */
};

struct vms *vms__new(const char *node)
{
	struct vms *vms = calloc(1, sizeof(*vms));

	if (vms)
		vms->node = node;
	return vms;
}

void vms__free(struct vms *vms)
{
	size_t i;

	if (!vms)
		return;
	for (i = 0; i < vms->nr; i++)
		vm__end(vms->vms[i], realtime_ns());
	free(vms->vms);
	free(vms);
}

/* Reads a file of the process: its bytes; 0: not permitted, or the process has ended */
static int read_own(const struct vm *vm, const char *file, char *text, size_t size)
{
	char path[64];
	int n;

	snprintf(path, sizeof(path), "/proc/%u/%s", vm->pid, file);
	n = process__sees_host_pids() ? read_file(path, text, size) : 0;
	/* Checked after reading: the file may be that of a new process with the same PID */
	return n > 0 && !process__is_gone(vm->pid, vm->pid, vm->start) ? n : 0;
}

/* Quotes a name that looks like that of a VM whose process kvmexit could not look at */
static void quote(char *text, size_t max)
{
	const char *digits = text + strlen("pid-");
	size_t len = strlen(text);

	if (strncmp(text, "pid-", strlen("pid-")) || !*digits ||
	    digits[strspn(digits, "0123456789")])
		return;
	len = len < max - 2 ? len : max - 2;
	memmove(text + 1, text, len);
	text[0] = text[len + 1] = '\'';
	text[len + 2] = 0;
}

bool vm__is_called(const struct vm *vm, const char *name)
{
	char shown[VM_NAME_SIZE];

	if (!strcmp(vm->name, name))
		return true;
	utf8__clean(shown, sizeof(shown), name, strlen(name), VM_NAME_MAX);
	quote(shown, VM_NAME_MAX);
	return !strcmp(vm->name, shown);
}

/* Writes the name of a VM whose process kvmexit could not look at */
static void mark(char *text, size_t size, __u32 pid)
{
	snprintf(text, size, "pid-%u", pid);
}

bool vm__identify(struct vm *vm)
{
	/* libvirt's command lines have some 10 KB, with -name in front */
	static char text[65536];
	int n = read_own(vm, "comm", text, sizeof(text));
	bool shown = n > 0, gone;

	if (shown) {
		utf8__clean(vm->comm, sizeof(vm->comm), text, n - (text[n - 1] == '\n'),
			    VM_COMM_MAX);
		quote(vm->comm, VM_COMM_MAX);
	} else {
		mark(vm->comm, sizeof(vm->comm), vm->pid);
	}
	n = read_own(vm, "cmdline", text, sizeof(text));
	/* read_file() cuts a longer one and puts a 0 behind it */
	if (n == (int)sizeof(text) - 1)
		n++;
	vm->vmm = n > 0 ? vmm__of(text) : "other";
	gone = n <= 0 && process__is_gone(vm->pid, vm->pid, vm->start);
	if (gone)
		mark(vm->name, sizeof(vm->name), vm->pid);
	else if (n > 0 && vmm__parse_name(text, n, vm->name, sizeof(vm->name)))
		quote(vm->name, VM_NAME_MAX);
	else
		snprintf(vm->name, sizeof(vm->name), "%s", vm->comm);
	if (n <= 0 || !vmm__parse_uuid(text, n, vm->uuid, sizeof(vm->uuid)))
		vm->uuid[0] = 0;
	return shown || gone || !process__sees_host_pids();
}

struct vm *vms__get(struct vms *vms, __u32 pid, __u64 start)
{
	const struct vm key = { .node = vms->node, .pid = pid, .start = start };
	size_t low = 0, high = vms->nr;
	struct vm *vm, **grown;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = vm__compare(vms->vms[mid], &key);

		if (!order)
			return vms->vms[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	grown = array_grow(vms->vms, &vms->room, vms->nr, sizeof(*grown));
	if (!grown)
		return NULL;
	vms->vms = grown;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return NULL;
	vm->node = vms->node;
	vm->pid = pid;
	vm->start = start;
	vms->hidden |= !vm__identify(vm);
	memmove(grown + low + 1, grown + low, (vms->nr - low) * sizeof(*grown));
	grown[low] = vm;
	vms->nr++;
	return vm;
}

bool vms__hidden(const struct vms *vms)
{
	return vms->hidden;
}

void vms__forget(struct vms *vms)
{
	size_t i, left = 0;

	for (i = 0; i < vms->nr; i++) {
		if (vms->vms[i]->users)
			vms->vms[left++] = vms->vms[i];
		else
			vm__end(vms->vms[i], realtime_ns());
	}
	vms->nr = left;
}
