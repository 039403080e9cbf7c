/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The version, written here only; CONTRIBUTING.md says what else a release needs */
#ifndef VERSION_H
#define VERSION_H

#define KVMEXIT_VERSION "0.2.0"

#endif
