// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vm.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"
#include "util.h"

/* Whether a namespace is the initial one; @initial: PROC_*_INIT_INO of linux/proc_ns.h */
static bool is_initial(const char *path, ino_t initial)
{
	struct stat st;

	return stat(path, &st) || st.st_ino == initial;
}

bool vm__sees_host_pids(void)
{
	static int known = -1;

	if (known < 0)
		known = is_initial("/proc/self/ns/pid", 0xeffffffc);
	return known;
}

/* In a time namespace of its own /proc tells start times by another clock */
static bool sees_host_times(void)
{
	static int known = -1;

	if (known < 0)
		known = is_initial("/proc/self/ns/time", 0xeffffffa);
	return known;
}

bool vm__parse_stat(const char *text, struct vm_stat *st)
{
	/* A name may have any character in it: its end is the last parenthesis */
	const char *p = strrchr(text, ')');

	return p && sscanf(p,
			   ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			   "%llu %*s %llu",
			   &st->state, &st->threads, &st->start) == 3;
}

static bool read_stat(__u32 tid, struct vm_stat *st)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	return vm__sees_host_pids() && read_file(path, text, sizeof(text)) > 0 &&
	       vm__parse_stat(text, st);
}

__u32 vm__process(__u32 tid)
{
	static const char key[] = "\nTgid:\t";
	char path[64], text[4096];
	const char *p;
	int n;

	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	n = read_file(path, text, sizeof(text));
	p = n > 0 ? strstr(text, key) : NULL;
	return p ? strtoul(p + strlen(key), NULL, 10) : 0;
}

__u64 vm__start(__u32 tid)
{
	struct vm_stat st;

	return sees_host_times() && read_stat(tid, &st) ? st.start : 0;
}

bool vm__lacks_thread(__u32 pid, __u32 tid)
{
	return vm__sees_host_pids() && syscall(SYS_tgkill, pid, tid, 0) < 0 && errno == ESRCH;
}

bool vm__is_gone(__u32 pid, __u32 tid, __u64 start)
{
	struct vm_stat st;

	if (!vm__sees_host_pids())
		return false;
	if (vm__lacks_thread(pid, tid))
		return true;
	if (!read_stat(tid, &st))
		return false;
	/* A process that has ended is there until its parent asks how */
	if (strchr("ZX", st.state) && st.threads <= 1)
		return true;
	return start && sees_host_times() && st.start != start;
}

/* The bytes of the UTF-8 character at @p; 0: there is no valid one (RFC 3629) */
static size_t utf8_length(const unsigned char *p, size_t len)
{
	static const struct {
		unsigned char first, last, second_min, second_max, length;
	} forms[] = {
		{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		if (*p < forms[i].first || *p > forms[i].last)
			continue;
		if (len < forms[i].length)
			return 0;
		if (forms[i].length > 1 &&
		    (p[1] < forms[i].second_min || p[1] > forms[i].second_max))
			return 0;
		for (k = 2; k < forms[i].length; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

void utf8__clean(char *out, size_t size, const char *in, size_t len, size_t max)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t used = 0, n, as_json, budget = 4 * max;

	for (; len && max; max--, budget -= as_json) {
		n = utf8_length((const unsigned char *)in, len);
		/* JSON has control characters as \u0001, quotes and backslashes as two */
		as_json = (unsigned char)*in < 0x20 ? 6 : strchr("\"\\", *in) ? 2 : n ? n : 3;
		if (used + (n ? n : 3) >= size || as_json > budget)
			break;
		memcpy(out + used, n ? in : replacement, n ? n : 3);
		used += n ? n : 3;
		in += n ? n : 1;
		len -= n ? n : 1;
	}
	out[used] = 0;
}

void utf8__printable(char *text)
{
	unsigned char *p = (unsigned char *)text;

	for (; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

/* QEMU's -name: "NAME[,...]" or "guest=NAME[,...]"; ",," stands for a comma */
static void parse_qemu_name(const char *value, char *name, size_t size)
{
	char raw[1024];
	size_t used = 0;
	bool first = true;

	while (*value) {
		const char *key = value;
		size_t skip = !strncmp(key, "guest=", 6) ? 6 : 0;
		bool named = skip || (first && !memchr(key, '=', strcspn(key, ",")));

		for (value += skip; *value && (*value != ',' || value[1] == ','); value++) {
			value += *value == ',';
			if (named && used < sizeof(raw))
				raw[used++] = *value;
		}
		if (named)
			break;
		value += *value == ',';
		first = false;
	}
	utf8__clean(name, size, raw, used, VM_NAME_MAX);
}

static void take_value(const char *value, char *name, size_t size)
{
	utf8__clean(name, size, value, strlen(value), VM_NAME_MAX);
}

/* A path's last part, without what follows its last dot */
static void take_basename(const char *value, char *name, size_t size)
{
	const char *base = strrchr(value, '/'), *dot;

	base = base ? base + 1 : value;
	dot = strrchr(base, '.');
	utf8__clean(name, size, base, dot && dot > base ? (size_t)(dot - base) : strlen(base),
		    VM_NAME_MAX);
}

/* "550e8400-e29b-11d4-a716-446655440000", and nothing that belongs to it behind it */
static void take_uuid(const char *value, char *uuid, size_t size)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	*uuid = 0;
	for (i = 0; form[i]; i++)
		if (form[i] == '-' ? value[i] != '-' : !isxdigit((unsigned char)value[i]))
			return;
	if ((value[i] && value[i] != ',') || size <= i)
		return;
	for (i = 0; form[i]; i++)
		uuid[i] = tolower((unsigned char)value[i]);
	uuid[i] = 0;
}

/* In a list "type=1,uuid=..." */
static void take_uuid_key(const char *value, char *uuid, size_t size)
{
	*uuid = 0;
	for (; *value; value += *value == ',') {
		if (!strncmp(value, "uuid=", 5))
			take_uuid(value + 5, uuid, size);
		value += strcspn(value, ",");
	}
}

/* Where a VMM is given something; of a list the first option found counts */
struct vmm_option {
	const char *program; /* how the program's file name begins; NULL: end of the list */
	const char *option;
	void (*take)(const char *value, char *text, size_t size);
};

static const struct vmm_option name_options[] = {
	{ "qemu", "-name", parse_qemu_name },
	{ "qemu", "--name", parse_qemu_name },
	{ "kvm", "-name", parse_qemu_name },
	{ "firecracker", "--id", take_value },
	{ "cloud-hypervisor", "--api-socket", take_basename },
	{ "crosvm", "--name", take_value },
	{ "crosvm", "-s", take_basename },
	{ "crosvm", "--socket", take_basename },
	{ "lkvm", "--name", take_value },
	{ "lkvm", "-n", take_value },
	{ "VBoxHeadless", "--comment", take_value },
	{ "VBoxHeadless", "--startvm", take_value },
	{ "VirtualBoxVM", "--comment", take_value },
	{ "VirtualBoxVM", "--startvm", take_value },
	{ 0 },
};

static const struct vmm_option uuid_options[] = {
	{ "qemu", "-uuid", take_uuid },
	{ "qemu", "--uuid", take_uuid },
	{ "qemu", "-smbios", take_uuid_key },
	{ "kvm", "-uuid", take_uuid },
	{ "cloud-hypervisor", "--platform", take_uuid_key },
	{ "firecracker", "--id", take_uuid },
	{ "crosvm", "--smbios", take_uuid_key },
	{ "VBoxHeadless", "--startvm", take_uuid },
	{ "VirtualBoxVM", "--startvm", take_uuid },
	{ 0 },
};

static const char *program_name(const char *cmdline)
{
	const char *slash = strrchr(cmdline, '/');

	return slash ? slash + 1 : cmdline;
}

static const char *find_vmm(const char *cmdline)
{
	static const struct {
		const char *program, *vmm;
	} vmms[] = {
		{ "qemu", "qemu" },
		{ "kvm", "qemu" },
		{ "firecracker", "firecracker" },
		{ "cloud-hypervisor", "cloud-hypervisor" },
		{ "crosvm", "crosvm" },
		{ "lkvm", "kvmtool" },
		{ "VBox", "virtualbox" },
		{ "VirtualBox", "virtualbox" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vmms); i++)
		if (!strncmp(program_name(cmdline), vmms[i].program, strlen(vmms[i].program)))
			return vmms[i].vmm;
	return "other";
}

/* The value of @option in "--option value" or "--option=value", or NULL */
static const char *option_value(const char *arg, const char *end, const char *option)
{
	size_t len = strlen(option);
	const char *next;

	if (strncmp(arg, option, len))
		return NULL;
	if (arg[len] == '=' && option[1] == '-')
		return arg + len + 1;
	next = arg + strlen(arg) + 1;
	return !arg[len] && next < end ? next : NULL;
}

static bool take_option(const struct vmm_option *o, const char *cmdline, size_t len, char *text,
			size_t size)
{
	const char *end = cmdline + len, *arg, *value;

	if (!len || end[-1])
		return false;
	for (; o->program; o++) {
		if (strncmp(program_name(cmdline), o->program, strlen(o->program)))
			continue;
		for (arg = cmdline + strlen(cmdline) + 1; arg < end; arg += strlen(arg) + 1) {
			value = option_value(arg, end, o->option);
			if (!value)
				continue;
			o->take(value, text, size);
			return *text;
		}
	}
	return false;
}

bool vm__parse_name(const char *cmdline, size_t len, char *name, size_t size)
{
	return take_option(name_options, cmdline, len, name, size);
}

bool vm__parse_uuid(const char *cmdline, size_t len, char *uuid, size_t size)
{
	return take_option(uuid_options, cmdline, len, uuid, size);
}

int vm__compare(const struct vm *a, const struct vm *b)
{
	int order;

	if (a == b || !a || !b)
		return THREE_WAY(!!a, !!b);
	order = a->run == b->run ? 0 : strcmp(a->run->node, b->run->node);
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
	const struct run *run;
	struct vm **vms; /* sorted by PID and start */
	size_t nr;
	size_t room;
	bool hidden; /* the process of one of them, at any time */
};

struct vms *vms__new(const struct run *run)
{
	struct vms *vms = calloc(1, sizeof(*vms));

	if (vms)
		vms->run = run;
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

/* A file of the process: its bytes; 0: it may not be looked at, or has ended */
static int read_own(const struct vm *vm, const char *file, char *text, size_t size)
{
	char path[64];
	int n;

	snprintf(path, sizeof(path), "/proc/%u/%s", vm->pid, file);
	n = vm__sees_host_pids() ? read_file(path, text, size) : 0;
	/* Asked afterwards: what was read may have been its successor's */
	return n > 0 && !vm__is_gone(vm->pid, vm->pid, vm->start) ? n : 0;
}

/* What stands for a name of a VM whose process could not be looked at */
static void mark(char *text, size_t size, __u32 pid)
{
	snprintf(text, size, "pid-%u", pid);
}

bool vm__identify(struct vm *vm)
{
	/* libvirt's command lines run to some 10 KB, with -name in front */
	static char text[65536];
	int n = read_own(vm, "comm", text, sizeof(text));
	bool shown = n > 0, gone;

	if (shown)
		utf8__clean(vm->comm, sizeof(vm->comm), text, n - (text[n - 1] == '\n'),
			    VM_COMM_MAX);
	else
		mark(vm->comm, sizeof(vm->comm), vm->pid);
	n = read_own(vm, "cmdline", text, sizeof(text));
	/* A longer one is cut by read_file(), with a 0 behind it */
	if (n == (int)sizeof(text) - 1)
		n++;
	vm->vmm = n > 0 ? find_vmm(text) : "other";
	gone = n <= 0 && vm__is_gone(vm->pid, vm->pid, vm->start);
	if (gone)
		mark(vm->name, sizeof(vm->name), vm->pid);
	else if (n <= 0 || !vm__parse_name(text, n, vm->name, sizeof(vm->name)))
		snprintf(vm->name, sizeof(vm->name), "%s", vm->comm);
	if (n <= 0 || !vm__parse_uuid(text, n, vm->uuid, sizeof(vm->uuid)))
		vm->uuid[0] = 0;
	return shown || gone || !vm__sees_host_pids();
}

struct vm *vms__get(struct vms *vms, __u32 pid, __u64 start)
{
	const struct vm key = { .run = vms->run, .pid = pid, .start = start };
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
	vm->run = vms->run;
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
