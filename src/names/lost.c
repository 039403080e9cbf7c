// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "names/lost.h"

const struct cause causes[NR_CAUSES] = {
	[LOST_FULL] = { "full", "more vCPU threads than --max-vcpus" },
	[LOST_MAP] = { "map", "a BPF map refused an entry" },
	[LOST_CODES] = { "codes", "too many different unknown exit reasons" },
	[LOST_VCPU] = { "vcpu", "the event had no vCPU" },
	[LOST_READ] = { "read", "the exit reason could not be read" },
	[LOST_VMX] = { "vmx", "kvm_intel was loaded after kvmexit began: start kvmexit again" },
	[LOST_SVM] = { "svm", "kvm_amd was loaded after kvmexit began: start kvmexit again" },
	[LOST_ISA] = { "isa", "the event was neither of VMX nor of SVM" },
	[LOST_MISSED] = { "missed", "the BPF program was interrupted by itself" },
};
