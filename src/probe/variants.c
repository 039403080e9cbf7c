// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/variants.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"
#include "names/reason_codes.h"
#include "names/reason_filter.h"
#include "probe/facts.h"
#include "probe/probe.h"
#include "snapshot/misses.h"
#include "snapshot/times.h"
#include "vm/selection.h"

/* Each returns why a variant cannot be used; NULL: it can */

static const char *new_prototype(const struct facts *f)
{
	if (!f->has_btf)
		return "the kernel has no BTF";
	if (f->prototype == PROTO_REASON)
		return "its prototype is that of 5.15 and older";
	if (f->prototype == PROTO_UNKNOWN)
		return "no BTF shows its prototype";
	if (f->tdx_differs)
		return "struct vcpu_tdx differs from vcpu_vmx";
	return NULL;
}

/* A probe without these types could be used, but would count every exit as lost */
static const char *no_types(const struct facts *f)
{
	return f->offsets[OFFSET_VMX_REASON] || f->offsets[OFFSET_SVM_VMCB]
		       ? NULL
		       : "no BTF shows struct vcpu_vmx or vcpu_svm";
}

static const char *no_reservation(const struct facts *f)
{
	(void)f;
	return NULL;
}

static const char *direct_hindrance(const struct facts *f)
{
	const char *why = new_prototype(f);

	if (!why && !f->rdonly_cast)
		why = "the kernel has no bpf_rdonly_cast (since 6.2)";
	return why;
}

static const char *raw_hindrance(const struct facts *f)
{
	const char *why = new_prototype(f);

	if (!why && !f->off_vcpu)
		why = "no BTF shows struct kvm_vcpu";
	return why;
}

static const char *legacy_hindrance(const struct facts *f)
{
	if (!f->has_btf || !f->off_vcpu)
		return "the kernel has no BTF";
	if (f->prototype == PROTO_VCPU)
		return "its prototype is that of 5.16 and newer";
	if (f->prototype == PROTO_UNKNOWN)
		return "no BTF shows its prototype";
	return NULL;
}

static const char *running_hindrance(const struct facts *f)
{
	if (!f->has_btf)
		return "the kernel has no BTF";
	if (f->prototype != PROTO_ARM64)
		return "no BTF shows its prototype";
	if (!f->notifier || !f->off_vcpu)
		return "no BTF shows the way to the vCPU";
	return NULL;
}

static const char *running_direct_hindrance(const struct facts *f)
{
	const char *why = running_hindrance(f);

	if (!why && !f->rdonly_cast)
		why = "the kernel has no bpf_rdonly_cast (since 6.2)";
	return why;
}

static const char *tracepoint_hindrance(const struct facts *f)
{
	switch (f->format_err) {
	case 0:
		return NULL;
	case -EACCES:
	case -EPERM:
		return "tracefs may not be read (root and CAP_DAC_READ_SEARCH may)";
	case -EINVAL:
		return ON_ARM64 ? "its format file has ret and esr_ec elsewhere"
				: "its format file lacks exit_reason, isa or vcpu_id";
	default:
		return "tracefs is not mounted (mount -t tracefs tracefs /sys/kernel/tracing)";
	}
}

/*
 * The list of variants, best first. `read` is there twice: its second form avoids the lookup
 * of module BTF, which needs CAP_SYS_ADMIN, and pays with one more helper call.
 */
static const struct variant variants[] = {
	{ "direct", "kvm_exit_direct", "kvm_entry_typed", true, "", direct_hindrance, no_types },
	{ "read", "kvm_exit_read", "kvm_entry_typed", false, "", new_prototype, no_types },
	{ "read", "kvm_exit_raw", "kvm_entry_raw", false, " (raw tracepoint)", raw_hindrance,
	  no_types },
	{ "legacy", "kvm_exit_legacy", "kvm_entry_raw", false, "", legacy_hindrance,
	  no_reservation },
	{ "tracepoint", "kvm_exit_tracepoint", "kvm_entry_tracepoint", false, "",
	  tracepoint_hindrance, no_reservation },
};

/* The events of arm64 have no vCPU, and only BTF tells where else it is */
static const struct variant variants_arm64[] = {
	{ "direct", "kvm_exit_direct", "kvm_entry_direct", true, "", running_direct_hindrance,
	  no_reservation },
	{ "read", "kvm_exit_read", "kvm_entry_read", false, "", running_hindrance, no_reservation },
	{ "tracepoint", "kvm_exit_tracepoint", "kvm_entry_tracepoint", false,
	  " (by thread only: it has no vCPU ids)", tracepoint_hindrance, no_reservation },
};

bool variant__reads_format(const struct variant *v)
{
	return v->hindrance == tracepoint_hindrance;
}

bool variant__threads_only(const struct variant *v)
{
	return ON_ARM64 && variant__reads_format(v);
}

/* Whether the events of a variant tell the vCPU itself, not only its id */
static bool has_vcpu(const struct variant *v)
{
	return strcmp(v->entry, "kvm_entry_tracepoint");
}

/*
 * Whether a program can be where KVM_RUN begins. Like the typed events, it needs BTF of the
 * module kvm, which only CAP_SYS_ADMIN may look up.
 */
static bool sees_run(const struct variant *v, const struct facts *f)
{
	return f->run_function && (ON_ARM64 || !strcmp(v->entry, "kvm_entry_typed"));
}

/* Whether only kvm_vcpu_wakeup tells how long a vCPU was halted */
static bool needs_wakeup(const struct variant *v, const struct facts *f)
{
	return !has_vcpu(v) || !f->halt_wait;
}

bool variant__is_optional(const char *program)
{
	return !strncmp(program, "kvm_run", strlen("kvm_run"));
}

unsigned int variant__unsure(const char *program, const struct probe_request *request)
{
	/* By how the names begin; kvm_page_fault, kvm_mmio and kvm_fast_mmio are of details only */
	static const struct {
		const char *name;
		unsigned int unsure;
	} list[] = {
		{ "kvm_exit", 1u << UNSURE_EXITS },
		{ "kvm_entry", 1u << UNSURE_TIMES | 1u << UNSURE_DETAILS },
		{ "kvm_userspace_exit", 1u << UNSURE_TIMES },
		{ "kvm_run", 1u << UNSURE_TIMES },
		{ "kvm_vcpu_wakeup", 1u << UNSURE_TIMES },
		{ "", 1u << UNSURE_DETAILS },
	};
	const unsigned int asked = 1u << UNSURE_EXITS |
				   (unsigned int)request->time << UNSURE_TIMES |
				   (request->detail ? 1u << UNSURE_DETAILS : 0);
	size_t i = 0;

	while (strncmp(program, list[i].name, strlen(list[i].name)))
		i++;
	return list[i].unsure & asked;
}

unsigned int variant__untold(const struct variant *v, const struct facts *f)
{
	return (f->run_delay ? 0 : 1u << PART_WAIT) |
	       (has_vcpu(v) && f->halt_poll ? 0 : 1u << PART_POLL);
}

static const char *detail_hindrance(const struct variant *v, const struct facts *f)
{
	if (!f->has_btf)
		return "no BTF shows where KVM keeps what was behind an exit";
	if (ON_ARM64)
		return NULL;
	if (variant__reads_format(v) && !f->exit_record)
		return "its format file has info1, info2 or intr_info elsewhere";
	if (v->kfunc && f->offsets[OFFSET_VMX_REASON] &&
	    (!f->offsets[OFFSET_VMX_QUALIFICATION] || !f->offsets[OFFSET_VMX_INTR_INFO]))
		return "no BTF shows struct vcpu_vmx's exit_qualification";
	return NULL;
}

static const char *time_hindrance(const struct variant *v, const struct facts *f)
{
	/* arm64's kvm_entry tells nothing of the vCPU; the programs do not need it to */
	if (ON_ARM64)
		return NULL;
	if (has_vcpu(v))
		return f->entry_vcpu ? NULL : "no BTF shows kvm_entry's prototype";
	return f->entry_record ? NULL : "tracefs shows no kvm_entry with vcpu_id";
}

const struct variant *variants__ladder(size_t *n)
{
	*n = ON_ARM64 ? ARRAY_SIZE(variants_arm64) : ARRAY_SIZE(variants);
	return ON_ARM64 ? variants_arm64 : variants;
}

bool variants__is_name(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(variants); i++)
		if (!strcmp(name, variants[i].name))
			return true;
	return false;
}

/* Reasons of this architecture and where their details come from (reasons.def) */
static const struct {
	__u32 isa;
	__u32 code;
	enum source source;
} sources[] = {
#ifdef __aarch64__
#define ARM64_DETAIL(reason, source, kind, known, value) \
	{ ISA_ARM64, REASON_ARM64_##reason, source },
#else
#define VMX_DETAIL(reason, source, kind, known, value) { ISA_VMX, REASON_VMX_##reason, source },
#define SVM_DETAIL(reason, source, kind, known, value) { ISA_SVM, REASON_SVM_##reason, source },
#endif
#include "reasons.def"
};

/* BTF shows AMD's structs but not Intel's: kvm_intel is not loaded */
static bool is_amd(const struct facts *f)
{
	return f->offsets[OFFSET_SVM_VMCB] && !f->offsets[OFFSET_VMX_REASON];
}

/* Whether details are wanted for a reason whose detail comes from @source */
static bool wants(const struct probe_request *request, const struct facts *f, enum source source)
{
	bool found = false;
	size_t i;

	if (!request->detail || (is_amd(f) && source != FROM_FAULT))
		return false;
	for (i = 0; i < ARRAY_SIZE(sources); i++)
		found |= sources[i].source == source &&
			 filter__keeps(request->detail, sources[i].isa, sources[i].code);
	return found;
}

/* The one that reads kvm_page_fault as this kernel has it; NULL: that is not known */
static const char *fault_program(const struct facts *f)
{
	return f->fault == FAULT_VCPU  ? "kvm_page_fault"
	       : f->fault == FAULT_OLD ? "kvm_page_fault_old"
				       : NULL;
}

const char *variant__unknown(const struct probe_request *request, const struct facts *f)
{
	if (!f->notifier && wants(request, f, FROM_ADDRESS))
		return "EPT_VIOLATION, EPT_MISCONFIG, DABT_LOW: no BTF leads from a thread to its vCPU";
	if (!fault_program(f) && !ON_ARM64 && !is_amd(f) && request->detail &&
	    filter__keeps(request->detail, ISA_VMX, REASON_VMX_EPT_VIOLATION))
		return "EPT_VIOLATION: no BTF shows kvm_page_fault's arguments";
	return NULL;
}

size_t variant__programs(const struct variant *v, const struct probe_request *request,
			 const struct facts *f, char names[MAX_PROGRAMS][32])
{
	const char *on_entry = request->detail ? "_detailed" : "";
	const char *on_exit = request->time && !request->detail ? "_timed" : on_entry;
	/* Details that are known only after kvm_exit: at kvm_entry, or by other events */
	bool late = wants(request, f, FROM_QUALIFICATION) || wants(request, f, FROM_ADDRESS);
	bool addresses = f->notifier && wants(request, f, FROM_ADDRESS);
	/* On AMD the other details are known at once */
	bool first_touch = f->notifier && !ON_ARM64 && wants(request, f, FROM_FAULT);
	const char *const list[] = {
		request->time || late ? v->entry : NULL,
		request->time ? "kvm_userspace_exit" : NULL,
		request->time && sees_run(v, f) ? "kvm_run" : NULL,
		request->time && (ON_ARM64 || !sees_run(v, f)) ? "kvm_run_kprobe" : NULL,
		request->time && needs_wakeup(v, f) ? "kvm_vcpu_wakeup" : NULL,
		addresses ? fault_program(f) : NULL,
		addresses || first_touch ? "kvm_mmio" : NULL,
		addresses && !ON_ARM64 ? "kvm_fast_mmio" : NULL,
		v->program,
	};
	size_t i, n = 0;

	for (i = 0; i < ARRAY_SIZE(list); i++)
		if (list[i])
			snprintf(names[n++], sizeof(names[0]), "%s%s", list[i],
				 list[i] == v->program ? on_exit
				 : list[i] == v->entry ? on_entry
						       : "");
	return n;
}

/* The most slots for which one map value has room */
static __u32 most_slots(const struct probe_request *request)
{
	return MAX_STRIDES / layout_of(request->time, !!request->detail).stride;
}

const char *variant__objection(const struct variant *v, const struct probe_request *request,
			       const struct facts *f)
{
	const char *why = v->hindrance(f);

	if (!why && v->kfunc && request->max_vcpus > most_slots(request))
		why = "--max-vcpus is more than one map value (512 MB) has room for";
	if (!why && request->time)
		why = time_hindrance(v, f);
	if (!why && request->detail)
		why = detail_hindrance(v, f);
	if (!why && variant__threads_only(v) && request->selection->has_vcpu)
		why = "it knows threads only, not the vCPU that -v asks for";
	if (!why && !request->probe)
		why = v->reservation(f);
	return why;
}

const char *variants__objection(const char *name, const struct probe_request *request,
				const struct facts *f)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(variants); i++)
		if (!strcmp(name, variants[i].name))
			return variant__objection(&variants[i], request, f);
	return "there is none of this name";
}
