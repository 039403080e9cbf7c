/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What reasons.def says of exit reasons, as constants; both sides use it */
#ifndef REASON_CODES_H
#define REASON_CODES_H

/* REASON_VMX_CPUID and so on */
enum reason_code {
#define VMX(code, name, meaning) REASON_VMX_##name = code,
#define SVM(code, name, meaning) REASON_SVM_##name = code,
#define ARM64(code, name, meaning) REASON_ARM64_##name = code,
#include "reasons.def"
};

/* The first codes of SVM are in groups; the number of the register or vector is added */
enum {
	SVM_CR_READ = 0x00,
	SVM_CR_WRITE = 0x10,
	SVM_DR_READ = 0x20,
	SVM_DR_WRITE = 0x30,
	SVM_EXCP = 0x40,
	SVM_EXCP_LAST = 0x5f,
	SVM_CR_WRITE_TRAP = 0x90,
};

/* Where the kernel side reads a detail */
enum source {
	FROM_NOTHING, /* there is none, or nobody asks for it */
	FROM_MSR, /* the register RCX, and whether it was read or written */
	FROM_LEAF, /* RAX and RCX */
	FROM_HYPERCALL, /* RAX, or RCX */
	FROM_XCR, /* RCX */
	FROM_PMC, /* RCX */
	FROM_CODE, /* SVM: the reason itself */
	FROM_PORT, /* SVM: exit_info_1; the same for the next two */
	FROM_AVIC,
	FROM_APIC,
	FROM_FAULT, /* SVM: exit_info_1 and 2 */
	FROM_QUALIFICATION, /* VMX: the exit qualification, or the interruption information */
	FROM_ADDRESS, /* VMX and arm64: another event tells it */
	FROM_WFX, /* arm64: the syndrome; the same for the next two */
	FROM_SYSREG,
	FROM_ABORT, /* also the address */
	FROM_SMCCC, /* arm64: X0 */
};

#endif
