// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vm/vmm.h"

#include <ctype.h>
#include <string.h>

#include "lib/utf8.h"
#include "lib/util.h"
#include "vm/vm.h"

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

/* Firecracker's id if it was given none */
static void take_id(const char *value, char *name, size_t size)
{
	take_value(strcmp(value, "anonymous-instance") ? value : "", name, size);
}

/* Whether a part of a socket's path is the same for all VMs of a launcher, and so no name */
static bool is_common(const char *part, size_t len)
{
	static const char *const common[] = {
		"api",	    "ch",      "ch-api",
		"clh",	    "clh-api", "cloud-hypervisor",
		"control",  "crosvm",  "crosvm_control",
		"fc",	    "fc-api",  "firecracker",
		"internal", "run",     "root",
		"socket",   "sockets", "tmp",
		"var",	    "vm",      "vmm",
		"vsock",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(common); i++)
		if (strlen(common[i]) == len && !memcmp(common[i], part, len))
			return true;
	return !len;
}

/* Bytes of a socket's path without what says that it is one */
static size_t without_suffix(const char *path)
{
	static const char *const suffixes[] = { ".sock", ".socket", "-socket",
						"-event-monitor-fifo" };
	size_t i, len = strlen(path), n;

	for (i = 0; i < ARRAY_SIZE(suffixes); i++) {
		n = strlen(suffixes[i]);
		if (len > n && path[len - n - 1] != '/' && !strcmp(path + len - n, suffixes[i]))
			return len - n;
	}
	return len;
}

/* Whether it is a user's directory, /home/joe or /run/user/1000 */
static bool is_of_user(const char *path, const char *part)
{
	return part - path >= 6 &&
	       (!memcmp(part - 6, "/home/", 6) || !memcmp(part - 6, "/user/", 6));
}

/*
 * Of "/run/ch/web1.sock" web1, of "/run/vc/vm/ID/clh-api.sock" ID: the last part of a socket's
 * path that may be different from VM to VM
 */
static void take_socket(const char *value, char *name, size_t size)
{
	const char *path = value + (strncmp(value, "path=", 5) ? 0 : 5), *part;
	size_t len = strncmp(value, "fd=", 3) ? without_suffix(path) : 0;

	*name = 0;
	while (len) {
		for (part = path + len; part > path && part[-1] != '/'; part--)
			;
		len -= part - path;
		if (!is_common(part, len)) {
			if (!is_of_user(path, part))
				utf8__clean(name, size, part, len, VM_NAME_MAX);
			return;
		}
		len = part > path ? part - path - 1 : 0;
	}
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

/* The options by which VMMs get a value; in a list, the first option with a value counts */
struct vmm_option {
	const char *program; /* how the program's file name begins; NULL: end of the list */
	const char *option; /* LAST_ARGUMENT: none, the value comes last */
	void (*take)(const char *value, char *text, size_t size);
};

#define LAST_ARGUMENT ""

static const struct vmm_option name_options[] = {
	{ "qemu", "-name", parse_qemu_name },
	{ "qemu", "--name", parse_qemu_name },
	{ "kvmtool", "--name", take_value },
	{ "kvm", "-name", parse_qemu_name },
	{ "kvm", "-id", take_value }, /* Proxmox */
	{ "stratovirt", "-name", parse_qemu_name },
	{ "firecracker", "--id", take_id },
	{ "firecracker", "--api-sock", take_socket },
	{ "cloud-hypervisor", "--api-socket", take_socket },
	{ "cloud-hypervisor", "--event-monitor", take_socket },
	{ "crosvm", "--name", take_value },
	{ "crosvm", "-s", take_socket },
	{ "crosvm", "--socket", take_socket },
	{ "containerd-shim-kata", "-id", take_value },
	{ "runsc", LAST_ARGUMENT, take_value }, /* its container's id */
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
	{ "stratovirt", "-uuid", take_uuid },
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
	{ "kvmtool", "kvmtool" },
	{ "kvm", "qemu" },
	{ "stratovirt", "stratovirt" },
	{ "firecracker", "firecracker" },
	{ "cloud-hypervisor", "cloud-hypervisor" },
	{ "crosvm", "crosvm" },
	{ "containerd-shim-kata", "dragonball" }, /* the VMM is in Kata's shim */
	{ "runsc", "gvisor" },
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
	const char *next = arg + strlen(arg) + 1;

	if (!len)
		return next == end ? arg : NULL;
	if (strncmp(arg, option, len))
		return NULL;
	if (arg[len] == '=' && option[1] == '-')
		return arg + len + 1;
	return !arg[len] && next < end ? next : NULL;
}

static bool take_option(const struct vmm_option *o, const char *cmdline, size_t len, char *text,
			size_t size)
{
	const char *end = cmdline + len, *arg, *value;

	*text = 0;
	if (!len || end[-1])
		return false;
	for (; o->program && !*text; o++) {
		if (strncmp(program_name(cmdline), o->program, strlen(o->program)))
			continue;
		value = NULL;
		for (arg = cmdline + strlen(cmdline) + 1; arg < end && !value;
		     arg += strlen(arg) + 1)
			value = option_value(arg, end, o->option);
		if (value)
			o->take(value, text, size);
	}
	return *text;
}

bool vmm__parse_name(const char *cmdline, size_t len, char *name, size_t size)
{
	return take_option(name_options, cmdline, len, name, size);
}

bool vmm__parse_uuid(const char *cmdline, size_t len, char *uuid, size_t size)
{
	return take_option(uuid_options, cmdline, len, uuid, size);
}
