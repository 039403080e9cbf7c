// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "names/details.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "names/reason_codes.h"

/* How a part of a detail's value is written */
enum form {
	HEX,
	DECIMAL,
	NUMBER, /* decimal below 10, else hexadecimal */
	LIMITED, /* NUMBER, but the largest one stands for all that are more: >0xfffe */
	WORD, /* one of words[], "" is left out */
	SYSREG, /* s3_0_c12_c11_5 */
};

struct part {
	enum form form;
	unsigned int shift; /* of its lowest bit in the value */
	unsigned int bits;
	unsigned int scale; /* the number written is so many bits further left */
	unsigned int only_with; /* it is there where this bit of the value is set; 0: always */
	const char *words[4];
};

#define MAX_PARTS 4

/* A bit field, printed as a word */
#define WORDS(shift_, bits_, ...)                                                          \
	{                                                                                  \
		.form = WORD, .shift = (shift_), .bits = (bits_), .words = { __VA_ARGS__ } \
	}
#define AS(form_, shift_, bits_)                                  \
	{                                                         \
		.form = form_, .shift = (shift_), .bits = (bits_) \
	}
#define CALLED(word) WORDS(0, 0, word)

static const struct kind {
	struct part parts[MAX_PARTS]; /* of the text; the first is always there */
	/* What is the subject: bits of the value */
	unsigned int shift;
	unsigned int bits;
} kinds[DETAIL_SPECIAL] = {
	[DETAIL_MSR] = { { CALLED("msr"), AS(HEX, 0, 32), WORDS(32, 1, "read", "write") }, 0, 32 },
	[DETAIL_PORT] = { { CALLED("port"), AS(HEX, 0, 16),
			    WORDS(19, 2, "out", "in", "outs", "ins"), AS(DECIMAL, 16, 3) },
			  0,
			  16 },
	[DETAIL_MMIO] = { { CALLED("mmio"), AS(HEX, 0, 51) }, 0, 51 },
	[DETAIL_FAULT] = { { CALLED("fault"),
			     { .form = HEX, .bits = 31, .scale = 21 },
			     WORDS(31, 2, "2M read", "2M write", "2M exec"),
			     WORDS(33, 1, "", "mapped") },
			   31,
			   3 },
	[DETAIL_LEAF] = { { CALLED("leaf"),
			    AS(HEX, 0, 32),
			    WORDS(48, 1, "", "subleaf"),
			    { .form = LIMITED, .shift = 32, .bits = 16, .only_with = 48 } },
			  0,
			  32 },
	[DETAIL_HYPERCALL] = { { CALLED("hypercall"), AS(NUMBER, 0, 32),
				 WORDS(32, 2, "", "hyperv", "xen", "smccc") },
			       0,
			       34 },
	[DETAIL_VECTOR] = { { WORDS(8, 2, "vector", "exception", "eoi"), AS(NUMBER, 0, 8) },
			    0,
			    10 },
	[DETAIL_CR] = { { CALLED("cr"), AS(DECIMAL, 0, 4),
			  WORDS(4, 2, "write", "read", "clts", "lmsw") },
			0,
			4 },
	[DETAIL_DR] = { { CALLED("dr"), AS(DECIMAL, 0, 3), WORDS(3, 1, "write", "read") }, 0, 3 },
	[DETAIL_APIC] = { { CALLED("apic"), AS(HEX, 0, 12),
			    WORDS(12, 2, "read", "write", "exec", "event") },
			  0,
			  12 },
	[DETAIL_AVIC] = { { CALLED("avic"), AS(NUMBER, 0, 32) }, 0, 32 },
	[DETAIL_XCR] = { { CALLED("xcr"), AS(NUMBER, 0, 32) }, 0, 32 },
	[DETAIL_PMC] = { { CALLED("pmc"), AS(HEX, 0, 32) }, 0, 32 },
	[DETAIL_SYSREG] = { { CALLED("sysreg"), AS(SYSREG, 0, 16), WORDS(16, 1, "read", "write") },
			    0,
			    16 },
};

#define BIT(n) (1ull << (n))

/* In details.def, of addresses of arm64 */
#define ARM_ADDRESS BIT(62)

/* The kinds of detail that exits of a reason can have */
static const struct of_reason {
	__u32 isa;
	__u32 code;
	enum detail_kind kind;
	__u64 known; /* mask of bits that follow from the reason */
	__u64 value; /* their value */
} of_reasons[] = {
#define VMX_DETAIL(reason, source, kind, known, value) \
	{ ISA_VMX, REASON_VMX_##reason, kind, known, value },
#define SVM_DETAIL(reason, source, kind, known, value) \
	{ ISA_SVM, REASON_SVM_##reason, kind, known, value },
#define ARM64_DETAIL(reason, source, kind, known, value) \
	{ ISA_ARM64, REASON_ARM64_##reason, kind, known, value },
#define DETAIL_TOO(isa, reason, kind) { ISA_##isa, REASON_##isa##_##reason, kind, 0, 0 },
#include "reasons.def"
};

/* clang-format off */
const struct named_detail named_details[] = {
#define DETAIL(kind, first, last, name) { kind, first, last, name },
#include "details.def"
};
/* clang-format on */

const size_t named_details_count = ARRAY_SIZE(named_details);

#define DETAIL(kind, first, last, name) \
	_Static_assert((first) <= (last) && sizeof(name) <= DETAIL_NAME_MAX, "details.def: " name);
#include "details.def"

/* NULL: exits of the reason can have no such detail */
static const struct of_reason *find_of(__u32 isa, __u32 code, enum detail_kind kind)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(of_reasons); i++)
		if (of_reasons[i].code == code && of_reasons[i].isa == isa &&
		    (of_reasons[i].kind == kind || kind == DETAIL_SPECIAL))
			return &of_reasons[i];
	return NULL;
}

bool detail__can_be(__u32 isa, __u32 code, enum detail_kind kind)
{
	return find_of(isa, code, kind);
}

bool detail__can_have(__u32 isa, __u32 code)
{
	return find_of(isa, code, DETAIL_SPECIAL);
}

static __u64 bits_of(__u64 value, unsigned int shift, unsigned int bits)
{
	return value >> shift & (BIT(bits) - 1);
}

__u64 detail__subject(__u64 detail)
{
	enum detail_kind kind = detail__kind(detail);

	return kind < DETAIL_SPECIAL ? bits_of(detail, kinds[kind].shift, kinds[kind].bits) : 0;
}

const char *detail__name(__u32 isa, __u64 detail)
{
	enum detail_kind kind = detail__kind(detail);
	__u64 subject = detail__subject(detail);
	size_t i;

	if (isa == ISA_ARM64 && kind == DETAIL_MMIO)
		subject |= ARM_ADDRESS;
	for (i = 0; i < named_details_count; i++) {
		const struct named_detail *n = &named_details[i];

		if (n->kind == kind && n->first <= subject && subject <= n->last)
			return n->name;
	}
	return "";
}

static bool is_part(const struct part *part)
{
	return part->bits || part->form == WORD;
}

static __u64 mask_of(const struct part *part)
{
	return (BIT(part->bits) - 1) << part->shift;
}

/* Whether the text has this part: bits in @known follow from the reason and are not printed */
static bool is_told(const struct part *part, __u64 value, __u64 known)
{
	__u64 mask = mask_of(part);

	if (part->only_with && !(value >> part->only_with & 1))
		return false;
	return !mask || (mask & known) != mask;
}

/* Whether a number stands for all that have no room in the part */
static bool is_limit(const struct part *part, __u64 n)
{
	return part->form == LIMITED && n == BIT(part->bits) - 1;
}

static int format_number(const struct part *part, __u64 n, char *buf, size_t size)
{
	bool limit = is_limit(part, n);
	bool hex = part->form == HEX || (part->form != DECIMAL && n > 9);

	return snprintf(buf, size, hex ? "%s0x%llx" : "%s%llu", limit ? ">" : "",
			(n - limit) << part->scale);
}

static int format_part(const struct part *part, __u64 n, char *buf, size_t size)
{
	switch (part->form) {
	case WORD:
		return snprintf(buf, size, "%s", part->words[n] ? part->words[n] : "?");
	case SYSREG:
		return snprintf(buf, size, "s%llu_%llu_c%llu_c%llu_%llu", bits_of(n, 14, 2),
				bits_of(n, 11, 3), bits_of(n, 7, 4), bits_of(n, 3, 4),
				bits_of(n, 0, 3));
	default:
		return format_number(part, n, buf, size);
	}
}

/* Writes the text of a value; "" if there is no word for a part */
static void format(const struct kind *kind, __u64 value, __u64 known, char *buf, size_t size)
{
	const struct part *part = kind->parts;
	char text[DETAIL_TEXT_MAX];
	size_t used = 0;

	*buf = 0;
	for (; part < kind->parts + MAX_PARTS && is_part(part); part++) {
		if (part != kind->parts && !is_told(part, value, known))
			continue;
		format_part(part, bits_of(value, part->shift, part->bits), text, sizeof(text));
		if (*text && used < size)
			used += snprintf(buf + used, size - used, "%s%s", used ? " " : "", text);
	}
}

static const struct {
	__u64 detail;
	const char *text;
} specials[] = {
	{ 0, "unknown" },
	{ DETAIL_OTHER, "other" },
	{ DETAIL_NONE, "" },
};

/* The text of a special value that belongs to no kind, or NULL */
static const char *special_text(__u64 detail)
{
	enum detail_kind kind = detail__kind(detail);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(specials); i++)
		if (specials[i].detail == detail)
			return specials[i].text;
	return kind == DETAIL_UNKNOWN || kind >= DETAIL_SPECIAL ? "unknown" : NULL;
}

const char *detail__text(__u32 isa, __u32 code, __u64 detail, char *buf, size_t size)
{
	const char *special = special_text(detail);
	enum detail_kind kind = detail__kind(detail);
	const struct of_reason *of = find_of(isa, code, kind);
	size_t used;

	if (special) {
		snprintf(buf, size, "%s", special);
		return buf;
	}
	format(&kinds[kind], detail & DETAIL_VALUE_MASK, of ? of->known : 0, buf, size);
	used = strlen(buf);
	if (detail & DETAIL_L2)
		snprintf(buf + used, size - used, " L2");
	return buf;
}

/* Whether @word begins at *@text and ends there; then *@text is moved to the next one */
static bool skip_word(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len) || ((*text)[len] && (*text)[len] != ' '))
		return false;
	*text += len + ((*text)[len] == ' ');
	return true;
}

static bool parse_word(const struct part *part, const char **text, __u64 *n)
{
	size_t i, count = BIT(part->bits);

	for (i = 0; i < count; i++)
		if (part->words[i] && *part->words[i] && skip_word(text, part->words[i])) {
			*n = i;
			return true;
		}
	*n = 0;
	return part->words[0] && !*part->words[0];
}

/* Parses a number that fits into the part's bits, up to the end of the word */
static bool parse_number(const struct part *part, const char **text, __u64 *n)
{
	bool hex = part->form != DECIMAL && !strncmp(*text, "0x", 2);
	const char *digits = *text + 2 * hex, *all = hex ? "0123456789abcdef" : "0123456789";
	size_t len = strspn(digits, all);
	unsigned int room = part->bits + part->scale;
	char *end;

	if (!len || len > 20 || (part->form == HEX && !hex))
		return false;
	*n = strtoull(digits, &end, hex ? 16 : 10);
	if (end != digits + len || (*end && *end != ' ') || *n >> room ||
	    *n & (BIT(part->scale) - 1))
		return false;
	*n >>= part->scale;
	*text = end + (*end == ' ');
	return true;
}

static bool parse_sysreg(const char **text, __u64 *n)
{
	unsigned int op0, op1, crn, crm, op2;
	char again[32];

	if (sscanf(*text, "s%1u_%1u_c%2u_c%2u_%1u", &op0, &op1, &crn, &crm, &op2) != 5)
		return false;
	*n = (op0 & 3) << 14 | (op1 & 7) << 11 | (crn & 15) << 7 | (crm & 15) << 3 | (op2 & 7);
	/* Refuses what is too large, or not written in the canonical form */
	format_part(&(struct part){ .form = SYSREG }, *n, again, sizeof(again));
	return skip_word(text, again);
}

static bool parse_part(const struct part *part, const char **text, __u64 *n)
{
	if (part->form == WORD)
		return parse_word(part, text, n);
	if (part->form == SYSREG)
		return parse_sysreg(text, n);
	if (part->form != LIMITED || **text != '>')
		return parse_number(part, text, n);
	++*text;
	return parse_number(part, text, n) && is_limit(part, ++*n);
}

/* Parses a text except the part that says L2 */
static bool parse(const struct kind *kind, const struct of_reason *of, const char **text,
		  __u64 *value)
{
	const struct part *part = kind->parts;
	__u64 n;

	*value = of ? of->value : 0;
	for (; part < kind->parts + MAX_PARTS && is_part(part); part++) {
		if (part != kind->parts && !is_told(part, *value, of ? of->known : 0))
			continue;
		if (!parse_part(part, text, &n))
			return false;
		*value = (*value & ~mask_of(part)) | n << part->shift;
	}
	return true;
}

bool detail__parse(__u32 isa, __u32 code, const char *text, __u64 *out)
{
	__u64 value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(specials); i++)
		if (!strcmp(text, specials[i].text)) {
			*out = specials[i].detail;
			return true;
		}
	for (i = DETAIL_UNKNOWN + 1; i < DETAIL_SPECIAL; i++) {
		const char *rest = text;

		if (!parse(&kinds[i], find_of(isa, code, i), &rest, &value))
			continue;
		if (skip_word(&rest, "L2"))
			value |= DETAIL_L2;
		*out = detail(i, value);
		return !*rest && rest[-1] != ' ';
	}
	return false;
}

const char *named_detail__text(const struct named_detail *named, char *buf, size_t size)
{
	const struct kind *kind = &kinds[named->kind];
	/* A list has the subject, not what was done with it */
	__u64 told = (BIT(kind->bits) - 1) << kind->shift;
	size_t used;

	format(kind, named->first << kind->shift, ~told, buf, size);
	used = strlen(buf);
	if (named->last != named->first && used < size)
		snprintf(buf + used, size - used, "-0x%llx", named->last & ~ARM_ADDRESS);
	return buf;
}

/* Addresses mean something on one machine only */
static bool is_where(const struct named_detail *named, __u32 isa)
{
	return named->kind != DETAIL_MMIO || !(named->first & ARM_ADDRESS) == (isa != ISA_ARM64);
}

bool named_detail__is_of(const struct named_detail *named, __u32 isa, __u32 code)
{
	const struct of_reason *of = find_of(isa, code, named->kind);
	__u64 bits;

	if (!of || !is_where(named, isa))
		return false;
	bits = of->known & (BIT(kinds[of->kind].bits) - 1) << kinds[of->kind].shift;
	return (named->first << kinds[of->kind].shift & bits) == (of->value & bits);
}
