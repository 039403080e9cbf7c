// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* --devices: what QEMU 7.2 told of a q35, and what it never tells. To be run where tests/ is. */
#include <errno.h>

#include "check.h"
#include "lib/util.h"
#include "names/details.h"
#include "names/devices.h"

#define PLAIN "tests/fuzz/corpus/devices/plain" /* of a terminal, with its prompts */
#define OWNERS "tests/fuzz/corpus/devices/owners" /* with -o */

static void check_name(int line, const struct devices *d, __u64 detail, const char *want)
{
	const char *got = devices__name(d, detail);

	check__str(__FILE__, line, "name", got, want);
}

#define CHECK_NAME(d, detail, want) check_name(__LINE__, d, detail, want)

static struct devices *read_path(const char *path)
{
	FILE *file = fopen(path, "r");
	struct devices *d = NULL;
	char why[128];

	if (CHECK(file)) {
		CHECK_INT(devices__read(&d, file, why, sizeof(why)), 0);
		fclose(file);
	}
	return d;
}

static void test_plain(void)
{
	struct devices *d = read_path(PLAIN);

	if (!d)
		return;
	CHECK_NAME(d, detail_mmio(0xfe003000), "virtio-pci-notify-virtio-net");
	CHECK_NAME(d, detail_mmio(0xfe003fff), "virtio-pci-notify-virtio-net");
	CHECK_NAME(d, detail_mmio(0xfe004000), NULL);
	CHECK_NAME(d, detail_mmio(0xfed000f0), "hpet");
	CHECK_NAME(d, detail_mmio(0xfebd4420), "vga.mmio");
	/* No device: memory, ROM, what is not there; and L2's addresses are another's */
	CHECK_NAME(d, detail_mmio(0x1000), NULL);
	CHECK_NAME(d, detail_mmio(0xfffffff0), NULL);
	CHECK_NAME(d, detail_mmio(1ull << 40), NULL);
	CHECK_NAME(d, detail_mmio(0xfed000f0) | DETAIL_L2, NULL);
	CHECK_NAME(d, detail_port(0xc040, 2, 0, 0), "virtio-pci");
	CHECK_NAME(d, detail_port(0x70, 1, 1, 0), "rtc-index");
	CHECK_NAME(d, detail_port(0x71, 1, 1, 0), "rtc");
	CHECK_NAME(d, detail_port(0xe0, 1, 1, 0), NULL); /* "io" */
	CHECK_NAME(d, detail_fault(0xb0000000, ACCESS_READ, 0), "pcie-mmcfg-mmio");
	CHECK_NAME(d, detail_fault(0, ACCESS_WRITE, 0), NULL);
	CHECK_NAME(d, detail_msr(0xfed000f0, 0), NULL);
	CHECK_NAME(d, DETAIL_OTHER, NULL);
	devices__free(d);
}

static void test_owners(void)
{
	struct devices *d = read_path(OWNERS);

	if (!d)
		return;
	CHECK_NAME(d, detail_mmio(0xfe003000), "virtio-pci-notify-virtio-net net0");
	CHECK_NAME(d, detail_port(0xc040, 2, 0, 0), "virtio-pci net0");
	CHECK_NAME(d, detail_mmio(0xfebd0000), "nvme"); /* that has no id */
	CHECK_NAME(d, detail_port(0x71, 1, 1, 0), "rtc");
	CHECK_NAME(d, detail_port(0xe0, 1, 1, 0), NULL);
	devices__free(d);
}

#define VIEW(name) "FlatView #0\n AS \"" name "\", root: x\n Root memory region: x\n"
#define BOTH VIEW("memory") "  No rendered FlatView\n" VIEW("I/O")
#define RANGE(first, last, rest) "  00000000" first "-00000000" last rest "\n"

static const struct {
	const char *text, *why; /* "": it is read */
} cases[] = {
	{ BOTH, "" },
	{ BOTH RANGE("00000000", "0000ffff", " (prio -1, i/o): x"), "" },
	{ BOTH "  0000000000000000-ffffffffffffffff (prio 0, i/o): all\n", "" },
	{ "\n", "no FlatView in it: it must be the output of QEMU's info mtree -f" },
	{ "address-space: memory\n", "line 1: this is the output of info mtree without -f" },
	{ VIEW("memory"), "no FlatView of the address space I/O in it" },
	{ VIEW("I/O"), "no FlatView of the address space memory in it" },
	{ VIEW("cpu-memory-0"), "no FlatView of the address space memory in it" },
	{ BOTH "nonsense\n", "line 8: not a range of addresses" },
	{ BOTH "  1000-1fff (prio 0, i/o): x\n", "line 8: not a range of addresses" },
	{ BOTH RANGE("00001000", "00001fff", ""), "line 8: not a range of addresses" },
	{ BOTH RANGE("00001000", "00001fff", " (prio 0: x"),
	  "line 8: no priority and type in parentheses" },
	{ BOTH RANGE("00001000", "00001fff", " (prio 0, i/o): "), "line 8: no name" },
	{ BOTH RANGE("00001000", "00000fff", " (prio 0, i/o): x"),
	  "line 8: it ends before it begins" },
	{ BOTH RANGE("00001000", "00001fff", " (prio 0, i/o): x")
		  RANGE("00001fff", "00002fff", " (prio 0, i/o): y"),
	  "line 9: it does not begin after the range before it" },
	{ BOTH "  0000000000000000-ffffffffffffffff (prio 0, i/o): x\n"
	       "  0000000000000000-0000000000000001 (prio 0, i/o): y\n",
	  "line 9: it does not begin after the range before it" },
};

static int read_text(const char *text, struct devices **d, char *why, size_t size)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	int err;

	*why = 0;
	err = devices__read(d, file, why, size);
	fclose(file);
	return err;
}

static void test_faults(void)
{
	char why[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct devices *d = NULL;

		CHECK_INT(read_text(cases[i].text, &d, why, sizeof(why)),
			  *cases[i].why ? -EINVAL : 0);
		if (!CHECK_STR(why, cases[i].why))
			fprintf(stderr, "\tin case %zu\n", i);
		CHECK(!d == !!*cases[i].why);
		devices__free(d);
	}
}

/* Names go into JSON and to terminals as they are */
static void test_names(void)
{
	static const char text[] = BOTH RANGE("00000000", "0000000f",
					      " (prio 0, i/o): q\"uote\\ \033[31m \303\244")
		RANGE("00000010", "0000001f", " (prio 0, i/o): x @0000000000000020 @beyond") RANGE(
			"00000020", "0000002f",
			" (prio 0, i/o): 0123456789012345678901234567890123456789012345678901234567")
			RANGE("00000030", "0000003f",
			      " (prio 0, i/o): x @0000000000000020 owner:{dev id=a b}")
				RANGE("00000040", "0000004f",
				      " (prio 0, i/o): x owner:{obj path=/y}") "  0000000000010000-ffffffffffffffff (prio 0, romd): flash";
	struct devices *d = NULL;
	char why[128];

	if (!CHECK_INT(read_text(text, &d, why, sizeof(why)), 0))
		return;
	CHECK_NAME(d, detail_port(0, 1, 0, 0), "q?uote? ?[31m ??");
	CHECK_NAME(d, detail_port(0x1f, 1, 0, 0), "x @0000000000000020 @beyond");
	CHECK_NAME(d, detail_port(0x20, 1, 0, 0),
		   "012345678901234567890123456789012345678901234567");
	CHECK_NAME(d, detail_port(0x30, 1, 0, 0), "x a b");
	CHECK_NAME(d, detail_port(0x40, 1, 0, 0), "x");
	devices__free(d);
}

/* A line that is longer than any that is told */
static void test_long(void)
{
	char text[3000] = BOTH, why[128];
	struct devices *d;

	memset(text + strlen(text), 'x', 2000);
	CHECK_INT(read_text(text, &d, why, sizeof(why)), -EINVAL);
	CHECK_STR(why, "line 8: too long");
}

int main(void)
{
	test_plain();
	test_owners();
	test_faults();
	test_names();
	test_long();
	return check__report("devices");
}
