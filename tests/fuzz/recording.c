// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A recording in any state: snapshots that add up and are sorted, and an end */
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "recording/recording.h"
#include "render/json.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What can be made of any interval, whatever its samples are told apart by */
	struct renderer *json = json__new(&(struct json_style){ .view.keys = KEY_REASON });
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
		if (keys & KEY_REASON)
			MUST(!json->print(json, out, &snap));
	}
	MUST(!err);
	json->free(json);
	recording__free(r);
	free(snap.samples);
	fclose(out);
	close(fd);
	return 0;
}
