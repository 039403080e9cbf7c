/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files and links that somebody else may have put where kvmexit writes */
#ifndef PLANTED_H
#define PLANTED_H

#include <stdbool.h>

/*
 * Whether @path is a file, link or FIFO of another user in a directory that everybody may
 * write to (/tmp). Opening it would write where its owner wants, or what he can read. Where
 * fs.protected_symlinks, _regular and _fifos are set, the kernel refuses most of these, too.
 */
bool is_planted(const char *path);

#endif
