/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines of JSON: records, and the parts that make them up */
#ifndef NDJSON_H
#define NDJSON_H

#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

/* We promise consumers lines of less bytes than this; the second is for --compact */
#define LINE_MAX_BYTES 1024
#define COMPACT_MAX_BYTES (16 << 10)

/*
 * A record, or part of one, that is filled anew for each line. Its members keep their
 * place, so that only strings need an allocation per line. Use the same keys in the same
 * order each time.
 */
struct record {
	json_t *object;
	json_t *members[24];
	size_t nr_members;
	size_t next; /* member to be set */
	int err;
};

void record__integer(struct record *r, const char *key, __u64 value);
void record__string(struct record *r, const char *key, const char *value); /* UTF-8 */
/* "2026-01-01T00:00:20.004Z" of CLOCK_REALTIME in ns: always three decimals, always Z */
void record__time(struct record *r, const char *key, __u64 ns);
void record__bool(struct record *r, const char *key, bool value);
/* An object of numbers, which record__add() fills anew each time; NULL: no memory */
json_t *record__object(struct record *r, const char *key);
void record__add(struct record *r, json_t *object, const char *key, __u64 value);
void record__free(struct record *r);

/* A line under construction: "{...}" */
struct line {
	size_t limit; /* bytes that it must be less than, with the newline */
	size_t used; /* bytes; may be set back to what it was before */
	char text[COMPACT_MAX_BYTES];
};

/*
 * Adds what @r was filled with. Two objects become one: a comma replaces the braces
 * between them. To make the whole record anew for each line would take twice the time.
 * 0 or -errno: it does not fit, or there was no memory.
 */
int line__add(struct line *line, struct record *r);
/* The same with an object as text, of @size bytes */
int line__append(struct line *line, const char *object, size_t size);

/*
 * The same with one number, whose key needs no escaping. An exit record with --time is
 * mostly eleven such numbers; as objects they would take four times as long.
 */
int line__integer(struct line *line, const char *key, __u64 value);

void line__print(struct line *line, FILE *out);

/* A record that is a line: 0 or -errno */
int record__print(FILE *out, struct record *r);

#endif
