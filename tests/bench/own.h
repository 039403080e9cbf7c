/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Loads a program of own.bpf.c or plain.bpf.c as src/probe/probe.c loads kvmexit's */
#ifndef OWN_H
#define OWN_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/util.h"
#include "probe/facts.h"
#include "probe/probe.h"

struct own {
	struct bpf_object *obj;
	struct bpf_program *prog;
	struct shared shared; /* mapped from the kernel: slots and control */
};

static inline struct bpf_map *own__map(const struct own *own, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(own->obj, name);

	if (!map)
		errx(1, "no map %s", name);
	return map;
}

static inline void *own__mmap(const struct own *own, const char *name, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(own__map(own, name)), 0);

	if (p == MAP_FAILED)
		err(1, "mapping %s", name);
	return p;
}

static inline void own__queue(const struct own *own, const char *name, __u32 n)
{
	__u32 i;

	for (i = 0; i < n; i++)
		if (bpf_map_update_elem(bpf_map__fd(own__map(own, name)), NULL, &i, BPF_ANY))
			err(1, "filling %s", name);
}

/* Where the task has what stands for the exit code */
static inline void own__find_offsets(struct config *config)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int cred, uid;

	if (libbpf_get_error(btf))
		errx(1, "no BTF");
	cred = facts__find_offset(btf, "task_struct", "cred");
	uid = facts__find_offset(btf, "cred", "uid");
	if (cred < 0 || uid < 0)
		errx(1, "no BTF of struct task_struct or struct cred");
	config->offsets[OFFSET_SVM_VMCB] = cred;
	config->offsets[OFFSET_VMCB_CODE] = uid;
	btf__free(btf);
}

static inline void own__configure(const struct own *own, __u32 slots, __u32 tgid,
				  struct config *config)
{
	static const char *const sized[] = { "owned", "ring", "free_slots", "threads", "runners" };
	struct config *loaded;
	size_t i, size;

	for (i = 0; i < ARRAY_SIZE(sized); i++)
		if (bpf_map__set_max_entries(own__map(own, sized[i]), slots))
			errx(1, "sizing %s", sized[i]);
	*config = (struct config){ .max_slots = slots, .tgid = tgid, .layout = own->shared.layout };
	own__find_offsets(config);
	loaded = (void *)bpf_map__initial_value(own__map(own, ".rodata"), &size);
	if (!loaded || size < sizeof(*loaded))
		errx(1, "no config in the object");
	*loaded = *config;
}

/*
 * With room for @slots threads, of which @free are to be had; and only for process
 * @tgid, 0: any. @one: from the object with the kfunc (slots.h). Programs that note the
 * time have _time in their names.
 */
static inline void own__load(struct own *own, const char *object, const char *program, bool one,
			     __u32 slots, __u32 free, __u32 tgid)
{
	struct config config;

	own->obj = bpf_object__open(object);
	own->prog = own->obj ? bpf_object__find_program_by_name(own->obj, program) : NULL;
	if (!own->prog)
		errx(1, "%s: no program %s", object, program);
	own->shared.layout = layout_of(!!strstr(program, "_time"), 0);
	own__configure(own, slots, tgid, &config);
	bpf_program__set_autoload(own->prog, true);
	if (probe__prepare(&own->prog, 1, &config, own__map(own, "slots"), one) ||
	    bpf_object__load(own->obj))
		err(1, "loading %s of %s", program, object);
	own->shared.slots = own__mmap(own, "slots", (size_t)slots * config.layout.stride);
	if (bpf_map__value_size(own__map(own, ".bss")) != sizeof(*own->shared.control))
		errx(1, "more variables than `control`");
	own->shared.control = own__mmap(own, ".bss", sizeof(*own->shared.control));
	own__queue(own, "free_slots", free);
	own__queue(own, "free_extra", NR_EXTRA);
	own__queue(own, "token", 1);
}

#endif
