// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Guests on Intel and AMD: vCPUs that start in 64-bit mode */
#include "selftest/guest.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define STEP(slot, name, insns) \
	"cmpq $0, 8*" #slot "(%r15); je 9f; decq 8*" #slot "(%r15);" insns "\n 9:\n"

extern const uint8_t guest_code[], guest_ud[], guest_gp[], guest_timer[], guest_l2[], guest_end[];
asm(".pushsection .rodata\n"
    "guest_code:\n" KINDS(
	    STEP) "	dec %r14\n"
		  "	jnz guest_code\n"
		  "	lidt 0x800(%r15)\n" /* zeros: nothing can be delivered any more */
		  "	int3\n"
		  "guest_ud:\n"
		  "	addq $2, (%rsp)\n"
		  "	iretq\n"
		  "guest_gp:\n"
		  "	add $8, %rsp\n" /* the error code */
		  "	addq $2, (%rsp)\n"
		  "	iretq\n"
		  "guest_timer:\n"
		  "	mov $0x80b, %ecx\n" /* EOI */
		  "	xor %eax, %eax\n"
		  "	xor %edx, %edx\n"
		  "	wrmsr\n"
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
	PD_APIC = 0x6000, /* of the addresses from 3 GB on */
	CS = 8,
	DS = 16,
	TIMER = 0xef, /* vector */
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

static bool has_x2apic(const struct guest *guest)
{
	return guest->counts[KIND_icr] || guest->counts[KIND_deadline] || guest->counts[KIND_idle];
}

static bool has_apic(const struct guest *guest)
{
	return has_x2apic(guest) || guest->counts[KIND_apics];
}

int machine__open(const struct guest *guest)
{
	unsigned int eax, ebx, ecx, edx;
	int err;

	__cpuid(0, eax, ebx, ecx, edx);
	svm = ebx == signature_AMD_ebx || ebx == 0x6f677948 /* Hygo */;
	if (svm)
		machine__isa = "svm";
	if (has_apic(guest) && guest->counts[KIND_hlt])
		return guest__fail(-ENOTSUP, "hlt: not with icr, deadline, idle and apics");
	if (guest->counts[KIND_apics] && has_x2apic(guest))
		return guest__fail(-ENOTSUP, "apics: not with icr, deadline and idle");
	if (guest->counts[KIND_nested] && !svm)
		return guest__fail(-ENOTSUP, "nested: on AMD only");
	cpuid.head.nent = 256;
	err = KVM(guest->kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
	/* KVM's own APIC has the TSC deadline, even if CPUID does not say so */
	for (uint32_t i = 0; !err && i < cpuid.head.nent && has_apic(guest); i++)
		if (cpuid.entries[i].function == 1)
			cpuid.entries[i].ecx |= 1 << 24;
	return err;
}

/* An interrupt gate */
static void set_gate(uint64_t *idt, int vector, const uint8_t *handler)
{
	idt[vector * 2] = (CODE + guest__bytes(guest_code, handler)) | CS << 16 | 0x8eULL << 40;
}

static void fill_memory(uint8_t *memory)
{
	uint64_t *pd = (uint64_t *)(memory + PD), *apic = (uint64_t *)(memory + PD_APIC),
		 *gdt = (uint64_t *)(memory + GDT);
	uint64_t *idt = (uint64_t *)(memory + IDT);

	*(uint64_t *)(memory + PML4) = PDPT | 3;
	*(uint64_t *)(memory + PDPT) = PD | 3;
	*(uint64_t *)(memory + PDPT + 3 * 8) = PD_APIC | 3;
	for (uint64_t i = 0; i < 512; i++) {
		pd[i] = i << 21 | 0x83; /* 2 MB, writable */
		apic[i] = pd[i] | 3ull << 30;
	}
	gdt[CS / 8] = 0x00af9b000000ffff; /* 64-bit code */
	gdt[DS / 8] = 0x00cf93000000ffff;
	set_gate(idt, 6, guest_ud);
	set_gate(idt, 13, guest_gp);
	set_gate(idt, TIMER, guest_timer);
	memcpy(memory + CODE, guest_code, guest__bytes(guest_code, guest_end));
}

int machine__set_up_vm(struct guest_vm *vm)
{
	fill_memory(vm->memory);
	return has_apic(vm->guest) ? KVM(vm->fd, KVM_CREATE_IRQCHIP, 0) : 0;
}

/* After the data pages, each vCPU has a VMCB and the page where VMRUN saves the host's state */
static uint64_t vmcb_of(const struct guest *guest, int index)
{
	return DATA + (uint64_t)guest->vcpus * PAGE + (uint64_t)index * 2 * PAGE;
}

size_t machine__memory_size(const struct guest *guest)
{
	return vmcb_of(guest, guest->vcpus);
}

/*
 * L2, with the offsets of the AMD manual's appendix B. It has the same memory and mode as
 * L1, starts at guest_l2, and CPUID is intercepted. Its rip does not move, so each VMRUN
 * makes one exit.
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
	*(uint64_t *)(vmcb + 0x578) = CODE + guest__bytes(guest_code, guest_l2);
}

static int enable_svm(struct guest_vcpu *vcpu, struct kvm_sregs *sregs)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1 };
	uint64_t vmcb = vmcb_of(vcpu->vm->guest, vcpu->index);
	int ret;

	vmcb__fill(vcpu->vm->memory + vmcb);
	msrs.entry.index = 0xc0010117; /* VM_HSAVE_PA */
	msrs.entry.data = vmcb + PAGE;
	sregs->efer |= 1 << 12;
	ret = KVM(vcpu->fd, KVM_SET_SREGS, sregs);
	if (!ret)
		ret = KVM(vcpu->fd, KVM_SET_MSRS, &msrs);
	if (ret == 0)
		return guest__fail(-ENOTSUP, "nested: KVM refuses VM_HSAVE_PA");
	return ret < 0 ? ret : 0;
}

/* Sets the timer to TSC-deadline mode, masked except for idle; vCPUs do not wait for a SIPI */
static int enable_apic(struct guest_vcpu *vcpu)
{
	const uint32_t masked = vcpu->vm->guest->counts[KIND_idle] ? 0 : 1 << 16;
	struct kvm_mp_state runs = { KVM_MP_STATE_RUNNABLE };
	struct kvm_lapic_state apic;
	int err = KVM(vcpu->fd, KVM_GET_LAPIC, &apic);

	if (err)
		return err;
	memcpy(apic.regs + 0x0f0, &(uint32_t){ 0x1ff }, 4); /* SVR: enabled */
	memcpy(apic.regs + 0x320, &(uint32_t){ 2 << 17 | masked | TIMER }, 4); /* LVTT */
	err = KVM(vcpu->fd, KVM_SET_LAPIC, &apic);
	return err ? err : KVM(vcpu->fd, KVM_SET_MP_STATE, &runs);
}

/* Segments, tables and modes */
static int set_system_registers(struct guest_vcpu *vcpu)
{
	const struct guest *guest = vcpu->vm->guest;
	struct kvm_segment code = {
		.limit = ~0U, .selector = CS, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	struct kvm_segment flat = {
		.limit = ~0U, .selector = DS, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1
	};
	struct kvm_sregs sregs;
	int err = KVM(vcpu->fd, KVM_GET_SREGS, &sregs);

	if (err)
		return err;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
	sregs.gdt = (struct kvm_dtable){ .base = GDT, .limit = DS + 7 };
	sregs.idt = (struct kvm_dtable){ .base = IDT, .limit = (TIMER + 1) * 16 - 1 };
	sregs.cr3 = PML4;
	sregs.cr4 = 1 << 5 | (guest->counts[KIND_xcrs] ? 1 << 18 : 0); /* PAE, OSXSAVE */
	sregs.cr0 = 1U << 31 | 0x31; /* PG, NE, ET, PE */
	sregs.efer = 1 << 10 | 1 << 8; /* LMA, LME */
	if (has_apic(guest))
		sregs.apic_base |= 1 << 11 | has_x2apic(guest) << 10; /* enabled; x2APIC */
	err = KVM(vcpu->fd, KVM_SET_SREGS, &sregs);
	if (!err && has_apic(guest))
		err = enable_apic(vcpu);
	if (!err && guest->counts[KIND_nested])
		err = enable_svm(vcpu, &sregs);
	return err;
}

int machine__set_up(struct guest_vcpu *vcpu)
{
	const struct guest *guest = vcpu->vm->guest;
	uint64_t data = DATA + (uint64_t)vcpu->index * PAGE;
	struct kvm_regs regs = { .rip = CODE,
				 .rflags = 2,
				 .rsp = data + PAGE,
				 .r15 = data,
				 .r14 = guest->loops,
				 .r13 = svm,
				 .r12 = vmcb_of(guest, vcpu->index) };
	int khz = KVM(vcpu->fd, KVM_GET_TSC_KHZ, 0);
	int err = KVM(vcpu->fd, KVM_SET_CPUID2, &cpuid);

	if (khz < 0)
		return khz;
	regs.r10 = (uint64_t)khz * guest->nap / 1000;
	if (!err)
		err = set_system_registers(vcpu);
	return err ? err : KVM(vcpu->fd, KVM_SET_REGS, &regs);
}

void machine__take_down(struct guest_vcpu *vcpu)
{
	(void)vcpu;
}

int machine__handle_exit(struct guest_vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		vcpu->seen[KIND_io] += vcpu->run->io.port == IO_PORT;
		return 0;
	case KVM_EXIT_MMIO:
		vcpu->seen[KIND_mmio] += vcpu->run->mmio.phys_addr == MMIO_ADDR;
		return 0;
	case KVM_EXIT_HLT:
		vcpu->seen[KIND_hlt]++;
		if (vcpu->vm->guest->nap)
			usleep(vcpu->vm->guest->nap);
		return 0;
	case KVM_EXIT_XEN:
		return 0;
	case KVM_EXIT_SHUTDOWN:
		return guest_vcpu__finish(vcpu);
	default:
		return -ENOENT;
	}
}
