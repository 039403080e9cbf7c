/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The runs that a recording has records of, the VMs of their hosts, and the interval
 * of each run that is being read. Nothing here knows what a record looks like.
 */
#ifndef SOURCES_H
#define SOURCES_H

#include "run.h"
#include "snapshot.h"

/* Whom a run's records mean by a PID */
struct process {
	__u32 pid;
	struct vm *vm; /* NULL: not told yet */
};

/* The records of an interval, up to its interval record */
struct pending {
	bool open;
	bool again; /* it was there already */
	__u64 seq;
	__u64 end;
	struct sample *samples; /* owned */
	size_t nr;
	size_t room;
	__u64 records;
	__u64 rest; /* exits */
	unsigned int keys;
};

/* A run of kvmexit; its host is run.node */
struct source {
	struct run run;
	void *processes; /* tsearch() tree */
	struct process *last; /* looked up last */
	bool begun;
	__u64 next; /* seq */
	__u64 lost[NR_CAUSES];
	struct pending pending;
};

/* All 0: none yet. Owns its sources and VMs: they are valid until sources__free(). */
struct sources {
	struct source **list;
	size_t nr;
	size_t room;
	struct source *last; /* looked up last */
	void *vms; /* tsearch() tree */
};

/* What is in it, not @sources itself */
void sources__free(struct sources *sources);

/* The youngest of this name, as old records do not tell their run; NULL: no memory */
struct source *sources__get(struct sources *sources, const char *node, const char *id);

/* Another run, of this name too; NULL: no memory */
struct source *sources__add(struct sources *sources, const char *node, const char *id);

/* The one VM that @key describes, of all runs on its host; NULL: no memory */
struct vm *sources__vm(struct sources *sources, const struct vm *key);

/*
 * What @vm was known by was its name; now the rest of it is. The VM that @key
 * describes, @vm or one that was there; NULL: no memory.
 */
struct vm *sources__learn_start(struct sources *sources, struct vm *vm, const struct vm *key);

/* What the source means by a PID; NULL: no memory */
struct process *source__process(struct source *s, __u32 pid);

/* A copy of @sample; 0 or -ENOMEM */
int pending__add(struct pending *p, const struct sample *sample);

/* Records of a group are in the order of their counts, samples in that of their keys */
void pending__sort(struct pending *p);

/* The samples change hands, their memory too: @p has what @snap had, and is empty */
void pending__hand_over(struct pending *p, struct snapshot *snap);

#endif
