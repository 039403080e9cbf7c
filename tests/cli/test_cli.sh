#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The command line as a user, a script and cron see it: exit codes, messages,
# signals, times. What is written where: test_output.sh.
# Usage: tests/cli/test_cli.sh [KVMEXIT]
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/cli/harness.sh
. tests/cli/harness.sh

thread='' fake=''
try_help="Try \`kvmexit --help' or \`kvmexit --usage' for more information."

# A process with a VM, its vCPUs 0 and 10, and a second thread; there is one at a time
start_vm()
{
	[ -z "$vm_pid" ] || kill "$vm_pid"
	: >"$dir/vm"
	python3 -c '
import fcntl, os, threading, time
kvm = os.open("/dev/kvm", os.O_RDWR)
vm = fcntl.ioctl(kvm, 0xAE01, 0)
vcpus = [fcntl.ioctl(vm, 0xAE41, i) for i in (0, 10)]
thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
thread.start()
print(thread.native_id, flush=True)
time.sleep(600)' >"$dir/vm" 2>/dev/null &
	vm_pid=$!
	for ((i = 0; i < 250; i++)); do
		thread=$(cat "$dir/vm")
		[ -n "$thread" ] && return
		kill -0 "$vm_pid" 2>/dev/null || break
		sleep 0.02
	done
	vm_pid=''
}

# test_case LINE_NUMBER CODE ARGUMENTS STDERR STDOUT
test_case()
{
	local name="cases.txt:$1: kvmexit $3" want=$2 lines=1
	local -a args

	eval "args=($3)"
	run "${args[@]}"
	[ "$want" = live ] && want=0
	[ "$want" = 0 ] && lines=0
	[ "$want" = 64 ] && lines=2
	check "$name: exit code" "$code" "$want"
	check "$name: standard error" "$(first_line "$dir/err")" "${4//\\/\\\\}"
	check "$name: lines of standard error" "$(count_lines "$dir/err")" "$lines"
	[ "$want" = 64 ] && check "$name: hint" "$(sed -n 2p "$dir/err")" "$try_help"
	check "$name: standard output" "$(first_line "$dir/out")" "${5//\[/\\[}"
	[ "$want" = 0 ] || check "$name: no output" "$(count_lines "$dir/out")" 0
}

test_cases()
{
	local number=0 line want args err out

	mkdir "$dir/empty"
	while IFS= read -r line; do
		number=$((number + 1))
		[[ -z $line || $line == '#'* ]] && continue
		if [[ $line == *@VM@* || $line == *@THREAD@* ]] && [ -z "$vm_pid" ]; then
			skip "cases.txt:$number: no VM can be made here"
			continue
		fi
		if [[ $line == all:* ]] && [ "$(id -u)" != 0 ]; then
			skip "cases.txt:$number: others' processes may not be looked at"
			continue
		fi
		line=${line#all:}
		if [[ $line == @(live|73)* ]] && ! $live; then
			skip "cases.txt:$number: nothing can be traced here"
			continue
		fi
		line=${line//@SHELL@/$$}
		line=${line//@VM@/$vm_pid}
		line=${line//@THREAD@/$thread}
		line=${line//@DIR@/$dir/empty}
		want=${line%% | *}
		line=${line#* | }
		args=${line%% | *}
		line=${line#* | }
		err=${line%%|*}
		out=${line#*|}
		test_case "$number" "$want" "$args" "${err% }" "${out# }"
	done <tests/cli/cases.txt
}

test_information()
{
	run --usage
	check '--usage: exit code' "$code" 0
	check '--usage: standard output' "$(first_line "$dir/out")" 'Usage: kvmexit *'
	check '--usage: standard error' "$(cat "$dir/err")" ''
	run --list-reasons
	check '--list-reasons: lines' "$(count_lines "$dir/out")" \
		$(($(run --list-reasons -j; count_lines "$dir/out") + 1))
}

# One line that says which privilege is missing
test_permission()
{
	local probe

	if [ "$(id -u)" != 0 ] || ! setpriv --reuid=65534 --regid=65534 --clear-groups true; then
		skip 'running without privilege'
		return
	fi
	cp "$dir/bin/kvmexit" "$dir/kvmexit"
	chmod 755 "$dir" "$dir/kvmexit"
	for probe in auto tracepoint; do
		(cd "$dir" && timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups \
			./kvmexit --probe "$probe" 0.05 >"$dir/out" 2>"$dir/err")
		check "unprivileged --probe $probe: exit code" $? 77
		check "unprivileged --probe $probe: message" "$(cat "$dir/err")" \
			'kvmexit: use sudo, or give kvmexit CAP_BPF and CAP_PERFMON: *denied'
		check "unprivileged --probe $probe: lines" "$(count_lines "$dir/err")" 1
		check "unprivileged --probe $probe: output" "$(cat "$dir/out")" ''
	done
	# Nothing can be counted: no file is made for it
	mkdir -m 777 "$dir/open"
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$dir/kvmexit" -o "$dir/open/report" 0.05 >"$dir/out" 2>"$dir/err"
	check 'unprivileged -o: exit code' $? 77
	check 'unprivileged -o: files' "$(ls "$dir/open")" ''
	# What the user can see for himself needs no privilege
	(cd "$dir" && setpriv --reuid=65534 --regid=65534 --clear-groups \
		./kvmexit -p 99999999 >"$dir/out" 2>"$dir/err")
	check 'unprivileged -p 99999999: exit code' $? 69
	(cd "$dir" && setpriv --reuid=65534 --regid=65534 --clear-groups \
		./kvmexit --list-reasons >"$dir/out" 2>"$dir/err")
	check 'unprivileged --list-reasons: exit code' $? 0
}

# What may not be looked at is told, with what is missing, not taken for absent
test_sight()
{
	local nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
	local without='setpriv --bounding-set=-sys_ptrace' tool=$dir/kvmexit who option
	local hide='mount -t proc -o hidepid=2,gid=4321 proc /proc && exec "$@"'

	if [ "$(id -u)" != 0 ] || ! $nobody true 2>"$dir/err" || ! $without true 2>"$dir/err"; then
		skip 'processes that may not be looked at'
		return
	fi
	for who in "$nobody" "$without"; do
		for option in '-n web1' --vms; do
			# shellcheck disable=SC2086
			(cd "$dir" && $who "$tool" $option >"$dir/out" 2>"$dir/err")
			check "$who, $option: exit code" $? 77
			check "$who, $option: message" "$(cat "$dir/err")" \
				'kvmexit: *[1-9]* process?(es) may not be looked at: missing CAP_*all)'
		done
	done
	if ! unshare -m sh -c "$hide" sh true 2>"$dir/err"; then
		skip "hidepid: $(cat "$dir/err")"
		return
	fi
	for option in '-n web1' --vms "-p $$" "-t $$" "-T $$"; do
		# shellcheck disable=SC2086
		(cd "$dir" && unshare -m sh -c "$hide" sh $nobody "$tool" $option >"$dir/out" 2>"$dir/err")
		check "hidepid, $option: exit code" $? 77
		check "hidepid, $option: message" "$(cat "$dir/err")" \
			'kvmexit: */proc hides *: missing CAP_*all)'
	done
	# shellcheck disable=SC2086
	(cd "$dir" && unshare -m sh -c "$hide" sh $nobody "$tool" -p 99999999 2>"$dir/err")
	check 'hidepid, -p 99999999' "$(cat "$dir/err")" \
		'kvmexit: -p 99999999: there is no such process'
	unshare -m sh -c "$hide" sh kvmexit -n no-such-vm 2>"$dir/err"
	check 'hidepid, root: message' "$(cat "$dir/err")" \
		'kvmexit: -n no-such-vm: there is no VM of this name; kvmexit --vms lists the VMs'
}

# The kernel counts by the host's PIDs: a namespace of its own shows others
test_pid_namespace()
{
	local own='unshare --pid --fork --mount-proc'

	if ! $own true 2>"$dir/err"; then
		skip "PID namespace: $(cat "$dir/err")"
		return
	fi
	$own kvmexit -p 1 0.1 >"$dir/out" 2>"$dir/err"
	check 'PID namespace, -p: exit code' $? 69
	check 'PID namespace, -p: message' "$(cat "$dir/err")" 'kvmexit: -p, -n, -t and -T name *--pid=host*'
	$own kvmexit -n web1 0.1 >"$dir/out" 2>"$dir/err"
	check 'PID namespace, -n: exit code' $? 69
	check 'PID namespace, -n: message' "$(cat "$dir/err")" 'kvmexit: -p, -n, -t and -T name *--pid=host*'
	$own kvmexit --vms >"$dir/out" 2>"$dir/err"
	check 'PID namespace, --vms: exit code' $? 69
	check 'PID namespace, --vms: message' "$(cat "$dir/err")" 'kvmexit: --vms lists *--pid=host*'
	$own kvmexit -j 0.1 >"$dir/out" 2>"$dir/err"
	check 'PID namespace: exit code' $? 0
	check 'PID namespace: messages' "$(cat "$dir/err")" ''
	check 'PID namespace: final' "$(values final "$dir/out")" true
}

# All messages call it by one name, those of the options too, however it was called
test_own_name()
{
	local option

	ln -sf kvmexit "$dir/bin/other"
	for option in -x --nonsense '-i x' '-n no-such-vm' '-p 99999999'; do
		# shellcheck disable=SC2086
		"$dir/bin/other" $option >"$dir/out" 2>"$dir/err"
		check "called by another name, $option" "$(first_line "$dir/err")" 'kvmexit: *'
		check "called by another name, $option: hint" "$(grep -c 'other' "$dir/err")" 0
	done
	"$dir/bin/other" --usage >"$dir/out" 2>&1
	check 'called by another name, --usage' "$(first_line "$dir/out")" 'Usage: kvmexit *'
}

# start_fake_vmm NAME: a process with the command line of QEMU, in $fake; it has no VM
start_fake_vmm()
{
	[ -p "$dir/never" ] || mkfifo "$dir/never"
	# shellcheck disable=SC2016 # it is for that shell
	(exec -a qemu-system-x86_64 bash -c 'read -r <>"$0"' "$dir/never" -name "$1") &
	fake=$!
	wait_for 'a command line of QEMU' grep -q ^qemu-system "/proc/$fake/cmdline"
}

# A VMM that emulates the CPU has no VM, whatever it is called
test_without_kvm()
{
	start_fake_vmm nokvm,process=x
	run -n nokvm 0.1
	kill "$fake"
	check '-n of a VMM without KVM: exit code' "$code" 69
	check '-n of a VMM without KVM: message' "$(cat "$dir/err")" \
		"kvmexit: -n nokvm: process $fake has this name, but no VM (no KVM file is open in it): *-accel kvm*"
}

# A process that may not be looked at, and does not look like a VMM, is not believed to be one
test_not_looked_at()
{
	local nobody='setpriv --reuid=65534 --regid=65534 --clear-groups' option

	if [ "$(id -u)" != 0 ] || ! $nobody true; then
		skip 'processes of others: not root'
		return
	fi
	for option in '-p 1' '-t 1' '-T 1'; do
		# shellcheck disable=SC2086
		(cd "$dir" && $nobody ./kvmexit $option 0.1 >"$dir/out" 2>"$dir/err")
		check "$option of others: exit code" $? 77
		check "$option of others: message" "$(cat "$dir/err")" \
			"kvmexit: $option: *process* may not be looked at, and does not look like a VM: *"
	done
	start_fake_vmm others
	(cd "$dir" && $nobody ./kvmexit -p "$fake" 0.1 >"$dir/out" 2>"$dir/err")
	kill "$fake"
	check '-p of a VMM of others: it is believed' "$(grep -c 'look like' "$dir/err")" 0
}

test_signals()
{
	local signal args

	for signal in INT TERM HUP; do
		for args in '' '-i 60' '60' '-i 60 -c 3'; do
			# shellcheck disable=SC2086
			start -j $args
			kill -"$signal" "$tool"
			finish
			check "SIG$signal, -j $args: exit code" "$code" 0
			check "SIG$signal, -j $args: messages" "$(cat "$dir/err")" ''
			check "SIG$signal, -j $args: final" "$(values final "$dir/out")" true
			check "SIG$signal, -j $args: seq" "$(seqs "$dir/out")" 0
		done
	done
	start
	kill -INT "$tool"
	finish
	check 'SIGINT, table: exit code' "$code" 0
	check 'SIGINT, table' "$(cat "$dir/out")" \
		$'PID      TID      KVM_EXIT_REASON                     COUNT\n(0 exits of 0 VMs, 0 vCPUs in *.[0-9][0-9][0-9] s: 0/s; none lost)'
	# The partial interval after whole ones
	start -j -i 2
	wait_for 'a report' grep -q '"seq":0' "$dir/out"
	kill -TERM "$tool"
	finish
	check 'SIGTERM, -i 2: final' "$(values final "$dir/out")" '*false true'
	check 'SIGTERM, -i 2: last dur_ms' \
		"$(($(values dur_ms "$dir/out" | awk '{ print $NF }') < 2000))" 1
}

# check_times INTERVAL DURATION, in ms: when the reports of $dir/out came. However late
# this machine lets one be, none comes before its deadline, none between two deadlines
# but the last, none after the end, and all together they take no longer than the run.
check_times()
{
	check "-i $1 ms, $2 ms in a run of $elapsed ms" \
		"$(values dur_ns "$dir/out" | awk -v i="$1" -v end="$2" -v run="$elapsed" '
			{
				for (n = 1; n <= NF; n++) {
					last = t
					t += $n / 1e6
					if (last >= end || (n < NF && int(t / i + 0.01) == int(last / i + 0.01)))
						print "report", n, "after", last, "at", t
				}
				if (t < end - 1 || t > run)
					print "the last at", t
			}')" ''
	check "-i $1 ms, $2 ms: final" "$(values final "$dir/out")" '*(false )true'
}

test_times()
{
	run -j -i 0.2 -c 3
	check '-i 0.2 -c 3: exit code' "$code" 0
	check '-i 0.2 -c 3: messages' "$(cat "$dir/err")" ''
	check_seq "$dir/out" 3
	check_times 200 600
	run -j 0.3
	check_seq "$dir/out" 1
	check_times 300 300
	# The last interval is the rest; none is empty, where it divides evenly
	run -j -i 0.2 0.5
	check_times 200 500
	run -j -i 0.1 0.3
	check_times 100 300
	# Whichever comes first
	run -j -i 0.1 -c 2 60
	check_seq "$dir/out" 2
	run -j -i 60 -c 2 0.1
	check_seq "$dir/out" 1
	# Tables: a time line each, an empty line between them
	run -i 0.1 -c 2
	check '-i 0.1 -c 2: lines' "$(count_lines "$dir/out")" 5
	check '-i 0.1 -c 2: time' "$(first_line "$dir/out")" \
		'20[0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9] (*[0-9].[0-9][0-9][0-9] s)  VMs 0  vCPUs 0  exits 0 (0/s)  lost 0'
	check '-i 0.1 -c 2: third line' "$(sed -n 3p "$dir/out")" ''
}

# VMs that have no exit at all, as where KVM fires no event; and none that could have some
test_silence()
{
	local args

	if [ -z "$vm_pid" ]; then
		skip 'VMs without exits: no VM can be made here'
		return
	fi
	for args in "-p $vm_pid 0.05" 0.05 '-j 0.05'; do
		# shellcheck disable=SC2086
		run $args
		check "a VM without exits, $args: exit code" "$code" 0
		check "a VM without exits, $args: message" "$(cat "$dir/silence")" \
			'kvmexit: no exits, though there @(was 1 VM|were * VMs) at the start: *fires no kvm_exit; kvmexit --self-test *'
	done
	run -i 0.05 -c 3
	check 'a VM without exits, a service' "$(cat "$dir/silence")" ''
}

# It sleeps while it waits: the CPU time of a longer run is that of a short one
test_idle()
{
	local TIMEFORMAT='%U %S' short long

	short=$({ time kvmexit -j 0.05 >/dev/null; } 2>&1 | awk 'END { print int(1000 * ($1 + $2)) }')
	long=$({ time kvmexit -j 1.5 >/dev/null; } 2>&1 | awk 'END { print int(1000 * ($1 + $2)) }')
	check "CPU time of 1.5 s: $long ms, of 0.05 s: $short ms" $((long < short + 500)) 1
}

# The time in a report is that of its end, in UTC
test_clock()
{
	local before after ts

	before=$(date -u +%Y-%m-%dT%H:%M:%S)
	TZ=XXX-3 run -j 0.1
	after=$(date -u +%Y-%m-%dT%H:%M:%S.999Z)
	ts=$(grep interval "$dir/out" | values ts /dev/stdin | tr -d '"')
	check_that 'ts not before the start' test ! "$ts" \< "$before"
	check_that 'ts not after the end' test ! "$ts" \> "$after"
}

# Records say whose they are
test_node()
{
	local node run

	run -j 0.05
	node=$(values node "$dir/out")
	run=$(values run "$dir/out")
	check 'node' "$node" "\"$(uname -n)\" \"$(uname -n)\""
	check 'run' "$run" '"[0-9a-f]*" "[0-9a-f]*"'
	check 'run: kernel' "$(values kernel "$dir/out")" "\"$(uname -r)\""
	check 'run: boot_id' "$(values boot_id "$dir/out")" "\"$(cat /proc/sys/kernel/random/boot_id)\""
	check 'run: options' "$(values options "$dir/out")" '"-j 0.05"'
	check 'run: probe' "$(values probe "$dir/out")" '"*" "*"'
	run -j --node rack7 0.05
	check '--node' "$(values node "$dir/out")" '"rack7" "rack7"'
	check 'two runs' "$([ "$(values run "$dir/out")" != "$run" ]; echo $?)" 0
}

# What a filter names ends: the last report, and a word only on a terminal or with
# --verbose. A process that nobody asks for any more (Z) has ended too.
test_target_ends()
{
	local args say

	while IFS='|' read -r args say; do
		start_vm
		[ -n "$vm_pid" ] || { skip 'end of a VM: no VM can be made here'; return; }
		args=${args//@VM@/$vm_pid}
		say=${say//@VM@/$vm_pid}
		args=${args//@THREAD@/$thread}
		say=${say//@THREAD@/$thread}
		# shellcheck disable=SC2086
		start -j $args
		kill "$vm_pid"
		vm_pid=''
		finish
		check "end of the VM, $args: exit code" "$code" 0
		check "end of the VM, $args: message" "$(cat "$dir/err")" "kvmexit: $say"
		check "end of the VM, $args: final" "$(values final "$dir/out")" '*true'
	done <<-END
		-p @VM@|process @VM@ has ended
		-p @VM@ -i 0.1|process @VM@ has ended
		-p @VM@ -v 10 60|process @VM@ has ended
		-t @THREAD@|thread @THREAD@ has ended
		-T @VM@,@THREAD@ -i 60|the threads that -T names have ended
	END
	start_vm
	kvmexit -p "$vm_pid" >"$dir/out" 2>"$dir/err" </dev/null &
	tool=$!
	wait_for 'kvmexit without privileges' grep -q 'NoNewPrivs:.1' "/proc/$tool/status"
	kill "$vm_pid"
	finish
	check 'end of the VM, no terminal: exit code' "$code" 0
	check 'end of the VM, no terminal: messages' "$(cat "$dir/err")" ''
	check 'end of the VM, no terminal: table' "$(first_line "$dir/out")" \
		'KVM_EXIT_REASON                     COUNT'
	vm_pid=''
	test_no_vm
	start_vm
}

# On a terminal the banner, on standard error
test_banner()
{
	local args name

	if ! script -qec true /dev/null >/dev/null 2>&1; then
		skip 'banner: no script(1)'
		return
	fi
	while IFS='|' read -r args name; do
		if [[ -z $vm_pid && $args == *-[pTt]* ]]; then
			skip "banner of $args: no VM can be made here"
			continue
		fi
		script -qec "kvmexit $args >/dev/null" /dev/null >"$dir/out" </dev/null
		check "banner of $args" "$(tr -d '\r' <"$dir/out")" \
			"Display kvm exit reasons and statistics for $name*"
	done <<-END
		0.05|all threads after sleeping 0.05 secs.
		-p $vm_pid 0.05|PID $vm_pid after sleeping 0.05 secs.
		-p $vm_pid -a 0.05|PID $vm_pid and its all threads after sleeping 0.05 secs.
		-p $vm_pid -v 10 0.05|PID $vm_pid VCPU 10 after sleeping 0.05 secs.
		-t $thread 0.05|TID $thread after sleeping 0.05 secs.
		-T $thread,$vm_pid 0.05|TIDS $vm_pid,$thread after sleeping 0.05 secs.
		-i 0.05 -c 1|all threads every 0.05 secs... Hit Ctrl-C to end.
	END
}

# Where there is nothing to be seen a terminal is told, unless others start VMs just now
test_no_vm()
{
	local vms

	vms=$(kvmexit --list-vms | wc -l)
	script -qec 'kvmexit 0.05 >/dev/null' /dev/null >"$dir/out" </dev/null
	if [ "$vms $(kvmexit --list-vms | wc -l)" = '1 1' ]; then
		check 'no VM' "$(first_line "$dir/out" | tr -d '\r')" \
			'kvmexit: no VM @(can run: KVM|runs on this host now; those that start are counted)*'
	fi
}

# Each probe either works or says why not
test_probes()
{
	local probe

	for probe in direct read legacy tracepoint; do
		run --probe "$probe" 0.05
		if [ "$code" = 0 ]; then
			check "--probe $probe" "$(cat "$dir/err")" ''
		else
			check "--probe $probe: exit code" "$code" 69
			check "--probe $probe" "$(cat "$dir/err")" \
				"kvmexit: --probe $probe cannot be used here: *"
			check "--probe $probe: lines" "$(count_lines "$dir/err")" 1
		fi
	done
	run --probe direct --max-vcpus 289263 0.05
	check '--probe direct, too many slots' "$code $(cat "$dir/err")" '69 *cannot be used here: *'
}

start_vm
test_cases
test_information
test_own_name
test_permission
test_sight
test_without_kvm
test_not_looked_at
if $live; then
	test_pid_namespace
	test_signals
	test_times
	test_idle
	test_silence
	test_clock
	test_node
	test_target_ends
	test_banner
	test_probes
else
	skip 'reports: no kvm_exit tracepoint, not root, or UNTRACED'
fi
report cli
