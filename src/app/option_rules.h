/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which options exclude or need each other: an option that would be ignored is refused */
#ifndef OPTION_RULES_H
#define OPTION_RULES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether one of the rules is broken by the options in @given, each with a blank in
 * front: " -p -g", and " DURATION"; which one and why goes into @why.
 */
bool rules__are_broken(const char *given, char *why, size_t size);

bool rules__is_given(const char *given, const char *option);

#endif
