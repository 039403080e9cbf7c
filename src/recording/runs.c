// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "recording/runs.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "vm/vm.h"

/* See counters.c: gcc cannot see that tsearch() keeps what it is given */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static void free_vm(void *vm)
{
	vm__end(vm, 1);
}

static void keep(void *source)
{
	(void)source;
}

void sources__free(struct sources *sources)
{
	size_t i;

	for (i = 0; i < sources->nr; i++) {
		tdestroy(sources->list[i]->processes, free);
		free(sources->list[i]->pending.samples);
		free(sources->list[i]->pending.lines);
	}
	tdestroy(sources->by_id, keep);
	for (i = 0; i < sources->nr; i++)
		free(sources->list[i]);
	free(sources->list);
	tdestroy(sources->vms, free_vm);
}

static bool is_of(const struct source *s, const char *node, const char *id)
{
	return !strcmp(s->run.id, id) && !strcmp(s->run.node, node);
}

static int compare_sources(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	int order = strcmp(x->run.id, y->run.id);

	return order ? order : strcmp(x->run.node, y->run.node);
}

struct source *sources__add(struct sources *sources, const char *node, const char *id)
{
	struct source **grown, **found, *s;

	grown = array_grow(sources->list, &sources->room, sources->nr, sizeof(*grown));
	if (!grown)
		return NULL;
	sources->list = grown;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	snprintf(s->run.node, sizeof(s->run.node), "%s", node);
	snprintf(s->run.id, sizeof(s->run.id), "%s", id);
	found = tsearch(s, &sources->by_id, compare_sources);
	if (!found) {
		free(s);
		return NULL;
	}
	/* The newest of this name */
	*found = s;
	sources->list[sources->nr++] = s;
	return sources->last = s;
}

struct source *sources__get(struct sources *sources, const char *node, const char *id)
{
	struct source key = { 0 }, **found;

	if (sources->last && is_of(sources->last, node, id))
		return sources->last;
	snprintf(key.run.node, sizeof(key.run.node), "%s", node);
	snprintf(key.run.id, sizeof(key.run.id), "%s", id);
	found = tfind(&key, &sources->by_id, compare_sources);
	return found ? sources->last = *found : sources__add(sources, node, id);
}

static int compare_vms(const void *a, const void *b)
{
	const struct vm *x = a, *y = b;
	int order = strcmp(x->node, y->node);

	if (!order)
		order = THREE_WAY(x->pid, y->pid);
	if (!order)
		order = THREE_WAY(x->start, y->start);
	/* If the start is not known, a VM is identified by its process's and its own name */
	if (!order && !x->start)
		order = strcmp(x->name, y->name);
	if (!order && !x->start)
		order = strcmp(x->comm, y->comm);
	return order;
}

struct vm *sources__vm(struct sources *sources, const struct vm *key)
{
	struct vm **found = tfind(key, &sources->vms, compare_vms), *vm;

	if (found)
		return *found;
	vm = malloc(sizeof(*vm));
	if (!vm)
		return NULL;
	*vm = *key;
	found = tsearch(vm, &sources->vms, compare_vms);
	if (!found)
		free(vm);
	return found ? *found : NULL;
}

struct vm *sources__learn_start(struct sources *sources, struct vm *vm, const struct vm *key)
{
	struct vm **found = tfind(key, &sources->vms, compare_vms);

	if (found && *found != vm)
		return *found;
	tdelete(vm, &sources->vms, compare_vms);
	*vm = (struct vm){ .node = vm->node,
			   .pid = vm->pid,
			   .start = key->start,
			   .vmm = key->vmm,
			   .users = vm->users,
			   .refs = vm->refs };
	memcpy(vm->comm, key->comm, sizeof(vm->comm));
	memcpy(vm->name, key->name, sizeof(vm->name));
	memcpy(vm->uuid, key->uuid, sizeof(vm->uuid));
	found = tsearch(vm, &sources->vms, compare_vms);
	return found ? *found : NULL;
}

static int compare_processes(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return THREE_WAY(x->pid, y->pid);
}

struct process *source__process(struct source *s, __u32 pid)
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

void pending__begin(struct pending *p, __u64 seq, __u64 end, unsigned int keys)
{
	*p = (struct pending){
		.open = true,
		.seq = seq,
		.end = end,
		.samples = p->samples,
		.room = p->room,
		.keys = keys,
		.lines = p->lines,
		.lines_size = p->lines_size,
	};
	if (p->lines)
		memset(p->lines, 0, p->lines_size * sizeof(*p->lines));
}

/* Where a hash is in a table, or where it belongs */
static __u64 *find_line(__u64 *lines, size_t size, __u64 hash)
{
	size_t i = hash & (size - 1);

	while (lines[i] && lines[i] != hash)
		i = (i + 1) & (size - 1);
	return &lines[i];
}

static int grow_lines(struct pending *p)
{
	size_t i, size = p->lines_size ? 2 * p->lines_size : 64;
	__u64 *lines = calloc(size, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	for (i = 0; i < p->lines_size; i++)
		if (p->lines[i])
			*find_line(lines, size, p->lines[i]) = p->lines[i];
	free(p->lines);
	p->lines = lines;
	p->lines_size = size;
	return 0;
}

int pending__has_line(struct pending *p, __u64 hash)
{
	__u64 *at;

	if (2 * p->nr_lines >= p->lines_size && grow_lines(p))
		return -ENOMEM;
	hash += !hash;
	at = find_line(p->lines, p->lines_size, hash);
	if (*at)
		return 1;
	*at = hash;
	p->nr_lines++;
	return 0;
}

int pending__add(struct pending *p, const struct sample *sample)
{
	struct sample *grown = array_grow(p->samples, &p->room, p->nr, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	p->samples = grown;
	p->samples[p->nr++] = *sample;
	return 0;
}

static int compare_samples(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int order = sample__compare_threads(x, y);

	if (!order)
		order = THREE_WAY(x->isa, y->isa);
	if (!order)
		order = THREE_WAY(x->code, y->code);
	return order ? order : THREE_WAY(x->detail, y->detail);
}

void pending__sort(struct pending *p)
{
	size_t i;

	for (i = 1; i < p->nr; i++)
		if (sample__compare_threads(&p->samples[i - 1], &p->samples[i]) > 0)
			break;
	if (i < p->nr)
		qsort(p->samples, p->nr, sizeof(*p->samples), compare_samples);
}

void pending__hand_over(struct pending *p, struct snapshot *snap)
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
