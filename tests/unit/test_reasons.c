// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The list of exit reasons: complete, well formed, found by its codes. */
#include <linux/types.h>
#include <asm/kvm.h>
#ifdef __x86_64__
#include <asm/svm.h>
#include <asm/vmx.h>
#endif

#include "check.h"
#include "kvmexit.h"
#include "names/reasons.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* ^[A-Z][A-Z0-9_]{0,47}$, the pattern of "reason" in the JSON schema */
static bool name_ok(const char *s)
{
	size_t len = strlen(s);

	return len >= 1 && len <= 48 && strchr(UPPER, s[0]) &&
	       strspn(s, UPPER "0123456789_") == len;
}

static bool meaning_ok(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;

	return len >= 10 && len <= 90 && s[0] != ' ' && s[len - 1] != ' ' && s[len - 1] != '.';
}

static void test_counts(void)
{
	unsigned int vmx = 0, svm = 0, arm64 = 0;

	for (size_t i = 0; i < reasons_count; i++) {
		vmx += reasons[i].isa == ISA_VMX;
		svm += reasons[i].isa == ISA_SVM;
		arm64 += reasons[i].isa == ISA_ARM64;
	}
	CHECK_INT(vmx, 68);
	CHECK_INT(svm, 130);
	CHECK_INT(arm64, 49);
	CHECK_INT(reasons_count, 68 + 130 + 49);
}

static void test_well_formed(void)
{
	for (size_t i = 0; i < reasons_count; i++) {
		const struct reason *r = &reasons[i];

		if (!CHECK(name_ok(r->name)) || !CHECK(meaning_ok(r->meaning)))
			fprintf(stderr, "\tin %s: %s\n", r->name, r->meaning);
	}
}

static void test_distinct_and_ordered(void)
{
	for (size_t i = 1; i < reasons_count; i++) {
		const struct reason *r = &reasons[i];

		if (r[-1].isa == r->isa && !CHECK(r[-1].code < r->code))
			fprintf(stderr, "\tat %s\n", r->name);
		for (size_t j = 0; j < i; j++)
			if (reasons[j].isa == r->isa)
				CHECK(strcmp(reasons[j].name, r->name));
	}
}

static void test_find_all(void)
{
	char buf[REASON_NAME_MAX];

	for (size_t i = 0; i < reasons_count; i++) {
		const struct reason *r = &reasons[i];

		CHECK(reason__find(r->isa, r->code) == r);
		CHECK_STR(reason__name(r->isa, r->code, buf, sizeof(buf)), r->name);
	}
}

static void test_spots(void)
{
	static const struct {
		unsigned int isa, code;
		const char *name;
	} spots[] = {
		{ ISA_VMX, 0, "EXCEPTION_NMI" },
		{ ISA_VMX, 4, "SIPI_SIGNAL" },
		{ ISA_VMX, 12, "HLT" },
		{ ISA_VMX, 48, "EPT_VIOLATION" },
		{ ISA_VMX, 49, "EPT_MISCONFIG" },
		{ ISA_VMX, 76, "SEAMCALL" },
		{ ISA_VMX, 77, "TDCALL" },
		{ ISA_VMX, 84, "MSR_READ_IMM" },
		{ ISA_VMX, 85, "MSR_WRITE_IMM" },
		{ ISA_VMX, 0xdead, "UNDEFINED" },
		{ ISA_SVM, 0, "READ_CR0" },
		{ ISA_SVM, 0x40, "EXCP_DE" },
		{ ISA_SVM, 0x4e, "EXCP_PF" },
		{ ISA_SVM, 0x53, "EXCP_XM" },
		{ ISA_SVM, 0x60, "INTR" },
		{ ISA_SVM, 0x78, "HLT" },
		{ ISA_SVM, 0x7b, "IOIO" },
		{ ISA_SVM, 0x7c, "MSR" },
		{ ISA_SVM, 0x81, "VMMCALL" },
		{ ISA_SVM, 0xa5, "BUS_LOCK" },
		{ ISA_SVM, 0xa6, "IDLE_HLT" },
		{ ISA_SVM, 0x400, "NPF" },
		{ ISA_SVM, 0x403, "VMGEXIT" },
		{ ISA_SVM, 0x80000018, "VMGEXIT_SNP_RUN_VMPL" },
		{ ISA_SVM, 0x8000001a, "VMGEXIT_SAVIC" },
		{ ISA_SVM, 0xf0000000, "SW" },
		{ ISA_SVM, 0xffffffff, "ERR" },
		{ ISA_ARM64, 0x01, "WFX" },
		{ ISA_ARM64, 0x16, "HVC64" },
		{ ISA_ARM64, 0x18, "SYS64" },
		{ ISA_ARM64, 0x20, "IABT_LOW" },
		{ ISA_ARM64, 0x24, "DABT_LOW" },
		{ ISA_ARM64, 0x40, "IRQ" },
		{ ISA_ARM64, 0x41, "EL1_SERROR" },
		{ ISA_ARM64, 0x43, "IL" },
		{ ISA_ARM64, 0xbadca51, "HYP_GONE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(spots); i++) {
		const struct reason *r = reason__find(spots[i].isa, spots[i].code);

		if (CHECK(r))
			CHECK_STR(r->name, spots[i].name);
	}
}

static void test_unknown(void)
{
	static const struct {
		unsigned int isa, code;
		const char *name;
	} unknown[] = {
		{ ISA_VMX, 5, "UNKNOWN_5" },
		{ ISA_VMX, 11, "UNKNOWN_11" },
		{ ISA_VMX, 0x8000000c, "UNKNOWN_2147483660" },
		{ ISA_VMX, 0x7fffffff, "UNKNOWN_2147483647" },
		{ ISA_VMX, 0xffffffff, "UNKNOWN_4294967295" },
		{ ISA_SVM, 1, "UNKNOWN_1" },
		{ ISA_SVM, 0x42, "UNKNOWN_66" },
		{ 0, 12, "UNKNOWN_12" },
		{ ISA_ARM64, 0x42, "UNKNOWN_66" }, /* TRAP: its class counts */
		{ ISA_ARM64, 0x3f, "UNKNOWN_63" },
		{ 4, 0x78, "UNKNOWN_120" },
	};
	char buf[REASON_NAME_MAX], tight[9];

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		unsigned int isa = unknown[i].isa, code = unknown[i].code;

		CHECK(!reason__find(isa, code));
		CHECK_STR(reason__name(isa, code, buf, sizeof(buf)), unknown[i].name);
	}

	/* too small a buffer cuts and terminates */
	CHECK_STR(reason__name(ISA_VMX, 11, tight, sizeof(tight)), "UNKNOWN_");
}

/* What kvm_exit tells on arm64, as one code */
static void test_arm64_code(void)
{
	CHECK_INT(arm64_code(ARM64_TRAP, 0x16), 0x16);
	CHECK_INT(arm64_code(ARM64_SERROR_BIT | ARM64_TRAP, 0x3c), 0x3c);
	/* The class is that of an earlier exit */
	CHECK_INT(arm64_code(0, 0x16), ARM64_RETURN);
	CHECK_INT(arm64_code(ARM64_SERROR_BIT | 1, 0x16), ARM64_RETURN + 1);
	CHECK_INT(arm64_code(0xbadca11, 0), 0xbadca51);
	CHECK(ARM64_RETURN + 3 < NR_LOW);
}

#ifdef __x86_64__
/* The names the header prints for VMX are ours: a misspelling shows here. */
static void test_header_vmx(void)
{
	static const struct {
		unsigned int code;
		const char *name;
	} header[] = { VMX_EXIT_REASONS };

	for (size_t i = 0; i < ARRAY_SIZE(header); i++) {
		const struct reason *r = reason__find(ISA_VMX, header[i].code);

		/* A newer header is no failure: the tool counts the code. */
		if (r)
			CHECK_STR(r->name, header[i].name);
		else
			printf("not in reasons.def: VMX %u %s\n", header[i].code, header[i].name);
	}
}

/* For SVM it prints other names, so only the codes can be compared. */
static void test_header_svm(void)
{
	static const struct {
		unsigned int code;
		const char *name;
	} header[] = { SVM_EXIT_REASONS };
	unsigned int known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(header); i++) {
		if (reason__find(ISA_SVM, header[i].code))
			known++;
		else
			printf("not in reasons.def: SVM 0x%x %s\n", header[i].code, header[i].name);
	}
	CHECK(known > 100 || known == ARRAY_SIZE(header));
}

#endif

static void test_isa_name(void)
{
	CHECK_STR(isa__name(ISA_VMX), "vmx");
	CHECK_STR(isa__name(ISA_SVM), "svm");
	CHECK_STR(isa__name(0), "unknown");
	CHECK_STR(isa__name(ISA_ARM64), "arm64");
	CHECK_STR(isa__name(4), "unknown");
}

int main(void)
{
	test_counts();
	test_well_formed();
	test_distinct_and_ordered();
	test_find_all();
	test_spots();
	test_unknown();
	test_arm64_code();
#ifdef __x86_64__
	test_header_vmx();
	test_header_svm();
#endif
	test_isa_name();
	return check__report("reasons");
}
