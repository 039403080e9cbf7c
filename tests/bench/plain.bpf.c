// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The same built without the kfunc, as kvmexit's second object is */
#define WITHOUT_KFUNC
#include "own.bpf.c"
