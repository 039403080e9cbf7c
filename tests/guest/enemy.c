// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * enemy MS [VCPUS]: a guest that wants kvmexit to keep as much as it can, for MS milliseconds or
 * until SIGTERM. Each vCPU executes CPUID, RDMSR and OUT with ever new numbers, and stores to ever
 * new addresses that are not memory, in another 2 MB each time. A new thread runs each vCPU every
 * 50 ms. Prints a line of JSON: its PID, and how many threads it had.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CODE 0x1000
#define HANDLER 0x2000
#define TURN_MS 50
#define VECTOR_GP 13

/* In real mode, with a data segment of 4 GB. ESI is what is new, EDI an address. */
extern const uint8_t code[], handler[], code_end[];
asm(".pushsection .rodata\n"
    ".code16\n"
    "code:\n"
    "	mov %esi, %eax\n"
    "	cpuid\n"
    "	mov %esi, %ecx\n"
    "	rdmsr\n"
    "	mov %si, %dx\n"
    "	out %al, (%dx)\n"
    "	addr32 mov %al, (%edi)\n"
    "	add $0x200008, %edi\n"
    "	or $0x80000000, %edi\n"
    "	inc %esi\n"
    "	jmp code\n"
    "handler:\n" /* of #GP: goes on after RDMSR */
    "	mov %sp, %bp\n"
    "	addw $2, (%bp)\n"
    "	iret\n"
    "code_end:\n"
    ".code64\n"
    ".popsection\n");

static int nr_vcpus = 2;

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
	ended = sig;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static void *take_turn(void *arg)
{
	uint64_t until = now_ms() + TURN_MS;
	int vcpu = *(int *)arg;

	while (now_ms() < until)
		if (ioctl(vcpu, KVM_RUN, NULL) && errno != EINTR)
			err(1, "KVM_RUN");
	return NULL;
}

static int make_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	uint8_t *memory =
		mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.memory_size = 0x10000,
		.userspace_addr = (uintptr_t)memory,
	};
	const uint16_t gate = HANDLER;

	if (vm < 0 || memory == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		err(1, "making the VM");
	memcpy(memory + CODE, code, handler - code);
	memcpy(memory + HANDLER, handler, code_end - handler);
	memcpy(memory + VECTOR_GP * 4, &gate, sizeof(gate));
	return vm;
}

static int make_vcpu(int vm, uint32_t id)
{
	struct kvm_regs regs = {
		.rip = CODE,
		.rsp = 0x8000 + id * 0x400,
		.rflags = 2,
		.rsi = (uint64_t)id << 28,
		.rdi = 1u << 31,
	};
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, id);
	struct kvm_sregs sregs;

	if (vcpu < 0 || ioctl(vcpu, KVM_GET_SREGS, &sregs))
		err(1, "making a vCPU");
	sregs.cs.base = sregs.cs.selector = 0;
	sregs.ds.limit = ~0u;
	sregs.ds.g = 1;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		err(1, "setting registers");
	return vcpu;
}

/* A thread for each vCPU, until it has had its turn; returns how many there were */
static unsigned int play_turn(int *vcpus, pthread_t *threads)
{
	int i;

	for (i = 0; i < nr_vcpus; i++)
		if (pthread_create(&threads[i], NULL, take_turn, &vcpus[i]))
			errx(1, "no thread");
	for (i = 0; i < nr_vcpus; i++)
		pthread_join(threads[i], NULL);
	return nr_vcpus;
}

int main(int argc, char **argv)
{
	unsigned int turns = 0;
	pthread_t threads[8];
	uint64_t end_ms;
	int vcpus[8], vm, i;

	if (argc > 2)
		nr_vcpus = atoi(argv[2]);
	if (argc < 2 || argc > 3 || nr_vcpus < 1 || nr_vcpus > 8)
		errx(64, "usage: enemy MS [VCPUS]");
	signal(SIGTERM, on_term);
	end_ms = now_ms() + atoi(argv[1]);
	vm = make_vm();
	for (i = 0; i < nr_vcpus; i++)
		vcpus[i] = make_vcpu(vm, i);
	do
		turns += play_turn(vcpus, threads);
	while (!ended && now_ms() < end_ms);
	printf("{\"pid\":%d,\"threads\":%u}\n", getpid(), turns);
	return 0;
}
