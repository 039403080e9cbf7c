// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The tracepoint's format file, and the program's fdinfo */
#include <errno.h>

#include "fuzz.h"
#include "probe/facts.h"
#include "probe/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz__text(data, size);
	struct facts f = { 0 };
	int err = facts__parse_format(&f, text);

	MUST(err == 0 || err == -EINVAL);
	if (!err) {
		MUST(f.off_exit_reason >= 8 && f.off_exit_reason <= 4096);
		MUST(f.off_isa >= 8 && f.off_isa <= 4096);
		MUST(f.off_vcpu_id >= 8 && f.off_vcpu_id <= 4096);
	}
	probe__parse_misses(text);
	free(text);
	return 0;
}
