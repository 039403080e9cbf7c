/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The runs that a recording has records of, the VMs of their hosts, and the interval
 * of each run that is being read. Nothing here knows what a record looks like.
 */
#ifndef RUNS_H
#define RUNS_H

#include "snapshot/run.h"
#include "snapshot/snapshot.h"

/* The VM that a run's records mean by a PID */
struct process {
	__u32 pid;
	struct vm *vm; /* NULL: not told yet */
};

/* The records of an interval, up to its interval record */
struct pending {
	bool open;
	__u64 seq;
	__u64 end;
	struct sample *samples; /* owned */
	size_t nr;
	size_t room;
	__u64 records;
	__u64 rest; /* exits */
	unsigned int keys;
	/* Hashes of the lines so far: an open-addressed table of a power of two, 0: free; owned */
	__u64 *lines;
	size_t nr_lines;
	size_t lines_size;
};

/* A run of kvmexit; its host is run.node */
struct source {
	struct run run;
	void *processes; /* tsearch() tree */
	struct process *last; /* looked up last */
	bool begun;
	__u64 next; /* seq */
	__u64 lost[NR_CAUSES];
	struct misses missed;
	struct pending pending;
};

/* All 0: none yet. Owns its sources and VMs: they are valid until sources__free(). */
struct sources {
	struct source **list;
	size_t nr;
	size_t room;
	struct source *last; /* looked up last */
	void *by_id; /* tsearch() tree: the newest source of each node and id */
	void *vms; /* tsearch() tree */
};

/* Frees what is in it, not @sources itself */
void sources__free(struct sources *sources);

/* The newest source of this node and id (old records do not tell their run); NULL: no memory */
struct source *sources__get(struct sources *sources, const char *node, const char *id);

/* Adds another run with the same node and id; NULL: no memory */
struct source *sources__add(struct sources *sources, const char *node, const char *id);

/* The one VM that @key describes, of all runs on its host; NULL: no memory */
struct vm *sources__vm(struct sources *sources, const struct vm *key);

/*
 * So far only the name of @vm was known; @key has the rest. Returns the VM that @key
 * describes: @vm, or one that was there before; NULL: no memory.
 */
struct vm *sources__learn_start(struct sources *sources, struct vm *vm, const struct vm *key);

/* What the source means by a PID; NULL: no memory */
struct process *source__process(struct source *s, __u32 pid);

/* Whether a line with this hash is there already: 0 (now it is), 1, or -ENOMEM */
int pending__has_line(struct pending *p, __u64 hash);

/* Begins another interval; memory is kept */
void pending__begin(struct pending *p, __u64 seq, __u64 end, unsigned int keys);

/* Adds a copy of @sample; 0 or -ENOMEM */
int pending__add(struct pending *p, const struct sample *sample);

/* Sorts samples by their keys; the records of -g came in the order of their counts */
void pending__sort(struct pending *p);

/* Swaps the samples: @snap gets those of @p; @p keeps the memory of @snap's and is empty */
void pending__hand_over(struct pending *p, struct snapshot *snap);

#endif
