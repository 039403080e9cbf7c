// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Checks reasons.def against the kernel's headers at compile time. It yields
 * no code and shares no header with the rest, as the trick needs this order:
 *
 * First an enum gives each reason a constant with the name it has in the
 * kernel's headers. Then those headers are included, and their macros hide
 * the constants of the same names. So each assertion compares reasons.def
 * with the header where the header knows the name, and with itself where the
 * header is older than the reason.
 */
enum {
#define VMX(code, name, meaning) EXIT_REASON_##name = code,
#define SVM(code, name, meaning) SVM_EXIT_##name = (int)code,
#define SVM_EXCP(vector, name, meaning) name##_VECTOR = vector,
#define SVM_GHCB(code, name, meaning) SVM_##name = (int)code,
#include "reasons.def"
	SVM_EXIT_EXCP_BASE = 0x40,
};

#if defined(__x86_64__) || defined(__i386__)
#include <asm/kvm.h>
#include <asm/svm.h>
#include <asm/vmx.h>
#endif

/* Compared as the 32 bits the tool counts by: SVM_EXIT_ERR is -1 there. */
#define SAME(header, code, name) \
	_Static_assert((unsigned int)(header) == (code), "reasons.def: " #name " is not " #header);

#define VMX(code, name, meaning) SAME(EXIT_REASON_##name, code, name)
#define SVM(code, name, meaning) SAME(SVM_EXIT_##name, code, name)
#define SVM_EXCP(vector, name, meaning) \
	SAME(SVM_EXIT_EXCP_BASE + name##_VECTOR, 0x40 + (vector), name)
#define SVM_GHCB(code, name, meaning) SAME(SVM_##name, code, name)
#include "reasons.def"
