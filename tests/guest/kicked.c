// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kicked HALT_MS KICKS LAST_MS nmi|kill: a vCPU that KVM halts (cli; hlt, interrupt controller in
 * the kernel). Each HALT_MS a signal brings it to user space, which calls KVM_RUN again at
 * once. LAST_MS after the last of KICKS signals an NMI (with one more signal, as only the vCPU's
 * own thread can make it) wakes it, or SIGKILL ends it.
 * Prints a line of JSON: its PID and TID, and how long it was in user space meanwhile.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CODE 0x1000
#define HANDLER 0x2000

static const uint8_t code[] = { 0xfa, 0xf4, 0xe6, 0x80 }; /* cli; hlt; out %al, $0x80 */
static const uint8_t handler[] = { 0xcf }; /* iret */

static int vcpu;
static struct kvm_run *run;
static volatile pid_t tid;
static uint64_t in_user;
static volatile bool nmi_due; /* with the next signal */

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void wait_ms(unsigned int ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000l };

	nanosleep(&ts, NULL);
}

static void nothing(int sig)
{
	(void)sig;
}

/* Returns when the guest's `out` comes */
static void *work(void *arg)
{
	uint64_t left = 0;
	int failed;

	(void)arg;
	tid = syscall(SYS_gettid);
	do {
		if (left)
			in_user += now() - left;
		failed = ioctl(vcpu, KVM_RUN, NULL);
		left = now();
		if (failed && errno != EINTR)
			err(1, "KVM_RUN");
		if (failed && nmi_due && ioctl(vcpu, KVM_NMI))
			err(1, "KVM_NMI");
	} while (failed || run->exit_reason != KVM_EXIT_IO);
	return NULL;
}

static void make_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	uint8_t *memory =
		mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.memory_size = 0x10000,
		.userspace_addr = (uintptr_t)memory,
	};
	struct kvm_regs regs = { .rip = CODE, .rsp = 0x8000, .rflags = 2 };
	struct kvm_sregs sregs;

	if (vm < 0 || memory == MAP_FAILED || ioctl(vm, KVM_CREATE_IRQCHIP, 0) ||
	    ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		err(1, "making the VM");
	memcpy(memory + CODE, code, sizeof(code));
	memcpy(memory + HANDLER, handler, sizeof(handler));
	memory[2 * 4 + 1] = HANDLER >> 8; /* the vector of NMIs */
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	run = vcpu < 0 ? MAP_FAILED
		       : mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
			      MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &sregs))
		err(1, "making the vCPU");
	sregs.cs.base = sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		err(1, "setting registers");
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = nothing };
	unsigned int kicks, ms;
	pthread_t thread;

	if (argc != 5 || (strcmp(argv[4], "nmi") && strcmp(argv[4], "kill")))
		errx(64, "usage: kicked HALT_MS KICKS LAST_MS nmi|kill");
	sigaction(SIGUSR1, &action, NULL);
	make_vm();
	if (pthread_create(&thread, NULL, work, NULL))
		errx(1, "no thread");
	ms = atoi(argv[1]);
	for (kicks = atoi(argv[2]); kicks; kicks--) {
		wait_ms(ms);
		pthread_kill(thread, SIGUSR1);
	}
	wait_ms(atoi(argv[3]));
	printf("{\"pid\":%d,\"tid\":%d,\"in_user_ns\":%llu}\n", getpid(), tid,
	       (unsigned long long)in_user);
	fflush(stdout);
	if (!strcmp(argv[4], "kill"))
		kill(getpid(), SIGKILL);
	nmi_due = true;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	return 0;
}
