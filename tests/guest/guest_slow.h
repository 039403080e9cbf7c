/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Settings of a guest's VM, each a bit of a mask: what makes it slow, which kvmexit
 * --explain must find, or makes its hypercalls another's. Each prints whether this kernel
 * took it; a later failure ends the program.
 */
#ifndef GUEST_SLOW_H
#define GUEST_SLOW_H

#include "selftest/guest.h"

/* The bit of a setting's name; one that is unknown ends the program with 64 */
unsigned int slow__parse(const char *name);

/* What the @chosen add to a guest's features */
unsigned int slow__features(unsigned int chosen);

/* Their names, to standard error */
void slow__list(void);

/* The @chosen, where they belong to a VM before its vCPUs; to a vCPU; at each return of KVM_RUN */
void slow__vm(unsigned int chosen, const struct guest_vm *vm);
void slow__vcpu(unsigned int chosen, const struct guest_vcpu *vcpu);
void slow__return(unsigned int chosen, const struct guest_vcpu *vcpu);

#endif
