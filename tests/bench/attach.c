// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* attach OBJECT PROGRAM: holds a program attached until SIGTERM */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct bpf_object *obj;
	struct bpf_program *prog;

	if (argc != 3)
		return 64;
	obj = bpf_object__open(argv[1]);
	prog = obj ? bpf_object__find_program_by_name(obj, argv[2]) : NULL;
	if (!prog || bpf_program__set_autoload(prog, true) || bpf_object__load(obj) ||
	    !bpf_program__attach(prog)) {
		fprintf(stderr, "attach %s: failed\n", argv[2]);
		return 1;
	}
	puts("attached");
	fflush(stdout);
	pause();
	return 0;
}
