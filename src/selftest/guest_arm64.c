// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Guests on arm64: vCPUs that start in EL1, without MMU */
#include "selftest/guest.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STEP(slot, name, insns)                                                            \
	"ldr x9, [x19, #8*" #slot "]; cbz x9, 9f; sub x9, x9, #1; str x9, [x19, #8*" #slot \
	"];" insns "\n 9:\n"

enum {
	VECTORS = 0xa000,
	VECTOR_SYNC = 0x200, /* synchronous exceptions taken from EL1 */
	END = 8, /* a store to MMIO_ADDR + END ends the guest */
};

/* When the guest runs code where nothing is, it takes an abort and returns to where it was */
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

int machine__open(const struct guest *guest)
{
	if (guest->counts[KIND_wfi])
		signal(SIGALRM, on_alarm);
	return 0;
}

size_t machine__memory_size(const struct guest *guest)
{
	return DATA + (size_t)guest->vcpus * PAGE;
}

int machine__set_up_vm(struct guest_vm *vm)
{
	uint8_t *memory = vm->memory;

	memcpy(memory + CODE, guest_code, guest__bytes(guest_code, guest_abort));
	memcpy(memory + VECTORS + VECTOR_SYNC, guest_abort, guest__bytes(guest_abort, guest_end));
	return 0;
}

/* x0 to x30 and pc, in this order */
static uint64_t core_register(int n)
{
	return KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | 2 * n;
}

/* WFI waits for an interrupt, but there are none: so a signal ends it */
static int start_alarms(struct guest_vcpu *vcpu)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	const struct itimerspec often = { { 0, 1000000 }, { 0, 1000000 } };

	event._sigev_un._tid = gettid();
	vcpu->has_alarms = !timer_create(CLOCK_MONOTONIC, &event, &vcpu->alarms);
	if (!vcpu->has_alarms || timer_settime(vcpu->alarms, 0, &often, NULL))
		return guest__fail(-errno, "timer: %s", strerror(errno));
	return 0;
}

int machine__set_up(struct guest_vcpu *vcpu)
{
	const struct guest *guest = vcpu->vm->guest;
	const struct {
		uint64_t id, value;
	} registers[] = {
		{ ARM64_SYS_REG(3, 0, 12, 0, 0), VECTORS }, /* VBAR_EL1 */
		{ core_register(19), DATA + (uint64_t)vcpu->index * PAGE },
		{ core_register(20), guest->loops },
		{ core_register(21), MMIO_ADDR },
		{ core_register(22), NOWHERE },
		{ core_register(32), CODE },
	};
	struct kvm_vcpu_init init;
	int err = KVM(vcpu->vm->fd, KVM_ARM_PREFERRED_TARGET, &init);

	init.features[0] |= guest->features;
	if (!err)
		err = KVM(vcpu->fd, KVM_ARM_VCPU_INIT, &init);
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]) && !err; i++) {
		struct kvm_one_reg reg = { .id = registers[i].id,
					   .addr = (uintptr_t)&registers[i].value };

		err = KVM(vcpu->fd, KVM_SET_ONE_REG, &reg);
	}
	return !err && guest->counts[KIND_wfi] ? start_alarms(vcpu) : err;
}

void machine__take_down(struct guest_vcpu *vcpu)
{
	if (vcpu->has_alarms)
		timer_delete(vcpu->alarms);
}

int machine__handle_exit(struct guest_vcpu *vcpu)
{
	if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
		return -ENOENT;
	if (vcpu->run->mmio.phys_addr == MMIO_ADDR + END)
		return guest_vcpu__finish(vcpu);
	vcpu->seen[KIND_mmio]++;
	if (vcpu->vm->guest->nap)
		usleep(vcpu->vm->guest->nap);
	return 0;
}
