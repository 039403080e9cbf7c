/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --explain: what is known of the exit reasons that matter, with the present values of
 * the settings that matter for them, of this host (settings.h) and its VMs (vmstate.h).
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdio.h>

#include "explain/kvm_state.h"
#include "explain/settings.h"
#include "explain/texts.h"
#include "snapshot/snapshot.h"
#include "vm/vm.h"

struct filter;

struct explain_style {
	struct filter *reasons; /* NULL: all; outlives it */
	bool run; /* explain what was counted, else every reason */
	bool times; /* weigh reasons by times__caused(), else by the number of exits */
	__u32 pid; /* without a run: this VM only; 0: all */
	__u32 isa; /* this host's, whose reasons come first */
	const char *root; /* below which files are read; "" */
};

enum topic {
	TOPIC_WHAT,
	TOPIC_CAUSES,
	TOPIC_COST,
	TOPIC_SETTING, /* of this host */
	TOPIC_VM, /* of a VM */
	TOPIC_ADVICE,
	TOPIC_NOTE, /* what could not be read, and why; it belongs to no reason */
	NR_TOPICS
};

struct item {
	enum topic topic;
	const char *name; /* of a setting; of advice: its condition; else "" */
	const char *price; /* of advice, else "" */
	const char *text; /* NULL: value */
	char value[SETTING_SIZE];
	__u32 pid; /* of a VM, else 0 */
	char vm[VM_NAME_SIZE]; /* its name, else "" */
	char evidence[32]; /* of advice: why its condition holds; "": the reader must judge */
};

struct explained {
	__u32 isa;
	__u32 code;
	char name[64];
	const char *meaning; /* "": not known */
	__u64 weight; /* exits, or ns; 0 without a run */
	unsigned int tenths; /* its share of all, in tenths of a per cent */
};

/* The reasons that one text explains; or a VM that waited for a CPU, without reasons */
struct chapter {
	const struct text *text;
	unsigned int waiting; /* how long the VM waited, in tenths of a per cent of its time */
	char cause[512]; /* what was found, as a sentence without its end; "": nothing */
	struct explained *reasons; /* owned */
	size_t nr_reasons, reasons_room;
	struct item *items; /* owned */
	size_t nr_items, items_room;
	size_t vms_left_out; /* how many more VMs have these exits */
	__u64 weight;
};

struct explanation {
	struct explain_style style;
	struct chapter *chapters; /* owned; what matters most comes first */
	size_t nr_chapters, room;
	char note[320]; /* what could not be read and why; "": nothing */
};

/* Reasons with a smaller share are not explained; tenths of a per cent */
#define TENTHS_THAT_MATTER 30

/* VMs that wait for a smaller share of their time are not explained */
#define TENTHS_OF_WAIT 100

struct explain;

struct explain *explain__new(const struct explain_style *style); /* NULL: no memory */
void explain__free(struct explain *e);

/* With all privileges: reads KVM's state of VMs for the first time. What fails is noted. */
void explain__open(struct explain *e);

/* The files that are still needed, at most STATE_READS; returns how many */
size_t explain__fds(const struct explain *e, int *fds);

/* Takes the state of VMs; replaces what was known of the same VMs. 0 or -ENOMEM */
int explain__learn(struct explain *e, const struct state_layout *layout,
		   const struct vm_states *states);

/* Notes that the VMs' state could not be read, and why */
void explain__cannot_learn(struct explain *e, const char *why);

/* Counting begins: notes what quotas did to the VMs before. 0 or -ENOMEM */
int explain__begin(struct explain *e);

/* Adds an interval: 0 or -ENOMEM */
int explain__count(struct explain *e, const struct snapshot *snap);

/* Makes the explanation, with settings as they are now; valid as long as @e. NULL: no memory. */
const struct explanation *explain__finish(struct explain *e);

/* In short, what was found and what helps, to stand above all else; nothing, if nothing was */
void explanation__print_short(const struct explanation *x, FILE *out);

/* As text of at most 80 columns */
void explanation__print(const struct explanation *x, FILE *out);

/*
 * Prints it as records: of the report @snap, or without one (NULL). 0 or -errno.
 */
int explanation__print_json(const struct explanation *x, FILE *out, const struct snapshot *snap);

/* Prints one text without any values, indented by @indent columns */
void text__print(const struct text *text, FILE *out, int indent);

#endif
