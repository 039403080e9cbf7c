/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Between the guest's part for all machines (guest.c) and that for one (guest_*.c) */
#ifndef GUEST_H
#define GUEST_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STR_(x) #x
#define STR(x) STR_(x)
#define IO_PORT 0x10
#define MMIO_ADDR 0x30000000 /* mapped by the guest, backed by nothing */
#define NOWHERE 0x38000000 /* the same, to be run */

/* Slot of the guest's counter, name, instructions */
#ifdef __aarch64__
/* The guest: x19 its data page, x20 rounds to go, x21 MMIO_ADDR, x22 NOWHERE. */
#define KINDS(X)                                \
	X(0, mmio, "str w0, [x21]")             \
	X(1, sysreg, "mrs x0, id_aa64pfr0_el1") \
	X(2, hvc, "mov w0, wzr; hvc #0")        \
	X(3, iabt, "blr x22")                   \
	X(4, wfi, "wfi")
#else
/* The guest: r15 its data page, r14 rounds to go, r13d non-zero on SVM, r12 a VMCB. */
#define KINDS(X)                                                                   \
	X(0, io, "mov $" STR(IO_PORT) ", %edx; out %al, (%dx)")                    \
	X(1, cpuid, "xor %eax, %eax; xor %ecx, %ecx; cpuid")                       \
	X(2, rdmsr, "mov $0x3b, %ecx; rdmsr") /* TSC_ADJUST: always intercepted */ \
	X(3, wrmsr, "mov $0x3b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr")      \
	X(4, hypercall,                                                            \
	  "mov $0x1000, %eax; test %r13d, %r13d; jz 7f; vmmcall; jmp 8f;"          \
	  "7: vmcall; 8:")                                                         \
	X(5, mmio, "mov %eax, " STR(MMIO_ADDR))                                    \
	X(6, hlt, "hlt")                                                           \
	X(7, ud, "ud2")                                                            \
	X(8, pause, "pause")                                                       \
	X(9, nested, "mov %r12, %rax; vmrun; stgi") /* a guest of its own, SVM */  \
	/* By x2APIC a fixed interrupt to a CPU that is not there */               \
	X(10, icr, "mov $0x830, %ecx; mov $0xec, %eax; mov $0x77, %edx; wrmsr")    \
	/* TSC_DEADLINE: minutes ahead */                                          \
	X(11, deadline, "mov $0x6e0, %ecx; xor %eax, %eax; mov $0x100, %edx; wrmsr")
#endif

#define ENUM(slot, name, insns) KIND_##name = slot,
enum kind {
	KINDS(ENUM) NR_KINDS
};

#define NAME(slot, name, insns) [slot] = #name,
static const char *const kind_names[] = { KINDS(NAME) };

/* Guest memory, mapped one to one */
enum {
	CODE = 0x8000,
	DATA = 0x10000, /* a page for each vCPU */
	PAGE = 0x1000,
};

struct vm {
	int index, fd;
	uint8_t *memory;
};

struct vcpu {
	struct vm *vm;
	int index, fd;
	struct kvm_run *run;
	uint64_t *left; /* the guest's own counters, per kind */
	uint64_t seen[NR_KINDS], run_calls, run_ns;
	pthread_mutex_t lock; /* with -M */
	bool done;
};

extern struct guest_options {
	uint64_t counts[NR_KINDS], loops;
	int vms, vcpus, processes, rounds, first_id, nap, roam;
	bool hop, single, sequence, yield, wait, keep;
	const char *name;
} opt;

extern int kvm_fd;

/* Ends the guest where the request fails */
int kvm_ioctl(int fd, unsigned long request, const char *what, unsigned long arg);
#define KVM(fd, request, arg) kvm_ioctl(fd, request, #request, (unsigned long)(arg))

/* It has come to its end: whether all was done */
void vcpu__finish(struct vcpu *vcpu);

/* What each machine has of its own */
extern const char *machine__isa; /* once opened */
extern const bool machine__shows[NR_KINDS]; /* kinds that user space sees */
void machine__open(void);
size_t machine__memory_size(void);
void machine__set_up_vm(struct vm *vm); /* its memory, and what comes before vCPUs */
void machine__set_up(struct vcpu *vcpu); /* in the thread that runs it */
bool machine__handle_exit(struct vcpu *vcpu); /* whether it knows the exit */

#endif
