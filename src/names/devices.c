// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "names/devices.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "names/details.h"

struct range {
	__u64 first;
	__u64 last;
	char name[DEVICE_NAME_MAX];
};

struct space {
	struct range *ranges; /* in ascending order, without overlaps */
	size_t nr;
	size_t room;
};

enum space_kind {
	MEMORY,
	PORTS,
	NR_SPACES,
	NO_SPACE = NR_SPACES, /* the view of a device, not of the vCPUs */
};

struct devices {
	struct space spaces[NR_SPACES];
};

/* State of reading */
struct reader {
	struct devices *devices;
	enum space_kind space;
	bool begun; /* the first view has begun */
	bool found[NR_SPACES];
	__u64 next; /* the lowest address that may come in this view */
};

static bool skip(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len))
		return false;
	*text += len;
	return true;
}

/* 16 digits */
static bool skip_address(const char **text, __u64 *address)
{
	char *end;

	if (strspn(*text, "0123456789abcdef") != 16)
		return false;
	*address = strtoull(*text, &end, 16);
	*text = end;
	return true;
}

/* Bytes of "name @0000000000000010 owner:{dev id=net0}" that are the name */
static size_t name_length(const char *text)
{
	const char *owner = strstr(text, " owner:{"), *parent = strstr(text, " parent:{");
	const char *end = owner ? owner : parent;
	size_t len = end ? (size_t)(end - text) : strlen(text);
	const size_t offset = strlen(" @0000000000000010");

	if (len > offset && !strncmp(text + len - offset, " @", 2) &&
	    strspn(text + len - offset + 2, "0123456789abcdef") >= offset - 2)
		len -= offset;
	return len;
}

/* The name, and behind it the id that the device was given, if that is told */
static void set_name(char name[DEVICE_NAME_MAX], const char *text)
{
	static const char key[] = " owner:{dev id=";
	const char *id = strstr(text, key);
	int len = name_length(text);
	char *p;

	id = id ? id + strlen(key) : "";
	snprintf(name, DEVICE_NAME_MAX, "%.*s%s%.*s", len, text, *id ? " " : "",
		 (int)strcspn(id, "}"), id);
	for (p = name; *p; p++)
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
			*p = '?';
}

static int add_range(struct space *s, __u64 first, __u64 last, const char *name)
{
	struct range *grown = array_grow(s->ranges, &s->room, s->nr, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->ranges = grown;
	grown[s->nr] = (struct range){ .first = first, .last = last };
	set_name(grown[s->nr++].name, name);
	return 0;
}

/* Memory is not a device; "io" answers where there is nothing */
static bool is_device(const char *type, size_t len, const char *name)
{
	static const char *const memory[] = { "ram", "rom", "nv-ram" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(memory); i++)
		if (strlen(memory[i]) == len && !strncmp(type, memory[i], len))
			return false;
	return strcmp(name, "io") != 0 && strncmp(name, "io @", 4) != 0;
}

/* "00000000fed00000-00000000fed003ff (prio 0, i/o): hpet": NULL, or what is wrong */
static const char *read_range(struct reader *r, const char *p, int *err)
{
	const char *type;
	__u64 first, last;
	size_t len;

	if (!skip_address(&p, &first) || !skip(&p, "-") || !skip_address(&p, &last) ||
	    !skip(&p, " (prio "))
		return "not a range of addresses";
	p += strspn(p, "-0123456789");
	if (!skip(&p, ", "))
		return "no priority and type in parentheses";
	type = p;
	len = strcspn(p, ")");
	p += len;
	if (!skip(&p, "): ") || !*p)
		return "no name";
	if (last < first)
		return "it ends before it begins";
	if (first < r->next)
		return "it does not begin after the range before it";
	r->next = last + 1;
	if (!r->next) /* the range goes to the last address: no other can follow */
		r->next = ~0ull;
	if (r->space != NO_SPACE && is_device(type, len, p))
		*err = add_range(&r->devices->spaces[r->space], first, last, p);
	return NULL;
}

/* "AS "memory", root: system": a view is of one or more address spaces */
static void take_space(struct reader *r, const char *name)
{
	static const char *const names[NR_SPACES] = { "memory\"", "I/O\"" };
	size_t i;

	for (i = 0; i < NR_SPACES; i++)
		if (skip(&name, names[i]) && !r->found[i]) {
			r->space = i;
			r->found[i] = true;
		}
}

/* NULL, or what is wrong with the line */
static const char *read_line(struct reader *r, const char *p, int *err)
{
	if (skip(&p, "FlatView #")) {
		r->begun = true;
		r->space = NO_SPACE;
		r->next = 0;
		return NULL;
	}
	if (skip(&p, "address-space: "))
		return "this is the output of info mtree without -f";
	/* Ignores what the monitor says before the first view, and its prompt after the last */
	if (!r->begun || !*p || skip(&p, "(qemu)") || skip(&p, "Root memory region:") ||
	    skip(&p, "No rendered FlatView"))
		return NULL;
	if (skip(&p, "AS \"")) {
		take_space(r, p);
		return NULL;
	}
	return read_range(r, p, err);
}

static int check_end(const struct reader *r, const char **wrong)
{
	if (!r->begun)
		*wrong = "no FlatView in it: it must be the output of QEMU's info mtree -f";
	else if (!r->found[MEMORY])
		*wrong = "no FlatView of the address space memory in it";
	else if (!r->found[PORTS])
		*wrong = "no FlatView of the address space I/O in it";
	return *wrong ? -EINVAL : 0;
}

int devices__read(struct devices **out, FILE *file, char *why, size_t size)
{
	struct reader r = { .devices = calloc(1, sizeof(*r.devices)), .space = NO_SPACE };
	const char *wrong = NULL;
	unsigned long nr = 0;
	char line[1024];
	int err = r.devices ? 0 : -ENOMEM;

	while (!err && !wrong && fgets(line, sizeof(line), file)) {
		nr++;
		if (!strchr(line, '\n') && !feof(file)) {
			wrong = "too long";
			break;
		}
		line[strcspn(line, "\r\n")] = 0;
		wrong = read_line(&r, line + strspn(line, " "), &err);
	}
	if (wrong)
		snprintf(why, size, "line %lu: %s", nr, wrong);
	else if (!err && ferror(file))
		err = -errno;
	else if (!err && (err = check_end(&r, &wrong)))
		snprintf(why, size, "%s", wrong);
	if (wrong)
		err = -EINVAL;
	if (err)
		devices__free(r.devices);
	else
		*out = r.devices;
	return err;
}

void devices__free(struct devices *d)
{
	size_t i;

	for (i = 0; d && i < NR_SPACES; i++)
		free(d->spaces[i].ranges);
	free(d);
}

static int compare_address(const void *key, const void *element)
{
	const struct range *range = element;
	__u64 address = *(const __u64 *)key;

	return address < range->first ? -1 : address > range->last;
}

const char *devices__name(const struct devices *d, __u64 detail)
{
	__u64 address = detail & DETAIL_VALUE_MASK;
	const struct space *s = &d->spaces[MEMORY];
	const struct range *found;

	switch (detail__kind(detail)) {
	case DETAIL_PORT:
		s = &d->spaces[PORTS];
		address &= 0xffff;
		break;
	case DETAIL_MMIO:
		break;
	case DETAIL_FAULT:
		address = (address & 0x7fffffff) << 21;
		break;
	default:
		return NULL;
	}
	/* The addresses of an L2 are those of its own hypervisor, not QEMU's */
	if (detail & DETAIL_L2 || !s->nr)
		return NULL;
	found = bsearch(&address, s->ranges, s->nr, sizeof(*s->ranges), compare_address);
	return found ? found->name : NULL;
}
