/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For the files of this folder: what an explanation is made from, and how its chapters are filled
 */
#ifndef CHAPTERS_H
#define CHAPTERS_H

#include "explain/cpu_limits.h"
#include "explain/explain.h"
#include "rows/groups.h"
#include "vm/vmlist.h"

/* The most VMs whose settings are shown with one text */
#define MOST_VMS 3

/* What was counted of the exits of one text: its weight (exits or ns) */
struct evidence {
	__u64 all;
	__u64 user; /* ns in the VMM */
	__u64 details; /* exits whose details were counted */
	__u64 weight[MAX_ADVICE]; /* of what each advice is about */
	__u64 top[MAX_ADVICE]; /* of the heaviest detail among these, */
	char example[MAX_ADVICE][112]; /* and its text */
};

struct explain {
	struct explanation x;
	struct groups *sums; /* since the start, by reason */
	struct groups *tally; /* the same by VM and reason, for VMs that exist or just ended */
	struct groups *threads; /* all time of vCPU threads, likewise by VM and thread */
	__u64 total; /* exits, or ns in KVM and the VMM */
	bool no_wait; /* this host does not tell how long threads waited */
	struct evidence *evidence; /* owned; of each text */
	struct vmstate *reader; /* NULL: there is none */
	struct state_layout layout;
	struct vm_states states; /* by PID */
	struct cpu_limits limits;
	struct vmlist vms; /* without a run */
};

/* Adds something to say; NULL: no memory. @name and @text must live as long. */
struct item *chapter__add(struct chapter *c, enum topic topic, const char *name, const char *text);

/* These return 0 or -ENOMEM */
int chapter__add_vm(struct chapter *c, const struct vm *vm, const char *label, const char *value);
int chapter__add_text(struct chapter *c);

/* Adds the quota of a VM, if it has one: how much it may use (@max), or what that did */
int chapter__add_cpu_limit(struct explain *e, struct chapter *c, const struct vm *vm, bool max);

/* All that is said of a chapter's reasons */
int chapter__fill(struct explain *e, struct chapter *c);

/* Takes a sample as evidence */
void evidence__add(struct explain *e, const struct sample *s);

/* Adds the advice that holds or that only the reader can judge. @vm: has most of it; NULL: not
 * known */
int evidence__advise(struct explain *e, struct chapter *c, const struct vm *vm);

/* Whether advice is about the VMM's time; about a detail, as KIND:NAME */
bool advice__is_of_user(const struct advice *a);
bool advice__is_about(const struct advice *a, const char *subject);

/* The chapter on the VMs that wait for a CPU, if there are any, in the first place */
int waiting__explain(struct explain *e);

#endif
