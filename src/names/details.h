/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Details as text, for people and records; as numbers see enum detail_kind in kvmexit.h */
#ifndef DETAILS_H
#define DETAILS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "kvmexit.h"

/* Room for any detail's text, and for any name of details.def, with the NUL */
#define DETAIL_TEXT_MAX 64
#define DETAIL_NAME_MAX 49

/* Details that have a name, in the order of details.def: a range of one kind's subjects */
struct named_detail {
	enum detail_kind kind;
	__u64 first; /* detail__subject(); bit 62 is set for an address of arm64 */
	__u64 last;
	const char *name;
};

extern const struct named_detail named_details[];
extern const size_t named_details_count;

static inline enum detail_kind detail__kind(__u64 detail)
{
	return detail >> DETAIL_SHIFT & 0xf;
}

/* The number or address, without what was done with it */
__u64 detail__subject(__u64 detail);

/* Its name in details.def, or "" */
const char *detail__name(__u32 isa, __u64 detail);

/* Whether exits of this reason can have a detail of this kind; or any detail */
bool detail__can_be(__u32 isa, __u32 code, enum detail_kind kind);
bool detail__can_have(__u32 isa, __u32 code);

/*
 * Writes the canonical text of a reason's detail into @buf, whose size should be
 * DETAIL_TEXT_MAX: "port 0x3f8 out 1", "unknown", "other", or "" for DETAIL_NONE. It omits
 * what the reason already tells: "msr 0x6e0" for MSR_WRITE, but "msr 0x6e0 write" for
 * SVM's MSR. Returns @buf.
 */
const char *detail__text(__u32 isa, __u32 code, __u64 detail, char *buf, size_t size);

/* The detail with this text; false: there is none */
bool detail__parse(__u32 isa, __u32 code, const char *text, __u64 *out);

/* What a named detail is called in a list: "msr 0x6e0", "port 0x3f8-0x3ff". Returns @buf. */
const char *named_detail__text(const struct named_detail *named, char *buf, size_t size);

/* Whether exits of the reason can have it */
bool named_detail__is_of(const struct named_detail *named, __u32 isa, __u32 code);

#endif
