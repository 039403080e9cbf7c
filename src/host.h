/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a host is, for whoever reads of it elsewhere: nothing that tells which one */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>

void host__cpu(char *model, size_t size); /* its model, or on arm64 its MIDR_EL1 */
void host__vendor(char *vendor, size_t size); /* "AuthenticAMD" and so on; "": not known */
/* KVM's modules but `kvm` itself, as "kvm_amd"; "kvm built in"; "none" */
void host__modules(char *modules, size_t size);

#endif
