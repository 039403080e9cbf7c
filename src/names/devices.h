/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The devices of one VM by their addresses and ports, as QEMU's monitor tells them:
 * `info mtree -f`, with -o also the devices' ids, saved to a file.
 */
#ifndef DEVICES_H
#define DEVICES_H

#include <linux/types.h>
#include <stddef.h>
#include <stdio.h>

/* Room for a device's name with its NUL: ASCII, printable, no quotes and backslashes */
#define DEVICE_NAME_MAX 49

struct devices;

/*
 * Returns 0 and *@out; or -ENOMEM; or -errno of reading; or -EINVAL, and in @why what is
 * wrong in which line.
 */
int devices__read(struct devices **out, FILE *file, char *why, size_t size);
void devices__free(struct devices *d);

/* The device to which the address or port of a detail (kvmexit.h) belongs, or NULL */
const char *devices__name(const struct devices *d, __u64 detail);

#endif
