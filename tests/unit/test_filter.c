// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* -r: which lists are taken, what they keep, and that nothing is lost by it */
#include <errno.h>
#include <stdlib.h>

#ifdef __x86_64__
#include <asm/kvm.h>
#include <asm/svm.h>
#include <asm/vmx.h>
#endif

#include "check.h"
#include "lib/util.h"
#include "names/reason_filter.h"
#include "names/reasons.h"
#include "rows/select.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* Exits of three VMX reasons, an unknown one, and HLT of SVM: 1, 2, 4, 8 and 16 */
static const struct sample all[] = {
	{ NULL, 1, 0, ISA_VMX, 12, 1, 1 }, /* HLT */
	{ NULL, 1, 0, ISA_VMX, 31, 2, 2 }, /* MSR_READ */
	{ NULL, 1, 0, ISA_VMX, 32, 4, 4 }, /* MSR_WRITE */
	{ NULL, 1, 0, ISA_VMX, 65000, 8, 8 }, /* UNKNOWN_65000 */
	{ NULL, 1, 0, ISA_SVM, 0x78, 16, 16 }, /* HLT */
};

#define ALL 31

static void test_kept(void)
{
	static const struct {
		const char *list;
		__u64 kept;
	} cases[] = {
		{ "HLT", 17 },
		{ "hlt", 17 },
		{ "Hlt,msr_read", 19 },
		{ "msr_*", 6 },
		{ "*", ALL },
		{ "*_WRITE", 4 },
		{ "!HLT", ALL - 17 },
		{ "!HLT,!MSR_*", 8 },
		{ "!*", 0 },
		{ "*,!MSR_READ", ALL - 2 },
		{ "MSR_*,!MSR_READ", 4 },
		{ "!MSR_READ,MSR_*", 4 },
		{ "UNKNOWN_65000", 8 },
		{ "unknown_*", 8 },
		{ "CPUID", 0 },
		/* Codes, of any ISA */
		{ "12", 1 },
		{ "120", 16 },
		{ "0x78", 16 },
		{ "0X1f,!0x20", 2 },
		{ "!12", ALL - 1 },
		{ "65000", 8 },
		{ "4294967295", 0 },
		/* The kernel's constants */
		{ "EXIT_REASON_HLT", 17 },
		{ "svm_exit_hlt", 17 },
		{ "EXIT_REASON_MSR_*", 6 },
		{ "!EXIT_REASON_HLT", ALL - 17 },
	};
	size_t i, k, round;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sample some[ARRAY_SIZE(all)];
		struct filter *f = NULL;
		char why[256];

		CHECK_INT(filter__new(&f, cases[i].list, why, sizeof(why)), 0);
		for (round = 0; f && round < 2; round++) {
			struct snapshot snap = { .samples = some, .nr_samples = ARRAY_SIZE(all) };
			__u64 kept = 0;

			memcpy(some, all, sizeof(all));
			select__reasons(f, &snap);
			for (k = 0; k < snap.nr_samples; k++)
				kept += snap.samples[k].count;
			if (!CHECK_INT(kept, cases[i].kept) ||
			    !CHECK_INT(snap.hidden, ALL - cases[i].kept))
				fprintf(stderr, "\tin %s\n", cases[i].list);
		}
		filter__free(f);
	}
}

/* Each name by which the kernel's tracepoint and perf kvm stat know a reason keeps that one */
static void test_kernel_names(void)
{
#ifdef __x86_64__
	static const struct kernel_name {
		unsigned int code;
		const char *name;
	} vmx[] = { VMX_EXIT_REASONS }, svm[] = { SVM_EXIT_REASONS };
	const size_t nr = ARRAY_SIZE(vmx) + ARRAY_SIZE(svm);
	size_t i, found = 0;

	for (i = 0; i < nr; i++) {
		const bool is_vmx = i < ARRAY_SIZE(vmx);
		const struct kernel_name *n = is_vmx ? &vmx[i] : &svm[i - ARRAY_SIZE(vmx)];
		const unsigned int isa = is_vmx ? ISA_VMX : ISA_SVM;
		struct filter *f = NULL;
		char why[256] = "";

		/* A flag is none, nor are reasons newer than reasons.def */
		if (!reason__find(isa, n->code))
			continue;
		found++;
		CHECK_INT(filter__new(&f, n->name, why, sizeof(why)), 0);
		if (!CHECK(f && filter__keeps(f, isa, n->code)))
			fprintf(stderr, "\t%s: %s\n", n->name, why);
		filter__free(f);
	}
	CHECK(found > 150);
#endif
}

static void test_refused(void)
{
	static const struct {
		const char *list, *why;
	} cases[] = {
		{ "", ": no exit reason has this name; see kvmexit --list-reasons" },
		{ "HLT,", ": no exit reason has this name; see kvmexit --list-reasons" },
		{ "!", ": no exit reason has this name; see kvmexit --list-reasons" },
		{ "nonsense",
		  "nonsense: no exit reason has this name; see kvmexit --list-reasons" },
		{ "HLT,!cpui", "cpui: no exit reason has this name; there are CPUID" },
		{ "MSR_", "MSR_: no exit reason has this name; there are MSR_READ, MSR_WRITE, "
			  "MSR_LOAD_FAIL, MSR_READ_IMM, MSR_WRITE_IMM" },
		{ "H?T", "H?T: no exit reason has this name; see kvmexit --list-reasons" },
		{ "[H]LT", "[H]LT: no exit reason has this name; see kvmexit --list-reasons" },
		{ "!!HLT", "!HLT: no exit reason has this name; see kvmexit --list-reasons" },
		{ "4294967296",
		  "4294967296: no exit reason has this name; see kvmexit --list-reasons" },
		{ "0x", "0x: no exit reason has this name; see kvmexit --list-reasons" },
		{ "1e", "1e: no exit reason has this name; see kvmexit --list-reasons" },
		{ "-1", "-1: no exit reason has this name; see kvmexit --list-reasons" },
		{ "EXIT_REASON_", ": no exit reason has this name; see kvmexit --list-reasons" },
		{ "EXIT_REASON_cpui", "cpui: no exit reason has this name; there are CPUID" },
		{ "HLT CPUID",
		  "HLT CPUID: no exit reason has this name; see kvmexit --list-reasons" },
	};
	struct filter *f = NULL;
	char why[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_INT(filter__new(&f, cases[i].list, why, sizeof(why)), -EINVAL);
		CHECK_STR(why, cases[i].why);
	}
	/* A message that is cut stays one */
	CHECK_INT(filter__new(&f, "MSR_", why, 50), -EINVAL);
	CHECK_INT(strlen(why), 49);
	filter__free(NULL);
}

/* What remains is all that shares of time are of */
static void test_times(void)
{
	struct times halt = { .part = { [PART_KVM] = 3, [PART_IDLE] = 100 } };
	struct times write = { .part = { [PART_USER] = 20, [PART_WAIT] = 1 } };
	struct sample some[] = {
		{ NULL, 1, 0, ISA_VMX, 12, 1, 1, &halt },
		{ NULL, 1, 0, ISA_VMX, 32, 0, 4, &write },
	};
	struct snapshot snap = { .samples = some, .nr_samples = 2, .service = 24 };
	struct filter *f = NULL;
	char why[256];

	CHECK_INT(filter__new(&f, "!HLT", why, sizeof(why)), 0);
	select__reasons(f, &snap);
	CHECK_INT(snap.nr_samples, 1);
	CHECK_INT(snap.service, 21);
	CHECK_INT(snap.hidden, 1);
	filter__free(f);
}

int main(void)
{
	test_kept();
	test_kernel_names();
	test_times();
	test_refused();
	return check__report("filter");
}
