/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The terminal that reports are shown in place on: standard output, and standard
 * input if that is one too. It is as before on every way out but SIGKILL. There is one.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "table.h"

/* Whether standard output is a terminal that knows how to be written to in place */
bool terminal__can_show(void);

/* 0 where standard output is none, or does not tell */
struct window terminal__window(void);

/*
 * Notes how the terminal is now, and sees to it that a signal that ends the program
 * leaves it so. Wants to be called with all privileges.
 */
void terminal__open(void);

/* The file on which keys come, -1: none */
int terminal__keys(void);

/* What was pressed, without waiting: bytes, 0: none, or -errno: none will come any more */
int terminal__read(char *bytes, size_t size);

/* To the alternate screen, keys one by one and not echoed; and back */
void terminal__enter(void);
void terminal__leave(void);

/* SIGTSTP: back, to sleep until SIGCONT, and there again */
void terminal__suspend(void);

/* Writes to it, unless it takes nothing for two seconds */
void terminal__write(const char *text, size_t size);

/* The signals that it sends to this process; their number in *@nr */
const int *terminal__raises(size_t *nr);

#endif
