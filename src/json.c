// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "json.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "options.h"
#include "reasons.h"
#include "util.h"

/* Consumers are promised lines of less than this */
#define LINE_MAX_BYTES 1024

/*
 * A record that is filled anew for each line: its members keep their place, so
 * that nothing is allocated per line but what a string needs.
 */
struct record {
	json_t *object;
	json_t *members[20];
	size_t nr_members;
	size_t next; /* member to be set */
	int err;
};

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
static void set_integer(struct record *r, const char *key, __u64 value)
{
	const __u64 max = (1ull << 53) - 1;
	json_t *m = member(r, key, make_integer);

	if (m)
		json_integer_set(m, value < max ? value : max);
}

/* @value must be UTF-8 */
static void set_string(struct record *r, const char *key, const char *value)
{
	json_t *m = member(r, key, make_string);

	if (m && strcmp(json_string_value(m), value) && json_string_set(m, value))
		r->err = -ENOMEM;
}

/*
 * The record as text, which with the bytes of the line before it and a newline
 * fits into a line. Returns its length or a negative errno.
 */
static ssize_t dump(struct record *r, char *line, size_t used)
{
	size_t room = LINE_MAX_BYTES - 1 - used, n = 0;

	r->next = 0;
	if (!r->err)
		n = json_dumpb(r->object, line + used, room, JSON_COMPACT);
	if (!n || n > room)
		return r->err ? r->err : -ENOMEM;
	return n;
}

static void print_line(FILE *out, char *line, size_t n)
{
	line[n++] = '\n';
	fwrite(line, 1, n, out);
}

static int print_record(FILE *out, struct record *r)
{
	char line[LINE_MAX_BYTES];
	ssize_t n = dump(r, line, 0);

	if (n < 0)
		return n;
	print_line(out, line, n);
	return 0;
}

static void set_common(struct record *r, const char *type, const char *ts,
		       const struct snapshot *snap)
{
	set_integer(r, "v", 1);
	set_string(r, "type", type);
	set_string(r, "ts", ts);
	set_integer(r, "seq", snap->seq);
	set_integer(r, "dur_ms",
		    snap->duration / NSEC_PER_MSEC ? snap->duration / NSEC_PER_MSEC : 1);
}

/* Of an exit record, what all of a thread's have in common */
static void set_thread(struct record *r, const struct sample *s, const struct vm *vm)
{
	set_integer(r, "pid", s->pid);
	set_string(r, "comm", vm->comm);
	set_string(r, "vm", vm->name);
	set_integer(r, "vcpu", s->vcpu);
	set_integer(r, "tid", s->tid);
	set_string(r, "isa", isa__name(s->isa));
}

/* And the rest of it */
static void set_reason(struct record *r, const struct sample *s)
{
	char name[REASON_NAME_MAX];

	set_string(r, "reason", reason__name(s->isa, s->code, name, sizeof(name)));
	set_integer(r, "code", s->code);
	set_integer(r, "count", s->count);
	set_integer(r, "total", s->total);
}

static void set_interval(struct record *r, const struct snapshot *snap)
{
	set_integer(r, "vms", snap->vms);
	set_integer(r, "vcpus", snap->vcpus);
	set_integer(r, "records", snap->nr_samples);
	set_integer(r, "exits", snap->exits);
	set_integer(r, "lost", snapshot__lost(snap));
	member(r, "final", snap->final ? json_true : json_false);
	set_string(r, "version", KVMEXIT_VERSION);
	set_integer(r, "failed_entries", snap->flags[FLAG_FAILED_ENTRY]);
	set_integer(r, "bus_locks", snap->flags[FLAG_BUS_LOCK]);
	set_integer(r, "enclave_exits", snap->flags[FLAG_ENCLAVE]);
}

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

static bool same_thread(const struct sample *a, const struct sample *b)
{
	return a->pid == b->pid && a->start == b->start && a->tid == b->tid && a->vcpu == b->vcpu &&
	       a->isa == b->isa;
}

/*
 * An exit record is made of two objects, `{"v":1,...,"isa":"vmx"}` for the thread
 * and `{"reason":...}`, by putting a comma in place of the braces between them:
 * to make the whole of it for each reason would take twice the time.
 */
static int print_exits(FILE *out, const struct snapshot *snap, struct vms *vms, const char *ts)
{
	struct record thread = { 0 }, reason = { 0 };
	const struct sample *last = NULL;
	char line[LINE_MAX_BYTES];
	ssize_t used = 0, n = 0;
	size_t i;

	for (i = 0; i < snap->nr_samples; i++) {
		const struct sample *s = &snap->samples[i];

		if (!last || !same_thread(last, s)) {
			set_common(&thread, "exit", ts, snap);
			set_thread(&thread, s, vms__get(vms, s->pid, s->start, s->comm));
			used = n = dump(&thread, line, 0);
			if (n < 0)
				break;
		}
		last = s;
		set_reason(&reason, s);
		n = dump(&reason, line, used - 1);
		if (n < 0)
			break;
		line[used - 1] = ',';
		print_line(out, line, used - 1 + n);
	}
	json_decref(thread.object);
	json_decref(reason.object);
	return n < 0 ? n : 0;
}

int json__print(FILE *out, const struct snapshot *snap, struct vms *vms)
{
	struct record interval = { 0 };
	char ts[64];
	int err;

	format_time(ts, sizeof(ts), snap->end);
	err = print_exits(out, snap, vms, ts);
	if (!err) {
		set_common(&interval, "interval", ts, snap);
		set_interval(&interval, snap);
		err = print_record(out, &interval);
	}
	json_decref(interval.object);
	return err;
}

static void set_vm(struct record *r, const char *type, const struct vm *vm)
{
	set_integer(r, "v", 1);
	set_string(r, "type", type);
	set_integer(r, "pid", vm->pid);
	set_string(r, "comm", vm->comm);
	set_string(r, "vm", vm->name);
	set_string(r, "vmm", vm->vmm);
}

int json__print_vms(FILE *out, const struct vmlist *list)
{
	struct record vms = { 0 }, vcpus = { 0 };
	size_t i, k;
	int err = 0;

	for (i = 0; i < list->nr_vms && !err; i++) {
		const struct listed_vm *vm = &list->vms[i];

		set_vm(&vms, "vm", &vm->vm);
		set_integer(&vms, "vcpus", vm->nr_vcpus);
		err = print_record(out, &vms);
		for (k = 0; k < vm->nr_vcpus && !err; k++) {
			set_vm(&vcpus, "vcpu", &vm->vm);
			set_integer(&vcpus, "vcpu", vm->vcpus[k].id);
			set_integer(&vcpus, "tid", vm->vcpus[k].tid);
			err = print_record(out, &vcpus);
		}
	}
	json_decref(vms.object);
	json_decref(vcpus.object);
	return err;
}

int json__print_reasons(FILE *out)
{
	struct record r = { 0 };
	int err = 0;
	size_t i;

	for (i = 0; i < reasons_count && !err; i++) {
		set_string(&r, "isa", isa__name(reasons[i].isa));
		set_integer(&r, "code", reasons[i].code);
		set_string(&r, "reason", reasons[i].name);
		set_string(&r, "meaning", reasons[i].meaning);
		err = print_record(out, &r);
	}
	json_decref(r.object);
	return err;
}
