// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reasons.h"
#include "run.h"
#include "util.h"
#include "view.h"
#include "vm.h"

/* See counters.c: gcc cannot see that tsearch() keeps what it is given */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* A line of records is at most a quarter of it */
#define LINE_SIZE (64 << 10)

/* Whom a run's records mean by a PID */
struct process {
	__u32 pid;
	struct vm *vm;
};

/* The records of an interval, up to its interval record */
struct pending {
	bool open;
	bool again; /* it was there already */
	__u64 seq;
	__u64 end;
	struct sample *samples;
	size_t nr;
	size_t room;
	__u64 records;
	__u64 rest; /* exits */
	unsigned int keys;
};

struct source {
	struct run run;
	void *processes; /* tsearch() tree */
	struct process *last; /* looked up last */
	bool begun;
	__u64 next; /* seq */
	__u64 lost[NR_CAUSES];
	struct pending pending;
};

struct recording {
	const char *path;
	FILE *file;
	char line[LINE_SIZE];
	__u64 line_nr;
	struct source **sources;
	size_t nr_sources;
	size_t room;
	struct source *last; /* looked up last */
	void *vms; /* tsearch() tree */
	struct faults faults;
	__u64 bytes; /* read */
	__u64 size; /* in all; 0: not known */
	bool shows;
	__u64 shown; /* when */
};

struct recording *recording__open(const char *path, int *err)
{
	struct recording *r = calloc(1, sizeof(*r));
	struct stat st;
	int fd;

	*err = -ENOMEM;
	if (!r)
		return NULL;
	fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	if (fd >= 0 && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		close(fd);
		fd = -1;
		errno = EISDIR;
	}
	*err = -errno;
	r->path = path;
	r->file = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (r->file) {
		r->size = S_ISREG(st.st_mode) ? st.st_size : 0;
		return r;
	}
	if (fd >= 0)
		close(fd);
	free(r);
	return NULL;
}

static void free_vm(void *vm)
{
	vm__end(vm, 1);
}

void recording__free(struct recording *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->nr_sources; i++) {
		tdestroy(r->sources[i]->processes, free);
		free(r->sources[i]->pending.samples);
		free(r->sources[i]);
	}
	free(r->sources);
	tdestroy(r->vms, free_vm);
	fclose(r->file);
	free(r);
}

int recording__fd(const struct recording *r)
{
	return fileno(r->file);
}

void recording__show_progress(struct recording *r)
{
	r->shows = true;
}

static void show_progress(struct recording *r, bool end)
{
	__u64 now = now_ns();

	if (!r->shows || (!end && now - r->shown < NSEC_PER_SEC / 5))
		return;
	r->shown = now;
	if (end)
		fputs("\r\033[K", stderr);
	else if (r->size)
		fprintf(stderr, "\rreading %s: %llu %%\033[K", r->path, r->bytes * 100 / r->size);
	else
		fprintf(stderr, "\rreading %s: %llu MB\033[K", r->path, r->bytes / 1000000);
}

/* The next line into @r->line, without its end: its length; -1: there is none */
static ssize_t read_line(struct recording *r)
{
	size_t len;
	int c;

	if (!fgets(r->line, sizeof(r->line), r->file))
		return -1;
	r->line_nr++;
	len = strlen(r->line);
	r->bytes += len;
	if (len && r->line[len - 1] == '\n')
		return len - 1;
	/* Too long, or with a 0 in it, or the last: the rest of it is nothing either */
	if (len == sizeof(r->line) - 1)
		while ((c = getc_unlocked(r->file)) != EOF && c != '\n')
			r->bytes++;
	return len;
}

/* A number of a record. False: it has none of this key, or what is not of 0..2^53-1. */
static bool get_integer(const json_t *record, const char *key, __u64 *value)
{
	const json_t *m = json_object_get(record, key);

	if (!json_is_integer(m) || json_integer_value(m) < 0 || json_integer_value(m) >= 1ll << 53)
		return false;
	*value = json_integer_value(m);
	return true;
}

static bool get_u32(const json_t *record, const char *key, __u32 *value)
{
	__u64 n = 0;

	if (!get_integer(record, key, &n) || n > UINT32_MAX)
		return false;
	*value = n;
	return true;
}

static __u64 integer_or(const json_t *record, const char *key, __u64 otherwise)
{
	get_integer(record, key, &otherwise);
	return otherwise;
}

static const char *string_or_empty(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? text : "";
}

static void set_text(char *out, size_t size, const json_t *record, const char *key)
{
	const char *text = string_or_empty(record, key);

	utf8__clean(out, size, text, strlen(text), size);
	utf8__printable(out);
}

/* "2026-01-01T00:00:20.004Z"; false: it is no such time */
static bool parse_time(const char *text, __u64 *ns)
{
	struct tm tm = { 0 };
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	char *end;
	long ms;

	if (!p || *p != '.' || p[1] < '0' || p[1] > '9')
		return false;
	ms = strtol(p + 1, &end, 10);
	if (end != p + 4 || strcmp(end, "Z") || tm.tm_year < 70)
		return false;
	*ns = timegm(&tm) * NSEC_PER_SEC + ms * NSEC_PER_MSEC;
	return true;
}

static struct source *add_source(struct recording *r, const char *node, const char *id)
{
	struct source **grown, *s;

	grown = array_grow(r->sources, &r->room, r->nr_sources, sizeof(*grown));
	if (!grown)
		return NULL;
	r->sources = grown;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	snprintf(s->run.node, sizeof(s->run.node), "%s", node);
	snprintf(s->run.id, sizeof(s->run.id), "%s", id);
	r->sources[r->nr_sources++] = s;
	return s;
}

/* Whose record it is: the youngest of this name, as old records do not tell their run */
static struct source *find_source(struct recording *r, const json_t *record)
{
	char node[sizeof(r->last->run.node)], id[sizeof(r->last->run.id)];
	size_t i;

	set_text(node, sizeof(node), record, "node");
	set_text(id, sizeof(id), record, "run");
	if (r->last && !strcmp(r->last->run.id, id) && !strcmp(r->last->run.node, node))
		return r->last;
	for (i = r->nr_sources; i-- > 0;) {
		struct source *s = r->sources[i];

		if (!strcmp(s->run.id, id) && !strcmp(s->run.node, node))
			return r->last = s;
	}
	return r->last = add_source(r, node, id);
}

static int compare_vms(const void *a, const void *b)
{
	const struct vm *x = a, *y = b;
	int order = strcmp(x->run->node, y->run->node);

	if (!order)
		order = THREE_WAY(x->pid, y->pid);
	if (!order)
		order = THREE_WAY(x->start, y->start);
	/* Where the start is not known, a VM is what its name and process are */
	if (!order && !x->start)
		order = strcmp(x->name, y->name);
	if (!order && !x->start)
		order = strcmp(x->comm, y->comm);
	return order;
}

/* The one VM that @key describes, of all runs on its host; NULL: no memory */
static struct vm *get_vm(struct recording *r, const struct vm *key)
{
	struct vm **found = tfind(key, &r->vms, compare_vms), *vm;

	if (found)
		return *found;
	vm = malloc(sizeof(*vm));
	if (!vm)
		return NULL;
	*vm = *key;
	found = tsearch(vm, &r->vms, compare_vms);
	if (!found)
		free(vm);
	return found ? *found : NULL;
}

/* What @vm was known by was its name; now the rest of it is */
static struct vm *learn_start(struct recording *r, struct vm *vm, const struct vm *key)
{
	struct vm **found = tfind(key, &r->vms, compare_vms);

	if (found && *found != vm)
		return *found;
	tdelete(vm, &r->vms, compare_vms);
	*vm = (struct vm){ .run = vm->run,
			   .pid = vm->pid,
			   .start = key->start,
			   .vmm = key->vmm,
			   .users = vm->users,
			   .refs = vm->refs };
	memcpy(vm->comm, key->comm, sizeof(vm->comm));
	memcpy(vm->name, key->name, sizeof(vm->name));
	memcpy(vm->uuid, key->uuid, sizeof(vm->uuid));
	found = tsearch(vm, &r->vms, compare_vms);
	return found ? *found : NULL;
}

static int compare_processes(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return THREE_WAY(x->pid, y->pid);
}

/* What the source means by a PID, .vm NULL: not told yet; NULL: no memory */
static struct process *get_process(struct source *s, __u32 pid)
{
	struct process *p, **found;

	if (s->last && s->last->pid == pid)
		return s->last;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->pid = pid;
	found = tsearch(p, &s->processes, compare_processes);
	if (!found || *found != p)
		free(p);
	return s->last = found ? *found : NULL;
}

/* A VM as a record describes it */
static struct vm describe_vm(const struct source *s, const json_t *record, __u32 pid)
{
	struct vm vm = { .run = &s->run, .pid = pid, .vmm = "other" };
	const char *comm = string_or_empty(record, "comm"), *name = string_or_empty(record, "vm");

	utf8__clean(vm.comm, sizeof(vm.comm), comm, strlen(comm), VM_COMM_MAX);
	utf8__clean(vm.name, sizeof(vm.name), name, strlen(name), VM_NAME_MAX);
	return vm;
}

/* The names of VMMs are constants elsewhere (vm.c) */
static const char *keep_vmm(const char *name)
{
	static const char *const known[] = { "qemu",   "firecracker", "cloud-hypervisor",
					     "crosvm", "kvmtool",     "virtualbox" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(name, known[i]))
			return known[i];
	return "other";
}

enum taken {
	TAKEN, /* as it should be */
	FOREIGN, /* no such record */
	DONE, /* the interval is complete */
};

static int take_run(struct source *s, const json_t *record)
{
	struct run *run = &s->run;

	set_text(run->boot_id, sizeof(run->boot_id), record, "boot_id");
	set_text(run->kernel, sizeof(run->kernel), record, "kernel");
	set_text(run->probe, sizeof(run->probe), record, "probe");
	set_text(run->version, sizeof(run->version), record, "version");
	set_text(run->options, sizeof(run->options), record, "options");
	set_text(run->isa, sizeof(run->isa), record, "isa");
	return parse_time(string_or_empty(record, "start"), &run->start) ? TAKEN : FOREIGN;
}

static int take_vm(struct recording *r, struct source *s, const json_t *record)
{
	struct process *p;
	struct vm vm;
	__u32 pid;

	if (!get_u32(record, "pid", &pid))
		return FOREIGN;
	vm = describe_vm(s, record, pid);
	vm.start = integer_or(record, "start", 0);
	vm.vmm = keep_vmm(string_or_empty(record, "vmm"));
	set_text(vm.uuid, sizeof(vm.uuid), record, "uuid");
	p = get_process(s, pid);
	if (p)
		p->vm = p->vm && !p->vm->start && !strcmp(p->vm->name, vm.name)
				? learn_start(r, p->vm, &vm)
				: get_vm(r, &vm);
	return p && p->vm ? TAKEN : -ENOMEM;
}

/* The VM of a record with counts */
static int find_vm(struct recording *r, struct source *s, const json_t *record, __u32 pid,
		   struct vm **out)
{
	const char *name = string_or_empty(record, "vm"), *comm;
	struct process *p = get_process(s, pid);
	struct vm vm;

	if (!p)
		return -ENOMEM;
	comm = json_string_value(json_object_get(record, "comm"));
	if (!p->vm || strcmp(p->vm->name, name) || (comm && strcmp(p->vm->comm, comm))) {
		/* Its vm record was cut off, or there were none yet */
		vm = describe_vm(s, record, pid);
		p->vm = get_vm(r, &vm);
	}
	*out = p->vm;
	return p->vm ? TAKEN : -ENOMEM;
}

static __u32 parse_isa(const char *name)
{
	__u32 isa;

	for (isa = 1; strcmp(isa__name(isa), "unknown"); isa++)
		if (!strcmp(name, isa__name(isa)))
			return isa;
	return 0;
}

/* Of an interval that was not ended nothing is told */
static void drop_pending(struct recording *r, struct pending *p)
{
	if (p->open && !p->again)
		r->faults.orphans += p->records;
	p->open = false;
}

/*
 * The interval that a record belongs to. What has the seq of a former one is a new
 * run, where runs have no names, else something that was there already.
 */
static int begin_interval(struct recording *r, struct source **source, __u64 seq, __u64 end)
{
	struct source *s = *source;
	struct pending *p = &s->pending;

	if (p->open && p->seq == seq && p->end == end)
		return TAKEN;
	drop_pending(r, p);
	if (s->begun && seq < s->next && !*s->run.id) {
		s = add_source(r, s->run.node, "");
		if (!s)
			return -ENOMEM;
		r->last = *source = s;
		p = &s->pending;
	}
	*p = (struct pending){
		.open = true,
		.again = s->begun && seq < s->next,
		.seq = seq,
		.end = end,
		.samples = p->samples,
		.room = p->room,
		.keys = KEY_VM | KEY_VCPU | KEY_THREAD | KEY_REASON,
	};
	return TAKEN;
}

static int add_sample(struct pending *p, const struct sample *sample)
{
	struct sample *grown = array_grow(p->samples, &p->room, p->nr, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	p->samples = grown;
	p->samples[p->nr++] = *sample;
	return TAKEN;
}

/* "exits":{"HLT":12,...} */
static int add_reasons(struct pending *p, struct sample *sample, json_t *exits)
{
	const char *name;
	json_t *count;
	int err = TAKEN;

	json_object_foreach(exits, name, count)
	{
		if (!json_is_integer(count) || json_integer_value(count) < 0 ||
		    !reason__parse(sample->isa, name, &sample->code))
			return FOREIGN;
		sample->count = json_integer_value(count);
		err = add_sample(p, sample);
		if (err)
			break;
	}
	return err;
}

/* An exit or sum record: its keys are those that samples can be told apart by */
static int take_counts(struct recording *r, struct source *s, const json_t *record)
{
	struct pending *p = &s->pending;
	struct sample sample = { .total = integer_or(record, "total", 0) };
	json_t *exits = json_object_get(record, "exits");
	unsigned int keys = exits ? KEY_REASON : 0;
	__u32 pid;
	int err = TAKEN;

	if (get_u32(record, "pid", &pid)) {
		keys |= KEY_VM;
		err = find_vm(r, s, record, pid, &sample.vm);
	}
	if (get_u32(record, "vcpu", &sample.vcpu))
		keys |= KEY_VCPU;
	if (get_u32(record, "tid", &sample.tid))
		keys |= KEY_THREAD;
	if (get_u32(record, "code", &sample.code))
		keys |= KEY_REASON;
	sample.isa = parse_isa(string_or_empty(record, "isa"));
	if (err || !keys || (!exits && !get_integer(record, "count", &sample.count)))
		return err ? err : FOREIGN;
	p->keys &= keys;
	p->records++;
	r->faults.timed += !!json_object_get(record, "time_ns");
	return exits ? add_reasons(p, &sample, exits) : add_sample(p, &sample);
}

static int take_rest(struct source *s, const json_t *record)
{
	__u64 count;

	if (!get_integer(record, "count", &count))
		return FOREIGN;
	s->pending.records++;
	s->pending.rest += count;
	return TAKEN;
}

static int compare_threads(const struct sample *x, const struct sample *y)
{
	int order = vm__compare(x->vm, y->vm);

	if (!order)
		order = THREE_WAY(x->vcpu, y->vcpu);
	return order ? order : THREE_WAY(x->tid, y->tid);
}

static int compare_samples(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int order = compare_threads(x, y);

	if (!order)
		order = THREE_WAY(x->isa, y->isa);
	return order ? order : THREE_WAY(x->code, y->code);
}

/* Records of a group are in the order of their counts, samples in that of their keys */
static void sort_samples(struct pending *p)
{
	size_t i;

	for (i = 1; i < p->nr; i++)
		if (compare_threads(&p->samples[i - 1], &p->samples[i]) > 0)
			break;
	if (i < p->nr)
		qsort(p->samples, p->nr, sizeof(*p->samples), compare_samples);
}

/* "full 12, codes 3": what of it is known by these names */
static void parse_causes(const char *why, __u64 *lost)
{
	size_t i, len;

	for (; *why; why += strspn(why, ", ")) {
		len = strcspn(why, " ");
		for (i = 0; i < NR_CAUSES; i++)
			if (strlen(causes[i].name) == len && !strncmp(why, causes[i].name, len))
				lost[i] = strtoull(why + len, NULL, 10);
		why += strcspn(why, ",");
	}
}

/* Exits lost in this interval and since the start; for a cause that has no name, missed */
static void set_lost(struct source *s, struct snapshot *snap, const json_t *record)
{
	__u64 all = integer_or(record, "lost", 0), now, known;
	size_t i;

	memset(snap->lost_now, 0, sizeof(snap->lost_now));
	parse_causes(string_or_empty(record, "lost_why"), snap->lost_now);
	known = sum_of_causes(s->lost);
	now = integer_or(record, "lost_now", all > known ? all - known : 0);
	known = sum_of_causes(snap->lost_now);
	if (now > known)
		snap->lost_now[LOST_MISSED] += now - known;
	for (i = 0; i < NR_CAUSES; i++)
		s->lost[i] += snap->lost_now[i];
	known = sum_of_causes(s->lost);
	if (all > known)
		s->lost[LOST_MISSED] += all - known;
	memcpy(snap->lost, s->lost, sizeof(snap->lost));
}

static void check(struct recording *r, const struct pending *p, __u64 records, __u64 exits,
		  __u64 got)
{
	if (records != p->records) {
		r->faults.incomplete++;
		r->faults.gone += records > p->records ? records - p->records : 0;
	} else if (exits != got) {
		r->faults.wrong++;
	}
}

/* The samples change hands, their memory too */
static void hand_over(struct pending *p, struct snapshot *snap)
{
	struct sample *samples = snap->samples;
	size_t room = snap->room;

	snap->samples = p->samples;
	snap->nr_samples = p->nr;
	snap->room = p->room;
	p->samples = samples;
	p->room = room;
	p->nr = 0;
	p->open = false;
}

static int take_interval(struct recording *r, struct source *s, const json_t *record,
			 struct snapshot *snap)
{
	struct pending *p = &s->pending;
	__u64 records, exits, ms, got;
	size_t i;

	if (!get_integer(record, "records", &records) || !get_integer(record, "exits", &exits) ||
	    !get_integer(record, "dur_ms", &ms))
		return FOREIGN;
	if (p->again) {
		r->faults.repeated++;
		p->open = false;
		return TAKEN;
	}
	if (s->begun)
		r->faults.missing += p->seq - s->next;
	s->begun = true;
	s->next = p->seq + 1;
	if (!*s->run.version)
		set_text(s->run.version, sizeof(s->run.version), record, "version");
	if (!*s->run.probe)
		set_text(s->run.probe, sizeof(s->run.probe), record, "probe");
	snap->run = &s->run;
	snap->seq = p->seq;
	snap->end = p->end;
	snap->duration = integer_or(record, "dur_ns", ms * NSEC_PER_MSEC);
	snap->final = json_is_true(json_object_get(record, "final"));
	snap->vms = integer_or(record, "vms", 0);
	snap->vcpus = integer_or(record, "vcpus", 0);
	snap->hidden = integer_or(record, "hidden", 0);
	snap->flags[FLAG_FAILED_ENTRY] = integer_or(record, "failed_entries", 0);
	snap->flags[FLAG_BUS_LOCK] = integer_or(record, "bus_locks", 0);
	snap->flags[FLAG_ENCLAVE] = integer_or(record, "enclave_exits", 0);
	set_lost(s, snap, record);
	for (i = 0, got = snap->hidden; i < p->nr; i++)
		got += p->samples[i].count;
	check(r, p, records, exits, got + p->rest);
	snap->exits = got;
	r->faults.rest += p->rest;
	sort_samples(p);
	hand_over(p, snap);
	return DONE;
}

/* What is of no type known here is not this version's to judge */
static int take_record(struct recording *r, const json_t *record, struct snapshot *snap,
		       unsigned int *keys)
{
	const char *type = string_or_empty(record, "type");
	struct source *s;
	__u64 seq, end;
	int err;

	if (!*type || !get_integer(record, "seq", &seq) ||
	    !parse_time(string_or_empty(record, "ts"), &end))
		return FOREIGN;
	s = find_source(r, record);
	if (!s)
		return -ENOMEM;
	if (!strcmp(type, "run"))
		return take_run(s, record);
	if (!strcmp(type, "vm"))
		return take_vm(r, s, record);
	if (strcmp(type, "exit") && strcmp(type, "sum") && strcmp(type, "rest") &&
	    strcmp(type, "interval"))
		return TAKEN;
	err = begin_interval(r, &s, seq, end);
	if (err)
		return err;
	if (!strcmp(type, "rest"))
		return take_rest(s, record);
	if (strcmp(type, "interval"))
		return take_counts(r, s, record);
	*keys = s->pending.keys;
	return take_interval(r, s, record, snap);
}

/* As take_record() */
static int take_line(struct recording *r, size_t len, struct snapshot *snap, unsigned int *keys)
{
	json_error_t why;
	json_t *record;
	int taken;

	if (!len) /* between a torn line and the next, say */
		return TAKEN;
	record = json_loadb(r->line, len, 0, &why);
	if (!record && json_error_code(&why) == json_error_out_of_memory)
		return -ENOMEM;
	taken = json_is_object(record) ? take_record(r, record, snap, keys) : FOREIGN;
	json_decref(record);
	if (taken != FOREIGN)
		return taken;
	if (!r->faults.lines++)
		r->faults.first_line = r->line_nr;
	return TAKEN;
}

int recording__next(struct recording *r, struct snapshot *snap, unsigned int *keys)
{
	ssize_t len;
	size_t i;
	int taken;

	while ((len = read_line(r)) >= 0) {
		show_progress(r, false);
		taken = take_line(r, len, snap, keys);
		if (taken)
			return taken == DONE ? 1 : taken;
	}
	show_progress(r, true);
	for (i = 0; i < r->nr_sources; i++)
		drop_pending(r, &r->sources[i]->pending);
	return ferror(r->file) ? -EIO : 0;
}

const struct faults *recording__faults(const struct recording *r)
{
	return &r->faults;
}

void recording__tell(const struct recording *r)
{
	const struct faults *f = &r->faults;
	const char *path = r->path;

	if (f->lines)
		complain(
			"reading %s: %llu lines are no records, torn or not of kvmexit: the first is "
			"line %llu",
			path, f->lines, f->first_line);
	if (f->missing)
		complain("reading %s: %llu intervals are missing, by gaps in seq", path,
			 f->missing);
	if (f->incomplete)
		complain("reading %s: %llu intervals lack records, %llu in all", path,
			 f->incomplete, f->gone);
	if (f->wrong)
		complain("reading %s: in %llu intervals counts do not add up to exits", path,
			 f->wrong);
	if (f->orphans)
		complain("reading %s: %llu records are left out, whose interval has no record",
			 path, f->orphans);
	if (f->repeated)
		complain("reading %s: %llu intervals are left out, there again or out of order",
			 path, f->repeated);
	if (f->rest)
		complain("reading %s: %llu exits are of rows that --top cut off", path, f->rest);
	if (f->timed)
		complain("reading %s: %llu records have times, which are not read", path, f->timed);
}
