// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Guests on Intel and AMD: vCPUs that start in 64-bit mode */
#include <cpuid.h>
#include <err.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define STEP(slot, name, insns) \
	"cmpq $0, 8*" #slot "(%r15); je 9f; decq 8*" #slot "(%r15);" insns "\n 9:\n"

extern const uint8_t guest_code[], guest_ud[], guest_l2[], guest_end[];
asm(".pushsection .rodata\n"
    "guest_code:\n" KINDS(
	    STEP) "	dec %r14\n"
		  "	jnz guest_code\n"
		  "	lidt 0x800(%r15)\n" /* zeros: nothing can be delivered any more */
		  "	int3\n"
		  "guest_ud:\n"
		  "	addq $2, (%rsp)\n"
		  "	iretq\n"
		  "guest_l2:\n"
		  "	cpuid\n"
		  "	jmp guest_l2\n"
		  "guest_end:\n"
		  ".popsection\n");

/* Guest memory, besides code and data */
enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	GDT = 0x4000,
	IDT = 0x5000,
	CS = 8,
	DS = 16,
};

const char *machine__isa = "vmx";
const bool machine__shows[NR_KINDS] = {
	[KIND_io] = true,
	[KIND_mmio] = true,
	[KIND_hlt] = true,
};

static bool svm;
static struct {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[256];
} cpuid;

static bool has_apic(void)
{
	return opt.counts[KIND_icr] || opt.counts[KIND_deadline];
}

void machine__open(void)
{
	unsigned int eax, ebx, ecx, edx;

	cpuid.head.nent = 256;
	KVM(kvm_fd, KVM_GET_SUPPORTED_CPUID, &cpuid);
	/* With its own APIC KVM has the TSC deadline, whether or not it says so */
	for (uint32_t i = 0; i < cpuid.head.nent && has_apic(); i++)
		if (cpuid.entries[i].function == 1)
			cpuid.entries[i].ecx |= 1 << 24;
	__cpuid(0, eax, ebx, ecx, edx);
	svm = ebx == signature_AMD_ebx || ebx == 0x6f677948 /* Hygo */;
	if (svm)
		machine__isa = "svm";
	if (has_apic() && opt.counts[KIND_hlt])
		errx(64, "hlt: not with icr and deadline");
}

static void fill_memory(uint8_t *memory)
{
	uint64_t *pd = (uint64_t *)(memory + PD), *gdt = (uint64_t *)(memory + GDT);
	uint64_t *idt = (uint64_t *)(memory + IDT);
	uint64_t handler = CODE + (guest_ud - guest_code);

	*(uint64_t *)(memory + PML4) = PDPT | 3;
	*(uint64_t *)(memory + PDPT) = PD | 3;
	for (uint64_t i = 0; i < 512; i++)
		pd[i] = i << 21 | 0x83; /* 2 MB, writable */
	gdt[CS / 8] = 0x00af9b000000ffff; /* 64-bit code */
	gdt[DS / 8] = 0x00cf93000000ffff;
	idt[6 * 2] = handler | CS << 16 | 0x8eULL << 40; /* interrupt gate */
	memcpy(memory + CODE, guest_code, guest_end - guest_code);
}

void machine__set_up_vm(struct vm *vm)
{
	fill_memory(vm->memory);
	if (has_apic())
		KVM(vm->fd, KVM_CREATE_IRQCHIP, 0);
}

/* Behind the data pages, for each vCPU: a VMCB, and what VMRUN saves of the host */
static uint64_t vmcb_of(int index)
{
	return DATA + (uint64_t)opt.vcpus * PAGE + (uint64_t)index * 2 * PAGE;
}

size_t machine__memory_size(void)
{
	return vmcb_of(opt.vcpus);
}

/*
 * L2, by the offsets of the AMD manual's appendix B: the same memory and mode as
 * L1, at guest_l2, with CPUID intercepted. Its rip stays there: an exit a VMRUN.
 */
static void vmcb__fill(uint8_t *vmcb)
{
	const uint16_t data = 0xc93, code = 0xa9b;

	*(uint32_t *)(vmcb + 0x00c) = 1U << 18 | 1U << 31; /* CPUID, shutdown */
	*(uint32_t *)(vmcb + 0x010) = 1; /* VMRUN */
	*(uint32_t *)(vmcb + 0x058) = 1; /* ASID */
	for (int segment = 0x400; segment <= 0x430; segment += 0x10) {
		*(uint16_t *)(vmcb + segment) = segment == 0x410 ? CS : DS;
		*(uint16_t *)(vmcb + segment + 2) = segment == 0x410 ? code : data;
		*(uint32_t *)(vmcb + segment + 4) = ~0U;
	}
	*(uint64_t *)(vmcb + 0x4d0) = 1 << 12 | 1 << 10 | 1 << 8; /* EFER: SVME, LMA, LME */
	*(uint64_t *)(vmcb + 0x548) = 1 << 5; /* CR4 */
	*(uint64_t *)(vmcb + 0x550) = PML4;
	*(uint64_t *)(vmcb + 0x558) = 1U << 31 | 0x31; /* CR0 */
	*(uint64_t *)(vmcb + 0x560) = 0x400; /* DR7 */
	*(uint64_t *)(vmcb + 0x568) = 0xffff0ff0; /* DR6 */
	*(uint64_t *)(vmcb + 0x570) = 2; /* RFLAGS */
	*(uint64_t *)(vmcb + 0x578) = CODE + (guest_l2 - guest_code);
}

static void vcpu__enable_svm(struct vcpu *vcpu, struct kvm_sregs *sregs)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1 };

	if (!svm)
		errx(64, "nested: on AMD only");
	vmcb__fill(vcpu->vm->memory + vmcb_of(vcpu->index));
	msrs.entry.index = 0xc0010117; /* VM_HSAVE_PA */
	msrs.entry.data = vmcb_of(vcpu->index) + PAGE;
	sregs->efer |= 1 << 12;
	KVM(vcpu->fd, KVM_SET_SREGS, sregs);
	if (KVM(vcpu->fd, KVM_SET_MSRS, &msrs) != 1)
		errx(1, "nested: KVM refuses VM_HSAVE_PA");
}

/* The timer in TSC-deadline mode, and masked; and no waiting for a SIPI */
static void vcpu__enable_apic(struct vcpu *vcpu)
{
	struct kvm_mp_state runs = { KVM_MP_STATE_RUNNABLE };
	struct kvm_lapic_state apic;

	KVM(vcpu->fd, KVM_GET_LAPIC, &apic);
	memcpy(apic.regs + 0x0f0, &(uint32_t){ 0x1ff }, 4); /* SVR: enabled */
	memcpy(apic.regs + 0x320, &(uint32_t){ 2 << 17 | 1 << 16 | 0xef }, 4); /* LVTT */
	KVM(vcpu->fd, KVM_SET_LAPIC, &apic);
	KVM(vcpu->fd, KVM_SET_MP_STATE, &runs);
}

static void vcpu__set_registers(struct vcpu *vcpu)
{
	uint64_t data = DATA + (uint64_t)vcpu->index * PAGE;
	struct kvm_segment code = {
		.limit = ~0U, .selector = CS, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	struct kvm_segment flat = {
		.limit = ~0U, .selector = DS, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1
	};
	struct kvm_regs regs = { .rip = CODE,
				 .rflags = 2,
				 .rsp = data + PAGE,
				 .r15 = data,
				 .r14 = opt.loops,
				 .r13 = svm,
				 .r12 = vmcb_of(vcpu->index) };
	struct kvm_sregs sregs;

	KVM(vcpu->fd, KVM_GET_SREGS, &sregs);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
	sregs.gdt = (struct kvm_dtable){ .base = GDT, .limit = DS + 7 };
	sregs.idt = (struct kvm_dtable){ .base = IDT, .limit = 7 * 16 - 1 };
	sregs.cr3 = PML4;
	sregs.cr4 = 1 << 5; /* PAE */
	sregs.cr0 = 1U << 31 | 0x31; /* PG, NE, ET, PE */
	sregs.efer = 1 << 10 | 1 << 8; /* LMA, LME */
	if (has_apic())
		sregs.apic_base |= 1 << 11 | 1 << 10; /* enabled, x2APIC */
	KVM(vcpu->fd, KVM_SET_SREGS, &sregs);
	if (has_apic())
		vcpu__enable_apic(vcpu);
	if (opt.counts[KIND_nested])
		vcpu__enable_svm(vcpu, &sregs);
	KVM(vcpu->fd, KVM_SET_REGS, &regs);
}

void machine__set_up(struct vcpu *vcpu)
{
	KVM(vcpu->fd, KVM_SET_CPUID2, &cpuid);
	vcpu__set_registers(vcpu);
}

bool machine__handle_exit(struct vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		vcpu->seen[KIND_io]++;
		return true;
	case KVM_EXIT_MMIO:
		vcpu->seen[KIND_mmio]++;
		return true;
	case KVM_EXIT_HLT:
		vcpu->seen[KIND_hlt]++;
		if (opt.nap)
			usleep(opt.nap);
		return true;
	case KVM_EXIT_SHUTDOWN:
		vcpu__finish(vcpu);
		return true;
	default:
		return false;
	}
}
