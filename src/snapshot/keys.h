/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What tells rows apart and how they are shown: -g, -w, and the views they replace */
#ifndef KEYS_H
#define KEYS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct measure_kind;

/* What samples can be told apart by; their names for -g are in view.c */
enum key {
	KEY_VM = 1 << 0,
	KEY_VCPU = 1 << 1,
	KEY_THREAD = 1 << 2,
	KEY_REASON = 1 << 3,
	KEY_DETAIL = 1 << 4,
	KEY_SAMPLE = KEY_VM | KEY_VCPU | KEY_THREAD | KEY_REASON, /* samples of a live host */
	KEY_ALL = 1 << 30, /* no rows: the samples as they are */
};

struct view {
	unsigned int keys;
	bool by_key; /* sort by VM and thread, and by count within a thread; else by count */
	bool plain; /* the columns of the tool that kvmexit replaces: no VM's name */
	bool listed; /* the user listed the threads (-T): their column is headed TIDS */
	size_t top; /* most rows; one more sums up the rest; 0: all rows */
	const struct measure_kind *by; /* sort by this measure, highest first; NULL: as above */
};

/*
 * The keys in @list, separated by commas. A vCPU or thread also gets the key of its VM, a
 * detail that of its reason. 0 or -EINVAL: not a list of names, each at most once.
 */
int view__parse_keys(const char *list, unsigned int *keys);

/* The names for -g, "vm, vcpu, thread, reason, detail" */
const char *view__key_names(void);

/*
 * For the live view, within the keys @known. view__next_keys(): the next of all, VM, vCPU,
 * thread; reason and detail stay as they are. view__toggle_keys(): @now with or without the
 * key that the character @press stands for (@now, if it stands for none).
 * view__name_keys(): the names of the keys, "vm,reason".
 */
unsigned int view__next_keys(unsigned int now, unsigned int known);
unsigned int view__toggle_keys(unsigned int now, unsigned int known, char press);
void view__name_keys(unsigned int keys, char *text, size_t size);

/* The keys that tell all samples apart */
unsigned int view__every_key(void);

/* @view, limited to the keys @known by which samples can be told apart; 0: by all keys */
struct view view__within(struct view view, unsigned int known);

#endif
