/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * VMs that exit a known number of times, to check a counter of exits. Both kvmexit's
 * self-test and the tests (tests/guest/guest.c) use this code.
 *
 * Every vCPU starts in 64-bit mode and does each kind as often as it is told to, one
 * of each in turn, then ends with a triple fault (x86) or a store (arm64). There is
 * no interrupt controller, so HLT returns to user space; but with icr and deadline,
 * which KVM handles on its fast path, with idle and with apics there is one, and no hlt.
 *
 *   kind       SVM exit    VMX exit                       seen by user space
 *   io         io          IO_INSTRUCTION                 yes
 *   cpuid      cpuid       CPUID                          -
 *   rdmsr      msr         MSR_READ                       -
 *   wrmsr      msr         MSR_WRITE                      -
 *   hypercall  hypercall   VMCALL                         -
 *   mmio       npf         EPT_VIOLATION first in a VM,   yes
 *                          then EPT_MISCONFIG
 *   hlt        hlt         HLT                            yes
 *   ud         UD          EXCEPTION_NMI                  -
 *   pause      -           -  (a filter would have to be filled)
 *   nested     vmrun, and  -  (SVM only)                  -
 *              cpuid of L2
 *   icr        msr         MSR_WRITE                      -
 *   deadline   msr         MSR_WRITE                      -
 *   ports      8 io        8 IO_INSTRUCTION               8
 *   msrs       4 msr       3 MSR_READ, MSR_WRITE          -
 *   leaves     6 cpuid     6 CPUID                        -
 *   calls      2 hypercall 2 VMCALL                       -
 *   mmios      3 npf       3 of EPT_MISCONFIG and,        3
 *                          first, EPT_VIOLATION
 *   crs        read_cr4,   CR_ACCESS                      -
 *              write_cr4
 *   drs        read_dr7,   2 DR_ACCESS, or more where     -
 *              write_dr7,  interrupts come between,
 *              2 cpuid     and 2 CPUID
 *   pmcs       rdpmc       RDPMC                          -
 *   xcrs       xsetbv      XSETBV                         -
 *   apics      2 npf       2 or 3 of EPT_VIOLATION        -
 *   idle       hlt, and 2  HLT, and 2 MSR_WRITE           -
 *              msr         (with APICv one)
 *   the end    shutdown    TRIPLE_FAULT, 1                yes
 *
 * as the kernel's kvm_exit lines name them. First touches of guest memory add
 * 5 npf or EPT_VIOLATION to a VM (7 with ud or pmcs), and one for each vCPU after the
 * first; now and then more, when several touch a page at once. Interrupts
 * (interrupt, EXTERNAL_INTERRUPT) come as they do.
 *
 *   kind       arm64
 *   mmio       DABT_LOW    yes
 *   sysreg     SYS64       -
 *   hvc        HVC64       -
 *   iabt       IABT_LOW    -  (and goes back to the guest)
 *   wfe        WFx, or nothing
 *   oslar      SYS64       -  (a write)
 *   psci       HVC64       -  (PSCI_VERSION, which is refused)
 *   wfi        WFx, or nothing where an interrupt is due; a timer goes on with it
 *   the end    DABT_LOW, 1 yes
 *
 * First touches add 1 DABT_LOW for each vCPU and 2 IABT_LOW to a VM.
 */
#ifndef GUEST_H
#define GUEST_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

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
	X(4, wfi, "wfi")                        \
	X(5, wfe, "wfe")                        \
	X(6, oslar, "msr oslar_el1, xzr")       \
	X(7, psci, "mov w0, #0x84000000; hvc #0")
#else
/*
 * The guest: r15 its data page, r14 rounds to go, r13d non-zero on SVM, r12 a VMCB, r10
 * how long idle takes in ticks of the TSC.
 */
#define KINDS(X)                                                                          \
	X(0, io, "mov $" STR(IO_PORT) ", %edx; out %al, (%dx)")                           \
	X(1, cpuid, "xor %eax, %eax; xor %ecx, %ecx; cpuid")                              \
	X(2, rdmsr, "mov $0x3b, %ecx; rdmsr") /* TSC_ADJUST: always intercepted */        \
	X(3, wrmsr, "mov $0x3b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr")             \
	/* The number where KVM's and Xen's guests have it, and where Hyper-V's do */     \
	X(4, hypercall,                                                                   \
	  "mov $0x1000, %eax; mov %eax, %ecx; test %r13d, %r13d; jz 7f; vmmcall; jmp 8f;" \
	  "7: vmcall; 8:")                                                                \
	X(5, mmio, "mov %eax, " STR(MMIO_ADDR))                                           \
	X(6, hlt, "hlt")                                                                  \
	X(7, ud, "ud2")                                                                   \
	X(8, pause, "pause")                                                              \
	X(9, nested, "mov %r12, %rax; vmrun; stgi") /* a guest of its own, SVM */         \
	/* By x2APIC a fixed interrupt to a CPU that is not there */                      \
	X(10, icr, "mov $0x830, %ecx; mov $0xec, %eax; mov $0x77, %edx; wrmsr")           \
	/* TSC_DEADLINE: minutes ahead */                                                 \
	X(11, deadline, "mov $0x6e0, %ecx; xor %eax, %eax; mov $0x100, %edx; wrmsr")      \
	/* What is behind an exit: bytes, words, double words and strings, both ways */   \
	X(12, ports,                                                                      \
	  "mov $0x3f8, %edx; out %al, (%dx); mov $0x3fd, %edx; in (%dx), %al;"            \
	  "mov $0x1f0, %edx; out %ax, (%dx); in (%dx), %ax;"                              \
	  "mov $0xcf8, %edx; out %eax, (%dx); mov $0xcfc, %edx; in (%dx), %eax;"          \
	  "mov $0x402, %edx; lea 0x900(%r15), %rsi; mov %rsi, %rdi; outsb; insb")         \
	/* MTRRcap, the microcode's revision, an update that KVM ignores, kvm-clock */    \
	X(13, msrs,                                                                       \
	  "mov $0xfe, %ecx; rdmsr; mov $0x8b, %ecx; rdmsr;"                               \
	  "mov $0x79, %ecx; wrmsr; mov $0x4b564d01, %ecx; rdmsr")                         \
	/* Some with subleaves */                                                         \
	X(14, leaves,                                                                     \
	  "mov $1, %eax; cpuid; mov $7, %eax; xor %ecx, %ecx; cpuid;"                     \
	  "mov $7, %eax; mov $1, %ecx; cpuid; mov $0xd, %eax; mov $2, %ecx; cpuid;"       \
	  "mov $0x80000000, %eax; cpuid; mov $0x40000000, %eax; cpuid")                   \
	X(15, calls,                                                                      \
	  "mov $0x1001, %eax; mov %eax, %ecx; test %r13d, %r13d; jz 7f; vmmcall;"         \
	  "mov $0x1002, %eax; mov %eax, %ecx; vmmcall; jmp 8f;"                           \
	  "7: vmcall; mov $0x1002, %eax; mov %eax, %ecx; vmcall; 8:")                     \
	X(16, mmios,                                                                      \
	  "mov %al, " STR(MMIO_ADDR) " + 0x1000; mov " STR(                               \
		  MMIO_ADDR) " + 0x2010, %eax;"                                           \
			     "mov %ax, " STR(MMIO_ADDR) " + 0x3ff8")                      \
	/* CR4.MCE, to and fro */                                                         \
	X(17, crs, "mov %cr4, %rax; xor $0x40, %rax; mov %rax, %cr4")                     \
	/* TSC_DEADLINE soon, and waits for it */                                         \
	X(18, idle,                                                                       \
	  "rdtsc; shl $32, %rdx; or %rdx, %rax; add %r10, %rax;"                          \
	  "mov %rax, %rdx; shr $32, %rdx; mov $0x6e0, %ecx; wrmsr; sti; hlt; cli")        \
	/* KVM lets the guest have its debug registers until the next exit */             \
	X(19, drs,                                                                        \
	  "mov %dr7, %rax; mov $2, %eax; cpuid;"                                          \
	  "mov $0x400, %eax; mov %rax, %dr7; mov $2, %eax; cpuid")                        \
	/* Most often refused */                                                          \
	X(20, pmcs, "mov $1, %ecx; rdpmc")                                                \
	X(21, xcrs, "xor %ecx, %ecx; mov $1, %eax; xor %edx, %edx; xsetbv") /* x87 */     \
	/* Its version is read, its task priority written */                              \
	X(22, apics,                                                                      \
	  "mov $0xfee00030, %eax; mov (%rax), %ecx;"                                      \
	  "mov $0xfee00080, %eax; xor %ecx, %ecx; mov %ecx, (%rax)")
#endif

#define ENUM(slot, name, insns) KIND_##name = slot,
enum kind {
	KINDS(ENUM) NR_KINDS
};

extern const char *const kind_names[NR_KINDS];

/* What all VMs of a process are and do; the first part is its user's to fill in */
struct guest {
	uint64_t counts[NR_KINDS]; /* of each kind, on each vCPU */
	int vcpus; /* of each VM */
	int first_id; /* of a VM's vCPUs */
	int nap; /* us to sleep at every hlt (on arm64: mmio), and length of every idle */
	unsigned int features; /* arm64: bits that its vCPUs have, by KVM's numbers */

	/* Once open */
	int kvm; /* /dev/kvm */
	size_t run_size;
	uint64_t loops; /* the highest of the counts */
};

struct guest_vm {
	const struct guest *guest;
	int fd;
	uint8_t *memory;
};

struct guest_vcpu {
	const struct guest_vm *vm;
	int index, fd;
	bool done;
	struct kvm_run *run;
	uint64_t *left; /* the guest's own counters, per kind */
	uint64_t seen[NR_KINDS]; /* by user space */
	uint64_t run_calls, run_ns; /* KVM_RUN: how often, how long */
	timer_t alarms; /* arm64, with wfi */
	bool has_alarms;
};

/*
 * All of these return 0 or -errno; then guest__why() says what is wrong. -ENOTSUP: this
 * machine does not have these kinds, or not together. -EPROTO: the guest did not do what it
 * was told. All other errors come from the kernel.
 */
int guest__open(struct guest *guest); /* /dev/kvm */
int guest__prepare(struct guest *guest); /* after its fields are set, and after each change */
void guest__close(struct guest *guest);
int guest_vm__create(struct guest_vm *vm, const struct guest *guest);
void guest_vm__destroy(struct guest_vm *vm);
/* Must be called by the thread that runs the vCPU */
int guest_vcpu__create(struct guest_vcpu *vcpu, const struct guest_vm *vm, int index);
/* One KVM_RUN: a return to user space, or a signal */
int guest_vcpu__run(struct guest_vcpu *vcpu);
void guest_vcpu__destroy(struct guest_vcpu *vcpu);

/* How often it left the guest, by KVM's own count; 0: this kernel (before 5.14) has none */
uint64_t guest_vcpu__exits(const struct guest_vcpu *vcpu);

/* Why the last call of this thread failed, as "KVM_RUN: Invalid argument" */
const char *guest__why(void);

/* ---- between guest.c and guest_*.c ---- */

/* Guest memory, mapped one to one */
enum {
	CODE = 0x8000,
	DATA = 0x10000, /* a page for each vCPU */
	PAGE = 0x1000,
};

/* What it returns, 0 or more, or -errno */
int kvm_ioctl(int fd, unsigned long request, const char *what, unsigned long arg);
#define KVM(fd, request, arg) kvm_ioctl(fd, request, #request, (unsigned long)(arg))

/* Keeps why something failed, and returns @err */
int guest__fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The instructions are one piece, of which the symbols are places */
static inline size_t guest__bytes(const uint8_t *from, const uint8_t *to)
{
	return (uintptr_t)to - (uintptr_t)from;
}

/* To be called when the guest has ended: checks that it did everything. 0 or -errno. */
int guest_vcpu__finish(struct guest_vcpu *vcpu);

/* What is different on each machine */
extern const char *machine__isa; /* once opened */
extern const bool machine__shows[NR_KINDS]; /* kinds that user space sees */
int machine__open(const struct guest *guest);
size_t machine__memory_size(const struct guest *guest);
int machine__set_up_vm(struct guest_vm *vm); /* its memory, and what comes before vCPUs */
int machine__set_up(struct guest_vcpu *vcpu); /* in the thread that runs it */
void machine__take_down(struct guest_vcpu *vcpu);
int machine__handle_exit(struct guest_vcpu *vcpu); /* -ENOENT: it does not know the exit */

#endif
