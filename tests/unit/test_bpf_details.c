// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What was behind an exit, as the BPF programs find it: on this machine's kernel, with
 * a vCPU of this test's own. That lies in a map, at whose address in the kernel the
 * programs read it as they would KVM's.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "kvmexit.h"
#include "kvmexit.skel.h"
#include "lib/util.h"
#include "probe/facts.h"
#include "probe/load.h"
#include "probe/probe.h"

/* Where in the map what is: the vCPU first, with what stands behind it */
enum {
	VCPU_SIZE = 16384, /* struct kvm_vcpu */
	VMX_REASON = VCPU_SIZE,
	VMX_QUALIFICATION = VMX_REASON + 8,
	VMX_INTR_INFO = VMX_QUALIFICATION + 8,
	SVM_VMCB = VMX_INTR_INFO + 8,
	VMCB = SVM_VMCB + 8,
	VMCB_CODE = 112,
	KVM = VMCB + 256, /* struct kvm */
	SIZE = KVM + (1 << 18),
};

static const struct config config = {
	.max_slots = 1,
	.offsets = { [OFFSET_VMX_REASON] = VMX_REASON,
		     [OFFSET_VMX_QUALIFICATION] = VMX_QUALIFICATION,
		     [OFFSET_VMX_INTR_INFO] = VMX_INTR_INFO,
		     [OFFSET_SVM_VMCB] = SVM_VMCB,
		     [OFFSET_VMCB_CODE] = VMCB_CODE },
};

static struct {
	int id, kvm, regs, regs_avail, efer, hyperv, xen, guest_mode,
		hflags; /* -ENOENT: the kernel has none */
} at;

static struct kvmexit_bpf *skel;
static struct shared shared; /* the slot, with its details and, as the tests want, a clock: */
static struct slot *slot;
static struct clock *clock;
static struct details *details;
static char *memory; /* the map's */
static __u64 address; /* of it in the kernel */
static bool plain;
static __u32 timed;

static bool find_fields(void)
{
	struct btf *btf = btf__load_vmlinux_btf();

	at.id = facts__find_offset(btf, "kvm_vcpu", "vcpu_id");
	at.kvm = facts__find_offset(btf, "kvm_vcpu", "kvm");
	at.regs = facts__find_offset(btf, "kvm_vcpu", "arch.regs");
	at.regs_avail = facts__find_offset(btf, "kvm_vcpu", "arch.regs_avail");
	at.efer = facts__find_offset(btf, "kvm_vcpu", "arch.efer");
	at.guest_mode = facts__find_offset(btf, "kvm_vcpu", "stat.guest_mode");
	at.hflags = facts__find_offset(btf, "kvm_vcpu", "arch.hflags");
	at.hyperv = facts__find_offset(btf, "kvm", "arch.hyperv.hv_guest_os_id");
	at.xen = facts__find_offset(btf, "kvm", "arch.xen_hvm_config.flags");
	if (at.xen < 0)
		at.xen = facts__find_offset(btf, "kvm", "arch.xen.hvm_config.flags");
	btf__free(btf);
	return at.id >= 0 && at.kvm >= 0 && at.regs > 0 && at.regs < VCPU_SIZE;
}

/* A program that stores the map's address into it, run once */
static bool make_memory(void)
{
	struct bpf_map_create_opts opts = { .sz = sizeof(opts), .map_flags = BPF_F_MMAPABLE };
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "vcpu", 4, SIZE, 1, &opts), prog;
	const struct bpf_insn insns[] = {
		{ BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_VALUE, 0, map },
		{ 0, 0, 0, 0, 0 },
		{ BPF_STX | BPF_MEM | BPF_DW, 1, 1, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	LIBBPF_OPTS(bpf_test_run_opts, run);

	prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "address", "GPL", insns,
			     ARRAY_SIZE(insns), NULL);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (!CHECK(memory != MAP_FAILED) || !CHECK(prog >= 0) ||
	    !CHECK_INT(bpf_prog_test_run_opts(prog, &run), 0))
		return false;
	address = *(__u64 *)memory;
	close(prog);
	return CHECK(address);
}

static void *map_memory(const struct bpf_map *map, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
}

/* By name: arm64 has not these */
static struct bpf_program *prog(const char *name)
{
	return bpf_object__find_program_by_name(skel->obj, name);
}

static bool load(void)
{
	struct bpf_program *progs[3];
	struct config *loaded;
	__u32 zero = 0;

	if (!CHECK_INT(object__open(&skel, !plain, NULL), 0))
		return false;
	loaded = (struct config *)&skel->rodata->config;
	*loaded = config;
	loaded->off_vcpu = at.id;
	loaded->layout = shared.layout = layout_of(timed, 1);
	progs[0] = prog("kvm_exit_raw_detailed");
	progs[1] = prog("kvm_entry_raw_detailed");
	progs[2] = prog("kvm_exit_legacy_detailed");
	bpf_program__set_autoload(progs[0], true);
	bpf_program__set_autoload(progs[1], true);
	bpf_program__set_autoload(progs[2], true);
	if (!CHECK_INT(probe__prepare(progs, 3, loaded, skel->maps.slots, !plain), 0) ||
	    !CHECK_INT(kvmexit_bpf__load(skel), 0))
		return false;
	shared.slots = map_memory(skel->maps.slots, shared.layout.stride);
	slot = shared__slot(&shared, 0);
	clock = shared__clock(&shared, 0);
	details = shared__details(&shared, 0);
	return CHECK(shared.slots != MAP_FAILED) &&
	       !bpf_map_update_elem(bpf_map__fd(skel->maps.free_slots), NULL, &zero, 0) &&
	       !bpf_map_update_elem(bpf_map__fd(skel->maps.token), NULL, &zero, 0);
}

static void unload(void)
{
	munmap(shared.slots, shared.layout.stride);
	kvmexit_bpf__destroy(skel);
}

static void run(struct bpf_program *prog, __u64 arg0, __u64 arg1)
{
	__u64 args[3] = { arg0, arg1, 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	CHECK_INT(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
}

static void put32(int off, __u32 value)
{
	memcpy(memory + off, &value, sizeof(value));
}

static void put64(int off, __u64 value)
{
	memcpy(memory + off, &value, sizeof(value));
}

/* One exit's circumstances, and what is to be found behind it */
struct event {
	__u32 isa;
	__u32 code;
	__u64 rax, rcx; /* at kvm_exit; afterwards they are others */
	__u64 info1, info2; /* SVM */
	__u64 qual; /* VMX */
	__u32 intr_info;
	__u32 marks; /* at kvm_entry */
	__u64 detail;
	__u64 efer, hyperv;
	__u32 xen;
	bool l2;
};

static void leave(const struct event *e)
{
	memset(memory, 0, SIZE);
	put64(at.kvm, address + KVM);
	put64(at.regs, e->rax);
	put64(at.regs + 8, e->rcx);
	put64(at.efer, e->efer);
	if (at.hyperv > 0)
		put64(KVM + at.hyperv, e->hyperv);
	if (at.xen > 0)
		put32(KVM + at.xen, e->xen);
	put32(VMX_REASON, e->code);
	/* Of an older exit */
	put64(VMX_QUALIFICATION, 0x0cfc000b);
	put32(VMX_INTR_INFO, 0x800000aa);
	put64(SVM_VMCB, address + VMCB);
	put32(VMCB + VMCB_CODE, e->code);
	put64(VMCB + VMCB_CODE + 8, e->info1);
	put64(VMCB + VMCB_CODE + 16, e->info2);
	if (at.guest_mode > 0)
		put64(at.guest_mode, e->l2);
	else
		put32(at.hflags, e->l2 ? 1 << 5 : 0);
	run(prog("kvm_exit_raw_detailed"), address, e->isa);
}

/* KVM has handled it: registers hold results, and VMX's fields what was read of them */
static void enter(const struct event *e)
{
	put64(at.regs, ~0ull);
	put64(at.regs + 8, ~0ull);
	put32(at.regs_avail, e->marks | 0x1ffff);
	if (e->marks & 1 << 23)
		put64(VMX_QUALIFICATION, e->qual);
	if (e->marks & 1 << 24)
		put32(VMX_INTR_INFO, e->intr_info);
	run(prog("kvm_entry_raw_detailed"), address, 0);
}

static __u32 index_of(__u32 code)
{
	return code < NR_LOW ? code : code - HIGH_BASE + NR_LOW;
}

static __u64 key_of(__u32 code, __u64 detail)
{
	return (__u64)(index_of(code) + 1) << DETAIL_INDEX_SHIFT | detail;
}

/* How many exits of a reason there are behind which there was this */
static __u64 found(__u32 code, __u64 detail)
{
	__u64 n = 0;
	int i;

	for (i = 0; i < NR_DETAILS; i++)
		if (details->entries[i].key == key_of(code, detail))
			n += details->entries[i].count;
	return n;
}

static __u64 all_found(void)
{
	__u64 n = 0;
	int i;

	for (i = 0; i < NR_DETAILS; i++)
		n += details->entries[i].count;
	for (i = 0; i < NR_CROWDED; i++)
		n += details->crowded[i];
	return n;
}

#define QUAL (1 << 23)
#define INTR (1 << 24)
#define LMA (1 << 10)

static void test_sources(void)
{
	const struct event events[] = {
		/* By registers; only the low half of them */
		{ ISA_SVM, 0x7c, .rcx = 0xff000006e0, .info1 = 1, .detail = detail_msr(0x6e0, 1) },
		{ ISA_SVM, 0x7c, .rcx = 0x6e0, .detail = detail_msr(0x6e0, 0) },
		{ ISA_SVM, 0x7c, .rcx = 0xc0000080, .detail = detail_msr(0xc0000080, 0), .l2 = 1 },
		{ ISA_VMX, 31, .rcx = 0x40000020, .detail = detail_msr(0x40000020, 0) },
		{ ISA_VMX, 32, .rcx = 0x40000020, .detail = detail_msr(0x40000020, 1) },
		{ ISA_VMX, 32, .rcx = 0x10, .detail = detail_msr(0x10, 1), .l2 = 1 },
		{ ISA_SVM, 0x72, .rax = 7, .rcx = 1, .detail = detail_leaf(7, 1) },
		{ ISA_SVM, 0x72, .rax = 1, .rcx = 9, .detail = detail_leaf(1, 0) },
		{ ISA_VMX, 10, .rax = 0x80000026, .rcx = 2, .detail = detail_leaf(0x80000026, 2) },
		{ ISA_VMX, 10, .rax = 0xd, .rcx = ~0u, .detail = detail_leaf(0xd, 0xffff) },
		{ ISA_SVM, 0x8d, .detail = (__u64)DETAIL_XCR << DETAIL_SHIFT },
		{ ISA_VMX, 55, .rcx = 1, .detail = (__u64)DETAIL_XCR << DETAIL_SHIFT | 1 },
		{ ISA_SVM, 0x6f, .rcx = 3, .detail = (__u64)DETAIL_PMC << DETAIL_SHIFT | 3 },
		{ ISA_VMX, 15, .rcx = 1 << 30,
		  .detail = (__u64)DETAIL_PMC << DETAIL_SHIFT | 1 << 30 },
		/* Hypercalls: whose they are is the VM's */
		{ ISA_SVM, 0x81, .rax = 5, .rcx = 2, .detail = detail_hypercall(5, HYPERCALL_KVM) },
		{ ISA_VMX, 18, .rax = 9, .detail = detail_hypercall(9, HYPERCALL_KVM) },
		{ ISA_VMX, 18, .rax = 5, .rcx = 0x1000d, .hyperv = 1, .efer = LMA,
		  .detail = detail_hypercall(0xd, HYPERCALL_HYPERV) },
		{ ISA_VMX, 18, .rax = 0x1005c, .rcx = 2, .hyperv = 1,
		  .detail = detail_hypercall(0x5c, HYPERCALL_HYPERV) },
		{ ISA_VMX, 18, .rax = 29, .xen = 2, .detail = detail_hypercall(29, HYPERCALL_XEN) },
		{ ISA_VMX, 18, .rax = 29, .xen = 1, .detail = detail_hypercall(29, HYPERCALL_KVM) },
		/* SVM's exit_info */
		{ ISA_SVM, 0x7b, .info1 = 0x03f80010, .detail = detail_port(0x3f8, 1, 0, 0) },
		{ ISA_SVM, 0x7b, .info1 = 0x0cfc0041, .detail = detail_port(0xcfc, 4, 1, 0) },
		{ ISA_SVM, 0x7b, .info1 = 0x01f0002d, .detail = detail_port(0x1f0, 2, 1, 1) },
		{ ISA_SVM, 0x400, .info1 = 0x10000000d, .info2 = 0xfee00300,
		  .detail = detail_mmio(0xfee00300) },
		{ ISA_SVM, 0x400, .info1 = 0x100000006, .info2 = 0x40201234,
		  .detail = detail_fault(0x40200000, ACCESS_WRITE, 0) },
		{ ISA_SVM, 0x400, .info1 = 0x100000015, .info2 = 0x40201234,
		  .detail = detail_fault(0x40200000, ACCESS_EXEC, 1) },
		{ ISA_SVM, 0x400, .info1 = 0x100000004, .info2 = 0x7f40201234,
		  .detail = detail_fault(0x7f40200000, ACCESS_READ, 0), .l2 = 1 },
		{ ISA_SVM, 0x401, .info2 = 1ull << 32 | 0xff,
		  .detail = (__u64)DETAIL_AVIC << DETAIL_SHIFT | 1 },
		{ ISA_SVM, 0x402, .info1 = 1ull << 32 | 0x320, .detail = detail_apic(0x320, 1) },
		{ ISA_SVM, 0x402, .info1 = 0x80, .detail = detail_apic(0x80, 0) },
		/* SVM's reason itself */
		{ ISA_SVM, 0x04, .detail = detail_cr(4, CR_READ) },
		{ ISA_SVM, 0x10, .detail = detail_cr(0, CR_WRITE) },
		{ ISA_SVM, 0x65, .detail = detail_cr(0, CR_WRITE) },
		{ ISA_SVM, 0x94, .detail = detail_cr(4, CR_WRITE) },
		{ ISA_SVM, 0x27, .detail = detail_dr(7, 1) },
		{ ISA_SVM, 0x36, .detail = detail_dr(6, 0) },
		{ ISA_SVM, 0x4e, .detail = detail_vector(14, VECTOR_EXCEPTION) },
		{ ISA_SVM, 0x51, .detail = detail_vector(17, VECTOR_EXCEPTION) },
		/* What VMX tells late */
		{ ISA_VMX, 0, .marks = INTR, .intr_info = 0x80000306,
		  .detail = detail_vector(6, VECTOR_EXCEPTION) },
		{ ISA_VMX, 1, .marks = INTR, .intr_info = 0x800000ec,
		  .detail = detail_vector(0xec, VECTOR_HOST) },
		{ ISA_VMX, 28, .marks = QUAL, .qual = 0x304, .detail = detail_cr(4, CR_WRITE) },
		{ ISA_VMX, 28, .marks = QUAL, .qual = 0x313, .detail = detail_cr(3, CR_READ) },
		{ ISA_VMX, 28, .marks = QUAL, .qual = 0x20, .detail = detail_cr(0, CR_CLTS) },
		{ ISA_VMX, 29, .marks = QUAL, .qual = 0x17, .detail = detail_dr(7, 1) },
		{ ISA_VMX, 30, .marks = QUAL, .qual = 0x03f80000,
		  .detail = detail_port(0x3f8, 1, 0, 0) },
		{ ISA_VMX, 30, .marks = QUAL, .qual = 0x0cfc000b,
		  .detail = detail_port(0xcfc, 4, 1, 0) },
		{ ISA_VMX, 30, .marks = QUAL, .qual = 0x01f00039,
		  .detail = detail_port(0x1f0, 2, 1, 1), .l2 = 1 },
		{ ISA_VMX, 44, .marks = QUAL, .qual = 0x1300, .detail = detail_apic(0x300, 1) },
		{ ISA_VMX, 44, .marks = QUAL, .qual = 0xa020,
		  .detail = detail_apic(0x20, ACCESS_EVENT) },
		{ ISA_VMX, 44, .marks = QUAL, .qual = 0xf020,
		  .detail = detail_apic(0x20, ACCESS_EXEC) },
		{ ISA_VMX, 45, .marks = QUAL, .qual = 0x31,
		  .detail = detail_vector(0x31, VECTOR_EOI) },
		{ ISA_VMX, 56, .marks = QUAL, .qual = 0x310, .detail = detail_apic(0x310, 1) },
		{ ISA_VMX, 84, .marks = QUAL, .qual = 0x6e0, .detail = detail_msr(0x6e0, 0) },
		{ ISA_VMX, 85, .marks = QUAL, .qual = 0x6e0, .detail = detail_msr(0x6e0, 1) },
		/* With KVM's mark missing what is there is another exit's: not known, L2 or not */
		{ ISA_VMX, 30, .marks = INTR, .intr_info = 0x31 },
		{ ISA_VMX, 1, .marks = QUAL, .qual = 0x03f80000 },
		{ ISA_VMX, 30, .l2 = 1 },
		/* Nor is an address that no event told */
		{ ISA_VMX, 48, .marks = QUAL, .qual = 0x182 },
		{ ISA_VMX, 49, .l2 = 1 },
		/* No details of these */
		{ ISA_SVM, 0x78, .info1 = 1 },
		{ ISA_VMX, 12, .marks = QUAL | INTR, .qual = 0x03f80000 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		const struct event *e = &events[i];
		__u64 detail = e->detail | (e->detail && e->l2 ? DETAIL_L2 : 0);
		bool has = i < ARRAY_SIZE(events) - 2;
		int k;

		/* Kernels without Hyper-V's or Xen's interface have none of their guests */
		if ((e->hyperv && at.hyperv < 0) || (e->xen && at.xen < 0))
			continue;
		if (!load())
			return;
		for (k = 0; k < 3; k++) {
			leave(e);
			enter(e);
		}
		if (!CHECK_INT(slot->count[index_of(e->code)], 3) ||
		    !CHECK_INT(found(e->code, detail), has ? 3 : 0) ||
		    !CHECK_INT(all_found(), has ? 3 : 0) || !CHECK_INT(details->pending, 0))
			fprintf(stderr, "event %zu: code %#x\n", i, e->code);
		unload();
	}
}

/* What VMX tells late is for the last exit only, and only as long as that is the same */
static void test_late(void)
{
	const struct event io = { ISA_VMX, 30, .marks = QUAL, .qual = 0x03f80000 };
	const struct event halt = { ISA_VMX, 12, .marks = QUAL, .qual = 0x00700000 };
	const __u64 port = detail_port(0x3f8, 1, 0, 0);

	if (!load())
		return;
	leave(&io);
	CHECK(details->pending == key_of(30, 0));
	CHECK_INT(all_found(), 0);
	enter(&io);
	CHECK_INT(found(30, port), 1);
	/* Another entry: nothing more */
	enter(&io);
	CHECK_INT(all_found(), 1);
	/* Two exits without an entry between them: of the first nothing was told */
	leave(&io);
	leave(&io);
	enter(&io);
	CHECK_INT(found(30, port), 2);
	CHECK_INT(found(30, 0), 1);
	/* The same, and the second has no detail: what there is is the second's */
	leave(&io);
	leave(&halt);
	enter(&halt);
	CHECK_INT(found(30, 0), 2);
	CHECK_INT(found(30, port), 2);
	CHECK_INT(all_found(), slot->count[30]);
	unload();
}

/* With the time: a span's is its detail's, whether that was known at once or not */
static void test_time(void)
{
	const struct event events[] = {
		{ ISA_VMX, 30, .marks = QUAL, .qual = 0x03f80000 },
		{ ISA_VMX, 32, .rcx = 0x6e0 },
		{ ISA_VMX, 12, .l2 = false }, /* none */
		{ ISA_VMX, 30, .l2 = false }, /* not known */
	};
	const __u64 keys[] = { key_of(30, detail_port(0x3f8, 1, 0, 0)),
			       key_of(32, detail_msr(0x6e0, 1)), 0, key_of(30, 0) };
	size_t i, k;

	timed = 1;
	for (i = 0; i < ARRAY_SIZE(events) && load(); i++, unload()) {
		const struct event *e = &events[i];
		__u64 time = 0, sum = 0;

		for (k = 0; k < 3; k++) {
			leave(&events[2]);
			enter(&events[2]);
			leave(e);
			usleep(2000);
			enter(e);
		}
		for (k = 0; k < NR_DETAILS; k++) {
			sum += details->entries[k].time;
			if (details->entries[k].key == keys[i])
				time += details->entries[k].time - details->entries[k].wait;
		}
		CHECK_INT(sum, keys[i] ? clock->rows[clock->row_of[e->code]].time : 0);
		CHECK(!keys[i] || time >= 1000000);
	}
	timed = 0;
}

/* More details than room: each exit is in an entry, or among those that found none */
static void test_crowd(void)
{
	struct event e = { ISA_SVM, .l2 = false };
	__u32 i, n = 3 * NR_DETAILS;
	__u64 kept = 0;

	if (!load())
		return;
	for (i = 0; i < 2 * n; i++) {
		e.code = i % 3 ? 0x7c : 0x72;
		e.rax = e.rcx = 0xc0000000 + i % n;
		leave(&e);
	}
	for (i = 0; i < NR_DETAILS; i++) {
		CHECK(details->entries[i].key);
		kept += details->entries[i].count;
	}
	CHECK_INT(kept, 2 * NR_DETAILS);
	CHECK_INT(all_found(), 2 * n);
	CHECK_INT(slot->count[0x7c] + slot->count[0x72], 2 * n);
	/* By reason, too */
	for (i = 0, kept = 0; i < NR_DETAILS; i++)
		if (details->entries[i].key >> DETAIL_INDEX_SHIFT == 0x7d)
			kept += details->entries[i].count;
	for (i = 0; i < NR_CROWDED; i++)
		if (details->reasons[i] == 0x7d)
			kept += details->crowded[i];
	CHECK_INT(kept, slot->count[0x7c]);
	/* Who has an entry keeps it */
	e = (struct event){ ISA_SVM, 0x72, .rax = 0xc0000000 };
	kept = found(0x72, detail_leaf(0xc0000000, 0));
	leave(&e);
	CHECK_INT(found(0x72, detail_leaf(0xc0000000, 0)), kept + 1);
	unload();
}

/* SVM: until the next exit, of any kind, a page fault may turn out to be something else */
static void test_first_touch(void)
{
	const struct event fault = { ISA_SVM, 0x400, .info1 = 6, .info2 = 0x40201234 };
	const struct event others[] = {
		{ ISA_SVM, 0x78, .rax = 1 }, /* has no details */
		{ ISA_SVM, 0x72, .rax = 1 },
		fault,
	};
	const __u64 memory_fault = detail_fault(0x40200000, ACCESS_WRITE, 0);
	__u64 i;

	if (!load())
		return;
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		leave(&fault);
		CHECK(details->pending == key_of(0x400, 0));
		CHECK_INT(details->fault, memory_fault);
		CHECK_INT(found(0x400, memory_fault), i);
		leave(&others[i]);
		CHECK_INT(found(0x400, memory_fault), i + 1);
	}
	CHECK(details->pending);
	unload();
}

/* A guest that touches all its memory once leaves room for what comes after */
static void test_touched(void)
{
	struct event fault = { ISA_SVM, 0x400, .info1 = 6 }, msr = { ISA_SVM, 0x7c, .l2 = false };
	__u32 i, n = 10 * NR_DETAILS;

	if (!load())
		return;
	for (i = 0; i < n; i++) {
		fault.info2 = (__u64)i << 21;
		leave(&fault);
	}
	for (i = 0; i < NR_DETAILS - NR_REGIONS; i++) {
		msr.rcx = 0xc0000000 + i;
		leave(&msr);
		CHECK_INT(found(0x7c, detail_msr(msr.rcx, 0)), 1);
	}
	CHECK_INT(details->regions, NR_REGIONS);
	CHECK_INT(found(0x400, detail_fault(0, ACCESS_WRITE, 0)), 1);
	CHECK_INT(all_found(), n + NR_DETAILS - NR_REGIONS);
	unload();
}

/* Without the vendor's structs: registers alone, and whose guest's it is by KVM's flag */
static void test_legacy(void)
{
	const __u64 args[3] = { 31, address, ISA_VMX };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	if (!load())
		return;
	memset(memory, 0, SIZE);
	put64(at.regs + 8, 0x1b);
	CHECK_INT(bpf_prog_test_run_opts(bpf_program__fd(prog("kvm_exit_legacy_detailed")), &opts),
		  0);
	CHECK_INT(found(31, detail_msr(0x1b, 0)), 1);
	unload();
}

int main(void)
{
	int i;

	libbpf_set_print(NULL);
	if (geteuid()) {
		printf("bpf_details: 0 passed, 0 failed, 1 skipped (not root)\n");
		return 0;
	}
	if (ON_ARM64) {
		printf("bpf_details: 0 passed, 0 failed, 1 skipped (events of x86)\n");
		return 0;
	}
	for (i = 0; CHECK(find_fields()) && make_memory() && i < 2; i++) {
		plain = i;
		test_sources();
		test_late();
		test_crowd();
		test_first_touch();
		test_touched();
		test_time();
		test_legacy();
	}
	return check__report("bpf_details");
}
