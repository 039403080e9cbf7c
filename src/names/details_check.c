// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Checks details.def against the kernel's headers at compile time, with the same trick as
 * reasons_check.c: an enum has constants with the names of the headers' macros, and the
 * macros hide those constants if the headers have them.
 */
enum {
#define MSR(nr, name) MSR_##name = (int)(nr),
#define MSRS(first, last, name) MSR(first, name)
#define HV_MSR(nr, name) HV_X64_MSR_##name = nr,
#define HV_MSRS(first, last, name) HV_MSR(first, name)
#define APICS(first, last, name) APIC_##name = first,
#define KVM_CALL(nr, name) KVM_HC_##name = nr,
#define HV_CALL(nr, name) HVCALL_##name = nr,
#define XEN_CALL(nr, name) __HYPERVISOR_##name = nr,
#define HOST_VECTOR(nr, name) name##_VECTOR = nr,
#define EXCEPTION(nr, name) name##_VECTOR = nr,
#define AVIC(nr, name) AVIC_IPI_FAILURE_##name = nr,
#define PSCI(prefix, nr, name) PSCI_##prefix##_##name = (int)(nr),
#include "details.def"
};

#if defined(__x86_64__) || defined(__i386__)
#include <asm/kvm.h>
#include <asm/kvm_para.h>
#include <linux/kvm_para.h>
#endif

#include <linux/psci.h>

#define SAME(header, nr) \
	_Static_assert((unsigned int)(header) == (nr), "details.def: " #header " is not " #nr);

#define MSR(nr, name) SAME(MSR_##name, nr)
#define MSRS(first, last, name) MSR(first, name)
#define HV_MSR(nr, name) SAME(HV_X64_MSR_##name, nr)
#define HV_MSRS(first, last, name) HV_MSR(first, name)
#define APICS(first, last, name) SAME(APIC_##name, first)
#define KVM_CALL(nr, name) SAME(KVM_HC_##name, nr)
#define HV_CALL(nr, name) SAME(HVCALL_##name, nr)
#define XEN_CALL(nr, name) SAME(__HYPERVISOR_##name, nr)
#define HOST_VECTOR(nr, name) SAME(name##_VECTOR, nr)
#define EXCEPTION(nr, name) SAME(name##_VECTOR, nr)
#define AVIC(nr, name) SAME(AVIC_IPI_FAILURE_##name, nr)
#define PSCI(prefix, nr, name) SAME(PSCI_##prefix##_##name, nr)
#include "details.def"
