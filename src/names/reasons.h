/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef REASONS_H
#define REASONS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* Room for any reason's name with its NUL, UNKNOWN_4294967295 included. */
#define REASON_NAME_MAX 49

struct reason {
	__u32 isa; /* ISA_VMX and so on, of kvmexit.h */
	__u32 code;
	const char *name; /* as the kernel's header, without its prefix */
	const char *meaning; /* one line, at most 90 characters, no period */
};

/* All known reasons in the order of reasons.def: by ISA, then by code. */
extern const struct reason reasons[];
extern const size_t reasons_count;

/* NULL if the code has no name. */
const struct reason *reason__find(unsigned int isa, unsigned int code);

/*
 * Never NULL: the known name, or UNKNOWN_<code> written into buf, whose size
 * should be REASON_NAME_MAX. The result may point into buf.
 */
const char *reason__name(unsigned int isa, unsigned int code, char *buf, size_t size);

/* The code that has this name, or is UNKNOWN_<code>; false: there is none */
bool reason__parse(unsigned int isa, const char *name, __u32 *code);

/*
 * The name here of what others call @name, in any case: without the prefix of the kernel's
 * constant (EXIT_REASON_HLT), or by the spelling of perf kvm stat and of the tracepoint
 * ("interrupt", "DB excp"). @name itself, or a part of it, if it is none of these.
 */
const char *reason__translate(const char *name);

/* "119" or "0x77": a code; false: it is none */
bool reason__parse_code(const char *text, __u32 *code);

/* "vmx", "svm", "arm64" or "unknown": never NULL. */
const char *isa__name(unsigned int isa);

/* The other way round; 0: it is none of these */
unsigned int isa__parse(const char *name);

#endif /* REASONS_H */
