#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The live view on a pseudo-terminal: recordings need nothing, this host's exits root
# and the tracepoint kvm:kvm_exit; with UNTRACED set they are left out. Usage: tests/cli/test_live.sh [KVMEXIT]
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
tool=$(realpath "${1:-./kvmexit}")

if ! /usr/bin/python3 -c 'import pyte' 2>/dev/null; then
	echo "live: 0 passed, 0 failed, 1 skipped (no python3-pyte)"
	exit 0
fi

tests/lib/recording.py -m 2 -c 100 -r 8 -n 3 >"$dir/vcpus"
# Names as OpenStack's, of wide characters, and of 53 characters
record='{"v":1,"type":"exit","ts":"2026-01-01T00:00:10.000Z","seq":0,"dur_ms":10000'
while read -r pid count name; do
	printf '%s,"pid":%s,"comm":"qemu","vm":"%s","vcpu":0,"tid":%s,"isa":"vmx",' \
		"$record" "$pid" "$name" "$pid"
	printf '"reason":"HLT","code":12,"count":%s,"total":%s}\n' "$count" "$count"
done >"$dir/names" <<-END
	4000 3000 instance-0000002a
	4100 200 build-agent-for-the-nightly-tests-of-the-kernel-team1
	4200 10 仮想-🐧-データベース
END
printf '%s,"vms":3,"vcpus":3,"records":3,"exits":3210,"lost":0,"final":true,"version":"0.1.0"' \
	"${record/exit/interval}" >>"$dir/names"
printf ',"failed_entries":0,"bus_locks":0,"enclave_exits":0}\n' >>"$dir/names"
counts=0
[ -n "${UNTRACED:-}" ] || ! "$tool" 0.01 >/dev/null 2>&1 || counts=1
tests/cli/live.py "$tool" "$dir/vcpus" $counts "$dir/names"
