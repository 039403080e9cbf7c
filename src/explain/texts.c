// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "explain/texts.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "kvmexit.h"
#include "lib/util.h"

const struct text texts[] = {
#include "explain.def"
};

const size_t texts_count = ARRAY_SIZE(texts);

const struct text *text__of_waiting(void)
{
	return &texts[0];
}

bool next_word(const char **words, char *word, size_t size)
{
	size_t len;

	if (!*words)
		return false;
	*words += strspn(*words, " ");
	len = strcspn(*words, " ");
	snprintf(word, size, "%.*s", (int)len, *words);
	*words += len;
	return len;
}

static const char *names_of(const struct text *t, __u32 isa)
{
	return isa == ISA_VMX ? t->vmx : isa == ISA_SVM ? t->svm : t->arm64;
}

const struct text *text__of(__u32 isa, const char *reason)
{
	char pattern[64];
	size_t i;

	for (i = 0; i < texts_count; i++) {
		const char *names = names_of(&texts[i], isa);

		while (next_word(&names, pattern, sizeof(pattern)))
			if (!fnmatch(pattern, reason, 0))
				return &texts[i];
	}
	return &texts[texts_count - 1];
}
