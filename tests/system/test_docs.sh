#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# README.md is for a stranger: at most 150 lines. Every link of a page leads to a file
# that is there, one with #ANCHOR to a heading of it. And whatever names the version
# names the same.
set -u
cd "$(dirname "$(realpath "$0")")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

# "## All limits" to all-limits, as Markdown's renderers make anchors
anchors() {
	sed -nE 's/^#+ //p' "$1" | tr '[:upper:] ' '[:lower:]-' | tr -cd 'a-z0-9_\n-'
}

# Links that do not lead into the net
links() { grep -oE '\]\([^)]+\)' "$1" | sed 's/^](//; s/)$//' | grep -v '^https\?:'; }

check 'README.md has at most 150 lines' "$(($(wc -l <README.md) <= 150))" 1
n=0
for page in *.md docs/*.md src/README.md tests/README.md scripts/*/*.md; do
	while read -r link; do
		n=$((n + 1))
		target=$(dirname "$page")/${link%%#*}
		[ -n "${link%%#*}" ] || target=$page
		check "$page: $link leads to a file" "$([ -e "$target" ] && echo yes)" yes
		[[ $link != *'#'* ]] ||
			check "$page: $link leads to a heading" "$(anchors "$target" | grep -cx -- "${link#*#}")" 1
	done < <(links "$page")
done
check 'links found' "$((n >= 10))" 1

version=$(sed -n 's/^#define KVMEXIT_VERSION "\(.*\)"/\1/p' src/lib/version.h)
for page in man/*.[78]; do
	check "$page: version" "$(sed -n 's/^\.TH .*"kvmexit \([^"]*\)".*/\1/p' "$page")" "$version"
done
check 'CHANGELOG.md: version' "$(sed -n 's/^## //p' CHANGELOG.md | head -n 1)" "$version"
check 'debian/changelog: version' "$(sed -n '1s/.*(\(.*\)-[0-9]*).*/\1/p' debian/changelog)" "$version"
check 'scripts/kvmexit.spec: version' \
	"$(sed -n 's/.*global upstream \(.*\)}/\1/p' scripts/kvmexit.spec)" "$version"
echo "docs: $passed passed, $failed failed"
[ "$failed" = 0 ]
