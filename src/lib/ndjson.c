// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/ndjson.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/util.h"

/* The next member to set. On the first line it is created, in this order. */
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
static json_int_t exact(__u64 value)
{
	const __u64 max = (1ull << 53) - 1;

	return value < max ? value : max;
}

void record__integer(struct record *r, const char *key, __u64 value)
{
	json_t *m = member(r, key, make_integer);

	if (m)
		json_integer_set(m, exact(value));
}

void record__string(struct record *r, const char *key, const char *value)
{
	json_t *m = member(r, key, make_string);

	if (m && strcmp(json_string_value(m), value) && json_string_set(m, value))
		r->err = -ENOMEM;
}

void record__time(struct record *r, const char *key, __u64 ns)
{
	time_t sec = ns / NSEC_PER_SEC;
	char date[32], text[64];
	struct tm tm;

	gmtime_r(&sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03lluZ", date, ns / NSEC_PER_MSEC % 1000);
	record__string(r, key, text);
}

void record__bool(struct record *r, const char *key, bool value)
{
	json_t *m = member(r, key, value ? json_true : json_false);

	/* true and false are constants of jansson, so the member is replaced */
	if (m && json_object_set_new(r->object, key, value ? json_true() : json_false()))
		r->err = -ENOMEM;
}

json_t *record__object(struct record *r, const char *key)
{
	json_t *m = member(r, key, json_object), *fresh = json_object();

	if (!m || json_object_set_new(r->object, key, fresh)) {
		r->err = -ENOMEM;
		return NULL;
	}
	return fresh;
}

void record__add(struct record *r, json_t *object, const char *key, __u64 value)
{
	if (json_object_set_new(object, key, json_integer(exact(value))))
		r->err = -ENOMEM;
}

void record__free(struct record *r)
{
	json_decref(r->object);
}

/* The place of the next part: that of the brace that closes the line */
static size_t end_of(const struct line *line)
{
	return line->used ? line->used - 1 : 0;
}

/* Joins the new part to the line, which now ends at @end */
static void join(struct line *line, size_t end)
{
	if (line->used)
		line->text[line->used - 1] = ',';
	line->used = end;
}

int line__add(struct line *line, struct record *r)
{
	size_t at = end_of(line), n = 0;
	size_t room = line->limit > at + 2 ? line->limit - at - 2 : 0;

	r->next = 0;
	if (!r->err)
		n = json_dumpb(r->object, line->text + at, room, JSON_COMPACT);
	if (!n || n > room)
		return r->err ? r->err : -ENOMEM;
	join(line, at + n);
	return 0;
}

int line__append(struct line *line, const char *object, size_t size)
{
	size_t at = end_of(line);

	if (at + size + 2 > line->limit)
		return -ENOMEM;
	memcpy(line->text + at, object, size);
	join(line, at + size);
	return 0;
}

int line__integer(struct line *line, const char *key, __u64 value)
{
	char digits[20], *const end = digits + sizeof(digits), *first = end, *to;
	size_t at = end_of(line), key_size = strlen(key);

	value = exact(value);
	do
		*--first = '0' + value % 10;
	while (value /= 10);
	if (at + key_size + (end - first) + sizeof("{\"\":}\n") > line->limit)
		return -ENOMEM;
	to = line->text + at;
	*to++ = '{';
	*to++ = '"';
	to = mempcpy(to, key, key_size);
	*to++ = '"';
	*to++ = ':';
	to = mempcpy(to, first, end - first);
	*to++ = '}';
	join(line, to - line->text);
	return 0;
}

void line__print(struct line *line, FILE *out)
{
	line->text[line->used] = '\n';
	fwrite_unlocked(line->text, 1, line->used + 1, out);
}

int record__print(FILE *out, struct record *r)
{
	static struct line line = { .limit = LINE_MAX_BYTES };
	int err;

	line.used = 0;
	err = line__add(&line, r);
	if (!err)
		line__print(&line, out);
	return err;
}
