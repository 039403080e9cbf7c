/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What tells rows apart and how they are shown: -g, -w, and the views they replace */
#ifndef VIEW_H
#define VIEW_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct measure_kind;
struct options;

/* What samples can be told apart by; their names for -g are in view.c */
enum key {
	KEY_VM = 1 << 0,
	KEY_VCPU = 1 << 1,
	KEY_THREAD = 1 << 2,
	KEY_REASON = 1 << 3,
	KEY_DETAIL = 1 << 4,
	KEY_SAMPLE = KEY_VM | KEY_VCPU | KEY_THREAD | KEY_REASON, /* of any live host's */
	KEY_ALL = 1 << 30, /* no rows: the samples as they are */
};

struct view {
	unsigned int keys;
	bool by_key; /* by VM and thread, within one most first; else most first */
	bool plain; /* the columns of the tool replaced: no VM's name */
	bool listed; /* the threads were listed: their column is headed TIDS */
	size_t top; /* rows at most, the rest in one; 0: all */
	const struct measure_kind *by; /* most of that first; NULL: as said above */
};

/*
 * The keys in @list, separated by commas; a vCPU or thread is told apart by its VM
 * too, a detail by its reason. 0 or -EINVAL: not of names only, each once.
 */
int view__parse_keys(const char *list, unsigned int *keys);

/* The names for -g, "vm, vcpu, thread, reason, detail" */
const char *view__key_names(void);

/* @live: shown in place on a terminal */
struct view view__of(const struct options *opts, bool live);

/*
 * For the live view, of the keys @known: the next grouping that tells whose rows are,
 * over what staying as it is; the one with or without what the key @press stands for
 * (@now, if it is nothing's); their names, "vm,reason".
 */
unsigned int view__next_keys(unsigned int now, unsigned int known);
unsigned int view__toggle_keys(unsigned int now, unsigned int known, char press);
void view__name_keys(unsigned int keys, char *text, size_t size);

/* What tells all samples apart */
unsigned int view__every_key(void);

/* The same as far as samples can be told apart by @known; 0: they can by everything */
struct view view__within(struct view view, unsigned int known);

/* --time: the keys of the table of all time that comes before that; 0: none does */
unsigned int view__summary(const struct options *opts);

#endif
