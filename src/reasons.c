// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Exit reasons: from an ISA and a code to a name and a meaning. */
#include "reasons.h"

#include <stdio.h>

#include "../kvmexit.h"

enum {
#define VMX(code, name, meaning) IDX_VMX_##name,
#define SVM(code, name, meaning) IDX_SVM_##name,
#define ARM64(code, name, meaning) IDX_ARM64_##name,
#include "../reasons.def"
	NR_REASONS
};

/* clang-format off */
const struct reason reasons[] = {
#define VMX(code, name, meaning) { ISA_VMX, code, #name, meaning },
#define SVM(code, name, meaning) { ISA_SVM, code, #name, meaning },
#define ARM64(code, name, meaning) { ISA_ARM64, code, #name, meaning },
#include "../reasons.def"
};
/* clang-format on */

const size_t reasons_count = NR_REASONS;

#define NAME_FITS(name) \
	_Static_assert(sizeof(#name) <= REASON_NAME_MAX, "reasons.def: " #name " is too long");
#define VMX(code, name, meaning) NAME_FITS(name)
#define SVM(code, name, meaning) NAME_FITS(name)
#define ARM64(code, name, meaning) NAME_FITS(name)
#include "../reasons.def"

/* A switch and not a search, as it makes a duplicate code a compile error. */
static int vmx_index(unsigned int code)
{
	switch (code) {
#define VMX(code, name, meaning) \
	case code:               \
		return IDX_VMX_##name;
#include "../reasons.def"
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
#include "../reasons.def"
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
#include "../reasons.def"
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
