// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A detail's text, as records have it: what is read is written as what means the same */
#include "fuzz.h"
#include "names/details.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, again[DETAIL_TEXT_MAX];
	__u32 isa, code;
	__u64 detail, same;

	if (size < 2)
		return 0;
	isa = data[0] & 3;
	code = data[1] < 0xf0 ? data[1] : 0x400 + (data[1] & 0xf);
	text = fuzz__text(data + 2, size - 2);
	if (detail__parse(isa, code, text, &detail)) {
		MUST(!(detail & ~DETAIL_MASK));
		detail__text(isa, code, detail, again, sizeof(again));
		MUST(strlen(again) < sizeof(again) - 1);
		MUST(detail__parse(isa, code, again, &same));
		MUST(same == detail);
		detail__name(isa, detail);
	}
	free(text);
	return 0;
}
