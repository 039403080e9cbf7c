// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "names/reason_filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "names/details.h"
#include "names/reasons.h"

#define CACHE_SIZE 256

struct pattern {
	const char *name; /* as reasons.def spells it, with * */
	__u32 code; /* if by_code: of any ISA */
	bool by_code;
	bool out; /* it had a ! */
};

struct filter {
	char *list; /* cut into patterns */
	struct pattern *patterns;
	size_t nr;
	size_t room;
	bool all; /* all patterns have a ! */
	/* A cache of decisions, indexed by the code's lowest bits */
	struct verdict {
		bool known;
		bool kept;
		__u32 isa;
		__u32 code;
	} cache[CACHE_SIZE];
};

static bool matches(const struct pattern *p, __u32 code, const char *name)
{
	return p->by_code ? p->code == code : !fnmatch(p->name, name, FNM_CASEFOLD);
}

static bool keeps(const struct filter *f, __u32 isa, __u32 code)
{
	char buf[REASON_NAME_MAX];
	const char *name = reason__name(isa, code, buf, sizeof(buf));
	bool kept = f->all;
	size_t i;

	for (i = 0; i < f->nr; i++) {
		const struct pattern *p = &f->patterns[i];
		bool found = matches(p, code, name);

		if (found && p->out)
			return false;
		kept |= found;
	}
	return kept;
}

bool filter__keeps(struct filter *f, __u32 isa, __u32 code)
{
	struct verdict *v = &f->cache[code % CACHE_SIZE];

	if (!v->known || v->isa != isa || v->code != code)
		*v = (struct verdict){ true, keeps(f, isa, code), isa, code };
	return v->kept;
}

bool filter__wants(struct filter *f, const struct named_detail *named)
{
	size_t i;

	for (i = 0; i < reasons_count; i++)
		if (named_detail__is_of(named, reasons[i].isa, reasons[i].code) &&
		    filter__keeps(f, reasons[i].isa, reasons[i].code))
			return true;
	return false;
}

/* Whether a reason may be meant: a listed one, UNKNOWN_<code>, or any by its code */
static bool is_known(const struct pattern *p)
{
	static const char unknown[] = "UNKNOWN_";
	size_t i, len = strlen(unknown);

	if (p->by_code)
		return true;
	if (!*p->name || p->name[strspn(p->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						 "abcdefghijklmnopqrstuvwxyz0123456789_*")])
		return false;
	if (!strncasecmp(p->name, unknown, len) && p->name[len])
		return true;
	for (i = 0; i < reasons_count; i++)
		if (matches(p, reasons[i].code, reasons[i].name))
			return true;
	return false;
}

/* Names that have @part in them, as a hint */
static void tell_unknown(const char *part, char *why, size_t size)
{
	size_t i, used, hints = 0;

	used = snprintf(why, size, "%s: no exit reason has this name", part);
	for (i = 0; *part && i < reasons_count && used < size && hints < 5; i++) {
		const char *name = reasons[i].name;

		if (!strcasestr(name, part) || strstr(why, name))
			continue;
		used += snprintf(why + used, size - used, "%s%s", hints++ ? ", " : "; there are ",
				 name);
	}
	if (used < size)
		snprintf(why + used, size - used, "%s",
			 hints ? "" : "; see kvmexit --list-reasons");
}

static int add_pattern(struct filter *f, const char *text, char *why, size_t size)
{
	struct pattern p = { .out = *text == '!' },
		       *grown = array_grow(f->patterns, &f->room, f->nr, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	f->patterns = grown;
	p.name = reason__translate(text + p.out);
	p.by_code = reason__parse_code(p.name, &p.code);
	if (!is_known(&p)) {
		tell_unknown(p.name, why, size);
		return -EINVAL;
	}
	f->patterns[f->nr++] = p;
	f->all &= p.out;
	return 0;
}

int filter__new(struct filter **out, const char *list, char *why, size_t size)
{
	struct filter *f = calloc(1, sizeof(*f));
	char *pattern, *rest;
	int err = -ENOMEM;

	if (f)
		f->list = strdup(list);
	if (f && f->list) {
		f->all = true;
		rest = f->list;
		do {
			pattern = strsep(&rest, ",");
			err = add_pattern(f, pattern, why, size);
		} while (!err && rest);
	}
	if (err)
		filter__free(f);
	else
		*out = f;
	return err;
}

void filter__free(struct filter *f)
{
	if (!f)
		return;
	free(f->patterns);
	free(f->list);
	free(f);
}
