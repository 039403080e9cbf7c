/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The variants, ways to count: which programs each has, and where it can be used */
#ifndef VARIANTS_H
#define VARIANTS_H

#include <stdbool.h>
#include <stddef.h>

struct facts;
struct probe_request;

/*
 * On kvm_exit; with --time on kvm_entry, kvm_userspace_exit, the call of KVM_RUN and
 * kvm_vcpu_wakeup too; with --detail on kvm_entry, kvm_page_fault, kvm_mmio, kvm_fast_mmio
 */
#define MAX_PROGRAMS 9

struct variant {
	const char *name;
	/* On kvm_exit; with --time "_timed" follows the name, with --detail "_detailed" */
	const char *program;
	/* The one on kvm_entry, for --time; with --detail "_detailed" follows */
	const char *entry;
	bool kfunc; /* calls the kfunc: load it from the object that has the kfunc */
	const char *note;
	/* Why it cannot be used; why it is used only if --probe names it. NULL: no reason */
	const char *(*hindrance)(const struct facts *f);
	const char *(*reservation)(const struct facts *f);
};

/* The variants of this architecture, *@n of them, best first */
const struct variant *variants__ladder(size_t *n);

/* Whether --probe takes this name */
bool variants__is_name(const char *name);

/*
 * Why a variant is not used on such a kernel, even if only because @request does not name it.
 * NULL: it can be used, as far as facts tell.
 */
const char *variants__objection(const char *name, const struct probe_request *request,
				const struct facts *f);
const char *variant__objection(const struct variant *v, const struct probe_request *request,
			       const struct facts *f);

/*
 * Whether a program is one of those where KVM_RUN begins: one of them is attached. Without any,
 * what a span does after its visit to user space counts as `user`.
 */
bool variant__is_optional(const char *program);

/* Bits 1 << enum unsure: what is uncertain if the kernel did not run the program for an event */
unsigned int variant__unsure(const char *program, const struct probe_request *request);

/* Whether the variant needs the tracepoint's format file in tracefs */
bool variant__reads_format(const struct variant *v);

/* Whether the variant knows only threads, not their vCPUs' ids */
bool variant__threads_only(const struct variant *v);

/* Bits 1 << enum part: parts of the time that it can't tell on this kernel */
unsigned int variant__untold(const struct variant *v, const struct facts *f);

/* Exits whose details will be unknown on this kernel, and why; NULL: there are none */
const char *variant__unknown(const struct probe_request *request, const struct facts *f);

/*
 * Writes the names of its programs into @names; returns how many. The one on kvm_exit is
 * the last, because it begins spans, and the other programs must be there by then.
 */
size_t variant__programs(const struct variant *v, const struct probe_request *request,
			 const struct facts *f, char names[MAX_PROGRAMS][32]);

#endif
