// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The tracepoint's format file: recorded, changed, broken. */
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "names/reason_filter.h"
#include "probe/facts.h"
#include "probe/probe.h"
#include "probe/variants.h"
#include "snapshot/misses.h"
#include "vm/selection.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* /sys/kernel/tracing/events/kvm/kvm_exit/format of 6.18, the end shortened */
static const char recorded[] =
	"name: kvm_exit\n"
	"ID: 103\n"
	"format:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
	"\n"
	"\tfield:unsigned int exit_reason;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned long guest_rip;\toffset:16;\tsize:8;\tsigned:0;\n"
	"\tfield:u32 isa;\toffset:24;\tsize:4;\tsigned:0;\n"
	"\tfield:u64 info1;\toffset:32;\tsize:8;\tsigned:0;\n"
	"\tfield:u64 info2;\toffset:40;\tsize:8;\tsigned:0;\n"
	"\tfield:u32 intr_info;\toffset:48;\tsize:4;\tsigned:0;\n"
	"\tfield:u32 error_code;\toffset:52;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned int vcpu_id;\toffset:56;\tsize:4;\tsigned:0;\n"
	"\tfield:u64 requests;\toffset:64;\tsize:8;\tsigned:0;\n"
	"\n"
	"print fmt: \"vcpu %u reason %s%s%s rip 0x%lx\", REC->vcpu_id, (REC->isa == 1) ? "
	"__print_symbolic(REC->exit_reason & 0xffff, { 0, \"EXCEPTION_NMI\" }, { 12, \"HLT\" }) : "
	"__print_symbolic(REC->exit_reason, { 0x078, \"hlt\" }), REC->guest_rip\n";

/* The same of arm64, 6.12 */
static const char recorded_arm64[] =
	"name: kvm_exit\n"
	"ID: 61\n"
	"format:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
	"\n"
	"\tfield:int ret;\toffset:8;\tsize:4;\tsigned:1;\n"
	"\tfield:unsigned int esr_ec;\toffset:12;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned long vcpu_pc;\toffset:16;\tsize:8;\tsigned:0;\n"
	"\n"
	"print fmt: \"%s: HSR_EC: 0x%04x (%s), PC: 0x%016lx\", REC->ret, REC->esr_ec\n";

/* @text with the first @old in it replaced; the caller's to free */
static char *replace(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);
	char *out = NULL;

	if (CHECK(at) &&
	    asprintf(&out, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old)) < 0)
		return NULL;
	return out;
}

static void test_recorded(void)
{
	struct facts f = { 0 };

	CHECK_INT(facts__parse_format(&f, recorded), 0);
	CHECK_INT(f.off_exit_reason, 8);
	CHECK_INT(f.off_isa, 24);
	CHECK_INT(f.off_vcpu_id, 56);
}

static void test_changed(void)
{
	static const struct {
		const char *old, *new;
		int err;
		__u32 exit_reason, isa, vcpu_id;
	} cases[] = {
		/* Moved, also to where several digits are needed */
		{ "exit_reason;\toffset:8;", "exit_reason;\toffset:12;", 0, 12, 24, 56 },
		{ "isa;\toffset:24;", "isa;\toffset:128;", 0, 8, 128, 56 },
		{ "vcpu_id;\toffset:56;", "vcpu_id;\toffset:1024;", 0, 8, 24, 1024 },
		/* Other types of the same size, other sign */
		{ "unsigned int exit_reason", "u32 exit_reason", 0, 8, 24, 56 },
		{ "size:4;\tsigned:0;\n\tfield:u64 info1", "size:4;\tsigned:1;\n\tfield:u64 info1",
		  0, 8, 24, 56 },
		/* Fields whose names only look alike, in front of the wanted ones */
		{ "\tfield:unsigned int exit_reason",
		  "\tfield:u32 last_exit_reason;\toffset:9;\tsize:4;\tsigned:0;\n"
		  "\tfield:u32 exit_reason_2;\toffset:10;\tsize:4;\tsigned:0;\n"
		  "\tfield:unsigned int exit_reason",
		  0, 8, 24, 56 },
		/* Missing */
		{ " exit_reason;", " reason;", -EINVAL, 0, 0, 0 },
		{ " isa;", " isaac;", -EINVAL, 0, 0, 0 },
		{ " vcpu_id;", " my_vcpu_id;", -EINVAL, 0, 0, 0 },
		/* Another size: reading 4 bytes would be wrong */
		{ "exit_reason;\toffset:8;\tsize:4;", "exit_reason;\toffset:8;\tsize:8;", -EINVAL,
		  0, 0, 0 },
		{ "isa;\toffset:24;\tsize:4;", "isa;\toffset:24;\tsize:2;", -EINVAL, 0, 0, 0 },
		{ "vcpu_id;\toffset:56;\tsize:4;", "vcpu_id;\toffset:56;\tsize:48;", -EINVAL, 0, 0,
		  0 },
		/* No offset, a wrong one, one that fits in nothing */
		{ "offset:24;", "offset:;", -EINVAL, 0, 0, 0 },
		{ "offset:24;", "offset:x;", -EINVAL, 0, 0, 0 },
		{ "offset:24;", "offset:-4;", -EINVAL, 0, 0, 0 },
		{ "offset:24;", "offset:4294967320;", -EINVAL, 0, 0, 0 },
		{ "offset:24;", "offset:18446744073709551640;", -EINVAL, 0, 0, 0 },
		{ "offset:24;", "offset:99999999999999999999999999999999;", -EINVAL, 0, 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = replace(recorded, cases[i].old, cases[i].new);
		struct facts f = { 0 };
		bool ok;

		if (!text)
			continue;
		ok = CHECK_INT(facts__parse_format(&f, text), cases[i].err);
		if (!cases[i].err) {
			ok &= CHECK_INT(f.off_exit_reason, cases[i].exit_reason);
			ok &= CHECK_INT(f.off_isa, cases[i].isa);
			ok &= CHECK_INT(f.off_vcpu_id, cases[i].vcpu_id);
		}
		if (!ok)
			fprintf(stderr, "\tin case %zu: %s\n", i, cases[i].new);
		free(text);
	}
}

static void test_arm64(void)
{
	struct facts f = { 0 };
	char *moved = replace(recorded_arm64, "esr_ec;\toffset:12", "esr_ec;\toffset:16");

	CHECK_INT(facts__parse_format_arm64(recorded_arm64), 0);
	CHECK_INT(facts__parse_format_arm64(recorded), -EINVAL);
	CHECK_INT(facts__parse_format(&f, recorded_arm64), -EINVAL);
	if (moved)
		CHECK_INT(facts__parse_format_arm64(moved), -EINVAL);
	free(moved);
}

/* Cut anywhere: complete with vcpu_id's size, an error before; never a crash */
static void test_truncated(void)
{
	const char *complete = strstr(recorded, "vcpu_id;\toffset:56;\tsize:4;");
	size_t len = complete - recorded + strlen("vcpu_id;\toffset:56;\tsize:4;");
	size_t n;

	for (n = 0; n < sizeof(recorded); n++) {
		char *text = strndup(recorded, n);
		struct facts f;

		if (!CHECK_INT(facts__parse_format(&f, text), n < len ? -EINVAL : 0))
			fprintf(stderr, "\tat %zu bytes\n", n);
		free(text);
	}
}

static void test_garbage(void)
{
	static const char *const texts[] = {
		"",
		"\n",
		"field:",
		" exit_reason;\toffset:",
		" exit_reason; isa; vcpu_id;",
		" exit_reason;\toffset:8;\tsize:4; isa;\toffset:8;\tsize:4",
		"\xff\xfe\xfd",
		"print fmt: \"\", REC->exit_reason, REC->isa, REC->vcpu_id",
	};
	struct facts f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (!CHECK_INT(facts__parse_format(&f, texts[i]), -EINVAL))
			fprintf(stderr, "\tin case %zu\n", i);
}

/* Kernels 5.11 to 5.15: legacy is the best that they have, with times and details, too */
static void test_legacy(void)
{
	const struct facts f = {
		.has_btf = true,
		.prototype = PROTO_REASON,
		.off_vcpu = 8,
		.entry_vcpu = true,
		.notifier = true,
		.fault = FAULT_OLD,
	};
	const struct selection all = { 0 };
	struct probe_request request = { .selection = &all, .max_vcpus = 16, .time = true };
	char why[256], names[MAX_PROGRAMS][32];
	const struct variant *v;
	bool old = false;
	size_t n;

	CHECK(!filter__new(&request.detail, "*", why, sizeof(why)));
	CHECK(variants__objection("direct", &request, &f));
	CHECK(variants__objection("read", &request, &f));
	CHECK_STR(variants__objection("legacy", &request, &f), NULL);
	CHECK_STR(variant__unknown(&request, &f), NULL);
	for (v = variants__ladder(&n); n && strcmp(v->name, "legacy"); n--)
		v++;
	if (!n) /* arm64 */
		return filter__free(request.detail);
	n = variant__programs(v, &request, &f, names);
	CHECK_STR(names[n - 1], "kvm_exit_legacy_detailed");
	while (n--) {
		old |= !strcmp(names[n], "kvm_page_fault_old");
		CHECK(strcmp(names[n], "kvm_page_fault"));
	}
	CHECK(old);
	filter__free(request.detail);
}

/* What the kernel may have missed with each of the programs that a variant can have */
static void test_unsure(void)
{
	const unsigned int exits = 1u << UNSURE_EXITS, times = 1u << UNSURE_TIMES,
			   details = 1u << UNSURE_DETAILS;
	static const char *const of_times[] = { "kvm_userspace_exit", "kvm_run", "kvm_run_kprobe",
						"kvm_vcpu_wakeup" };
	static const char *const of_details[] = { "kvm_page_fault", "kvm_page_fault_old",
						  "kvm_mmio", "kvm_fast_mmio" };
	struct probe_request request = { .time = true };
	char why[128];
	size_t i;

	CHECK_INT(variant__unsure("kvm_exit_direct_timed", &request), exits);
	CHECK_INT(variant__unsure("kvm_entry_typed", &request), times);
	CHECK(!filter__new(&request.detail, "*", why, sizeof(why)));
	CHECK_INT(variant__unsure("kvm_exit_tracepoint_detailed", &request), exits);
	CHECK_INT(variant__unsure("kvm_entry_raw_detailed", &request), times | details);
	for (i = 0; i < ARRAY_SIZE(of_times); i++)
		CHECK_INT(variant__unsure(of_times[i], &request), times);
	for (i = 0; i < ARRAY_SIZE(of_details); i++)
		CHECK_INT(variant__unsure(of_details[i], &request), details);
	request.time = false;
	CHECK_INT(variant__unsure("kvm_entry_raw_detailed", &request), details);
	filter__free(request.detail);
}

/* A tracepoint's prototype: void * and @args, each a kind: v vCPU, u u32, U u64 */
static struct btf *with_fault(const char *args)
{
	struct btf *btf = btf__new_empty();
	int u32 = btf__add_int(btf, "unsigned int", 4, 0);
	int u64 = btf__add_int(btf, "unsigned long", 8, 0);
	int vcpu = btf__add_ptr(btf, btf__add_struct(btf, "kvm_vcpu", 8));
	int any = btf__add_ptr(btf, 0), proto = btf__add_func_proto(btf, 0);

	btf__add_func_param(btf, "__data", any);
	for (; *args; args++)
		btf__add_func_param(btf, "arg", *args == 'v' ? vcpu : *args == 'u' ? u32 : u64);
	btf__add_typedef(btf, "btf_trace_kvm_page_fault", btf__add_ptr(btf, proto));
	return btf;
}

static void test_fault(void)
{
	static const struct {
		const char *args;
		enum fault fault;
	} cases[] = {
		{ "vUU", FAULT_VCPU }, /* since 6.1 at the latest */
		{ "Uu", FAULT_OLD }, /* 5.15 */
		{ "UU", FAULT_OLD },	  { "", FAULT_UNKNOWN },   { "uu", FAULT_UNKNOWN },
		{ "vU", FAULT_UNKNOWN },  { "Uv", FAULT_UNKNOWN }, { "vUu", FAULT_UNKNOWN },
		{ "UUU", FAULT_UNKNOWN },
	};
	struct btf *btf;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		btf = with_fault(cases[i].args);
		if (!CHECK_INT(facts__find_fault(btf), cases[i].fault))
			fprintf(stderr, "\tin case %s\n", cases[i].args);
		btf__free(btf);
	}
	btf = btf__new_empty();
	CHECK_INT(facts__find_fault(btf), FAULT_UNKNOWN);
	btf__free(btf);
}

int main(void)
{
	test_recorded();
	test_changed();
	test_arm64();
	test_truncated();
	test_garbage();
	test_legacy();
	test_fault();
	test_unsure();
	return check__report("facts");
}
