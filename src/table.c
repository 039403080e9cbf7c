// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reasons.h"
#include "util.h"
#include "vm.h"

#define IN(view) (1u << (view))

/* What a cell is made from */
struct line {
	const struct row *row;
	const char *vm;
	__u64 duration; /* ns */
};

static void print_pid(char *text, size_t size, const struct line *line)
{
	snprintf(text, size, "%u", line->row->pid);
}

static void print_tid(char *text, size_t size, const struct line *line)
{
	snprintf(text, size, "%u", line->row->tid);
}

static void print_vcpu(char *text, size_t size, const struct line *line)
{
	snprintf(text, size, "%u", line->row->vcpu);
}

static void print_vm(char *text, size_t size, const struct line *line)
{
	snprintf(text, size, "%s", line->vm);
	utf8__printable(text);
}

static void print_reason(char *text, size_t size, const struct line *line)
{
	char name[REASON_NAME_MAX];

	snprintf(text, size, "%s",
		 reason__name(line->row->isa, line->row->code, name, sizeof(name)));
}

static void print_count(char *text, size_t size, const struct line *line)
{
	snprintf(text, size, "%llu", line->row->count);
}

static void print_rate(char *text, size_t size, const struct line *line)
{
	snprintf(text, size, "%.0f",
		 (double)line->row->count * NSEC_PER_SEC / (line->duration ? line->duration : 1));
}

#define WIDE (IN(VIEW_WIDE) | IN(VIEW_LIVE))
#define PER_VM (WIDE | IN(VIEW_VMS) | IN(VIEW_VCPUS))
#define EVERY_VIEW ~0u

/* The columns from left to right; widths are minimums */
static const struct column {
	const char *header;
	int width;
	unsigned int views;
	bool live_only;
	void (*print)(char *text, size_t size, const struct line *line);
} columns[] = {
	{ "PID", 8, IN(VIEW_ALL) | PER_VM, false, print_pid },
	{ "TID", 8, IN(VIEW_ALL) | IN(VIEW_TIDS) | WIDE, false, print_tid },
	{ "TIDS", 8, IN(VIEW_TID_LIST), false, print_tid },
	{ "VM", 16, PER_VM, false, print_vm },
	{ "VCPU", 4, WIDE | IN(VIEW_VCPUS), false, print_vcpu },
	{ "KVM_EXIT_REASON", 35, EVERY_VIEW & ~(WIDE | IN(VIEW_VMS) | IN(VIEW_VCPUS)), false,
	  print_reason },
	{ "KVM_EXIT_REASON", 20, WIDE, false, print_reason },
	{ "COUNT", 8, EVERY_VIEW, false, print_count },
	{ "PER_SEC", 8, EVERY_VIEW, true, print_rate },
};

static bool is_shown(const struct column *c, const struct table *t)
{
	return c->views & IN(t->view) && (t->live || !c->live_only);
}

/*
 * One line of the table, @line NULL: its head. Blanks go in front of the next
 * cell, so that no line ends in one. Terminals count characters, not bytes.
 */
static void print_line(FILE *out, const struct table *t, const struct line *line)
{
	char text[VM_NAME_SIZE];
	int owed = 0;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		const struct column *c = &columns[i];
		const char *cell = c->header;
		int width = 0;

		if (!is_shown(c, t))
			continue;
		if (line) {
			c->print(text, sizeof(text), line);
			cell = text;
		}
		fprintf(out, "%*s%s", owed, "", cell);
		for (k = 0; cell[k]; k++)
			width += (cell[k] & 0xc0) != 0x80;
		owed = (width < c->width ? c->width - width : 0) + 1;
	}
	fputc('\n', out);
}

/* What was cut off, so that the sums still add up */
static void print_rest(FILE *out, long rows, __u64 count)
{
	fprintf(out, "(%ld more rows with %llu exits)\n", rows, count);
}

/* Local time at the interval's end and its measured length */
static void print_time(FILE *out, const struct table *t, const struct snapshot *snap)
{
	time_t sec = snap->end / NSEC_PER_SEC;
	char text[32];
	struct tm tm;

	localtime_r(&sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%s.%03llu (%llu.%03llu s)", text, snap->end / NSEC_PER_MSEC % 1000,
		snap->duration / NSEC_PER_SEC, snap->duration / NSEC_PER_MSEC % 1000);
	if (t->live)
		fprintf(out, "  VMs %llu  vCPUs %llu  exits %llu  lost %llu", snap->vms,
			snap->vcpus, snap->exits, snapshot__lost(snap));
	fputc('\n', out);
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

/* Rows that fit below the lines above the table, with one for the rest */
static long rows_at_most(const struct table *t)
{
	long fit = t->lines > 4 ? t->lines - 4 : 1;

	if (!t->live || t->lines <= 0)
		return t->top;
	return t->top && t->top < fit ? t->top : fit;
}

int table__print(FILE *out, const struct table *t, const struct snapshot *snap)
{
	struct line line = { .duration = snap->duration };
	struct row *rows;
	__u64 rest = 0;
	long i, n, all, top = rows_at_most(t);

	all = n = view__rows(t->view, snap, &rows);
	if (n < 0)
		return n;
	if (top)
		n = view__cut(t->view, rows, n, top, &rest);
	if (t->timed && snap->seq && !t->live)
		fputc('\n', out);
	if (t->timed)
		print_time(out, t, snap);
	print_line(out, t, NULL);
	for (i = 0; i < n; i++) {
		line.row = &rows[i];
		line.vm = PER_VM & IN(t->view) && t->vms
				  ? vms__get(t->vms, rows[i].pid, rows[i].start, rows[i].comm)->name
				  : "";
		print_line(out, t, &line);
	}
	if (n < all)
		print_rest(out, all - n, rest);
	print_flags(out, snap);
	free(rows);
	return 0;
}
