/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What kind of host this is, for readers elsewhere; nothing here identifies the host */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>

void host__cpu(char *model, size_t size); /* its model, or on arm64 its MIDR_EL1 */
void host__vendor(char *vendor, size_t size); /* "AuthenticAMD" and so on; "": not known */
/* KVM's modules except `kvm` itself, such as "kvm_amd"; or "kvm built in", or "none" */
void host__modules(char *modules, size_t size);

#endif
