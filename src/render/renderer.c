// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "render/renderer.h"

#include <errno.h>
#include <stdlib.h>

/* Built in memory, to be written in one piece */
static int render(struct renderer *r, const struct snapshot *snap, char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);
	int err;

	if (!out)
		return -ENOMEM;
	err = r->print(r, out, snap);
	/* If memory is short at the last flush, there is no text, but no error either */
	if ((fclose(out) || !*text) && !err)
		err = -ENOMEM;
	return err;
}

int reports__print(const struct report *reports, size_t nr, const struct snapshot *snap,
		   size_t *failed)
{
	size_t i, size = 0;

	for (i = 0; i < nr; i++) {
		char *text = NULL;
		int err = render(reports[i].renderer, snap, &text, &size);

		*failed = err ? nr : i;
		if (!err)
			err = reports[i].write(reports[i].to, text, size);
		free(text);
		if (err)
			return err;
	}
	return 0;
}

void reports__restart(const struct report *reports, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (reports[i].renderer->restart)
			reports[i].renderer->restart(reports[i].renderer);
}

void reports__free(const struct report *reports, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (reports[i].renderer)
			reports[i].renderer->free(reports[i].renderer);
}
