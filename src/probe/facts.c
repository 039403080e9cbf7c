// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/facts.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

/* The type behind typedefs, const and the like; NULL: there is none */
static const struct btf_type *plain_type(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

static bool is_u32(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = plain_type(btf, id);

	return t && btf_is_int(t) && t->size == 4;
}

static bool is_u64(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = plain_type(btf, id);

	return t && btf_is_int(t) && t->size == 8;
}

static bool is_vcpu_pointer(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = plain_type(btf, id);

	if (!t || !btf_is_ptr(t))
		return false;
	t = plain_type(btf, t->type);
	return t && btf_is_struct(t) && !strcmp(btf__name_by_offset(btf, t->name_off), "kvm_vcpu");
}

/* btf_trace_... is a pointer to a function of void * and the arguments. NULL: unknown. */
static const struct btf_type *find_tracepoint(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);

	if (t)
		t = btf__type_by_id(btf, t->type);
	if (t && btf_is_ptr(t))
		t = btf__type_by_id(btf, t->type);
	return t && btf_is_func_proto(t) ? t : NULL;
}

static enum prototype find_prototype(const struct btf *btf)
{
	const struct btf_type *t = find_tracepoint(btf, "btf_trace_kvm_exit");
	const struct btf_param *p;

	if (!t)
		return PROTO_UNKNOWN;
	p = btf_params(t);
	if (btf_vlen(t) == 3 && is_vcpu_pointer(btf, p[1].type) && is_u32(btf, p[2].type))
		return PROTO_VCPU;
	if (btf_vlen(t) == 4 && is_u32(btf, p[1].type) && is_vcpu_pointer(btf, p[2].type) &&
	    is_u32(btf, p[3].type))
		return PROTO_REASON;
	if (btf_vlen(t) == 4 && is_u32(btf, p[1].type) && is_u32(btf, p[2].type) &&
	    is_u64(btf, p[3].type))
		return PROTO_ARM64;
	return PROTO_UNKNOWN;
}

/*
 * A struct's member, also inside unnamed ones: its type, and its offset in
 * bytes added to *@off. NULL: there is none.
 */
static const struct btf_type *find_member(const struct btf *btf, const struct btf_type *t,
					  const char *name, __u32 *off)
{
	const struct btf_member *m;
	int i;

	if (!t || !btf_is_composite(t))
		return NULL;
	for (i = 0, m = btf_members(t); i < btf_vlen(t); i++, m++) {
		const char *found = btf__name_by_offset(btf, m->name_off);
		const struct btf_type *type = plain_type(btf, m->type);
		__u32 inner = 0;

		if (*found ? strcmp(found, name) : !(type = find_member(btf, type, name, &inner)))
			continue;
		*off += btf_member_bit_offset(t, i) / 8 + inner;
		return type;
	}
	return NULL;
}

int facts__find_field(const struct btf *btf, const char *name, const char *path, __u32 *size)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);
	char part[64];
	__u32 off = 0;

	while (t && *path) {
		size_t len = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		t = find_member(btf, t, part, &off);
		path += len + !!path[len];
	}
	if (!t)
		return -ENOENT;
	*size = btf_is_ptr(t) ? sizeof(void *) : t->size;
	return off;
}

int facts__find_offset(const struct btf *btf, const char *name, const char *path)
{
	__u32 size;

	return facts__find_field(btf, name, path, &size);
}

/*
 * Whether kvm_entry's first argument is the vCPU. Until 5.9 it was the vCPU's id; since 6.12,
 * and 6.1.176, there is a second argument.
 */
static bool enters_with_vcpu(const struct btf *btf)
{
	const struct btf_type *t = find_tracepoint(btf, "btf_trace_kvm_entry");

	return t && btf_vlen(t) >= 2 && is_vcpu_pointer(btf, btf_params(t)[1].type);
}

static void read_times(struct facts *f, const struct btf *btf)
{
	f->entry_vcpu |= enters_with_vcpu(btf);
	f->run_delay |= facts__find_offset(btf, "task_struct", "sched_info.run_delay") > 0;
	f->halt_wait |= facts__find_offset(btf, "kvm_vcpu", "stat.generic.halt_wait_ns") > 0;
	f->run_function |=
		btf__find_by_name_kind(btf, "kvm_arch_vcpu_ioctl_run", BTF_KIND_FUNC) > 0;
	f->halt_poll |=
		facts__find_offset(btf, "kvm_vcpu", "stat.generic.halt_poll_success_ns") > 0 ||
		facts__find_offset(btf, "kvm_vcpu", "stat.halt_poll_success_ns") > 0;
}

enum fault facts__find_fault(const struct btf *btf)
{
	const struct btf_type *t = find_tracepoint(btf, "btf_trace_kvm_page_fault");
	const struct btf_param *p;

	if (!t)
		return FAULT_UNKNOWN;
	p = btf_params(t);
	if (btf_vlen(t) == 4 && is_vcpu_pointer(btf, p[1].type) && is_u64(btf, p[2].type) &&
	    is_u64(btf, p[3].type))
		return FAULT_VCPU;
	if (btf_vlen(t) == 3 && is_u64(btf, p[1].type) &&
	    (is_u64(btf, p[2].type) || is_u32(btf, p[2].type)))
		return FAULT_OLD;
	return FAULT_UNKNOWN;
}

/* Reads the offsets that details need, if the kernel has these structs */
static void read_details(struct facts *f, const struct btf *btf)
{
	static const struct {
		enum offset which;
		const char *name;
		const char *path;
	} members[] = {
		{ OFFSET_VMX_QUALIFICATION, "vcpu_vmx", "exit_qualification" },
		{ OFFSET_VMX_QUALIFICATION, "vcpu_vmx", "vt.exit_qualification" },
		{ OFFSET_VMX_INTR_INFO, "vcpu_vmx", "exit_intr_info" },
		{ OFFSET_VMX_INTR_INFO, "vcpu_vmx", "vt.exit_intr_info" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(members); i++) {
		int off = facts__find_offset(btf, members[i].name, members[i].path);

		if (off > 0)
			f->offsets[members[i].which] = off;
	}
	if (f->fault == FAULT_UNKNOWN)
		f->fault = facts__find_fault(btf);
}

/* The facts that @btf shows: of vmlinux, or of a module on top of it */
static void read_btf(struct facts *f, const struct btf *btf)
{
	int vmx, tdx, vmcb, code, id;

	if (f->prototype == PROTO_UNKNOWN)
		f->prototype = find_prototype(btf);
	vmx = facts__find_offset(btf, "vcpu_vmx", "vt.exit_reason.full");
	if (vmx < 0)
		vmx = facts__find_offset(btf, "vcpu_vmx", "exit_reason.full");
	if (vmx > 0)
		f->offsets[OFFSET_VMX_REASON] = vmx;
	tdx = facts__find_offset(btf, "vcpu_tdx", "vt.exit_reason.full");
	f->tdx_differs |= tdx >= 0 && tdx != vmx;
	vmcb = facts__find_offset(btf, "vcpu_svm", "vmcb");
	code = facts__find_offset(btf, "vmcb", "control.exit_code");
	if (vmcb > 0 && code > 0) {
		f->offsets[OFFSET_SVM_VMCB] = vmcb;
		f->offsets[OFFSET_VMCB_CODE] = code;
	}
	id = facts__find_offset(btf, "kvm_vcpu", "vcpu_id");
	if (id > 0 && !f->off_vcpu)
		f->off_vcpu = id;
	read_times(f, btf);
	read_details(f, btf);
}

static void read_btfs(struct facts *f)
{
	/* kvm has the tracepoint, the vendor's module has the structs; or both are built in */
	static const char *const modules[] = { "kvm", "kvm_intel", "kvm_amd" };
	struct btf *vmlinux = btf__load_vmlinux_btf(), *module;
	size_t i;

	if (libbpf_get_error(vmlinux))
		return;
	f->has_btf = true;
	f->notifier = facts__find_offset(vmlinux, "task_struct", "preempt_notifiers.first") > 0 &&
		      facts__find_offset(vmlinux, "kvm_vcpu", "preempt_notifier.link") > 0;
	f->rdonly_cast = btf__find_by_name_kind(vmlinux, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	read_btf(f, vmlinux);
	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		module = btf__load_module_btf(modules[i], vmlinux);
		if (libbpf_get_error(module))
			continue;
		read_btf(f, module);
		btf__free(module);
	}
	btf__free(vmlinux);
}

static int find_field_of(const char *format, const char *name, int bytes, __u32 *off)
{
	char wanted[64], end[16], value[16];
	const char *p = format, *size;
	__u64 n = 0;
	size_t len;

	/* "field:unsigned int exit_reason;	offset:8;	size:4;	signed:0;" */
	snprintf(wanted, sizeof(wanted), " %s;\toffset:", name);
	snprintf(end, sizeof(end), ";\tsize:%d;", bytes);
	p = strstr(p, wanted);
	if (!p)
		return -EINVAL;
	p += strlen(wanted);
	len = strspn(p, "0123456789");
	size = p + len;
	if (len >= sizeof(value) || strncmp(size, end, strlen(end)))
		return -EINVAL;
	memcpy(value, p, len);
	value[len] = 0;
	if (parse_uint(value, 8, 4096, &n))
		return -EINVAL;
	*off = n;
	return 0;
}

static int find_field(const char *format, const char *name, __u32 *off)
{
	return find_field_of(format, name, 4, off);
}

static bool has_field(const char *format, const char *name, int bytes, __u32 at)
{
	__u32 off = 0;

	return !find_field_of(format, name, bytes, &off) && off == at;
}

bool facts__has_record(const char *format)
{
	return has_field(format, "exit_reason", 4, offsetof(struct kvm_exit_record, exit_reason)) &&
	       has_field(format, "isa", 4, offsetof(struct kvm_exit_record, isa)) &&
	       has_field(format, "info1", 8, offsetof(struct kvm_exit_record, info1)) &&
	       has_field(format, "info2", 8, offsetof(struct kvm_exit_record, info2)) &&
	       has_field(format, "intr_info", 4, offsetof(struct kvm_exit_record, intr_info)) &&
	       has_field(format, "vcpu_id", 4, offsetof(struct kvm_exit_record, vcpu_id));
}

int facts__parse_format(struct facts *f, const char *format)
{
	if (find_field(format, "exit_reason", &f->off_exit_reason) ||
	    find_field(format, "isa", &f->off_isa) ||
	    find_field(format, "vcpu_id", &f->off_vcpu_id))
		return -EINVAL;
	return 0;
}

int facts__parse_format_arm64(const char *format)
{
	__u32 ret, esr_ec;

	if (find_field(format, "ret", &ret) || find_field(format, "esr_ec", &esr_ec))
		return -EINVAL;
	return ret == offsetof(struct kvm_exit_record_arm64, ret) &&
			       esr_ec == offsetof(struct kvm_exit_record_arm64, esr_ec)
		       ? 0
		       : -EINVAL;
}

static int parse_format(struct facts *f, const char *format)
{
	return ON_ARM64 ? facts__parse_format_arm64(format) : facts__parse_format(f, format);
}

/* Reads the format file of one of kvm's tracepoints: its size or -errno */
static int read_event(const char *event, char *text, size_t size)
{
	static const char *const places[] = { "tracing", "debug/tracing" };
	char path[80];
	int n = -ENOENT;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places) && n < 0 && n != -EACCES; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/%s/events/kvm/%s/format", places[i],
			 event);
		n = read_file(path, text, size);
	}
	return n;
}

static void read_formats(struct facts *f)
{
	/* The print format of kvm_exit lists all reasons of both ISAs: about 9 KB */
	static char text[65536];
	int n = read_event("kvm_exit", text, sizeof(text));

	f->format_err = n < 0 ? n : parse_format(f, text);
	f->exit_record = n > 0 && facts__has_record(text);
	n = read_event("kvm_entry", text, sizeof(text));
	f->entry_record =
		n > 0 && has_field(text, "vcpu_id", 4, offsetof(struct kvm_entry_record, vcpu_id));
}

void facts__read(struct facts *f)
{
	*f = (struct facts){ 0 };
	read_btfs(f);
	read_formats(f);
}
