// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "recording/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/utf8.h"
#include "lib/util.h"
#include "names/details.h"
#include "names/reasons.h"
#include "recording/runs.h"
#include "snapshot/keys.h"
#include "vm/vm.h"
#include "vm/vmm.h"

/* A line of records is at most a quarter of it */
#define LINE_SIZE (64 << 10)

#define COUNT_END (1ll << 53)

struct recording {
	const char *path;
	FILE *file;
	char line[LINE_SIZE];
	__u64 line_nr;
	struct sources sources;
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

void recording__free(struct recording *r)
{
	if (!r)
		return;
	sources__free(&r->sources);
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
	size_t len = 0;
	int c;

	while ((c = getc_unlocked(r->file)) != EOF && c != '\n') {
		r->bytes++;
		/* What is longer than the room is no record */
		if (len < sizeof(r->line))
			r->line[len++] = c;
	}
	if (c == EOF && !len)
		return -1;
	r->bytes += c == '\n';
	r->line_nr++;
	return len;
}

/* Whether it is a number of 0..2^53-1, the range of all numbers in records */
static bool is_count(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 &&
	       json_integer_value(value) < COUNT_END;
}

/* Gets a number of a record. False: no such key, or not such a number. */
static bool get_integer(const json_t *record, const char *key, __u64 *value)
{
	const json_t *m = json_object_get(record, key);

	if (!is_count(m))
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
}

/* "2026-01-01T00:00:20.004Z"; false: @text is not such a time */
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

/* The source (run) of a record */
static struct source *find_source(struct recording *r, const json_t *record)
{
	char node[sizeof(r->sources.last->run.node)], id[sizeof(r->sources.last->run.id)];

	set_text(node, sizeof(node), record, "node");
	set_text(id, sizeof(id), record, "run");
	return sources__get(&r->sources, node, id);
}

/* A VM as a record describes it */
static struct vm describe_vm(const struct source *s, const json_t *record, __u32 pid)
{
	struct vm vm = { .node = s->run.node, .pid = pid, .vmm = "other" };
	const char *comm = string_or_empty(record, "comm"), *name = string_or_empty(record, "vm");

	utf8__clean(vm.comm, sizeof(vm.comm), comm, strlen(comm), VM_COMM_MAX);
	utf8__clean(vm.name, sizeof(vm.name), name, strlen(name), VM_NAME_MAX);
	return vm;
}

enum taken {
	TAKEN, /* as it should be */
	FOREIGN, /* no such record */
	REPEATED, /* was there before */
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
	vm.vmm = vmm__named(string_or_empty(record, "vmm"));
	set_text(vm.uuid, sizeof(vm.uuid), record, "uuid");
	p = source__process(s, pid);
	if (p)
		p->vm = p->vm && !p->vm->start && !strcmp(p->vm->name, vm.name)
				? sources__learn_start(&r->sources, p->vm, &vm)
				: sources__vm(&r->sources, &vm);
	return p && p->vm ? TAKEN : -ENOMEM;
}

/* The VM of a record with counts */
static int find_vm(struct recording *r, struct source *s, const json_t *record, __u32 pid,
		   struct vm **out)
{
	const char *name = string_or_empty(record, "vm"), *comm;
	struct process *p = source__process(s, pid);
	struct vm vm;

	if (!p)
		return -ENOMEM;
	comm = json_string_value(json_object_get(record, "comm"));
	if (!p->vm || strcmp(p->vm->name, name) || (comm && strcmp(p->vm->comm, comm))) {
		vm = describe_vm(s, record, pid);
		/* Its vm record was cut off, or the version had no such records yet */
		if (!p->vm || strcmp(p->vm->name, vm.name) ||
		    (comm && strcmp(p->vm->comm, vm.comm)))
			p->vm = sources__vm(&r->sources, &vm);
	}
	*out = p->vm;
	return p->vm ? TAKEN : -ENOMEM;
}

/* Drops an interval without its interval record */
static void drop_pending(struct recording *r, struct pending *p)
{
	if (p->open)
		r->faults.orphans += p->records;
	p->open = false;
}

/*
 * The interval to which a record belongs. If its seq was there before, this is a new run (if
 * records do not name their run), or else repeated: shippers that try again send lines twice.
 */
static int begin_interval(struct recording *r, struct source **source, __u64 seq, __u64 end)
{
	struct source *s = *source;
	struct pending *p = &s->pending;

	if (p->open && p->seq == seq && p->end == end)
		return TAKEN;
	if (s->begun && seq < s->next && *s->run.id)
		return REPEATED;
	drop_pending(r, p);
	if (s->begun && seq < s->next) {
		s = sources__add(&r->sources, s->run.node, "");
		if (!s)
			return -ENOMEM;
		*source = s;
		p = &s->pending;
	}
	pending__begin(p, seq, end, KEY_SAMPLE | KEY_DETAIL);
	return TAKEN;
}

/* "reasons":{"HLT":12,...}: whether each is a reason with a count */
static bool are_reasons(__u32 isa, const json_t *counts)
{
	const char *name;
	json_t *count;
	__u32 code;

	json_object_foreach((json_t *)counts, name, count)
	{
		if (!is_count(count) || !reason__parse(isa, name, &code))
			return false;
	}
	return json_is_object(counts);
}

static int add_reasons(struct pending *p, struct sample *sample, json_t *counts)
{
	const char *name;
	json_t *count;
	int err = TAKEN;

	json_object_foreach(counts, name, count)
	{
		reason__parse(sample->isa, name, &sample->code);
		sample->count = json_integer_value(count);
		err = pending__add(p, sample);
		if (err)
			break;
	}
	return err;
}

/* Whether a record has a detail; one that this version cannot read is unknown */
static bool get_detail(struct recording *r, const json_t *record, struct sample *sample)
{
	const char *text = json_string_value(json_object_get(record, "detail"));

	if (!text)
		return false;
	if (!detail__parse(sample->isa, sample->code, text, &sample->detail))
		r->faults.details++;
	return true;
}

/* An exit or sum record: its keys are those that samples can be told apart by */
static int take_counts(struct recording *r, struct source *s, const json_t *record)
{
	struct pending *p = &s->pending;
	struct sample sample = { .total = integer_or(record, "total", 0) };
	json_t *counts = json_object_get(record, "reasons");
	unsigned int keys = 0;
	__u32 pid;
	int err = TAKEN;

	/* Its name up to version 0.2.0 */
	if (!counts)
		counts = json_object_get(record, "exits");
	keys |= counts ? KEY_REASON : 0;
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
	sample.isa = isa__parse(string_or_empty(record, "isa"));
	if (get_detail(r, record, &sample))
		keys |= KEY_DETAIL;
	if (err || !keys ||
	    !(counts ? are_reasons(sample.isa, counts)
		     : get_integer(record, "count", &sample.count)))
		return err ? err : FOREIGN;
	p->keys &= keys;
	p->records++;
	r->faults.timed += !!json_object_get(record, "time_ns");
	return counts ? add_reasons(p, &sample, counts) : pending__add(p, &sample);
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

/* "full 12, codes 3": takes the causes whose names are known */
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

/* Sets the exits lost in this interval and since the start; without a known cause: missed */
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

static void set_missed(struct source *s, struct snapshot *snap, const json_t *record)
{
	size_t i;

	misses__parse(&snap->missed_now, string_or_empty(record, "uncertain"));
	s->missed.unknown = snap->missed_now.unknown;
	for (i = 0; i < NR_UNSURE; i++)
		s->missed.count[i] += snap->missed_now.count[i];
	snap->missed = s->missed;
}

/* Whether the interval has what its record says */
static bool check(struct recording *r, const struct pending *p, __u64 records, __u64 exits,
		  __u64 got)
{
	if (records != p->records) {
		r->faults.incomplete++;
		r->faults.gone += records > p->records ? records - p->records : 0;
	} else if (exits != got) {
		r->faults.wrong++;
	}
	return records == p->records && exits == got;
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
	for (i = 0, got = snap->hidden = integer_or(record, "hidden", 0); i < p->nr; i++)
		got += p->samples[i].count;
	/* Nor are sums by different keys one interval */
	if (got + p->rest >= COUNT_END || !(p->keys & KEY_SAMPLE))
		return FOREIGN;
	snap->missing = s->begun ? p->seq - s->next : 0;
	r->faults.missing += snap->missing;
	s->begun = true;
	s->next = p->seq + 1;
	if (!*s->run.version)
		set_text(s->run.version, sizeof(s->run.version), record, "version");
	if (!*s->run.probe)
		set_text(s->run.probe, sizeof(s->run.probe), record, "probe");
	snap->details = p->nr && p->keys & KEY_DETAIL;
	snap->run = &s->run;
	snap->seq = p->seq;
	snap->end = p->end;
	snap->duration = integer_or(record, "dur_ns", ms * NSEC_PER_MSEC);
	snap->final = json_is_true(json_object_get(record, "final"));
	snap->vms = integer_or(record, "vms", 0);
	snap->vcpus = integer_or(record, "vcpus", 0);
	snap->flags[FLAG_FAILED_ENTRY] = integer_or(record, "failed_entries", 0);
	snap->flags[FLAG_BUS_LOCK] = integer_or(record, "bus_locks", 0);
	snap->flags[FLAG_ENCLAVE] = integer_or(record, "enclave_exits", 0);
	set_lost(s, snap, record);
	set_missed(s, snap, record);
	snap->damaged = !check(r, p, records, exits, got + p->rest);
	snap->exits = got;
	r->faults.rest += p->rest;
	pending__sort(p);
	pending__hand_over(p, snap);
	return DONE;
}

/* FNV-1a */
static __u64 hash_of(const char *text, size_t len)
{
	__u64 hash = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ull;
	return hash;
}

/* Records of an unknown type come from a newer version: they are ignored */
static int take_record(struct recording *r, const json_t *record, size_t len, struct snapshot *snap,
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
	if (err == REPEATED)
		r->faults.repeated += !strcmp(type, "interval");
	if (err)
		return err;
	err = pending__has_line(&s->pending, hash_of(r->line, len));
	if (err) {
		r->faults.doubled += err > 0;
		return err < 0 ? err : REPEATED;
	}
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

	if (!len) /* for example between a torn line and the next */
		return TAKEN;
	/* If memory is short, jansson returns various errors about the text: look at errno */
	errno = 0;
	record = json_loadb(r->line, len, 0, &why);
	if (!record && errno == ENOMEM)
		return -ENOMEM;
	taken = json_is_object(record) ? take_record(r, record, len, snap, keys) : FOREIGN;
	json_decref(record);
	if (taken == REPEATED)
		return TAKEN;
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
	for (i = 0; i < r->sources.nr; i++)
		drop_pending(r, &r->sources.list[i]->pending);
	return ferror(r->file) ? -EIO : 0;
}

const struct faults *recording__faults(const struct recording *r)
{
	return &r->faults;
}
