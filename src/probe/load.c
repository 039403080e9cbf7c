// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "kvmexit.h"
#include "kvmexit.skel.h"

/* Compressed by gzip: as they are, the two would be a quarter of the program */
static const unsigned char with_kfunc[] = {
#include "kvmexit.gz.h"
};

static const unsigned char without_kfunc[] = {
#include "plain.gz.h"
};

/* NULL: no memory. The last four bytes of what gzip writes tell the size. */
static void *inflated(const unsigned char *packed, size_t n, size_t *size)
{
	z_stream stream = { .next_in = (unsigned char *)packed, .avail_in = n };
	const int gzip = 16;
	__u32 length;
	void *object;
	int status;

	memcpy(&length, packed + n - sizeof(length), sizeof(length));
	object = malloc(length);
	if (!object || inflateInit2(&stream, MAX_WBITS + gzip) != Z_OK) {
		free(object);
		return NULL;
	}
	stream.next_out = object;
	stream.avail_out = length;
	status = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	if (status != Z_STREAM_END) {
		free(object);
		return NULL;
	}
	*size = length;
	return object;
}

int object__open(struct kvmexit_bpf **skel, bool kfunc, const struct bpf_object_open_opts *opts)
{
	struct bpf_object_skeleton *skeleton;
	size_t size = 0;
	void *object;
	int err;

	*skel = calloc(1, sizeof(**skel));
	if (!*skel || kvmexit_bpf__create_skeleton(*skel))
		return -ENOMEM;
	object = kfunc ? inflated(with_kfunc, sizeof(with_kfunc), &size)
		       : inflated(without_kfunc, sizeof(without_kfunc), &size);
	if (!object)
		return -ENOMEM;
	skeleton = (*skel)->skeleton;
	skeleton->data = object;
	skeleton->data_sz = size;
	err = bpf_object__open_skeleton(skeleton, opts);
	/* libbpf has copied all that it keeps */
	free(object);
	return err;
}
