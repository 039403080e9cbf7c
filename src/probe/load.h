/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The BPF object once more, built without the kfunc (see kvmexit.bpf.c) */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>

void *plain_object(size_t *size);

#endif
