// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/lists.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/options.h"
#include "app/target.h"
#include "explain/explain.h"
#include "lib/util.h"
#include "names/details.h"
#include "names/reason_filter.h"
#include "names/reasons.h"
#include "render/json.h"
#include "snapshot/run.h"
#include "vm/process.h"
#include "vm/vmlist.h"

void info__banner(const struct options *o)
{
	size_t i;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("Display kvm exit reasons and statistics for ", stderr);
	if (o->selection.nr_tids) {
		fputs(o->one_tid ? "TID" : "TIDS", stderr);
		for (i = 0; i < o->selection.nr_tids; i++)
			fprintf(stderr, "%s%u", i ? "," : " ", o->selection.tids[i].tid);
	} else if (o->selection.pid) {
		fprintf(stderr, "PID %u", o->selection.pid);
		if (o->selection.has_vcpu)
			fprintf(stderr, " VCPU %u", o->selection.vcpu);
		if (o->alltids)
			fputs(" and its all threads", stderr);
	} else {
		fputs("all threads", stderr);
	}
	if (o->interval)
		fprintf(stderr, " every %g secs", (double)o->interval / NSEC_PER_SEC);
	if (o->duration)
		fprintf(stderr, " after sleeping %g secs.\n", (double)o->duration / NSEC_PER_SEC);
	else
		fputs("... Hit Ctrl-C to end.\n", stderr);
}

/* Whether kvm_intel, kvm_amd or the like is there, also built in; Arm's KVM has none */
static bool has_vendor_module(void)
{
	DIR *modules = opendir("/sys/module");
	const struct dirent *entry;
	bool found = !modules || ON_ARM64;

	while (!found && (entry = readdir(modules)))
		found = !strncmp(entry->d_name, "kvm_", 4);
	if (modules)
		closedir(modules);
	return found;
}

size_t info__look_around(const struct options *o)
{
	const bool terminal = isatty(STDERR_FILENO);
	struct vmlist list = { 0 };
	size_t nr;

	if (selection__names_any(&o->selection))
		return 1;
	/* A service that starts has no need to wait for this */
	if (!process__sees_host_pids() || (o->interval && !terminal) || vmlist__find(&list)) {
		vmlist__free(&list);
		return 0;
	}
	nr = list.nr_vms;
	if (terminal && !nr && !has_vendor_module())
		complain("no VM can run: KVM's module for this CPU is not loaded (modprobe "
			 "kvm_intel or kvm_amd)");
	else if (terminal && !nr && !list.unreadable)
		complain("no VM runs on this host now; those that start are counted");
	vmlist__free(&list);
	return nr;
}

void info__tell_silence(size_t vms, const char *modules)
{
	complain(
		"no exits, though there %s %s at the start: idle or paused all the time, or this KVM (%s) "
		"fires no kvm_exit; kvmexit --self-test tells which",
		vms == 1 ? "was" : "were", plural(vms, "VM"), modules);
}

int info__list_vms(const struct options *o)
{
	struct vmlist list;
	char unseen[256];
	int err, code = EXIT_OK;

	if (!target__needs_host_pids("--vms lists"))
		return EXIT_NOTHING;
	err = vmlist__read(&list);
	if (!err && o->json)
		err = json__print_vms(stdout, &list);
	else if (!err)
		vmlist__print(stdout, &list);
	if (!err && vmlist__describe_unseen(&list, unseen, sizeof(unseen))) {
		complain("%s", unseen);
		code = list.nr_vms ? EXIT_OK : EXIT_PERMISSION;
	}
	vmlist__free(&list);
	if (!err)
		return code;
	complain("reading /proc: %s", strerror(-err));
	return EXIT_INTERNAL;
}

static bool lists(const struct options *o, const struct reason *r)
{
	return !o->reasons || filter__keeps(o->reasons, r->isa, r->code);
}

/* Lists the details with a name that these reasons can have */
static void list_details(const struct options *o)
{
	char text[DETAIL_TEXT_MAX];
	bool any = false;
	size_t i;

	for (i = 0; i < named_details_count; i++) {
		const struct named_detail *n = &named_details[i];

		if (!filter__wants(o->reasons, n))
			continue;
		if (!any)
			printf("\n%-28s %s\n", "DETAIL", "NAME");
		any = true;
		printf("%-28s %s\n", named_detail__text(n, text, sizeof(text)), n->name);
	}
}

/* Prints the explanations of these reasons, each text once */
static void list_texts(const struct options *o)
{
	const struct text *said = NULL;
	size_t i, k;

	for (i = 0; i < texts_count; i++)
		for (k = 0; k < reasons_count; k++) {
			const struct reason *r = &reasons[k];

			if (said == &texts[i] || !lists(o, r) ||
			    text__of(r->isa, r->name) != &texts[i])
				continue;
			said = &texts[i];
			fputc('\n', stdout);
			text__print(said, stdout, 0);
		}
}

/* Complains and returns false if no requested reason is known */
static bool knows_any(const struct options *o)
{
	size_t i;

	for (i = 0; i < reasons_count; i++)
		if (lists(o, &reasons[i]))
			return true;
	complain("%s: nothing is known of exit reasons without a name", o->reason_list);
	return false;
}

int info__list_reasons(const struct options *o)
{
	size_t i;

	if (!knows_any(o))
		return EXIT_NOTHING;
	if (o->json) {
		if (json__print_reasons(stdout, o->reasons)) {
			complain("out of memory");
			return EXIT_INTERNAL;
		}
		return EXIT_OK;
	}
	printf("%-5s %10s  %-26s %s\n", "ISA", "CODE", "REASON", "MEANING");
	for (i = 0; i < reasons_count; i++)
		if (lists(o, &reasons[i]))
			printf(reasons[i].isa == ISA_VMX ? "%-5s %10u  %-26s %s\n"
							 : "%-5s %#10x  %-26s %s\n",
			       isa__name(reasons[i].isa), reasons[i].code, reasons[i].name,
			       reasons[i].meaning);
	if (o->reasons) {
		list_texts(o);
		list_details(o);
	}
	return EXIT_OK;
}

int info__explain(const struct options *o)
{
	const struct explain_style style = {
		.reasons = o->reasons,
		.pid = o->selection.pid,
		.isa = isa__parse(run__isa()),
		.root = "",
	};
	const struct explanation *x = NULL;
	struct explain *e;
	int err = 0;

	if (!knows_any(o))
		return EXIT_NOTHING;
	e = explain__new(&style);
	if (e) {
		explain__open(e);
		x = explain__finish(e);
	}
	if (x && o->json)
		err = explanation__print_json(x, stdout, NULL);
	else if (x)
		explanation__print(x, stdout);
	if (!x || err)
		complain("out of memory");
	explain__free(e);
	return x && !err ? EXIT_OK : EXIT_INTERNAL;
}
