/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ways to count: which programs each is made of, and where it can be used */
#ifndef VARIANTS_H
#define VARIANTS_H

#include <stdbool.h>
#include <stddef.h>

struct facts;
struct options;

/*
 * On kvm_exit; with --time on kvm_entry, kvm_userspace_exit and kvm_vcpu_wakeup too; with
 * --detail on kvm_entry, kvm_page_fault, kvm_mmio and kvm_fast_mmio
 */
#define MAX_PROGRAMS 7

struct variant {
	const char *name;
	/* On kvm_exit; with --time "_timed" follows the name, with --detail "_detailed" */
	const char *program;
	/* The one on kvm_entry, for --time; with --detail "_detailed" follows */
	const char *entry;
	bool kfunc; /* calls one: to be loaded from the object that has it */
	const char *note;
	/* What forbids it, and what keeps it from being chosen unasked: or NULL */
	const char *(*hindrance)(const struct facts *f);
	const char *(*reservation)(const struct facts *f);
};

/* The variants of this architecture, *@n of them, best first */
const struct variant *variants__ladder(size_t *n);

/* Whether --probe takes this name */
bool variants__is_name(const char *name);

/*
 * What stands against a variant on such a kernel, be it only that @opts does not name
 * it; NULL: nothing, as far as facts tell.
 */
const char *variants__objection(const char *name, const struct options *opts,
				const struct facts *f);
const char *variant__objection(const struct variant *v, const struct options *opts,
			       const struct facts *f);

/* Whether it needs the tracepoint's format file in tracefs */
bool variant__reads_format(const struct variant *v);

/* Whether it knows threads only, not their vCPUs' ids */
bool variant__threads_only(const struct variant *v);

/* Bits 1 << enum part: what it can't tell of the time on this kernel */
unsigned int variant__untold(const struct variant *v, const struct facts *f);

/* Of what exits the details will be unknown on this kernel, and why; NULL: of none */
const char *variant__unknown(const struct options *opts, const struct facts *f);

/*
 * The names of its programs, into @names; how many. That on kvm_exit is the last: it
 * begins spans, which nobody is to find without the others.
 */
size_t variant__programs(const struct variant *v, const struct options *opts, const struct facts *f,
			 char names[MAX_PROGRAMS][32]);

#endif
