/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The terminal on which reports are shown in place: standard output, and standard input if
 * it is a terminal too. However the program ends, except by SIGKILL, the terminal is then as
 * before. There is only one, so it has no object.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Size of a terminal; 0: not known */
struct window {
	int lines;
	int columns;
};

/* Whether standard output is a terminal that can show reports in place */
bool terminal__can_show(void);

/* Its size; 0 if standard output is not a terminal, or does not tell */
struct window terminal__window(void);

/*
 * Notes the state of the terminal, and makes sure that a signal that ends the program
 * restores this state. Call it with all privileges.
 */
void terminal__open(void);

/* The file on which keys come, -1: none */
int terminal__keys(void);

/* Reads the keys pressed, without waiting: bytes; 0: none; -errno: no more keys will come */
int terminal__read(char *bytes, size_t size);

/* To the alternate screen, keys one by one and not echoed; and back */
void terminal__enter(void);
void terminal__leave(void);

/* SIGTSTP: leaves the screen, sleeps until SIGCONT, then enters the screen again */
void terminal__suspend(void);

/* Writes to it, unless it takes nothing for two seconds; after that it is not waited for */
void terminal__write(const char *text, size_t size);

/* The signals that this code sends to its own process; their number in *@nr */
const int *terminal__raises(size_t *nr);

#endif
