// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vmm.h"

#include <ctype.h>
#include <string.h>

#include "utf8.h"
#include "util.h"
#include "vm.h"

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

/* "550e8400-e29b-11d4-a716-446655440000"; no further character of a UUID may follow */
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

/* The options by which VMMs get a value; in a list, the first option found counts */
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

/* A program by how its file name begins, and the VMM that it is */
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

const char *vmm__of(const char *cmdline)
{
	const char *name = program_name(cmdline);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vmms); i++)
		if (!strncmp(name, vmms[i].program, strlen(vmms[i].program)))
			return vmms[i].vmm;
	return "other";
}

const char *vmm__named(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vmms); i++)
		if (!strcmp(name, vmms[i].vmm))
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

bool vmm__parse_name(const char *cmdline, size_t len, char *name, size_t size)
{
	return take_option(name_options, cmdline, len, name, size);
}

bool vmm__parse_uuid(const char *cmdline, size_t len, char *uuid, size_t size)
{
	return take_option(uuid_options, cmdline, len, uuid, size);
}
