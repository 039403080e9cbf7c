// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "table.h"

#include <stdlib.h>
#include <time.h>

#include "reasons.h"
#include "util.h"

#define IN(view) (1u << (view))

static void print_pid(char *text, size_t size, const struct row *row)
{
	snprintf(text, size, "%u", row->pid);
}

static void print_tid(char *text, size_t size, const struct row *row)
{
	snprintf(text, size, "%u", row->tid);
}

static void print_reason(char *text, size_t size, const struct row *row)
{
	char name[REASON_NAME_MAX];

	snprintf(text, size, "%s", reason__name(row->isa, row->code, name, sizeof(name)));
}

static void print_count(char *text, size_t size, const struct row *row)
{
	snprintf(text, size, "%llu", row->count);
}

/* The columns from left to right; widths are minimums, the last has none */
static const struct column {
	const char *header;
	int width;
	unsigned int views;
	void (*print)(char *text, size_t size, const struct row *row);
} columns[] = {
	{ "PID", 8, IN(VIEW_ALL), print_pid },
	{ "TID", 8, IN(VIEW_ALL) | IN(VIEW_TIDS), print_tid },
	{ "TIDS", 8, IN(VIEW_TID_LIST), print_tid },
	{ "KVM_EXIT_REASON", 35, ~0u, print_reason },
	{ "COUNT", 0, ~0u, print_count },
};

static void print_line(FILE *out, enum view view, const struct row *row)
{
	char text[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		const struct column *c = &columns[i];

		if (!(c->views & IN(view)))
			continue;
		if (row)
			c->print(text, sizeof(text), row);
		fprintf(out, "%-*s%s", c->width, row ? text : c->header, c->width ? " " : "\n");
	}
}

/* Local time at the interval's end and its measured length */
static void print_time(FILE *out, const struct snapshot *snap)
{
	time_t sec = snap->end / NSEC_PER_SEC;
	char text[32];
	struct tm tm;

	localtime_r(&sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%s.%03llu (%llu.%03llu s)\n", text, snap->end / NSEC_PER_MSEC % 1000,
		snap->duration / NSEC_PER_SEC, snap->duration / NSEC_PER_MSEC % 1000);
}

/* The flag bits were masked off the reasons above: say where there were any */
static void print_flags(FILE *out, const struct snapshot *snap)
{
	static const char *const names[NR_FLAGS] = {
		[FLAG_FAILED_ENTRY] = "FAILED_VMENTRY (the VM entry failed)",
		[FLAG_BUS_LOCK] = "BUS_LOCK_DETECTED (the guest held the bus lock)",
		[FLAG_ENCLAVE] = "SGX_ENCLAVE_MODE (the guest ran an enclave)",
	};
	size_t i;

	for (i = 0; i < NR_FLAGS; i++)
		if (snap->flags[i])
			fprintf(out, "%llu of these exits had the flag %s.\n", snap->flags[i],
				names[i]);
}

int table__print(FILE *out, enum view view, const struct snapshot *snap, bool timed)
{
	struct row *rows;
	long i, n;

	n = view__rows(view, snap, &rows);
	if (n < 0)
		return n;
	if (timed) {
		if (snap->seq)
			fputc('\n', out);
		print_time(out, snap);
	}
	print_line(out, view, NULL);
	for (i = 0; i < n; i++)
		print_line(out, view, &rows[i]);
	print_flags(out, snap);
	free(rows);
	return 0;
}
