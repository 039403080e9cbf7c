// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Exit reasons: from an ISA and a code to a name and a meaning. */
#include "names/reasons.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kvmexit.h"
#include "lib/util.h"

enum {
#define VMX(code, name, meaning) IDX_VMX_##name,
#define SVM(code, name, meaning) IDX_SVM_##name,
#define ARM64(code, name, meaning) IDX_ARM64_##name,
#include "reasons.def"
	NR_REASONS
};

/* clang-format off */
const struct reason reasons[] = {
#define VMX(code, name, meaning) { ISA_VMX, code, #name, meaning },
#define SVM(code, name, meaning) { ISA_SVM, code, #name, meaning },
#define ARM64(code, name, meaning) { ISA_ARM64, code, #name, meaning },
#include "reasons.def"
};
/* clang-format on */

const size_t reasons_count = NR_REASONS;

#define NAME_FITS(name) \
	_Static_assert(sizeof(#name) <= REASON_NAME_MAX, "reasons.def: " #name " is too long");
#define VMX(code, name, meaning) NAME_FITS(name)
#define SVM(code, name, meaning) NAME_FITS(name)
#define ARM64(code, name, meaning) NAME_FITS(name)
#include "reasons.def"

/* A switch and not a search, as it makes a duplicate code a compile error. */
static int vmx_index(unsigned int code)
{
	switch (code) {
#define VMX(code, name, meaning) \
	case code:               \
		return IDX_VMX_##name;
#include "reasons.def"
	default:
		return -1;
	}
}

static int svm_index(unsigned int code)
{
	switch (code) {
#define SVM(code, name, meaning) \
	case code:               \
		return IDX_SVM_##name;
#include "reasons.def"
	default:
		return -1;
	}
}

static int arm64_index(unsigned int code)
{
	switch (code) {
#define ARM64(code, name, meaning) \
	case code:                 \
		return IDX_ARM64_##name;
#include "reasons.def"
	default:
		return -1;
	}
}

const struct reason *reason__find(unsigned int isa, unsigned int code)
{
	int i = -1;

	if (isa == ISA_VMX)
		i = vmx_index(code);
	else if (isa == ISA_SVM)
		i = svm_index(code);
	else if (isa == ISA_ARM64)
		i = arm64_index(code);

	return i < 0 ? NULL : &reasons[i];
}

const char *reason__name(unsigned int isa, unsigned int code, char *buf, size_t size)
{
	const struct reason *r = reason__find(isa, code);

	if (r)
		return r->name;

	snprintf(buf, size, "UNKNOWN_%u", code);
	return buf;
}

static int compare_names(const void *a, const void *b)
{
	const struct reason *x = *(const struct reason *const *)a;
	const struct reason *y = *(const struct reason *const *)b;
	int order = THREE_WAY(x->isa, y->isa);

	return order ? order : strcmp(x->name, y->name);
}

bool reason__parse(unsigned int isa, const char *name, __u32 *code)
{
	static const struct reason *by_name[NR_REASONS];
	const struct reason key = { .isa = isa, .name = name }, *wanted = &key, **found;
	static const char unknown[] = "UNKNOWN_";
	__u64 n;
	size_t i;

	if (!by_name[0]) {
		for (i = 0; i < NR_REASONS; i++)
			by_name[i] = &reasons[i];
		qsort(by_name, NR_REASONS, sizeof(*by_name), compare_names);
	}
	found = bsearch(&wanted, by_name, NR_REASONS, sizeof(*by_name), compare_names);
	if (found) {
		*code = (*found)->code;
		return true;
	}
	if (strncmp(name, unknown, strlen(unknown)) ||
	    parse_uint(name + strlen(unknown), 0, UINT32_MAX, &n))
		return false;
	*code = n;
	return true;
}

/* Where perf kvm stat and the tracepoint of AMD print other names: SVM_EXIT_REASONS of asm/svm.h */
static const struct {
	const char *theirs, *name;
} aliases[] = {
	{ "interrupt", "INTR" },
	{ "read_idtr", "IDTR_READ" },
	{ "read_gdtr", "GDTR_READ" },
	{ "read_ldtr", "LDTR_READ" },
	{ "read_rt", "TR_READ" },
	{ "write_idtr", "IDTR_WRITE" },
	{ "write_gdtr", "GDTR_WRITE" },
	{ "write_ldtr", "LDTR_WRITE" },
	{ "write_rt", "TR_WRITE" },
	{ "io", "IOIO" },
	{ "hypercall", "VMMCALL" },
	{ "write_efer_trap", "EFER_WRITE_TRAP" },
	{ "write_cr0_trap", "CR0_WRITE_TRAP" },
	{ "write_cr4_trap", "CR4_WRITE_TRAP" },
	{ "write_cr8_trap", "CR8_WRITE_TRAP" },
	{ "vmgexit_page_state_change", "VMGEXIT_PSC" },
	{ "vmgexit_hypervisor_feature", "VMGEXIT_HV_FEATURES" },
	{ "invalid_guest_state", "ERR" },
	{ "XF excp", "EXCP_XM" },
#define SVM_EXCP(vector, name, meaning) { #name " excp", "EXCP_" #name },
#include "reasons.def"
};

const char *reason__translate(const char *name)
{
	static const char *const prefixes[] = { "EXIT_REASON_", "SVM_EXIT_", "ESR_ELx_EC_",
						"ARM_EXCEPTION_" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncasecmp(name, prefixes[i], strlen(prefixes[i])))
			return name + strlen(prefixes[i]);
	/* SVM_VMGEXIT_MMIO_READ */
	if (!strncasecmp(name, "SVM_VMGEXIT_", strlen("SVM_VMGEXIT_")))
		return name + strlen("SVM_");
	for (i = 0; i < ARRAY_SIZE(aliases); i++)
		if (!strcasecmp(name, aliases[i].theirs))
			return aliases[i].name;
	return name;
}

bool reason__parse_code(const char *text, __u32 *code)
{
	bool hex = !strncasecmp(text, "0x", 2);
	const char *digits = text + (hex ? 2 : 0);
	size_t len = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");

	if (!len || len > 10 || digits[len] || strtoull(digits, NULL, hex ? 16 : 10) > UINT32_MAX)
		return false;
	*code = strtoull(digits, NULL, hex ? 16 : 10);
	return true;
}

const char *isa__name(unsigned int isa)
{
	switch (isa) {
	case ISA_VMX:
		return "vmx";
	case ISA_SVM:
		return "svm";
	case ISA_ARM64:
		return "arm64";
	default:
		return "unknown";
	}
}

unsigned int isa__parse(const char *name)
{
	unsigned int isa;

	for (isa = 1; strcmp(isa__name(isa), "unknown"); isa++)
		if (!strcmp(name, isa__name(isa)))
			return isa;
	return 0;
}
