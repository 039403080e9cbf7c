# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # whoever sources this reports them
#
# For tests/test_*.sh: what was counted, how a check is told, and how to wait.
passed=0 failed=0 skipped=0

# check NAME GOT EXPECTED; expected may be a [[ ]] pattern
check()
{
	# shellcheck disable=SC2053 # a pattern is wanted
	if [[ $2 == $3 ]]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf '%s:%s: %s: got "%s", not "%s"\n' "${BASH_SOURCE[1]}" \
			"${BASH_LINENO[0]}" "$1" "$2" "$3" >&2
	fi
}

# await SECONDS COMMAND...: whether it succeeds in time
await()
{
	local end=$((SECONDS + $1))

	shift
	until "$@" 2>/dev/null; do
		[ $SECONDS -le $end ] || return
		sleep 0.02
	done
}

# wait_for WHAT COMMAND...: half a minute; if that is not enough it is a failed check
wait_for()
{
	local what=$1

	shift
	await 30 "$@" || check "$what" missing there
}
