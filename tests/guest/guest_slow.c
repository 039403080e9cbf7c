// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Settings of a VM: see guest_slow.h */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest_slow.h"

#define SLOW_HALT_POLL 7000 /* ns */

static int slow__halt_poll(const struct guest_vm *vm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL, .args = { SLOW_HALT_POLL } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

static int slow__log_dirty(const struct guest_vm *vm)
{
	struct kvm_userspace_memory_region region = {
		.flags = KVM_MEM_LOG_DIRTY_PAGES,
		.memory_size = machine__memory_size(vm->guest),
		.userspace_addr = (uintptr_t)vm->memory,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/* Whoever fetches the log has the pages written since protected again */
static int slow__fetch_log(const struct guest_vcpu *vcpu)
{
	static uint64_t bitmap[4096];
	struct kvm_dirty_log log = { .dirty_bitmap = bitmap };

	return ioctl(vcpu->vm->fd, KVM_GET_DIRTY_LOG, &log);
}

#ifdef __aarch64__
static int set_attr(int fd, __u32 group, __u64 attr, const void *value)
{
	struct kvm_device_attr device = {
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
	};

	return ioctl(fd, KVM_SET_DEVICE_ATTR, &device);
}

/* Of a VM of one vCPU, where it has neither memory nor mmio */
static int slow__gic(const struct guest_vcpu *vcpu)
{
	const __u64 distributor = 0x8000000, redistributor = 0x80a0000;
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	int err = ioctl(vcpu->vm->fd, KVM_CREATE_DEVICE, &device);

	if (!err)
		err = set_attr(device.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
			       &distributor);
	if (!err)
		err = set_attr(device.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST,
			       &redistributor);
	return err ? err
		   : set_attr(device.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT,
			      NULL);
}

static int slow__pmu(const struct guest_vcpu *vcpu)
{
	return set_attr(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT, NULL);
}
#else
static int slow__no_pause_exits(const struct guest_vm *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_DISABLE_EXITS,
		.args = { KVM_X86_DISABLE_EXITS_PAUSE },
	};

	return ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

static int slow__pit(const struct guest_vm *vm)
{
	struct kvm_pit_config config = { 0 };

	return ioctl(vm->fd, KVM_CREATE_PIT2, &config);
}

/* Hypercalls are Hyper-V's in a guest that has found that and told which system it is */
static int slow__hyperv(const struct guest_vcpu *vcpu)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 255 };
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = 0x40000000, .data = 1 } };

	if (ioctl(vcpu->fd, KVM_GET_CPUID2, &cpuid))
		return -1;
	for (unsigned int i = 0; i < cpuid.head.nent; i++)
		if (cpuid.entries[i].function == 0x40000001)
			cpuid.entries[i].eax = 0x31237648; /* "Hv#1" */
	return ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid) || ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) != 1;
}

/* They are Xen's, and come to the VMM */
static int slow__xen(const struct guest_vm *vm)
{
	struct kvm_xen_hvm_config config = { .flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL };

	return ioctl(vm->fd, KVM_XEN_HVM_CONFIG, &config);
}

static int slow__block_irqs(const struct guest_vcpu *vcpu)
{
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_BLOCKIRQ };

	return ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &debug);
}
#endif

static const struct slow {
	const char *name;
	int (*to_vm)(const struct guest_vm *vm); /* before it has vCPUs */
	int (*to_vcpu)(const struct guest_vcpu *vcpu); /* once */
	int (*at_return)(const struct guest_vcpu *vcpu); /* of each KVM_RUN */
	unsigned int features; /* struct guest */
} slows[] = {
	{ "halt-poll", slow__halt_poll, NULL, NULL, 0 },
	{ "dirty", slow__log_dirty, NULL, slow__fetch_log, 0 },
#ifdef __aarch64__
	{ "gic", NULL, slow__gic, NULL, 0 },
	{ "pmu", NULL, slow__pmu, NULL, 1u << KVM_ARM_VCPU_PMU_V3 },
#else
	{ "pause", slow__no_pause_exits, NULL, NULL, 0 },
	{ "pit", slow__pit, NULL, NULL, 0 },
	{ "blockirq", NULL, slow__block_irqs, NULL, 0 },
	{ "hyperv", NULL, slow__hyperv, NULL, 0 },
	{ "xen", slow__xen, NULL, NULL, 0 },
#endif
};

#define NR_SLOWS (sizeof(slows) / sizeof(slows[0]))

/* What this kernel takes: the other side of what kvmexit says */
static void slow__report(const struct slow *slow, int failed)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "{\"pid\":%d,\"slow\":\"%s\",\"set\":%s}\n", getpid(),
			 slow->name, failed ? "false" : "true");

	if (write(STDOUT_FILENO, line, n) != n)
		err(1, "standard output");
}

void slow__vm(unsigned int chosen, const struct guest_vm *vm)
{
	for (size_t i = 0; i < NR_SLOWS; i++)
		if (chosen & 1u << i && slows[i].to_vm)
			slow__report(&slows[i], slows[i].to_vm(vm));
}

void slow__vcpu(unsigned int chosen, const struct guest_vcpu *vcpu)
{
	for (size_t i = 0; i < NR_SLOWS; i++)
		if (chosen & 1u << i && slows[i].to_vcpu)
			slow__report(&slows[i], slows[i].to_vcpu(vcpu));
}

void slow__return(unsigned int chosen, const struct guest_vcpu *vcpu)
{
	for (size_t i = 0; i < NR_SLOWS; i++)
		if (chosen & 1u << i && slows[i].at_return && slows[i].at_return(vcpu))
			err(1, "%s", slows[i].name);
}

unsigned int slow__parse(const char *name)
{
	for (size_t i = 0; i < NR_SLOWS; i++)
		if (!strcmp(slows[i].name, name))
			return 1u << i;
	errx(64, "no such setting: '%s'", name);
}

unsigned int slow__features(unsigned int chosen)
{
	unsigned int features = 0;

	for (size_t i = 0; i < NR_SLOWS; i++)
		if (chosen & 1u << i)
			features |= slows[i].features;
	return features;
}

void slow__list(void)
{
	for (size_t i = 0; i < NR_SLOWS; i++)
		fprintf(stderr, " %s", slows[i].name);
}
