// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Guests on arm64: vCPUs that start in EL1, without MMU */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define STEP(slot, name, insns)                                                            \
	"ldr x9, [x19, #8*" #slot "]; cbz x9, 9f; sub x9, x9, #1; str x9, [x19, #8*" #slot \
	"];" insns "\n 9:\n"

enum {
	VECTORS = 0xa000,
	VECTOR_SYNC = 0x200, /* an exception of EL1 itself */
	END = 8, /* where to store behind MMIO_ADDR */
};

/* Where nothing is, the guest takes an abort, and is back where it came from */
extern const uint8_t guest_code[], guest_abort[], guest_end[];
asm(".pushsection .rodata\n"
    ".balign 4\n"
    ".globl guest_code, guest_abort, guest_end\n"
    "guest_code:\n" KINDS(STEP) "	subs x20, x20, #1\n"
				"	b.ne guest_code\n"
				"	str w0, [x21, #8]\n"
				"	b .\n"
				"guest_abort:\n"
				"	msr elr_el1, x30\n"
				"	eret\n"
				"guest_end:\n"
				".popsection\n");

const char *machine__isa = "arm64";
const bool machine__shows[NR_KINDS] = { [KIND_mmio] = true };

static void on_alarm(int signal)
{
	(void)signal;
}

void machine__open(void)
{
	signal(SIGALRM, on_alarm);
}

size_t machine__memory_size(void)
{
	return DATA + (size_t)opt.vcpus * PAGE;
}

void machine__set_up_vm(struct vm *vm)
{
	uint8_t *memory = vm->memory;

	memcpy(memory + CODE, guest_code, guest_abort - guest_code);
	memcpy(memory + VECTORS + VECTOR_SYNC, guest_abort, guest_end - guest_abort);
}

static void vcpu__set_register(const struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	KVM(vcpu->fd, KVM_SET_ONE_REG, &reg);
}

/* x0 to x30 and pc, in this order */
static uint64_t core_register(int n)
{
	return KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | 2 * n;
}

/* WFI waits for an interrupt, of which there are none: a signal ends it */
static void start_alarms(void)
{
	static __thread bool started;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	const struct itimerspec often = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t timer;

	if (started)
		return;
	started = true;
	event._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &often, NULL))
		err(1, "timer");
}

void machine__set_up(struct vcpu *vcpu)
{
	struct kvm_vcpu_init init;
	const uint64_t vbar_el1 = ARM64_SYS_REG(3, 0, 12, 0, 0);

	KVM(vcpu->vm->fd, KVM_ARM_PREFERRED_TARGET, &init);
	KVM(vcpu->fd, KVM_ARM_VCPU_INIT, &init);
	vcpu__set_register(vcpu, vbar_el1, VECTORS);
	vcpu__set_register(vcpu, core_register(19), DATA + (uint64_t)vcpu->index * PAGE);
	vcpu__set_register(vcpu, core_register(20), opt.loops);
	vcpu__set_register(vcpu, core_register(21), MMIO_ADDR);
	vcpu__set_register(vcpu, core_register(22), NOWHERE);
	vcpu__set_register(vcpu, core_register(32), CODE);
	if (opt.counts[KIND_wfi])
		start_alarms();
}

bool machine__handle_exit(struct vcpu *vcpu)
{
	if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
		return false;
	if (vcpu->run->mmio.phys_addr == MMIO_ADDR + END)
		vcpu__finish(vcpu);
	else
		vcpu->seen[KIND_mmio]++;
	return true;
}
