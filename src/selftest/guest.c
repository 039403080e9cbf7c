// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "selftest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME(slot, name, insns) [slot] = #name,
const char *const kind_names[NR_KINDS] = { KINDS(NAME) };

static __thread char why[128];

const char *guest__why(void)
{
	return why;
}

int guest__fail(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err;
}

static int fail_errno(const char *what)
{
	int err = -errno;

	return guest__fail(err, "%s: %s", what, strerror(-err));
}

int kvm_ioctl(int fd, unsigned long request, const char *what, unsigned long arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? fail_errno(what) : ret;
}

int guest__open(struct guest *guest)
{
	int size;

	guest->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (guest->kvm < 0)
		return fail_errno("/dev/kvm");
	size = KVM(guest->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0) {
		guest__close(guest);
		return size;
	}
	guest->run_size = size;
	return 0;
}

int guest__prepare(struct guest *guest)
{
	guest->loops = 0;
	for (int kind = 0; kind < NR_KINDS; kind++)
		if (guest->counts[kind] > guest->loops)
			guest->loops = guest->counts[kind];
	return machine__open(guest);
}

void guest__close(struct guest *guest)
{
	close(guest->kvm);
}

static int allocate_memory(struct guest_vm *vm)
{
	struct kvm_userspace_memory_region region = { .memory_size =
							      machine__memory_size(vm->guest) };
	void *memory = mmap(NULL, region.memory_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (memory == MAP_FAILED)
		return fail_errno("guest memory");
	vm->memory = memory;
	err = machine__set_up_vm(vm);
	if (err)
		return err;
	region.userspace_addr = (uintptr_t)vm->memory;
	return KVM(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

int guest_vm__create(struct guest_vm *vm, const struct guest *guest)
{
	int err;

	*vm = (struct guest_vm){ .guest = guest };
	vm->fd = KVM(guest->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return vm->fd;
	err = allocate_memory(vm);
	if (err)
		guest_vm__destroy(vm);
	return err;
}

void guest_vm__destroy(struct guest_vm *vm)
{
	close(vm->fd);
	if (vm->memory)
		munmap(vm->memory, machine__memory_size(vm->guest));
}

int guest_vcpu__create(struct guest_vcpu *vcpu, const struct guest_vm *vm, int index)
{
	const struct guest *guest = vm->guest;
	int err;

	*vcpu = (struct guest_vcpu){ .vm = vm, .index = index };
	vcpu->fd = KVM(vm->fd, KVM_CREATE_VCPU, guest->first_id + index);
	if (vcpu->fd < 0)
		return vcpu->fd;
	vcpu->run = mmap(NULL, guest->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		err = fail_errno("vCPU state");
		close(vcpu->fd);
		return err;
	}
	vcpu->left = (uint64_t *)(vm->memory + DATA + (size_t)index * PAGE);
	memcpy(vcpu->left, guest->counts, sizeof(guest->counts));
	err = machine__set_up(vcpu);
	if (err)
		guest_vcpu__destroy(vcpu);
	return err;
}

void guest_vcpu__destroy(struct guest_vcpu *vcpu)
{
	machine__take_down(vcpu);
	munmap(vcpu->run, vcpu->vm->guest->run_size);
	close(vcpu->fd);
}

int guest_vcpu__finish(struct guest_vcpu *vcpu)
{
	const uint64_t *counts = vcpu->vm->guest->counts;

	for (int kind = 0; kind < NR_KINDS; kind++) {
		if (vcpu->left[kind])
			return guest__fail(-EPROTO, "the guest died with %llu %s to go",
					   (unsigned long long)vcpu->left[kind], kind_names[kind]);
		if (machine__shows[kind] && vcpu->seen[kind] != counts[kind])
			return guest__fail(-EPROTO, "%s: %llu of %llu seen by user space",
					   kind_names[kind], (unsigned long long)vcpu->seen[kind],
					   (unsigned long long)counts[kind]);
	}
	vcpu->done = true;
	return 0;
}

static int handle_exit(struct guest_vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	int err = machine__handle_exit(vcpu);

	if (err != -ENOENT)
		return err;
	switch (run->exit_reason) {
	case KVM_EXIT_INTR:
		return 0;
	case KVM_EXIT_FAIL_ENTRY:
		return guest__fail(
			-EPROTO, "entry failed, reason %#llx",
			(unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		return guest__fail(-EPROTO, "KVM internal error %u", run->internal.suberror);
	default:
		return guest__fail(-EPROTO, "KVM exit reason %u", run->exit_reason);
	}
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int guest_vcpu__run(struct guest_vcpu *vcpu)
{
	uint64_t start = now();
	int err = ioctl(vcpu->fd, KVM_RUN, 0) ? errno : 0;

	vcpu->run_ns += now() - start;
	vcpu->run_calls++;
	if (!err)
		return handle_exit(vcpu);
	return err == EINTR || err == EAGAIN ? 0 : guest__fail(-err, "KVM_RUN: %s", strerror(err));
}

/* The statistic @name of a vCPU among those that the file @fd describes; 0: none */
static uint64_t read_statistic(int fd, const char *name)
{
	struct kvm_stats_header head;
	struct {
		struct kvm_stats_desc desc;
		char name[64];
	} stat;
	size_t size;
	uint64_t value;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) || head.name_size > sizeof(stat.name))
		return 0;
	size = sizeof(stat.desc) + head.name_size;
	for (uint32_t i = 0; i < head.num_desc; i++) {
		if (pread(fd, &stat, size, head.desc_offset + i * size) != (ssize_t)size)
			return 0;
		if (!strncmp(stat.name, name, head.name_size))
			return pread(fd, &value, sizeof(value),
				     head.data_offset + stat.desc.offset) == sizeof(value)
				       ? value
				       : 0;
	}
	return 0;
}

uint64_t guest_vcpu__exits(const struct guest_vcpu *vcpu)
{
	int fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
	uint64_t exits = fd < 0 ? 0 : read_statistic(fd, "exits");

	if (fd >= 0)
		close(fd);
	return exits;
}
