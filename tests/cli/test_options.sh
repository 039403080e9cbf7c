#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# --help and man/kvmexit.8 list the same options, each once.
# Usage: tests/cli/test_options.sh [KVMEXIT]
set -u
cd "$(dirname "$0")/../.." || exit 1

kvmexit=${1:-./kvmexit}
passed=0 failed=0

# check NAME GOT EXPECTED
check()
{
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf '%s:%s: %s: got "%s", not "%s"\n' "${BASH_SOURCE[0]}" \
			"${BASH_LINENO[0]}" "$1" "${2//$'\n'/, }" "${3//$'\n'/, }" >&2
	fi
}

# Definitions, one a line, to their options: "-p --pid" or "--max-vcpus".
# --v is the replaced tool's name of --vcpu, and no option of its own.
options()
{
	local text

	while IFS= read -r text; do
		grep -oE -- '(^|[^-[:alnum:]])(-[[:alnum:]?]|--[[:alnum:]][-[:alnum:]]*)' <<<"$text" |
			sed 's/^[^-]*//; /^--v$/d' | paste -sd' '
	done
}

# "  -p, --pid=PID              One VM, ..."
of_help()
{
	"$kvmexit" --help | grep -E '^ +-' | sed -E 's/^ +//; s/ {2,}.*//' | options
}

# ".TP" and behind it a line with the option in a bold font, hyphens as \-
of_man()
{
	grep -A 1 '^\.T[PQ]' man/kvmexit.8 | grep -E '^\.[BIR]+ \\-' |
		sed -E 's/^\.[BIR]+ //; s/\\f[BIRP]//g; s/\\-/-/g; s/"//g' | options
}

help=$(of_help)
check '--help lists many options' "$(($(grep -c . <<<"$help") >= 15))" 1
check 'an option or key twice in --help' "$(tr ' ' '\n' <<<"$help" | sort | uniq -d)" ''
check 'long names in --help' "$(grep -vcE -- '--[a-z]' <<<"$help")" 0
check 'options of man/kvmexit.8' "$(of_man | sort)" "$(sort <<<"$help")"
echo "options: $passed passed, $failed failed"
[ "$failed" = 0 ]
