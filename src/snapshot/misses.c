// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "snapshot/misses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const unsure_names[NR_UNSURE] = {
	[UNSURE_EXITS] = "exits",
	[UNSURE_TIMES] = "times",
	[UNSURE_DETAILS] = "details",
};

void misses__add(struct misses *m, unsigned int what, __u64 events)
{
	size_t i;

	for (i = 0; i < NR_UNSURE; i++)
		if (what & 1u << i)
			m->count[i] += events;
}

void misses__update(struct misses *m, const struct misses *newer)
{
	size_t i;

	m->unknown = newer->unknown;
	for (i = 0; i < NR_UNSURE; i++)
		if (!(newer->unknown & 1u << i) && newer->count[i] > m->count[i])
			m->count[i] = newer->count[i];
}

void misses__format(char text[MISSES_ROOM], const struct misses *m)
{
	size_t i, used = 0;

	*text = 0;
	for (i = 0; i < NR_UNSURE; i++) {
		const char *comma = used ? ", " : "";

		if (m->unknown & 1u << i)
			used += snprintf(text + used, MISSES_ROOM - used, "%s%s unknown", comma,
					 unsure_names[i]);
		else if (m->count[i] && i != UNSURE_EXITS)
			used += snprintf(text + used, MISSES_ROOM - used, "%s%s %llu", comma,
					 unsure_names[i], m->count[i]);
	}
}

/* Takes what it knows: a newer version may tell of more */
void misses__parse(struct misses *m, const char *text)
{
	size_t i, len;

	*m = (struct misses){ 0 };
	for (; *text; text += strspn(text, ", ")) {
		len = strcspn(text, " ,");
		for (i = 0; i < NR_UNSURE; i++) {
			if (strlen(unsure_names[i]) != len || strncmp(text, unsure_names[i], len))
				continue;
			m->count[i] = strtoull(text + len, NULL, 10);
			if (!strncmp(text + len, " unknown", strlen(" unknown")))
				m->unknown |= 1u << i;
		}
		text += strcspn(text, ",");
	}
}
