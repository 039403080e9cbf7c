/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What there is to say about exit reasons: explain.def */
#ifndef TEXTS_H
#define TEXTS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define MAX_ADVICE 8

struct text {
	const char *title;
	const char *vmx, *svm, *arm64; /* the reasons that it explains; NULL: none of this ISA */
	const char *what, *causes, *cost;
	const char *settings; /* NULL, "": none */
	struct advice {
		const char *condition, *advice, *price;
		/*
		 * What was counted where it holds: "user", the VMM's time, or details as
		 * patterns KIND:NAME, separated by |; NULL: only the reader can judge
		 */
		const char *of;
	} advice[MAX_ADVICE + 1]; /* ended by one of NULLs */
};

extern const struct text texts[];
extern const size_t texts_count;

/* The text about a reason; never NULL: the last text is about all other reasons */
const struct text *text__of(__u32 isa, const char *reason);

/* The text about VMs that wait for a CPU, which is the first */
const struct text *text__of_waiting(void);

/* Copies the next word of *@words into @word and moves *@words on; false: there is none */
bool next_word(const char **words, char *word, size_t size);

#endif
