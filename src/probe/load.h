/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The BPF object, built with the kfunc and without (see src/bpf/kernel.bpf.h) */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>

struct bpf_object_open_opts;
struct kvmexit_bpf;

/* Opens one of the two. 0 or -errno; *@skel is the caller's to destroy in both cases. */
int object__open(struct kvmexit_bpf **skel, bool kfunc, const struct bpf_object_open_opts *opts);

#endif
