// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * event OBJECT...: what each of the objects' programs rename_* adds to an event,
 * on this kernel. They are attached to task_rename one after the other, again and
 * again, for many short rounds of renaming this thread. Prints of each its best
 * round, "PROGRAM NANOSECONDS" an event; of nothing attached first. Where
 * kvmexit's slots are in the object, every event must be in them.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "../../kvmexit.h"
#include "../../src/util.h"

#define PREFIX "rename_"

enum {
	TURNS = 40,
	ROUNDS = 30,
	EVENTS = 500,
};

struct contender {
	const char *name;
	struct bpf_program *prog; /* NULL: nothing is attached */
	double best;
};

static void play(struct contender *c)
{
	struct bpf_link *link = c->prog ? bpf_program__attach(c->prog) : NULL;
	int i, round;

	if (c->prog && !link)
		err(1, "attaching %s", c->name);
	for (round = 0; round < ROUNDS; round++) {
		__u64 start = now_ns();
		double ns;

		for (i = 0; i < EVENTS; i++)
			prctl(PR_SET_NAME, "event");
		ns = (double)(now_ns() - start) / EVENTS;
		if (!c->best || ns < c->best)
			c->best = ns;
	}
	bpf_link__destroy(link);
}

/* The only slot is free, and so is the right to give slots back (src/probe.c) */
static void fill(const struct bpf_object *obj)
{
	static const char *const queues[] = { "free_slots", "token" };
	const __u32 zero = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(obj, queues[i]);

		if (map && bpf_map_update_elem(bpf_map__fd(map), NULL, &zero, BPF_ANY))
			err(1, "filling %s", queues[i]);
	}
}

static void check(const struct bpf_object *obj, __u64 programs)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(obj, "slots");
	const __u64 events = programs * TURNS * ROUNDS * EVENTS;
	const __u32 zero = 0;
	struct slot slot;
	__u64 sum = 0;
	int i;

	if (!map)
		return;
	if (bpf_map_lookup_elem(bpf_map__fd(map), &zero, &slot))
		err(1, "reading the slot");
	for (i = 0; i < NR_COUNTERS; i++)
		sum += slot.count[i];
	if (sum != events)
		errx(1, "%llu events, but %llu counted", events, sum);
}

/* Loads the object; its contenders are put at @c, and their number returned */
static int load(struct bpf_object *obj, struct contender *c, int room)
{
	struct bpf_program *prog = NULL;
	int n = 0;

	while ((prog = bpf_object__next_program(obj, prog))) {
		if (strncmp(bpf_program__name(prog), PREFIX, strlen(PREFIX)))
			continue;
		if (n == room)
			errx(1, "too many programs");
		bpf_program__set_autoload(prog, true);
		c[n].prog = prog;
		c[n++].name = bpf_program__name(prog) + strlen(PREFIX);
	}
	if (bpf_object__load(obj))
		err(1, "loading %s", bpf_object__name(obj));
	fill(obj);
	return n;
}

int main(int argc, char **argv)
{
	struct contender contenders[16] = { { .name = "nothing" } };
	struct bpf_object *objs[4];
	int i, turn, programs[4], nr = 1;

	if (argc < 2 || argc - 1 > (int)ARRAY_SIZE(objs))
		return EXIT_USAGE;
	for (i = 0; i < argc - 1; i++) {
		objs[i] = bpf_object__open(argv[i + 1]);
		if (!objs[i])
			err(1, "%s", argv[i + 1]);
		programs[i] = load(objs[i], contenders + nr, ARRAY_SIZE(contenders) - nr);
		nr += programs[i];
	}
	for (turn = 0; turn < TURNS; turn++)
		for (i = 0; i < nr; i++)
			play(&contenders[i]);
	for (i = 0; i < nr; i++)
		printf("%s %.1f\n", contenders[i].name, contenders[i].best);
	for (i = 0; i < argc - 1; i++) {
		check(objs[i], programs[i]);
		bpf_object__close(objs[i]);
	}
	return 0;
}
