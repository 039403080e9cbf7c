// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The command line, arguments ended by newlines. What ends the program there
 * comes back here instead; what argp allocated until then is lost: no search for
 * leaks in this one.
 */
#include <argp.h>
#include <setjmp.h>
#include <stdlib.h>

#include "lib/util.h"

static jmp_buf ended;

static void __attribute__((noreturn)) leave(const void *state, ...)
{
	(void)state;
	longjmp(ended, 1);
}

static error_t parse_silently(const struct argp *argp, int argc, char **argv, unsigned int flags,
			      int *index, void *input)
{
	return argp_parse(argp, argc, argv, flags | ARGP_SILENT, index, input);
}

#define argp_error leave
#define argp_failure leave
#define argp_state_help leave
#define complain(...) leave(NULL)
#define exit(code) leave(NULL)
#define argp_parse parse_silently
#include "app/options.c"

#include "fuzz.h"

#define MAX_ARGS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct options opts;
	char *argv[MAX_ARGS + 2] = { "kvmexit" };
	static char text[4096];
	char *p = text;
	int argc = 1;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	while (argc <= MAX_ARGS && *p) {
		argv[argc++] = p;
		p += strcspn(p, "\n");
		if (*p)
			*p++ = 0;
	}
	if (!setjmp(ended)) {
		options__parse(&opts, argc, argv);
		MUST(opts.max_vcpus >= 1 && opts.max_vcpus <= 1 << 20);
		MUST(opts.interval == 0 || opts.interval >= NSEC_PER_MSEC);
		MUST(!opts.count || opts.interval);
		for (size_t i = 1; i < opts.selection.nr_tids; i++)
			MUST(opts.selection.tids[i - 1].tid < opts.selection.tids[i].tid);
		MUST(!opts.one_tid || opts.selection.nr_tids <= 1);
	}
	options__free(&opts);
	return 0;
}
