// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/paths.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/options.h"
#include "lib/atomic_file.h"
#include "lib/util.h"

/* What is done with a file. Several may append to one, and several may read it. */
enum deed {
	READ,
	APPEND,
	REPLACE,
};

struct use {
	const char *option;
	const char *path; /* NULL: not used */
	enum deed deed;
	/* What identifies it */
	bool there;
	struct stat file; /* if it is there */
	struct stat parent; /* its directory's; st_ino 0: not known */
	char name[NAME_MAX + 1]; /* in there, after all links */
};

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Where a link leads to that is no longer or not yet there. False: @path is no such link */
static bool follow(char path[PATH_MAX])
{
	char target[PATH_MAX], copy[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	int n;

	if (len < 0)
		return false;
	target[len] = 0;
	snprintf(copy, sizeof(copy), "%s", path);
	if (*target == '/')
		n = snprintf(path, PATH_MAX, "%s", target);
	else
		n = snprintf(path, PATH_MAX, "%s/%s", dirname(copy), target);
	return n < PATH_MAX;
}

/* The file, if it is there; without links, its directory and its name */
static void identify(struct use *u)
{
	char at[PATH_MAX], copy[PATH_MAX];
	int links;

	u->there = !stat(u->path, &u->file);
	if (strlen(u->path) >= sizeof(at))
		return;
	if (!realpath(u->path, at)) {
		strcpy(at, u->path);
		for (links = 0; links < 40 && follow(at); links++)
			;
	}
	strcpy(copy, at);
	if (stat(dirname(copy), &u->parent))
		u->parent.st_ino = 0;
	strcpy(copy, at);
	snprintf(u->name, sizeof(u->name), "%s", basename(copy));
}

/* Terminals, /dev/null and sockets may be read and written at once */
static bool keeps_data(const struct stat *st)
{
	return !S_ISCHR(st->st_mode) && !S_ISSOCK(st->st_mode);
}

static bool are_one_file(const struct use *a, const struct use *b)
{
	if (a->there && b->there)
		return keeps_data(&a->file) && is_same(&a->file, &b->file);
	return !a->there && !b->there && is_same(&a->parent, &b->parent) &&
	       !strcmp(a->name, b->name);
}

/* As the user gave it */
static const char *path_of(const struct use *u)
{
	return *u->option == '-' ? u->path : "";
}

/* The exit code */
static int compare(const struct use *a, const struct use *b)
{
	if (a->deed != b->deed && are_one_file(a, b)) {
		complain("%s%s and %s%s are the same file: %s", a->option, path_of(a), b->option,
			 path_of(b),
			 a->deed == READ ? "it cannot be read and written at once"
					 : "it cannot be appended to and replaced at once");
		return EXIT_USAGE;
	}
	if (b->deed == REPLACE && is_same(&a->parent, &b->parent) &&
	    replaced__uses(b->name, a->name)) {
		complain("%s%s: %s%s needs a file of this name for itself", a->option, path_of(a),
			 b->option, path_of(b));
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

int paths__check(const struct options *o)
{
	const bool in = o->from && !strcmp(o->from, "-");
	/* Those that replace a file come last */
	struct use uses[] = {
		{ .option = "-f ", .path = in ? NULL : o->from, .deed = READ },
		{ .option = "--devices ", .path = o->devices, .deed = READ },
		{ .option = "standard input", .path = in ? "/proc/self/fd/0" : NULL, .deed = READ },
		{ .option = "-o ", .path = o->output, .deed = APPEND },
		{ .option = "standard output",
		  .path = o->output ? NULL : "/proc/self/fd/1",
		  .deed = APPEND },
		{ .option = "standard error", .path = "/proc/self/fd/2", .deed = APPEND },
		{ .option = "--metrics ", .path = o->metrics, .deed = REPLACE },
	};
	int code = EXIT_OK;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(uses); i++) {
		if (uses[i].path)
			identify(&uses[i]);
		for (k = 0; k < i && !code; k++)
			code = compare(&uses[k], &uses[i]);
	}
	return code;
}
