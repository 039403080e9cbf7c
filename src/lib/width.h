/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many columns of a terminal a text takes */
#ifndef WIDTH_H
#define WIDTH_H

#include <stddef.h>

/*
 * @text is as utf8__clean() makes it. wcwidth() is not used, because it needs
 * the host's locales, which a static program may not find.
 */
int text__width(const char *text);

/* Cuts a text that is too wide to @width columns, the last an ellipsis; @size: room in @text */
void text__cut(char *text, size_t size, int width);

#endif
