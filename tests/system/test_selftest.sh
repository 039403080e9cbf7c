#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# kvmexit --self-test where it cannot count: no /dev/kvm, one that is not permitted or
# is none, a KVM that fires no kvm_exit; and that it leaves nothing behind. That it finds
# wrong counts show tests/unit/test_trial.c and tests/hosts/mutants. Wants root.
# Usage: tests/system/test_selftest.sh [KVMEXIT]
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

kvmexit=$(realpath "${1:-./kvmexit}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
code=0

# Output and exit code of COMMAND into $dir/out, $dir/err and $code
run()
{
	timeout 60 "$@" >"$dir/out" 2>"$dir/err" </dev/null
	code=$?
}

# check_told NAME CODE MESSAGE: nothing but that on standard error
check_told()
{
	check "$1: exit code" "$code" "$2"
	check "$1: message" "$(cat "$dir/err")" "kvmexit: --self-test: $3"
	check "$1: standard output" "$(cat "$dir/out")" ''
}

# with_dev COMMANDS ARG...: kvmexit where /dev is what COMMANDS make of nothing
with_dev()
{
	local make=$1

	shift
	run unshare -m sh -c "mount -t tmpfs tmpfs /dev && $make && exec \"\$@\"" sh "$@"
}

# What is left of the processes of a session
left_of()
{
	ps -eo sess=,stat= | awk -v sid="$1" '$1 == sid && $2 !~ /^Z/' | wc -l
}

if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
	echo "selftest: 0 passed, 0 failed, 1 skipped (not root)"
	exit 0
fi

with_dev : "$kvmexit" --self-test
check_told 'no /dev/kvm' 69 '/dev/kvm: No such file or directory: this kernel has no KVM, *'

with_dev 'mknod -m 600 /dev/kvm c 10 232' setpriv --reuid=65534 --clear-groups "$kvmexit" --self-test
check_told 'not permitted' 77 '/dev/kvm: Permission denied: root may use it, and most often the group kvm'

# Who may use KVM, and not BPF
with_dev 'mknod -m 666 /dev/kvm c 10 232' setpriv --reuid=65534 --clear-groups "$kvmexit" --self-test
if [ -e /dev/kvm ] && [ "$code" != 69 ]; then
	check 'no privilege: exit code' "$code" 77
	check 'no privilege: messages' "$(paste -sd' ' "$dir/err")" \
		'kvmexit: use sudo, or give kvmexit CAP_BPF and CAP_PERFMON: * kvmexit: --self-test: no probe can be used*'
fi

# No misc device has this number
with_dev 'mknod -m 600 /dev/kvm c 10 254' "$kvmexit" --self-test
check_told 'no driver' 69 '/dev/kvm: No such device*'

with_dev 'mknod -m 600 /dev/kvm c 1 3' "$kvmexit" --self-test
check_told 'another device' 69 'KVM_GET_VCPU_MMAP_SIZE: Inappropriate ioctl for device'

with_dev : "$kvmexit" --self-test -j
check 'a record of that' "$(cat "$dir/out")" \
	'{"v":1,"type":"selftest",*"probe":"","time":false,"detail":false,"verdict":"none","why":"/dev/kvm: No such file*,"node":"",*}'
check 'one record' "$(wc -l <"$dir/out")" 1
with_dev : "$kvmexit" --self-test -j --node rack1
check 'the name that it was given' "$(cat "$dir/out")" '*,"node":"rack1",*'

if [ -e /dev/kvm ]; then
	run "$kvmexit" --self-test
	case $code in
	69)
		check 'no kvm_exit' "$(cat "$dir/err")" \
			'kvmexit: --self-test: this KVM (*) *'
		[ ! -e /sys/module/kvm_pvm ] ||
			check_told 'no kvm_exit' 69 'this KVM (kvm_pvm) fires no kvm_exit: the guest came back from it 20 times, *'
		;;
	*)
		check 'exit code' "$code" 0
		check 'the verdict' "$(grep -c '^EXACT: ' "$dir/out")" 1
		;;
	esac

	# Ended or killed at any moment, it leaves no process, and so nothing that one held
	for after in 0.005 0.01 0.02 0.04 0.08 0.3; do
		# shellcheck disable=SC2016 # for the inner shell
		setsid --fork sh -c 'echo $$ >"$1"; exec "$2" --self-test >/dev/null 2>&1' sh \
			"$dir/pid" "$kvmexit"
		until [ -s "$dir/pid" ]; do sleep 0.001; done
		pid=$(cat "$dir/pid")
		sleep "$after"
		kill -KILL "$pid" 2>/dev/null
		for _ in $(seq 100); do
			[ "$(left_of "$pid")" != 0 ] || break
			sleep 0.05
		done
		check "left after SIGKILL at $after s" "$(left_of "$pid")" 0
		rm "$dir/pid"
	done
else
	skipped=$((skipped + 1))
fi

echo "selftest: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
