#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Recordings read back: each golden one with each output option; damaged ones, and what is
# said of them. Usage: tests/cli/test_recordings.sh [KVMEXIT]
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/cli/harness.sh
. tests/cli/harness.sh

# read FILE OPTION...: $code, and what came out in $dir/out and $dir/err
read_back()
{
	kvmexit -f "$@" >"$dir/out" 2>"$dir/err"
	code=$?
}

views=('' -w -a --top=2 --detail --time '-r HLT' '-n web1' '-p 4000' '-p 4000 -v 0' '-t 4001'
	'-T 4001,4002' '-g vm' '-g vcpu' '-g thread' '-g reason' '-g vm,reason' '-g vcpu,thread'
	'-g reason,detail' '-g vm,vcpu,thread,reason,detail')
outputs=('' -j '-j --compact' '-j --top 1' "--metrics $dir/metrics")

# It ends as the manual says, and if not with 0, says why
test_all()
{
	local file view output n=0

	for file in tests/golden/*.ndjson; do
		for view in "${views[@]}"; do
			for output in "${outputs[@]}"; do
				# shellcheck disable=SC2086 # words are wanted
				read_back "$file" $view $output
				check "-f $file $view $output: exit code" "$code" '@(0|64|69)'
				[ $code = 0 ] || check "-f $file $view $output: why" \
					"$(head -c 8 "$dir/err")" kvmexit:
				[ $code != 0 ] || [[ $output != -j* ]] ||
					check "-f $file $view $output: JSON" "$(jq -s length "$dir/out" >/dev/null && echo yes)" yes
				n=$((n + 1))
			done
		done
	done
	check 'recordings were tried' "$((n > 500))" 1
}

test_old_names()
{
	read_back tests/golden/compact-0.2.0.ndjson -j
	check "exits of an old version's compact records" "$code $(cat "$dir/err")" '0 '
	cp "$dir/out" "$dir/old"
	read_back tests/golden/compact.ndjson -j
	check 'reasons of compact records' "$(cmp "$dir/old" "$dir/out")" ''
}

# A record that is there twice counts once; what is missing is not followed by "none lost"
test_damaged()
{
	local file=$dir/one

	vm_records 1 web1 4000 db1 4100 | sed 's/"final":false/"final":true/' >"$file"
	read_back "$file"
	check 'whole: on standard output' "$(tail -n 1 "$dir/out")" '*none lost)'
	cp "$dir/out" "$dir/want"
	sed '/"exit"/{p}' "$file" >"$dir/twice"
	read_back "$dir/twice"
	check 'each record twice: counted once' "$(cmp "$dir/out" "$dir/want")" ''
	check 'each record twice: said' "$(cat "$dir/err")" '*left out *records, there twice*'
	sed '0,/"exit"/{/"exit"/d}' "$file" >"$dir/less"
	read_back "$dir/less"
	check 'a record is missing: on standard output' "$(tail -n 1 "$dir/out")" '*; records missing)'
	{ head -c 1000000 /dev/zero; echo; cat "$file"; } >"$dir/zeros"
	read_back "$dir/zeros"
	check 'a line of NULs is said' "$(cat "$dir/err")" '*passed over 1 line*'
	check 'a line of NULs: the rest is read' "$(cmp "$dir/out" "$dir/want")" ''
	{ head -c 512 /dev/zero; cat "$file"; } >"$dir/zeros"
	read_back "$dir/zeros"
	check 'NULs before a record are said' "$(cat "$dir/err")" '*passed over 1 line*'
}

# $1 intervals of VM $2 of process $3 each
vm_records()
{
	local i

	for ((i = 0; i < $1; i++)); do
		printf '{"v":1,"type":"exit","ts":"2026-01-01T00:00:0%d.000Z","seq":%d,"dur_ms":1000,"pid":%d,"comm":"q","vm":"%s","vcpu":0,"tid":8,"isa":"vmx","reason":"HLT","code":12,"count":5,"total":5,"node":"a","run":"00000001"}\n' $i $i "$3" "$2"
		[ $# -lt 4 ] || vm_records_of $i "$4" "$5"
		printf '{"v":1,"type":"interval","ts":"2026-01-01T00:00:0%d.000Z","seq":%d,"dur_ms":1000,"vms":1,"vcpus":1,"records":%d,"exits":%d,"lost":0,"final":false,"version":"0.2.0","failed_entries":0,"bus_locks":0,"enclave_exits":0,"node":"a","run":"00000001"}\n' $i $i $(($# < 4 ? 1 : 2)) $(($# < 4 ? 5 : 10))
	done
}

vm_records_of()
{
	printf '{"v":1,"type":"exit","ts":"2026-01-01T00:00:0%d.000Z","seq":%d,"dur_ms":1000,"pid":%d,"comm":"q","vm":"%s","vcpu":0,"tid":9,"isa":"vmx","reason":"HLT","code":12,"count":5,"total":5,"node":"a","run":"00000001"}\n' "$1" "$1" "$3" "$2"
}

test_selection()
{
	vm_records 3 web1 4000 >"$dir/one"
	read_back "$dir/one" -n nosuch
	check '-n of no VM: nothing but the reason' "$code $(cat "$dir/out")$(cat "$dir/err")" \
		'69 kvmexit: reading *: it has no exits of what -p, -n, -v, -t or -T names'
	vm_records 3 web1 4000 web1 4100 >"$dir/two"
	read_back "$dir/two" -n web1
	check '-n of two VMs' "$code $(cat "$dir/err")" \
		'69 kvmexit: -n web1: processes 4000 and 4100 of the recording have this name at the same time; use -p PID*'
	read_back "$dir/two" -p 4100
	check '-p of one of them' "$code" 0
}

test_all
test_old_names
test_damaged
test_selection
report recordings
