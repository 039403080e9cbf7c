/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What there is to say about exit reasons: explain.def */
#ifndef TEXTS_H
#define TEXTS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define MAX_ADVICE 4

struct text {
	const char *title;
	const char *vmx, *svm, *arm64; /* the reasons it is about; NULL: none there */
	const char *what, *causes, *cost;
	const char *settings; /* NULL, "": none */
	struct advice {
		const char *condition, *advice, *price;
	} advice[MAX_ADVICE + 1]; /* ended by one of NULLs */
};

extern const struct text texts[];
extern const size_t texts_count;

/* The one about a reason; never NULL: the last is about all others */
const struct text *text__of(__u32 isa, const char *reason);

/* The next word of *@words, which moves on: into @word; false: there is none */
bool next_word(const char **words, char *word, size_t size);

#endif
