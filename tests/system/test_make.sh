#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The build: a stale BPF object would give wrong numbers, not an error, so what
# both sides share must rebuild both; and the binary is what README promises.
set -uo pipefail
cd "$(dirname "$(realpath "$0")")/../.." || exit
passed=0 failed=0

check() {
	local what=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "tests/system/test_make.sh: $what" >&2
	fi
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# What make would do if the file had changed
would() {
	touch -r "$1" "$tmp/stamp"
	touch "$1"
	make -n all V=1 >"$tmp/would"
	touch -r "$tmp/stamp" "$1"
}
rebuilds() { would "$1" && grep -q -e "$2" "$tmp/would"; }
leaves() { would "$1" && ! grep -q -e "$2" "$tmp/would"; }

make -s all || { echo "make: 0 passed, 1 failed"; exit 1; }
check "something is done although nothing changed" leaves README.md '-o '
check "kvmexit.h does not rebuild the BPF object" rebuilds kvmexit.h '-o build/kvmexit.bpf.o'
check "kvmexit.h does not rebuild the skeleton" rebuilds kvmexit.h 'gen skeleton'
check "kvmexit.h does not rebuild kvmexit.o" rebuilds kvmexit.h '-o build/kvmexit.o'
check "kvmexit.h does not rebuild counters.o" rebuilds kvmexit.h '-o build/src/collect/counters.o'
check "kvmexit.bpf.c does not rebuild probe.o" rebuilds kvmexit.bpf.c '-o build/src/probe/probe.o'
check "reasons.def does not rebuild reasons.o" rebuilds reasons.def '-o build/src/names/reasons.o'
check "reasons.def does not rebuild reasons_check.o" rebuilds reasons.def '-o build/src/names/reasons_check.o'
check "reasons.def does not rebuild the binary" rebuilds reasons.def '-o kvmexit'
check "src/snapshot/keys.h rebuilds the BPF object" leaves src/snapshot/keys.h '-o build/kvmexit.bpf.o'

static() { ! readelf -d kvmexit | grep -q NEEDED; }
check "the binary needs shared libraries" static

static_arm64() {
	make -s arm64 && readelf -h kvmexit-arm64 | grep -q AArch64 &&
		! readelf -d kvmexit-arm64 | grep -q NEEDED
}
check "make arm64 makes no static program for arm64" static_arm64

one_test() { make -s test T=test_docs 2>&1 | tail -n 1 | grep -q ' passed, 0 failed, 0 skipped$'; }
check "make test T=test_docs does not run this one test" one_test
none() { ! make -s test T=nothing >/dev/null 2>&1; }
check "make test takes a name that is no test's" none

make -s install DESTDIR="$tmp" PREFIX=/usr >/dev/null
check "no /usr/sbin/kvmexit installed" test -x "$tmp/usr/sbin/kvmexit"
check "no page of reasons installed" test -s "$tmp/usr/share/man/man7/kvmexit-reasons.7"
check "no manual installed" test -s "$tmp/usr/share/man/man8/kvmexit.8"
check "3 MB and more" test "$(stat -c %s "$tmp/usr/sbin/kvmexit")" -lt 3000000
check "the installed binary does not run" "$tmp/usr/sbin/kvmexit" --version >/dev/null

echo "make: $passed passed, $failed failed"
[ "$failed" = 0 ]
