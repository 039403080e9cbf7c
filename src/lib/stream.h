/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Standard output and standard error, written to without waiting, whatever they are: a
 * terminal, a pipe, a socket, a file. Other processes share them, so their flags stay as
 * they are. There is only one of each, so they have no object.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Call it with all privileges: a terminal or a pipe may belong to another user. From then on
 * stdio's stderr does not wait either: a message for which there is no room within 0.2 s is
 * dropped, and when there is room again a line tells how many were.
 */
void stream__open(void);

/* The file behind STDOUT_FILENO or STDERR_FILENO to ask poll() about, and to keep open */
int stream__fd(int standard);

/* As write() to STDOUT_FILENO or STDERR_FILENO, but it fails with EAGAIN instead of waiting */
ssize_t stream__write(int standard, const char *text, size_t size);

#endif
