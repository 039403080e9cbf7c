/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Settings of this host, read from files */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define SETTING_SIZE 320

/*
 * The present value of a setting by its name in explain.def: "kvm.halt_poll_ns",
 * "cmdline.nohz_full", "transparent_hugepage". It reads files below @root ("": this host's).
 * False: this host has no setting of this name, or it may not be read.
 */
bool settings__read(const char *root, const char *name, char *value, size_t size);

/* Whether @name is the name of such a setting on any host */
bool settings__is_name(const char *name);

#endif
