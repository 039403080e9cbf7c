// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Writes kvmexit-reasons(7), which is explain.def and reasons.def with nothing added */
#include <stdio.h>
#include <string.h>

#include "explain/texts.h"
#include "kvmexit.h"
#include "lib/version.h"
#include "names/reasons.h"

/* As troff takes it: hyphens are to be copied, a point or quote may begin a line */
static void put(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

/* A paragraph, a sentence a line, broken where lines get long */
static void put_lines(const char *text)
{
	size_t at = 0, len;

	for (; *text; text += len, text += strspn(text, " ")) {
		len = strcspn(text, " ");
		if (at && at + len > 78) {
			putchar('\n');
			at = 0;
		}
		if (at)
			putchar(' ');
		if (!at && strchr(".'", *text))
			fputs("\\&", stdout);
		for (size_t i = 0; i < len; i++)
			put((char[]){ text[i], 0 });
		at += len + 1;
		if (strchr(".:", text[len - 1]) && text[len]) {
			putchar('\n');
			at = 0;
		}
	}
	putchar('\n');
}

static const char *isa_title(__u32 isa)
{
	return isa == ISA_VMX ? "Intel" : isa == ISA_SVM ? "AMD" : "Arm";
}

static void put_reasons(const struct text *t)
{
	size_t i;

	for (i = 0; i < reasons_count; i++) {
		const struct reason *r = &reasons[i];

		if (text__of(r->isa, r->name) != t)
			continue;
		printf(".TP\n.BR %s \" (%s ", r->name, isa_title(r->isa));
		printf(r->isa == ISA_VMX ? "%u" : "%#x", r->code);
		puts(")\"");
		put_lines(r->meaning);
	}
}

static void put_settings(const struct text *t)
{
	const char *p = t->settings;
	bool first = true;
	char word[64];

	while (next_word(&p, word, sizeof(word))) {
		/* Of a VM it is what kvmexit calls it */
		if (!strncmp(word, "vm.", 3))
			continue;
		fputs(first ? ".PP\nSettings:\n" : ",\n", stdout);
		put(word);
		first = false;
	}
	if (!first)
		puts(".");
}

static void put_text(const struct text *t)
{
	const struct advice *a;

	fputs(".SS \"", stdout);
	put(t->title);
	puts("\"");
	put_lines(t->what);
	puts(".PP\nUsual causes:");
	put_lines(t->causes);
	puts(".PP\nCost:");
	put_lines(t->cost);
	put_settings(t);
	for (a = t->advice; a->condition; a++) {
		char line[1024];

		puts(".PP");
		snprintf(line, sizeof(line), "If %s: %s. Price: %s.", a->condition, a->advice,
			 a->price);
		put_lines(line);
	}
	put_reasons(t);
}

int main(void)
{
	size_t i;

	puts(".\\\" SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause\n"
	     ".\\\" Written by man/kvmexit-reasons.c: change explain.def or reasons.def");
	printf(".TH KVMEXIT-REASONS 7 \"2026-11-25\" \"kvmexit %s\" \"Miscellaneous Information\"\n",
	       KVMEXIT_VERSION);
	puts(".SH NAME\n"
	     "kvmexit\\-reasons \\- why vCPUs leave their guest, what it costs, what can be done\n"
	     ".SH DESCRIPTION\n"
	     "The exit reasons that\n.BR kvmexit (8)\nknows, with what its\n.B \\-\\-explain\n"
	     "says about them. That adds the present values of the settings, of this host and\n"
	     "its VMs.\n"
	     "Advice begins with its condition and ends with its price. Costs are orders of\n"
	     "magnitude; on a host\n.B kvmexit \\-\\-time\nmeasures them.\n"
	     ".SH REASONS");
	for (i = 0; i < texts_count; i++)
		put_text(&texts[i]);
	puts(".SH SEE ALSO\n.BR kvmexit (8)");
	return fflush(stdout) ? 1 : 0;
}
