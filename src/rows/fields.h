/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a row tells: fields say what the row is about, measures say what was measured.
 * Every output is made from these two tables.
 */
#ifndef FIELDS_H
#define FIELDS_H

#include <stdbool.h>

#include "snapshot/keys.h"
#include "snapshot/snapshot.h"

/* Room for any field's text */
#define FIELD_SIZE 260

enum field {
	FIELD_PID,
	FIELD_COMM,
	FIELD_VM,
	FIELD_VCPU,
	FIELD_TID,
	FIELD_ISA,
	FIELD_REASON,
	FIELD_CODE,
	FIELD_DETAIL,
	FIELD_NAME, /* the detail's */
	NR_FIELDS,
};

/* In the order of records */
extern const struct field_kind {
	const char *key; /* in records, and the label of a metric */
	unsigned int keys; /* rows told apart by all of these keys have the field (view.h) */
	/* One of the two is set. Text is valid UTF-8, valid as long as the row, or in @buf. */
	const char *(*text)(const struct sample *row, const struct snapshot *snap, char *buf);
	__u64 (*number)(const struct sample *row);
} fields[NR_FIELDS];

/* Whether rows told apart by @keys have the field */
bool field__is_in(enum field field, unsigned int keys);

/* What a row is, which decides what was measured of it */
enum kind {
	COUNTED = 1 << 0, /* without --time */
	TIMED = 1 << 1, /* with times: of exits, told apart by reason */
	DETAILED = 1 << 2, /* the same, and by detail */
	THREADS = 1 << 3, /* with times: all of the time of threads */
};

#define NR_MEASURES 32
#define NO_VALUE (~0ull) /* a mean or maximum of nothing; in tables only */

/* In the order of records and tables; most are in only one of the two */
extern const struct measure_kind {
	const char *key; /* in records; NULL: not there */
	const char *metric; /* kvmexit_METRIC_total of --metrics; NULL: not there */
	const char *help; /* the metric's HELP text */
	const char *header; /* of a table's column; NULL: not there */
	int width; /* of the column, a minimum */
	int decimals; /* how many of the value's digits are decimals */
	const char *unit;
	unsigned int kinds; /* of rows that have it */
	unsigned int needs; /* bits 1 << enum part: left out if one of them is untold */
	bool since_start; /* else since the interval began */
	bool sums; /* the values of all rows add up to a total */
	bool live; /* among tables, only in those shown in place */
	__u64 (*value)(const struct sample *row, const struct snapshot *snap);
} measures[NR_MEASURES];

#endif
