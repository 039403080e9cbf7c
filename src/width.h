/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many columns of a terminal a text takes */
#ifndef WIDTH_H
#define WIDTH_H

#include <stddef.h>

/*
 * Of valid UTF-8 without control characters. Not by wcwidth(), which wants the host's
 * locales: a static program may not find any.
 */
int text__width(const char *text);

/* Cuts to @width columns, the last one an ellipsis, what is wider; @size: room in @text */
void text__cut(char *text, size_t size, int width);

#endif
