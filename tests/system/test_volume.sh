#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# test_volume.sh: docs/fleet.md has what the forms of kvmexit's output come to, as
# tests/bench/volume measures it, to within a tenth. Last line: "volume: N passed, N
# failed, N skipped".
set -uo pipefail
cd "$(dirname "$(realpath "$0")")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/ship.sh
. tests/lib/ship.sh

# near GOT TOLD
near() { awk "BEGIN { exit !($1 * 10 >= $2 * 9 && $1 * 10 <= $2 * 11) }"; }

# fields LINE: lines or series, and bytes
fields() { sed -E 's/^\| [^|]* \| ([0-9]+)[^|]*\| ([0-9]+) .*/\1 \2/' <<<"$1"; }

make -s all
rows=$(tests/bench/volume | sed 1,2d)
check "the forms that are measured" "$(wc -l <<<"$rows")" 6
while read -r row; do
	form=$(sed -E 's/^(\| [^|]*\|).*/\1/' <<<"$row")
	told=$(grep -F "$form" docs/fleet.md)
	read -r lines bytes < <(fields "$row")
	read -r told_lines told_bytes < <(fields "$told")
	check "docs/fleet.md: $form lines" "${told_lines:-none}" "$lines"
	check "docs/fleet.md: $form $bytes bytes, not ${told_bytes:-none}" \
		"$(near "$bytes" "${told_bytes:-0}" && echo near)" near
done <<<"$rows"
report volume
