// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/planted.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool is_planted(const char *path)
{
	char copy[PATH_MAX];
	struct stat st, dir;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy) || lstat(path, &st) ||
	    stat(dirname(copy), &dir))
		return false;
	/* Root and the owner of the directory can do as they like there anyway */
	return (dir.st_mode & S_IWOTH) && st.st_uid != geteuid() && st.st_uid != 0 &&
	       st.st_uid != dir.st_uid;
}
