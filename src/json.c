// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fields.h"
#include "options.h"
#include "reasons.h"
#include "record.h"
#include "util.h"

struct json {
	struct renderer renderer;
	/* An exit record is made of three: its interval, its thread and its reason */
	struct record head, thread, reason, interval;
	struct record vcpu_head, vcpu; /* and a vcpu record of two */
};

#define ALL_KEYS (KEY_VM | KEY_VCPU | KEY_THREAD | KEY_REASON)

/* "2026-01-01T00:00:20.004Z": always three decimals, always Z */
static void format_time(char *text, size_t size, __u64 ns)
{
	time_t sec = ns / NSEC_PER_SEC;
	char date[32];
	struct tm tm;

	gmtime_r(&sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%03lluZ", date, ns / NSEC_PER_MSEC % 1000);
}

static void set_head(struct record *r, const char *type, const struct snapshot *snap)
{
	char ts[64];

	format_time(ts, sizeof(ts), snap->end);
	record__integer(r, "v", 1);
	record__string(r, "type", type);
	record__string(r, "ts", ts);
	record__integer(r, "seq", snap->seq);
	record__integer(r, "dur_ms",
			snap->duration / NSEC_PER_MSEC ? snap->duration / NSEC_PER_MSEC : 1);
}

/* Of the fields from @first up to @end those that rows told apart by @keys have */
static void set_fields(struct record *r, const struct sample *row, unsigned int keys,
		       enum field first, enum field end)
{
	char buf[FIELD_SIZE];
	enum field i;

	for (i = first; i < end; i++) {
		if (!field__is_in(i, keys))
			continue;
		if (fields[i].number)
			record__integer(r, fields[i].key, fields[i].number(row));
		else
			record__string(r, fields[i].key, fields[i].text(row, buf));
	}
}

static void set_measures(struct record *r, const struct sample *row, const struct snapshot *snap,
			 enum kind kind)
{
	size_t i;

	for (i = 0; i < NR_MEASURES; i++)
		if (measures[i].key && measures[i].kinds & kind &&
		    !(measures[i].needs & snap->untold))
			record__integer(r, measures[i].key, measures[i].value(row, snap));
}

static void set_interval(struct record *r, const struct snapshot *snap)
{
	set_head(r, "interval", snap);
	record__integer(r, "vms", snap->vms);
	record__integer(r, "vcpus", snap->vcpus);
	record__integer(r, "records", snap->nr_samples);
	record__integer(r, "exits", snap->exits);
	record__integer(r, "lost", snapshot__lost(snap));
	record__bool(r, "final", snap->final);
	record__string(r, "version", KVMEXIT_VERSION);
	record__integer(r, "failed_entries", snap->flags[FLAG_FAILED_ENTRY]);
	record__integer(r, "bus_locks", snap->flags[FLAG_BUS_LOCK]);
	record__integer(r, "enclave_exits", snap->flags[FLAG_ENCLAVE]);
}

static bool same_thread(const struct sample *a, const struct sample *b)
{
	return a->vm == b->vm && a->tid == b->tid && a->vcpu == b->vcpu && a->isa == b->isa;
}

static int print_exits(struct json *j, FILE *out, const struct snapshot *snap)
{
	const struct sample *last = NULL, *end = snap->samples + snap->nr_samples, *s;
	struct line line = { .used = 0 };
	size_t head, thread = 0;
	int err;

	set_head(&j->head, "exit", snap);
	err = line__add(&line, &j->head);
	head = line.used;
	for (s = snap->samples; s != end && !err; last = s++) {
		if (!last || !same_thread(last, s)) {
			set_fields(&j->thread, s, ALL_KEYS, 0, FIELD_REASON);
			line.used = head;
			err = line__add(&line, &j->thread);
			thread = line.used;
		}
		set_fields(&j->reason, s, ALL_KEYS, FIELD_REASON, NR_FIELDS);
		set_measures(&j->reason, s, snap, s->times ? TIMED : COUNTED);
		line.used = thread;
		if (!err)
			err = line__add(&line, &j->reason);
		if (!err)
			line__print(out, &line);
	}
	return err;
}

/* Where the time of each vCPU thread went */
static int print_vcpus(struct json *j, FILE *out, const struct snapshot *snap)
{
	struct line line = { .used = 0 };
	size_t i, head;
	int err = 0;

	if (!snap->nr_threads)
		return 0;
	set_head(&j->vcpu_head, "vcpu", snap);
	err = line__add(&line, &j->vcpu_head);
	head = line.used;
	for (i = 0; i < snap->nr_threads && !err; i++) {
		set_fields(&j->vcpu, &snap->threads[i], ALL_KEYS, 0, FIELD_ISA);
		set_measures(&j->vcpu, &snap->threads[i], snap, THREADS);
		line.used = head;
		err = line__add(&line, &j->vcpu);
		if (!err)
			line__print(out, &line);
	}
	return err;
}

static int json__print(struct renderer *r, FILE *out, const struct snapshot *snap)
{
	struct json *j = (struct json *)r;
	int err = print_exits(j, out, snap);

	if (!err)
		err = print_vcpus(j, out, snap);
	if (err)
		return err;
	set_interval(&j->interval, snap);
	return record__print(out, &j->interval);
}

static void json__free(struct renderer *r)
{
	struct json *j = (struct json *)r;

	record__free(&j->head);
	record__free(&j->thread);
	record__free(&j->reason);
	record__free(&j->interval);
	record__free(&j->vcpu_head);
	record__free(&j->vcpu);
	free(j);
}

struct renderer *json__new(void)
{
	struct json *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->renderer = (struct renderer){ .print = json__print, .free = json__free };
	return (struct renderer *)j;
}

static void set_vm(struct record *r, const char *type, const struct vm *vm)
{
	record__integer(r, "v", 1);
	record__string(r, "type", type);
	record__integer(r, "pid", vm->pid);
	record__string(r, "comm", vm->comm);
	record__string(r, "vm", vm->name);
	record__string(r, "vmm", vm->vmm);
}

int json__print_vms(FILE *out, const struct vmlist *list)
{
	struct record vms = { 0 }, vcpus = { 0 };
	size_t i, k;
	int err = 0;

	for (i = 0; i < list->nr_vms && !err; i++) {
		const struct listed_vm *vm = &list->vms[i];

		set_vm(&vms, "vm", &vm->vm);
		record__integer(&vms, "vcpus", vm->nr_vcpus);
		err = record__print(out, &vms);
		for (k = 0; k < vm->nr_vcpus && !err; k++) {
			set_vm(&vcpus, "vcpu", &vm->vm);
			record__integer(&vcpus, "vcpu", vm->vcpus[k].id);
			record__integer(&vcpus, "tid", vm->vcpus[k].tid);
			err = record__print(out, &vcpus);
		}
	}
	record__free(&vms);
	record__free(&vcpus);
	return err;
}

int json__print_reasons(FILE *out)
{
	struct record r = { 0 };
	int err = 0;
	size_t i;

	for (i = 0; i < reasons_count && !err; i++) {
		record__string(&r, "isa", isa__name(reasons[i].isa));
		record__integer(&r, "code", reasons[i].code);
		record__string(&r, "reason", reasons[i].name);
		record__string(&r, "meaning", reasons[i].meaning);
		err = record__print(out, &r);
	}
	record__free(&r);
	return err;
}
