#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# That what protects the binary is in effect: in the file, and in the process
# while it counts. Wants root for the latter. Usage: tests/system/test_hardening.sh [KVMEXIT]
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
kvmexit=${1:-./kvmexit}
dir=$(mktemp -d)
tool=''
trap '[ -z "$tool" ] || kill "$tool"; rm -rf "$dir"' EXIT

test_file()
{
	local segments dynamic symbols name

	segments=$(readelf -lW "$kvmexit")
	dynamic=$(readelf -dW "$kvmexit")
	check 'position independent' "$(readelf -hW "$kvmexit")" '*Type:*DYN (Position-Independent*'
	check 'PIE' "$dynamic" '*FLAGS_1*PIE*'
	check 'no interpreter' "$(grep -c INTERP <<<"$segments")" 0
	check 'no library' "$(grep -c NEEDED <<<"$dynamic")" 0
	check 'bound at start' "$dynamic" '*BIND_NOW*'
	check 'no relocations in code' "$(grep -c TEXTREL <<<"$dynamic")" 0
	check 'RELRO' "$(grep -c GNU_RELRO <<<"$segments")" 1
	check 'stack not executable' "$(grep GNU_STACK <<<"$segments")" '* RW *'
	check 'nothing writable and executable' "$(grep -cE 'LOAD.* RWE ' <<<"$segments")" 0
	# In the project's own code, not only in the libraries
	# shellcheck disable=SC2046 # file names without spaces
	symbols=$(nm -u build/kvmexit.o $(find build/src -name "*.o"))
	for name in __stack_chk_fail __snprintf_chk __fprintf_chk; do
		check "$name is called" "$(grep -qw "$name" <<<"$symbols" && echo yes)" yes
	done
	strip -o "$dir/stripped" "$kvmexit"
	check 'size' "$(($(stat -c %s "$dir/stripped") < 2200000))" 1
}

# Where a running kvmexit's code lies; the process is $tool
start()
{
	: >"$dir/err"
	"$kvmexit" --verbose "$@" >"$dir/out" 2>"$dir/err" </dev/null &
	tool=$!
	for ((i = 0; i < 500; i++)); do
		grep -q 'privileges dropped' "$dir/err" && return
		kill -0 "$tool" 2>/dev/null || break
		sleep 0.02
	done
	wait "$tool"
	tool=''
	return 1
}

finish()
{
	kill "$tool"
	wait "$tool"
	check 'exit code' $? 0
	tool=''
}

code_address()
{
	awk '/r-xp.*kvmexit/ { print $1; exit }' "/proc/$tool/maps"
}

# Whether the kernel has Landlock: 1 or 0
has_landlock()
{
	python3 -c 'import ctypes; print(int(ctypes.CDLL(None).syscall(444, None, 0, 1) > 0))'
}

test_process()
{
	local first maps status landlock

	landlock=$(has_landlock)

	if ! start -j; then
		skipped=$((skipped + 1))
		echo "skipped: nothing can be traced here: $(tail -n 1 "$dir/err")"
		return
	fi
	maps=$(cat "/proc/$tool/maps")
	first=$(code_address)
	check 'nothing writable and executable in memory' "$(grep -c ' rwxp ' <<<"$maps")" 0
	check 'stack not executable in memory' "$(grep '\[stack\]' <<<"$maps")" '* rw-p *'
	# .data.rel.ro and .got, read-only once relocated: the last part with r--
	check 'RELRO in memory' "$(awk '/kvmexit$/ { print $2 }' <<<"$maps" | paste -sd' ')" \
		'r--p r-xp r--p r--p rw-p'
	status=$(cat "/proc/$tool/status")
	for line in 'CapInh:	0000000000000000' 'CapPrm:	0000000000000000' \
		'CapEff:	0000000000000000' 'CapBnd:	0000000000000000' \
		'CapAmb:	0000000000000000' 'NoNewPrivs:	1' 'Seccomp:	2'; do
		check "status: $line" "$(grep -cx "$line" <<<"$status")" 1
	done
	check 'Landlock' "$(grep -c 'privileges dropped:.* written nowhere; only the system calls' "$dir/err")" "$landlock"
	check 'open files' "$(find "/proc/$tool/fd" -type l -printf '%l\n' | grep -c .)" 8
	check 'open files of BPF' "$(find "/proc/$tool/fd" -type l -printf '%l\n' | grep bpf |
		sort | paste -sd' ')" 'anon_inode:bpf-prog anon_inode:bpf*link'
	finish
	start -j -o "$dir/file" 9<"$0" 8<>"$dir/other"
	check 'open files with -o' "$(find "/proc/$tool/fd" -type l | grep -c .)" 9
	check 'Landlock with -o' "$(grep -c "privileges dropped:.* written in the output's directory only" \
		"$dir/err")" "$landlock"
	check 'another address' "$([ "$(code_address)" != "$first" ] && echo yes)" yes
	finish
}

test_file
test_process
echo "hardening: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
