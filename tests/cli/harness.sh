# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # whoever sources this has its uses for them
#
# For tests of the command line: kvmexit runs in a directory of its own, and what it wrote
# is looked at. $live: whether anything can be traced here: wants root and the tracepoint
# kvm:kvm_exit; what cannot be tried without, or with UNTRACED set, is counted as skipped.
# Usage: . tests/cli/harness.sh [KVMEXIT]

# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

dir=$(mktemp -d)
# Messages begin with kvmexit:, whatever it was called by
mkdir "$dir/bin"
ln -s "$(realpath "${1:-./kvmexit}")" "$dir/bin/kvmexit"
PATH=$dir/bin:$PATH
vm_pid='' tool='' code=0 elapsed=0

cleanup()
{
	# A child that a signal meets before it has become kvmexit comes here too
	[ "$BASHPID" = $$ ] || return
	[ -z "$vm_pid" ] || kill "$vm_pid" 2>/dev/null
	[ -z "$tool" ] || kill "$tool" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT

# check_that NAME COMMAND...
check_that()
{
	local name=$1

	shift
	check "$name: $*" "$("$@" >/dev/null 2>&1; echo $?)" 0
}

skip()
{
	skipped=$((skipped + 1))
	echo "skipped: $1"
}

first_line()
{
	head -n 1 "$1"
}

count_lines()
{
	wc -l <"$1"
}

more_lines()
{
	[ "$(count_lines "$1")" -gt "$2" ]
}

# A key's value in each line of JSON
values()
{
	sed -n "s/.*\"$1\":\([^,}]*\).*/\1/p" "$2" | paste -sd' '
}

# The numbers of the intervals in a file of records
seqs()
{
	grep '"type":"interval"' "$1" | values seq /dev/stdin
}

# Output, exit code and length in ms into $dir/out, $dir/err, $code and $elapsed
run()
{
	local start=${EPOCHREALTIME/./}

	timeout 20 kvmexit "$@" >"$dir/out" 2>"$dir/err" </dev/null
	code=$?
	# The test's VM does not run, so it has no exits: see test_silence
	grep '^kvmexit: no exits, though' "$dir/err" >"$dir/silence"
	sed -i '/^kvmexit: no exits, though/d' "$dir/err"
	elapsed=$(((${EPOCHREALTIME/./} - start) / 1000))
}

# The same in the background: returns once it counts
start()
{
	env --default-signal=HUP,INT,TERM kvmexit --verbose "$@" >"$dir/out" 2>"$dir/err" </dev/null &
	tool=$!
	wait_for "start of kvmexit $*" grep -q 'in use$' "$dir/err"
}

# Waits for its end; what --verbose told is taken off its messages
finish()
{
	wait "$tool"
	code=$?
	tool=''
	sed -i '/^kvmexit: probe /d; /^kvmexit: privileges /d; /^kvmexit: no exits, though/d' "$dir/err"
}

# check_seq FILE N: reports 0 to N-1, the last one final
check_seq()
{
	check 'seq' "$(seqs "$1")" "$(seq -s' ' 0 $(($2 - 1)))"
	check 'final' "$(values final "$1")" \
		"$({ yes false | head -n $(($2 - 1)); echo true; } | paste -sd' ')"
}

# report NAME: the closing line; whether all is well
report()
{
	echo "$1: $passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}

[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
run 0.01
live=true
if [ -n "${UNTRACED:-}" ]; then
	live=false
elif [ "$code" != 0 ] && { [ "$(id -u)" != 0 ] || [ ! -e /sys/kernel/tracing/events/kvm/kvm_exit ]; }; then
	live=false
fi
