// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * event DIR TURNS [warm]: what each program adds to an event on this kernel. They are
 * attached to task_rename one after the other, TURNS times, while this thread renames
 * itself. Each in its situation: a thread that has a slot and a hint in its own set;
 * one whose hint is in the next set, as its own set is others'; and so on. Prints a
 * line for each, "NAME WARM COLD READ WRITTEN", of nothing attached first:
 *
 *   WARM     ns an event, of the best of many short rounds
 *   COLD     ns of one, when what is in the first two caches has been pushed out
 *   READ     cache lines of kvmexit's memory that an event is slower without
 *   WRITTEN  such lines that events change
 *
 * Only WARM with the third argument, the others 0: where the clock counts instructions
 * there are no caches. Every event must be in the slot, or lost, or left out.
 */
#include <emmintrin.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "own.h"

enum {
	ROUNDS = 30,
	EVENTS = 500,
	COLD_EVENTS = 60, /* a turn */
	MAX_TURNS = 100,
	EVICT = 3 << 20, /* bytes, more than the second cache has */
	LINE = 64,
};

/* Where the events' thread finds itself */
enum situation {
	ALONE, /* not kvmexit's program */
	HINTED, /* it has a slot and a hint */
	NEXT_SET, /* its own set of hints is taken by others, so its hint is in the next one */
	NO_HINT, /* both are taken */
	UNWANTED, /* a filter leaves it out */
	NO_SLOT, /* there is none left */
};

static const struct contender {
	const char *name;
	const char *object; /* NULL: nothing is attached */
	const char *program;
	enum situation situation;
} contenders[] = {
	{ "nothing", NULL, NULL, ALONE },
	{ "empty_tp_btf", "peers", "rename_empty_tp_btf", ALONE },
	{ "direct", "own", "rename_direct", HINTED },
	{ "next_set", "own", "rename_direct", NEXT_SET },
	{ "no_hint", "own", "rename_direct", NO_HINT },
	{ "unwanted", "own", "rename_direct", UNWANTED },
	{ "no_slot", "own", "rename_direct", NO_SLOT },
	{ "time", "own", "rename_time", HINTED },
	{ "read", "plain", "rename_read", HINTED },
	{ "empty_tracepoint", "peers", "rename_empty_tracepoint", ALONE },
	{ "tracepoint", "plain", "rename_tracepoint", HINTED },
	{ "bcc_tracepoint", "peers", "rename_bcc_tracepoint", ALONE },
	{ "bcc_tp_btf", "peers", "rename_bcc_tp_btf", ALONE },
};

static struct run {
	const struct contender *contender;
	struct own own;
	double warm;
	__u64 cold[MAX_TURNS * COLD_EVENTS];
	__u64 events; /* fired so far */
	int read, written;
} runs[ARRAY_SIZE(contenders)];

static int turns;
static char *cold_memory;

static void fire(struct run *r, int times)
{
	r->events += times;
	while (times--)
		prctl(PR_SET_NAME, "event");
}

static __u64 time_one(struct run *r)
{
	__u64 start = now_ns();

	fire(r, 1);
	return now_ns() - start;
}

static struct bpf_link *attach(const struct run *r)
{
	struct bpf_link *link = r->contender->object ? bpf_program__attach(r->own.prog) : NULL;

	if (r->contender->object && !link)
		err(1, "attaching %s", r->contender->name);
	return link;
}

/* Hints of nobody's, as of other threads that came first */
static void take_set(struct control *control, __u32 offset)
{
	struct hint *set = (void *)((char *)control->hints + offset % sizeof(control->hints));
	int i;

	for (i = 0; i < NR_WAYS; i++)
		set[i] = (struct hint){ .key = ~0ull };
}

/* After its first event, which has given it slot and hint */
static void arrange(struct run *r)
{
	const enum situation s = r->contender->situation;
	struct control *control = r->own.shared.control;
	const __u64 key = shared__slot(&r->own.shared, 0)->key;
	const __u32 own = hint_offset(key), next = (own + LINE) % sizeof(control->hints);

	if (s != NEXT_SET && s != NO_HINT)
		return;
	take_set(control, own);
	take_set(control, next);
	if (s == NEXT_SET)
		control->hints[next / sizeof(struct hint)] = (struct hint){ .key = key };
}

static void load_other(struct own *own, const char *path, const char *program)
{
	own->obj = bpf_object__open(path);
	own->prog = own->obj ? bpf_object__find_program_by_name(own->obj, program) : NULL;
	if (!own->prog || bpf_program__set_autoload(own->prog, true) || bpf_object__load(own->obj))
		err(1, "loading %s of %s", program, path);
}

/* Only this process is wanted: others are renamed too */
static void load(struct run *r, const char *dir)
{
	const struct contender *c = r->contender;
	struct bpf_link *link;
	char path[256];

	if (!c->object)
		return;
	snprintf(path, sizeof(path), "%s/%s.bpf.o", dir, c->object);
	if (c->situation == ALONE) {
		load_other(&r->own, path, c->program);
		return;
	}
	own__load(&r->own, path, c->program, !strcmp(c->object, "own"), 1, c->situation != NO_SLOT,
		  c->situation == UNWANTED ? 1 : getpid());
	link = attach(r);
	fire(r, 1);
	arrange(r);
	bpf_link__destroy(link);
}

static __u64 counted(const struct run *r)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < NR_COUNTERS; i++)
		sum += shared__slot(&r->own.shared, 0)->count[i];
	return sum;
}

static __u64 timed(const struct run *r)
{
	__u64 sum = 0;
	int i, k;

	for (i = 0; i < NR_ROWS; i++)
		for (k = 0; k < NR_BUCKETS; k++)
			sum += shared__clock(&r->own.shared, 0)->rows[i].buckets[k];
	return sum;
}

static __u64 lost(const struct run *r)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < NR_LOST_LINES; i++)
		sum += r->own.shared.control->lost[i].count[LOST_FULL];
	return sum;
}

static void check(const struct run *r)
{
	const enum situation s = r->contender->situation;

	if (s != ALONE && (counted(r) != (s == UNWANTED || s == NO_SLOT ? 0 : r->events) ||
			   lost(r) != (s == NO_SLOT ? r->events : 0)))
		errx(1, "%s: %llu events, but %llu counted and %llu lost", r->contender->name,
		     r->events, counted(r), lost(r));
	if (!strcmp(r->contender->program ? r->contender->program : "", "rename_time") &&
	    timed(r) != r->events)
		errx(1, "time: %llu of %llu events timed", timed(r), r->events);
}

static void evict(void)
{
	volatile char *p;

	for (p = cold_memory; p < cold_memory + EVICT; p += LINE)
		*p;
}

static void play(struct run *r, int turn)
{
	struct bpf_link *link = attach(r);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		__u64 start = now_ns();
		double ns;

		fire(r, EVENTS);
		ns = (double)(now_ns() - start) / EVENTS;
		if (!r->warm || ns < r->warm)
			r->warm = ns;
	}
	for (i = 0; cold_memory && i < COLD_EVENTS; i++) {
		evict();
		r->cold[turn * COLD_EVENTS + i] = time_one(r);
	}
	bpf_link__destroy(link);
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return THREE_WAY(*x, *y);
}

/* Less than three in four of them take */
static __u64 quartile(__u64 *ns, int n)
{
	qsort(ns, n, sizeof(*ns), compare);
	return ns[n / 4];
}

/* One event, before which a line was pushed out */
static __u64 time_without(struct run *r, const char *line)
{
	_mm_clflush(line);
	_mm_mfence();
	return time_one(r);
}

/*
 * Whether events are slower without a line than without one that nobody wants, most
 * often: memory takes some 100 ns, of which other work hides half
 */
static bool misses(struct run *r, const char *line, int pairs)
{
	int i, slower = 0;

	for (i = 0; i < pairs; i++)
		slower += time_without(r, line) > time_without(r, cold_memory) + 15;
	return slower * 4 >= pairs * 3;
}

/* A short look at all lines, and longer ones at those that it finds */
static int count_read(struct run *r, const char *memory, size_t size)
{
	const char *line, *end = memory + size;
	int n = 0;

	for (line = memory; line < end; line += LINE)
		n += misses(r, line, 8) && misses(r, line, 40) && misses(r, line, 300);
	return n;
}

static int count_written(struct run *r, const char *memory, size_t size)
{
	char *before = malloc(size);
	int n = 0;
	size_t i;

	if (!before)
		err(1, "memory");
	memcpy(before, memory, size);
	fire(r, EVENTS);
	for (i = 0; i < size; i += LINE)
		n += !!memcmp(before + i, memory + i, size - i < LINE ? size - i : LINE);
	free(before);
	return n;
}

static void count_lines(struct run *r)
{
	const struct {
		char *memory;
		size_t size;
	} parts[] = {
		{ (char *)r->own.shared.control, sizeof(*r->own.shared.control) },
		{ r->own.shared.slots, r->own.shared.layout.stride },
	};
	struct bpf_link *link = attach(r);
	int turn, read, written;
	size_t i;

	/* What else is going on hides lines that are read, and writes lines of its own */
	for (turn = 0; turn < 3; turn++) {
		for (i = 0, read = 0, written = 0; i < ARRAY_SIZE(parts); i++) {
			read += count_read(r, parts[i].memory, parts[i].size);
			written += count_written(r, parts[i].memory, parts[i].size);
		}
		if (read > r->read)
			r->read = read;
		if (!turn || written < r->written)
			r->written = written;
	}
	bpf_link__destroy(link);
}

static void stay_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		err(1, "sched_setaffinity");
}

int main(int argc, char **argv)
{
	struct run *r, *end = runs + ARRAY_SIZE(runs);
	int turn;

	turns = argc > 2 ? atoi(argv[2]) : 0;
	if (turns < 1 || turns > MAX_TURNS)
		return EXIT_USAGE;
	stay_on_one_cpu();
	cold_memory = argc > 3 ? NULL : aligned_alloc(4096, EVICT);
	if (cold_memory)
		memset(cold_memory, 1, EVICT);
	for (r = runs; r < end; r++) {
		r->contender = &contenders[r - runs];
		load(r, argv[1]);
	}
	for (turn = 0; turn < turns; turn++)
		for (r = runs; r < end; r++)
			play(r, turn);
	for (r = runs; r < end; r++) {
		if (cold_memory && r->contender->situation != ALONE)
			count_lines(r);
		check(r);
		printf("%s %.1f %llu %d %d\n", r->contender->name, r->warm,
		       cold_memory ? quartile(r->cold, turns * COLD_EVENTS) : 0, r->read,
		       r->written);
		bpf_object__close(r->own.obj);
	}
	return 0;
}
