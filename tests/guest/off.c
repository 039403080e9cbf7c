// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * off MS: an arm64 vCPU that switches itself off (PSCI's CPU_OFF, by HVC); another one switches
 * it on again after MS. Both end with a store to memory that is not there.
 * Prints a line of JSON: its PID and the TID of the first.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MEMORY 0x40000000u
#define NOTHING 0x10000000u
#define SIZE 0x10000
#define CPU_OFF 0x84000002u
#define CPU_ON 0xc4000003u
#define PC 32 /* the register's number */

/* hvc #0; the entry of CPU_ON: mov x19, #NOTHING; str xzr, [x19] */
static const uint32_t code[] = { 0xd4000002, 0xd2a20013, 0xf900027f };

static int kvm, vm, vcpus[2];

static void set(int vcpu, unsigned int reg, uint64_t value)
{
	struct kvm_one_reg r = { 0x6030000000100000ull + 2 * reg, (uintptr_t)&value };

	if (ioctl(vcpu, KVM_SET_ONE_REG, &r))
		err(1, "setting a register");
}

static void make_vm(void)
{
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = MEMORY,
		.memory_size = SIZE,
		.userspace_addr = (uintptr_t)memory,
	};
	struct kvm_vcpu_init init;
	int i;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || memory == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) ||
	    ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init))
		err(1, "making the VM");
	memcpy(memory, code, sizeof(code));
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	for (i = 0; i < 2; i++) {
		vcpus[i] = ioctl(vm, KVM_CREATE_VCPU, i);
		if (vcpus[i] < 0 || ioctl(vcpus[i], KVM_ARM_VCPU_INIT, &init))
			err(1, "making a vCPU");
		set(vcpus[i], PC, MEMORY);
	}
	set(vcpus[0], 0, CPU_OFF);
	set(vcpus[1], 0, CPU_ON);
	set(vcpus[1], 1, 0);
	set(vcpus[1], 2, MEMORY + sizeof(code[0]));
}

static void *work(void *arg)
{
	int vcpu = *(int *)arg;

	if (vcpu == vcpus[0]) {
		printf("{\"pid\":%d,\"tid\":%ld}\n", getpid(), syscall(SYS_gettid));
		fflush(stdout);
	}
	if (ioctl(vcpu, KVM_RUN, NULL))
		err(1, "KVM_RUN");
	return NULL;
}

int main(int argc, char **argv)
{
	struct timespec ts;
	pthread_t threads[2];
	int i, ms = argc == 2 ? atoi(argv[1]) : 0;

	if (ms <= 0)
		errx(64, "usage: off MS");
	make_vm();
	ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000l };
	for (i = 0; i < 2; i++) {
		if (pthread_create(&threads[i], NULL, work, &vcpus[i]))
			errx(1, "no thread");
		if (!i)
			nanosleep(&ts, NULL);
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
