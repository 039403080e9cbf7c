// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "record.h"

#include <errno.h>
#include <string.h>

#include "util.h"

/* The member to be set: on a record's first line it is made, in this order */
static json_t *member(struct record *r, const char *key, json_t *(*make)(void))
{
	json_t *m;

	if (r->next < r->nr_members)
		return r->members[r->next++];
	m = make();
	if (!r->object)
		r->object = json_object();
	if (r->nr_members == ARRAY_SIZE(r->members) || json_object_set_new(r->object, key, m)) {
		r->err = -ENOMEM;
		return NULL;
	}
	r->members[r->nr_members++] = m;
	r->next++;
	return m;
}

static json_t *make_integer(void)
{
	return json_integer(0);
}

static json_t *make_string(void)
{
	return json_string("");
}

/* JSON readers hold numbers in a double: above 2^53 it would not be exact */
void record__integer(struct record *r, const char *key, __u64 value)
{
	const __u64 max = (1ull << 53) - 1;
	json_t *m = member(r, key, make_integer);

	if (m)
		json_integer_set(m, value < max ? value : max);
}

void record__string(struct record *r, const char *key, const char *value)
{
	json_t *m = member(r, key, make_string);

	if (m && strcmp(json_string_value(m), value) && json_string_set(m, value))
		r->err = -ENOMEM;
}

void record__bool(struct record *r, const char *key, bool value)
{
	json_t *m = member(r, key, value ? json_true : json_false);

	/* These two are no values of their own that could be set */
	if (m && json_object_set_new(r->object, key, value ? json_true() : json_false()))
		r->err = -ENOMEM;
}

void record__free(struct record *r)
{
	json_decref(r->object);
}

int line__add(struct line *line, struct record *r)
{
	size_t at = line->used ? line->used - 1 : 0, n = 0;
	/* Of the size a byte is the newline's */
	size_t room = sizeof(line->text) - 1 - at;

	r->next = 0;
	if (!r->err)
		n = json_dumpb(r->object, line->text + at, room, JSON_COMPACT);
	if (!n || n > room)
		return r->err ? r->err : -ENOMEM;
	if (line->used)
		line->text[at] = ',';
	line->used = at + n;
	return 0;
}

void line__print(FILE *out, const struct line *line)
{
	fwrite(line->text, 1, line->used, out);
	fputc('\n', out);
}

int record__print(FILE *out, struct record *r)
{
	struct line line = { .used = 0 };
	int err = line__add(&line, r);

	if (!err)
		line__print(out, &line);
	return err;
}
