#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The system registers of details.def are what an assembler makes of their names
set -uo pipefail
cd "$(dirname "$(realpath "$0")")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
target="--target=aarch64-linux-gnu -march=armv8.7-a+sve+memtag+rng"

# assemble NAME: $scratch/NAME.s, to $scratch/NAME.o
assemble() {
	# shellcheck disable=SC2086 # words are wanted
	clang $target -c "$scratch/$1.s" -o "$scratch/$1.o" 2>"$scratch/log"
}

# "NAME ENCODING" of each
{
	echo '#define SYSREG(op0, op1, crn, crm, op2, name) @ name s##op0##_##op1##_c##crn##_c##crm##_##op2'
	echo '#include "details.def"'
} | clang -E -P -I. - | sed -n 's/^@ //p' | tr -s ' ' >"$scratch/list"
sed 's/ .*//; s/^/mrs x0, /' "$scratch/list" >"$scratch/names.s"
sed 's/.* //; s/^/mrs x0, /' "$scratch/list" >"$scratch/numbers.s"
# edit COMMAND: on the lines that the assembler does not take
edit() {
	sed -n "s/^[^:]*:\([0-9]*\):.*error.*/\1$1/p" "$scratch/log" >"$scratch/edit"
	sed -i -f "$scratch/edit" "$scratch/names.s" "$scratch/numbers.s"
}

# What can only be written; and those too new for this one
assemble names || edit 's,mrs x0\\, \\(.*\\),msr \\1\\, x0,'
assemble names || edit 's,.*,,'
assemble names
check "names" "$(cat "$scratch/log")" ''
assemble numbers
check "numbers" "$(cat "$scratch/log")" ''
check "the two" "$(cmp "$scratch/names.o" "$scratch/numbers.o" 2>&1)" ''
check "how many" "$([ "$(grep -c . "$scratch/names.s")" -ge 150 ] && echo many)" many

echo "sysregs: $passed passed, $failed failed"
[ "$failed" = 0 ]
