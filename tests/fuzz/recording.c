// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A recording in any state: snapshots that add up and are sorted, and an end */
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "recording/recording.h"
#include "render/json.h"
#include "render/metrics.h"
#include "render/table.h"
#include "snapshot/keys.h"
#include "snapshot/run.h"
#include "vm/vm.h"

static void check(const struct snapshot *snap, unsigned int keys)
{
	__u64 exits = snap->hidden;
	size_t i;

	MUST(snap->run && fuzz__utf8(snap->run->node) >= 0);
	for (i = 0; i < snap->nr_samples; i++) {
		const struct sample *s = &snap->samples[i];

		exits += s->count;
		MUST(!i || vm__compare(s[-1].vm, s->vm) <= 0);
		MUST(s->vm || !(keys & KEY_VM));
		if (!s->vm)
			continue;
		MUST(fuzz__utf8(s->vm->name) >= 0 && fuzz__utf8(s->vm->name) <= VM_NAME_MAX);
		MUST(fuzz__utf8(s->vm->comm) >= 0 && fuzz__utf8(s->vm->comm) <= VM_COMM_MAX);
	}
	MUST(exits == snap->exits);
}

/* One of each kind, for the keys of the first interval */
#define NR_OUTPUTS 5

struct outputs {
	unsigned int keys; /* 0: none yet */
	struct renderer *list[NR_OUTPUTS];
};

static void make_all(struct outputs *o, unsigned int keys)
{
	const struct view all = { .keys = keys & (KEY_SAMPLE | KEY_DETAIL) };
	const struct table_style table = { .view = all, .timed = true };
	const struct table_style wide = { .view = { .keys = all.keys, .by_key = true, .top = 2 } };
	const struct json_style records = { .view = all };
	const struct json_style compact = { .view.keys = all.keys & ~KEY_REASON & ~KEY_DETAIL,
					    .compact = true };

	o->keys = keys;
	o->list[0] = table__new(&table);
	o->list[1] = table__new(&wide);
	o->list[2] = json__new(&records);
	o->list[3] = metrics__new(&(struct metrics_style){ .keys = all.keys, .nodes = true });
	/* As the options demand it: by VM, with reasons */
	if ((keys & (KEY_VM | KEY_REASON)) == (KEY_VM | KEY_REASON))
		o->list[4] = json__new(&compact);
}

static void print_all(struct outputs *o, FILE *out, const struct snapshot *snap, unsigned int keys)
{
	size_t i;

	if (!o->keys)
		make_all(o, keys);
	/* As playback does: not an interval that tells less apart */
	for (i = 0; i < NR_OUTPUTS && !(o->keys & ~keys); i++)
		if (o->list[i])
			MUST(!o->list[i]->print(o->list[i], out, snap));
}

static void free_all(struct outputs *o)
{
	size_t i;

	for (i = 0; i < NR_OUTPUTS; i++)
		if (o->list[i])
			o->list[i]->free(o->list[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outputs outputs = { 0 };
	int fd = memfd_create("recording", 0), err;
	struct snapshot snap = { 0 };
	struct recording *r;
	unsigned int keys;
	FILE *out = fopen("/dev/null", "w");
	char path[64];

	MUST(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = recording__open(path, &err);
	MUST(r);
	while ((err = recording__next(r, &snap, &keys)) > 0) {
		check(&snap, keys);
		print_all(&outputs, out, &snap, keys);
	}
	MUST(!err);
	free_all(&outputs);
	recording__free(r);
	free(snap.samples);
	fclose(out);
	close(fd);
	return 0;
}
