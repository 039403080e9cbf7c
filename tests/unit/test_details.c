// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Details: packed, as text, and back; their names; which reasons can have them */
#include <stdlib.h>

#include "check.h"
#include "lib/util.h"
#include "names/details.h"
#include "names/reasons.h"

#define VMX(code) ISA_VMX, code
#define SVM(code) ISA_SVM, code
#define HLT VMX(12) /* can have none */

static void test_cases(void)
{
	const struct {
		__u32 isa, code;
		__u64 detail;
		const char *text, *name;
	} cases[] = {
		{ VMX(31), detail_msr(0x6e0, 0), "msr 0x6e0", "IA32_TSC_DEADLINE" },
		{ VMX(32), detail_msr(0x6e0, 1), "msr 0x6e0", "IA32_TSC_DEADLINE" },
		{ VMX(32), detail_msr(0x6e0, 1) | DETAIL_L2, "msr 0x6e0 L2", "IA32_TSC_DEADLINE" },
		{ VMX(85), detail_msr(0x830, 1), "msr 0x830", "X2APIC_ICR" },
		{ SVM(0x7c), detail_msr(0x6e0, 1), "msr 0x6e0 write", "IA32_TSC_DEADLINE" },
		{ SVM(0x7c), detail_msr(0xc0010015, 0), "msr 0xc0010015 read", "K7_HWCR" },
		{ SVM(0x7c), detail_msr(0xffffffff, 0), "msr 0xffffffff read", "" },
		{ SVM(0x7c), detail_msr(0x40000020, 0), "msr 0x40000020 read",
		  "HV_TIME_REF_COUNT" },
		{ SVM(0x7c), detail_msr(0x839, 0), "msr 0x839 read", "X2APIC_TMCCT" },
		{ SVM(0x7c), detail_msr(0x4b564d00, 1), "msr 0x4b564d00 write",
		  "KVM_WALL_CLOCK_NEW" },
		{ SVM(0x7c), detail_msr(0x403, 1), "msr 0x403 write", "IA32_MC0_CTL" },
		{ VMX(30), detail_port(0x3f8, 1, 0, 0), "port 0x3f8 out 1", "COM1" },
		{ SVM(0x7b), detail_port(0x3fd, 1, 1, 0), "port 0x3fd in 1", "COM1" },
		{ SVM(0x7b), detail_port(0x1f0, 2, 1, 1), "port 0x1f0 ins 2", "IDE, primary" },
		{ SVM(0x7b), detail_port(0x402, 1, 0, 1) | DETAIL_L2, "port 0x402 outs 1 L2",
		  "BIOS debug console" },
		{ SVM(0x7b), detail_port(0x608, 4, 1, 0), "port 0x608 in 4", "ACPI PM timer" },
		{ SVM(0x7b), detail_port(0x604, 2, 0, 0), "port 0x604 out 2",
		  "ACPI power management" },
		{ SVM(0x7b), detail_port(0xfffff, 4, 0, 0), "port 0xffff out 4",
		  "a PCI device's, see --devices" },
		{ VMX(49), detail_mmio(0xfee00300), "mmio 0xfee00300", "LAPIC" },
		{ VMX(48), detail_mmio(0), "mmio 0x0", "" },
		{ SVM(0x400), detail_mmio(~0ull), "mmio 0x7ffffffffffff", "" },
		{ VMX(48), detail_fault(0x40200000, ACCESS_WRITE, 0), "fault 0x40200000 2M write",
		  "not mapped: first touch, taken away, dirty log" },
		{ VMX(48), detail_fault(0x403fffff, ACCESS_EXEC, 1),
		  "fault 0x40200000 2M exec mapped", "there, not executable: NX huge pages" },
		{ SVM(0x400), detail_fault((1ull << 52) - 1, ACCESS_READ, 1) | DETAIL_L2,
		  "fault 0xfffffffe00000 2M read mapped L2", "there, not to be read" },
		{ VMX(10), detail_leaf(1, 99), "leaf 0x1", "family, features" },
		{ VMX(10), detail_leaf(7, 0), "leaf 0x7 subleaf 0", "more features" },
		{ SVM(0x72), detail_leaf(0xd, 12), "leaf 0xd subleaf 0xc", "XSAVE" },
		{ SVM(0x72), detail_leaf(0xd, 0xfffe), "leaf 0xd subleaf 0xfffe", "XSAVE" },
		{ SVM(0x72), detail_leaf(0xd, 0xffff), "leaf 0xd subleaf >0xfffe", "XSAVE" },
		{ SVM(0x72), detail_leaf(0xd, 0x12345678) | DETAIL_L2,
		  "leaf 0xd subleaf >0xfffe L2", "XSAVE" },
		{ SVM(0x72), detail_leaf(0x8000001d, 3), "leaf 0x8000001d subleaf 3", "caches" },
		{ SVM(0x72), detail_leaf(0x40000001, 3), "leaf 0x40000001", "hypervisor" },
		{ VMX(18), detail_hypercall(5, HYPERCALL_KVM), "hypercall 5", "KICK_CPU" },
		{ VMX(18), detail_hypercall(10, HYPERCALL_KVM), "hypercall 0xa", "SEND_IPI" },
		{ SVM(0x81), detail_hypercall(0x5c, HYPERCALL_HYPERV), "hypercall 0x5c hyperv",
		  "POST_MESSAGE" },
		{ SVM(0x81), detail_hypercall(29, HYPERCALL_XEN), "hypercall 0x1d xen",
		  "sched_op" },
		{ SVM(0x81), detail_hypercall(29, HYPERCALL_KVM), "hypercall 0x1d", "" },
		{ ISA_ARM64, 0x16, detail_hypercall(0xc4000003, HYPERCALL_SMCCC),
		  "hypercall 0xc4000003", "PSCI CPU_ON" },
		{ VMX(1), detail_vector(0xec, VECTOR_HOST), "vector 0xec", "LOCAL_TIMER" },
		{ VMX(1), detail_vector(0x22, VECTOR_HOST), "vector 0x22",
		  "a device of the host: /proc/interrupts" },
		{ VMX(0), detail_vector(14, VECTOR_EXCEPTION), "exception 0xe", "#PF" },
		{ VMX(0), detail_vector(2, VECTOR_EXCEPTION), "exception 2",
		  "NMI: perf, watchdog" },
		{ VMX(45), detail_vector(0x31, VECTOR_EOI), "eoi 0x31", "" },
		{ VMX(28), detail_cr(4, CR_WRITE), "cr 4 write", "features" },
		{ VMX(28), detail_cr(3, CR_READ), "cr 3 read", "page tables" },
		{ VMX(28), detail_cr(0, CR_CLTS), "cr 0 clts", "modes, paging, FPU" },
		{ VMX(28), detail_cr(0, CR_LMSW), "cr 0 lmsw", "modes, paging, FPU" },
		{ VMX(29), detail_dr(7, 0), "dr 7 write", "breakpoint control" },
		{ VMX(29), detail_dr(6, 1), "dr 6 read", "breakpoint status" },
		{ VMX(44), detail_apic(0xb0, ACCESS_WRITE), "apic 0xb0 write", "EOI" },
		{ VMX(44), detail_apic(0x80, ACCESS_EVENT), "apic 0x80 event", "TASKPRI" },
		{ VMX(56), detail_apic(0x300, ACCESS_WRITE), "apic 0x300", "ICR" },
		{ SVM(0x402), detail_apic(0x110, ACCESS_READ), "apic 0x110 read", "ISR" },
		{ SVM(0x401), detail(DETAIL_AVIC, 1), "avic 1", "TARGET_NOT_RUNNING" },
		{ VMX(55), detail(DETAIL_XCR, 0), "xcr 0", "" },
		{ VMX(15), detail(DETAIL_PMC, 0x40000000), "pmc 0x40000000", "" },
		/* S3_0_C12_C11_5: ICC_SGI1R_EL1 */
		{ ISA_ARM64, 0x18, detail_sysreg(3 << 14 | 12 << 7 | 11 << 3 | 5, 1),
		  "sysreg s3_0_c12_c11_5 write", "ICC_SGI1R_EL1" },
		{ ISA_ARM64, 0x01, detail_sysreg(3 << 11 | 2 << 7 | 3, 0), "sysreg s0_3_c2_c0_3",
		  "WFI" },
		{ ISA_ARM64, 0x24, detail_mmio(0x9000018), "mmio 0x9000018",
		  "PL011 UART, if QEMU virt" },
		{ ISA_ARM64, 0x24, detail_mmio(0xfee00300), "mmio 0xfee00300", "" },
		{ ISA_ARM64, 0x20, detail_fault(0x40200000, ACCESS_EXEC, 0),
		  "fault 0x40200000 2M exec", "not mapped: first touch, taken away, dirty log" },
		{ ISA_ARM64, 0x18, detail_sysreg(0xffff, 0), "sysreg s3_7_c15_c15_7 read", "" },
		{ VMX(32), 0, "unknown", "" },
		{ SVM(0x7c), DETAIL_OTHER, "other", "" },
		{ HLT, DETAIL_NONE, "", "" },
		/* Of a reason that is not known to have it, all of it is told */
		{ HLT, detail_msr(0x6e0, 1), "msr 0x6e0 write", "IA32_TSC_DEADLINE" },
	};
	char buf[DETAIL_TEXT_MAX];
	__u64 again;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool ok = CHECK_STR(detail__text(cases[i].isa, cases[i].code, cases[i].detail, buf,
						 sizeof(buf)),
				    cases[i].text);

		ok &= CHECK_STR(detail__name(cases[i].isa, cases[i].detail), cases[i].name);
		ok &= CHECK(detail__parse(cases[i].isa, cases[i].code, cases[i].text, &again));
		ok &= CHECK_INT(again, cases[i].detail);
		if (!ok)
			fprintf(stderr, "\tin \"%s\"\n", cases[i].text);
	}
}

/* Whatever the programs put into the number: a text that fits, and that is this one's */
static void test_any(void)
{
	char buf[DETAIL_TEXT_MAX], next[DETAIL_TEXT_MAX];
	__u64 again, detail;
	size_t i, wrong = 0, read = 0;

	srandom(1);
	for (i = 0; i < 200000; i++) {
		__u32 isa = 1 + i % 2, code = isa == ISA_VMX ? i / 2 % 90 : 0x60 + i / 2 % 0x3a3;

		detail = ((__u64)random() << 31 ^ random() ^ (__u64)random() << 50) & DETAIL_MASK;
		detail__text(isa, code, detail, buf, sizeof(buf));
		wrong += strlen(buf) + 1 >= sizeof(buf) ||
			 strlen(detail__name(ISA_ARM64, detail)) > 48;
		if (!detail__parse(isa, code, buf, &again))
			continue;
		read++;
		detail__text(isa, code, again, next, sizeof(next));
		wrong += strcmp(buf, next) != 0;
	}
	CHECK_INT(wrong, 0);
	CHECK(read > 150000);
}

static void test_no_detail(void)
{
	static const char *const texts[] = {
		"msr",
		"msr ",
		"msr 0x6e0 ",
		" msr 0x6e0",
		"msr  0x6e0",
		"msr 0x",
		"msr 1760",
		"msr 0x6E0",
		"msr 0x100000000",
		"msr 0x6e0 read L2 L2",
		"msr 0x6e0 writes",
		"msr 0x6e0 L1",
		"MSR 0x6e0",
		"port 0x3f8 out",
		"port 0x10000 out 1",
		"port 0x3f8 out 8",
		"port 0x3f8 out 0x1",
		"port 0x3f8 sideways 1",
		"fault 0x40200001 2M write",
		"fault 0x40200000 write",
		"leaf 0x7 subleaf",
		"leaf 0x7 0",
		"leaf 0x7 subleaf >",
		"leaf 0x7 subleaf >0xfffd",
		"leaf 0x7 subleaf >0xffff",
		"port >0xfffe out 1",
		"vector 0x100",
		"hypercall 99999999999999999999999",
		"sysreg s3_0_c12_c11_8",
		"sysreg s4_0_c12_c11_5 read",
		"sysreg s3_0_c16_c11_5 read",
		"sysreg s3_0_c012_c11_5 read",
		"mmio 0x8000000000000",
		"Unknown",
		"unknown L2",
		"?",
	};
	__u64 detail;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		detail = 99;
		if (!CHECK(!detail__parse(HLT, texts[i], &detail)))
			fprintf(stderr, "\tin \"%s\"\n", texts[i]);
	}
	/* What the reason tells stands in no text of it */
	CHECK(!detail__parse(VMX(32), "msr 0x6e0 write", &detail));
	CHECK(!detail__parse(SVM(0x7c), "msr 0x6e0", &detail));
}

/* Names in details.def: as a list, and none of them hidden by one before it */
static void test_names(void)
{
	char buf[DETAIL_TEXT_MAX];
	size_t i;

	CHECK(named_details_count > 250);
	for (i = 0; i < named_details_count; i++) {
		const struct named_detail *n = &named_details[i], *m = named_details;

		while (m < n && (m->kind != n->kind || m->first > n->first || m->last < n->last))
			m++;
		if (!CHECK(m == n))
			fprintf(stderr, "\t%s is hidden by %s\n", n->name, m->name);
		CHECK(n->name[0] && strlen(named_detail__text(n, buf, sizeof(buf))) < 48);
	}
	CHECK_STR(named_detail__text(&named_details[0], buf, sizeof(buf)), "msr 0x10");
}

static const struct named_detail *find_named(const char *name)
{
	size_t i;

	for (i = 0; i < named_details_count; i++)
		if (!strcmp(named_details[i].name, name))
			return &named_details[i];
	return NULL;
}

static void test_lists(void)
{
	static const struct {
		const char *name, *text;
		__u32 isa, code;
	} listed[] = {
		{ "COM1", "port 0x3f8-0x3ff", VMX(30) },
		{ "KICK_CPU", "hypercall 5", VMX(18) },
		{ "FLUSH_VIRTUAL_ADDRESS_LIST", "hypercall 3 hyperv", SVM(0x81) },
		{ "#UD", "exception 6", VMX(0) },
		{ "LOCAL_TIMER", "vector 0xec", VMX(1) },
		{ "a device of the host: /proc/interrupts", "vector 0x20-0xea", VMX(1) },
		{ "there, not executable: NX huge pages", "fault 2M exec mapped", SVM(0x400) },
		{ "XSAVE", "leaf 0xd", VMX(10) },
		{ "ISR", "apic 0x100-0x170", VMX(56) },
		{ "X2APIC_ISR", "msr 0x810-0x817", SVM(0x7c) },
		{ "TARGET_NOT_RUNNING", "avic 1", SVM(0x401) },
		{ "LAPIC", "mmio 0xfee00000-0xfee00fff", VMX(49) },
	};
	char buf[DETAIL_TEXT_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(listed); i++) {
		const struct named_detail *n = find_named(listed[i].name);

		if (!CHECK(n))
			continue;
		CHECK_STR(named_detail__text(n, buf, sizeof(buf)), listed[i].text);
		CHECK(named_detail__is_of(n, listed[i].isa, listed[i].code));
		CHECK(!named_detail__is_of(n, HLT));
	}
	/* A vector says what it is of */
	CHECK(!named_detail__is_of(find_named("LOCAL_TIMER"), VMX(0)));
	CHECK(!named_detail__is_of(find_named("#UD"), VMX(1)));
	CHECK(!named_detail__is_of(find_named("#UD"), VMX(45)));
}

static void test_reasons(void)
{
	size_t i, have = 0;

	for (i = 0; i < reasons_count; i++)
		have += detail__can_have(reasons[i].isa, reasons[i].code);
	CHECK(have > 20);
	CHECK(detail__can_have(VMX(32)));
	CHECK(detail__can_be(VMX(32), DETAIL_MSR));
	CHECK(!detail__can_be(VMX(32), DETAIL_PORT));
	CHECK(detail__can_be(SVM(0x400), DETAIL_FAULT));
	CHECK(detail__can_be(SVM(0x400), DETAIL_MMIO));
	CHECK(!detail__can_have(HLT));
	CHECK(!detail__can_have(SVM(32)));
	CHECK(!detail__can_have(VMX(4711)));
}

int main(void)
{
	test_cases();
	test_any();
	test_no_detail();
	test_names();
	test_lists();
	test_reasons();
	return check__report("details");
}
