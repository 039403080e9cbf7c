#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What goes wrong around kvmexit: full disks, readers that leave, signals at any
# moment, want of memory, system calls that fail. After each: no crash, the right
# exit code, whole lines, nothing left in the kernel. Wants root and the
# tracepoint kvm:kvm_exit. Usage: tests/system/test_faults.sh [TIMES]
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
times=${1:-200}
kvmexit=$PWD/kvmexit
dir=$(mktemp -d)
ulimit -c 0
cleanup()
{
	# A child that a signal meets before it has become kvmexit comes here too
	[ "$BASHPID" = $$ ] || return
	mountpoint -q "$dir/full" && umount "$dir/full"
	rm -rf "$dir"
}
trap cleanup EXIT

# Lines of a file that are no JSON object: "" if all are
broken()
{
	jq -Rrc 'select((fromjson? | type) != "object")' <"$1"
}

# As soon as kvmexit opens its first file: a signal must not kill what is only beginning
test_early_signals()
{
	local signal

	strace -o "$dir/trace" true 2>/dev/null || return 0 # test_calls says so
	for signal in HUP TERM INT; do
		timeout 20 strace -o "$dir/trace" -e trace=open,openat \
			-e inject=open,openat:signal="$signal":when=1 "$kvmexit" -j -i 60 >"$dir/early" 2>"$dir/err"
		check "SIG$signal at the start: exit code" $? 0
		check "SIG$signal at the start: final" "$(jq -r 'select(.final).final' <"$dir/early")" true
	done
}

# No timer: the clock is looked at instead
test_no_timer()
{
	strace -o "$dir/trace" true 2>/dev/null || return 0
	timeout 20 strace -o "$dir/trace" -e trace=timerfd_settime \
		-e inject=timerfd_settime:error=EINVAL "$kvmexit" -j -i 0.1 -c 3 >"$dir/timer" 2>"$dir/err"
	check 'timer that cannot be set: exit code' $? 0
	check 'timer that cannot be set: reports' "$(grep -c '"type":"interval"' "$dir/timer")" 3
}

# Whether the intervals of a file are numbered from 0 on
no_gap()
{
	jq -s '[.[] | select(.type == "interval").seq] | . == [range(length)]' <"$1"
}

# start OPTION...: JSON in short intervals, in the background; the process is $pid
start()
{
	: >"$dir/err"
	"$kvmexit" -j -i 0.005 "$@" 2>"$dir/err" &
	pid=$!
}

# finish NAME CODE MESSAGES: ends what start began
finish()
{
	kill -TERM "$pid" 2>/dev/null
	wait "$pid"
	check "$1: exit code" $? "$2"
	check "$1: messages" "$(cat "$dir/err")" "$3"
}

more_lines()
{
	[ "$(wc -l <"$1")" -gt "$2" ]
}

# check_records NAME FILE...: no gap and no record twice; but a line was cut $cut times
check_records()
{
	local name=$1

	shift
	cat "$@" >"$dir/all"
	check "$name: cut lines" "$(broken "$dir/all" | wc -l)" "$cut"
	jq -Rc 'fromjson? // empty' "$dir/all" >"$dir/whole"
	check "$name: no gap" "$(no_gap "$dir/whole")" true
}

# The disk becomes full in the middle of a report, and has room again: nothing is
# lost, all is told once
test_disk_full()
{
	local log=$dir/full/log pid cut='[01]'
	local full="kvmexit: writing $log: No space left on device"
	local again="$full; trying again, nothing is lost so far"

	mkdir "$dir/full"
	mount -t tmpfs -o size=16k tmpfs "$dir/full" || { skipped=$((skipped + 1)); return; }
	start -o "$log"
	wait_for "a message" grep -q 'No space' "$dir/err"
	sleep 1
	check 'disk full: the lines before' "$(($(wc -l <"$log") > 40))" 1
	mount -o remount,size=1m "$dir/full"
	wait_for "more reports" more_lines "$log" 100
	finish 'disk full, freed' 0 "$again
kvmexit: writing $log: possible again, nothing was lost"
	check_records 'disk full, freed' "$log"
	check 'disk full, freed: the last line' "$(tail -n 1 "$log" | jq .final)" true
	check 'disk full, freed: a long interval' "$(jq -s 'any(.dur_ms > 900)' "$dir/whole")" true
	# It becomes full, its end comes by a signal or by time; the next run has room
	rm "$log"
	mount -o remount,size=32k "$dir/full"
	start -o "$log"
	wait_for "a message" grep -q 'No space' "$dir/err"
	finish 'disk full to the end' 74 "$again
$full"
	timeout 20 "$kvmexit" -j -i 0.005 -o "$log" 0.5 2>"$dir/err"
	check 'disk full, DURATION: exit code' $? 74
	timeout 20 "$kvmexit" -j -o "$log" 0.1 2>"$dir/err"
	check 'disk full, one report: exit code' $? 74
	check 'disk full, one report: message' "$(cat "$dir/err")" "$full"
	mount -o remount,size=1m "$dir/full"
	"$kvmexit" -j -o "$log" 0.01
	check 'disk full, next run: exit code' $? 0
	check 'disk full, next run: cut lines' "$(broken "$log" | wc -l)" '[0-2]'
	check 'disk full, next run: the last line' "$(tail -n 1 "$log" | jq .final)" true
	# Standard output is somebody else's
	dd if=/dev/zero of="$dir/full/rest" bs=64k 2>/dev/null
	timeout 20 "$kvmexit" -j -i 0.005 >>"$log" 2>"$dir/err"
	check 'disk full, standard output: exit code' $? 74
	umount "$dir/full"
}

# What makes room: the file is taken away, with SIGHUP or without
test_disk_cleared()
{
	local log=$dir/full/log pid cut='[01]' how

	mount -t tmpfs -o size=16k tmpfs "$dir/full" || { skipped=$((skipped + 1)); return; }
	for how in rotated removed; do
		start -i 0.05 -o "$log"
		wait_for "a message" grep -q 'No space' "$dir/err"
		cp "$log" "$dir/log.1"
		if [ $how = rotated ]; then
			mv "$log" "$log.1"
			kill -HUP "$pid"
			wait_for "a new file" test -e "$log"
			rm "$log.1"
		else
			rm "$log"
		fi
		wait_for "more reports" more_lines "$log" 5
		finish "full disk, $how" 0 '*No space*possible again, nothing was lost'
		# A cut line is at the end of the old file, where nothing is put behind it
		[ "$(tail -c 1 "$dir/log.1" | od -An -tx1)" = ' 0a' ] || echo >>"$dir/log.1"
		check_records "full disk, $how" "$dir/log.1" "$log"
		check "full disk, $how: the new file tells the run" \
			"$(jq -Rr 'fromjson? | select(.type == "run").version' "$log" | wc -l)" '[12]'
		rm "$log"
	done
	umount "$dir/full"
}

# No file may be longer: an error as any other, no signal
test_file_limit()
{
	local log=$dir/limited pid cut='[01]'

	: >"$dir/err"
	(ulimit -f 16 && exec "$kvmexit" -j -i 0.05 -o "$log" 2>"$dir/err") &
	pid=$!
	wait_for "a message" grep -q 'File too large' "$dir/err"
	mv "$log" "$log.1"
	kill -HUP "$pid"
	wait_for "more reports" more_lines "$log" 5
	finish 'file limit' 0 '*File too large*possible again, nothing was lost'
	[ "$(tail -c 1 "$log.1" | od -An -tx1)" = ' 0a' ] || echo >>"$log.1"
	check_records 'file limit' "$log.1" "$log"
	rm "$log" "$log.1"
}

test_reader_gone()
{
	local n

	for n in 1 2 7; do
		(timeout 20 "$kvmexit" -j -i 0.005 2>"$dir/err"; echo $? >"$dir/code") |
			head -n $n >"$dir/out"
		check "reader gone after $n lines: exit code" "$(cat "$dir/code")" 0
		check "reader gone after $n lines: message" "$(cat "$dir/err")" ''
		check "reader gone after $n lines" "$(broken "$dir/out")$(wc -l <"$dir/out")" $n
	done
	# In the middle of a line
	(timeout 20 "$kvmexit" --list-reasons -j 2>"$dir/err"; echo $? >"$dir/code") |
		head -c 100 >"$dir/out"
	check 'reader gone within a line: exit code' "$(cat "$dir/code")" 0
}

# BPF programs of this kind whose file no process has open: "" if there are none.
# Others may be tracing on this machine.
left_behind()
{
	local held id i

	for ((i = 0; i < 50; i++)); do
		held=$(grep -hs '^prog_id:' /proc/[0-9]*/fdinfo/* | sort -u)
		id=$(bpftool prog show 2>/dev/null | sed -n 's/^\([0-9]*\):.* name kvm_exit_.*/\1/p' |
			while read -r id; do grep -qx "prog_id:	$id" <<<"$held" || echo "$id"; done)
		[ -z "$id" ] && return
		sleep 0.1
	done
	echo "$id"
}

# One run with signals after random times; $codes counts how it ended
run_with_signals()
{
	local pid signal code i=0

	# In the background bash has SIGINT ignored: one that came before kvmexit has set up
	# anything would be lost, and kvmexit never end
	env --default-signal=HUP,INT,TERM "$kvmexit" -j -i 0.01 -o "$dir/log" 2>"$dir/err" &
	pid=$!
	until [ "/proc/$pid/exe" -ef "$kvmexit" ] || [ $((i += 1)) -gt 100000 ]; do :; done
	sleep "0.$(printf %03d $((RANDOM % 120)))"
	for signal in "$@"; do
		kill -"$signal" $pid 2>/dev/null
		[ "$signal" = TERM ] || sleep "0.00$((RANDOM % 10))"
	done
	wait "$pid"
	code=$?
	codes[code]=$((${codes[$code]:-0} + 1))
	# Before it can have set up anything the signal's default is right
	if [ $code -gt 128 ]; then
		check "signal $*: nothing written" "$(cat "$dir/log" "$dir/err" 2>/dev/null)" ''
	elif [ -s "$dir/log" ]; then
		check "signal $*: the last line" "$(tail -c 1 "$dir/log" | od -An -c)" '*\\n'
		check "signal $*: whole lines" "$(broken "$dir/log")" ''
		check "signal $*: final" "$(tail -n 1 "$dir/log" | jq .final)" true
		check "signal $*: no gap" "$(no_gap "$dir/log")" true
	fi
	rm -f "$dir/log"
}

test_signals()
{
	local i
	local -a codes=() lists=(TERM INT 'HUP TERM' 'STOP CONT TERM' 'STOP CONT INT'
		'HUP HUP STOP CONT HUP TERM' 'TERM TERM INT')

	for ((i = 0; i < times; i++)); do
		# shellcheck disable=SC2086 # a list
		run_with_signals ${lists[i % ${#lists[@]}]}
	done
	unset 'codes[0]' 'codes[129]' 'codes[130]' 'codes[143]'
	check 'signals: other exit codes' "${!codes[*]}" ''
	check 'signals: left in the kernel' "$(left_behind)" ''
}

# without_memory FAIL_AT=N: code and last message
without_memory()
{
	timeout 30 env "$1" LD_PRELOAD="$PWD/build/failing_malloc.so" build/kvmexit-dynamic \
		-j -i 0.001 -c 2 >"$dir/out" 2>"$dir/err"
	echo "$? $(tail -n 1 "$dir/err")"
}

# Each allocation fails in turn (or every one of $step), alone or with all after it
test_malloc()
{
	local n i how result step

	n=$(MALLOC_COUNT=1 LD_PRELOAD=build/failing_malloc.so build/kvmexit-dynamic -j -i 0.001 -c 2 \
		2>&1 >/dev/null | sed -n 's/^allocations //p')
	check 'allocations' "$((${n:-0} > 100))" 1
	step=$((n / times + 1))
	for how in FAIL_AT FAIL_FROM; do
		for ((i = 1; i <= n + step; i += step)); do
			result=$(without_memory $how=$i)
			check "$how=$i" "$result" '@(0|70|77) *'
			[[ $result == 0* ]] && check "$how=$i: lines" "$(broken "$dir/out")" ''
			[[ $result == 70* ]] && check "$how=$i: message" "$result" '70 kvmexit: *'
		done
	done
}

test_address_space()
{
	local size code

	for size in 6000 8000 10000 12000 14000 16000 20000 24000 32000 48000 64000; do
		(ulimit -v $size && exec timeout 30 "$kvmexit" -j 0.01 >"$dir/out" 2>"$dir/err")
		code=$?
		# Not even timeout starts with less
		[ $code = 127 ] && continue
		check "ulimit -v $size" "$code $(head -n 1 "$dir/err")" '@(0 |70 kvmexit: *)'
		check "ulimit -v $size: lines" "$(broken "$dir/out")" ''
	done
}

# failing CALL=ERROR WANTED_CODE WANTED_MESSAGE [OPTION...]: a system call fails
failing()
{
	local name=$1 want=$2 message=$3 code

	shift 3
	strace -f -o "$dir/trace" -e trace="${name%%=*}" -e inject="${name%%=*}:error=${name#*=}" \
		timeout 30 "$kvmexit" "$@" -j 0.02 >"$dir/out" 2>"$dir/err"
	code=$?
	check "$name: exit code" "$code" "$want"
	check "$name: message" "$(grep '^kvmexit:' "$dir/err" | tail -n 1)" "$message"
	check "$name: lines" "$(broken "$dir/out")" ''
}

test_calls()
{
	if ! strace -o "$dir/trace" true 2>/dev/null; then
		skipped=$((skipped + 1))
		echo 'skipped: system calls that fail: no strace'
		return
	fi
	failing bpf=ENOSYS 69 '*this kernel has no BPF*'
	failing bpf=EPERM 77 '*Operation not permitted*'
	failing perf_event_open=EACCES 77 '*Permission denied*' --probe tracepoint
	failing perf_event_open=ENOMEM 70 '*Cannot allocate memory*' --probe tracepoint
	failing signalfd4=EMFILE 70 'kvmexit: signals and timer: Too many open files'
	failing timerfd_create=EMFILE 70 'kvmexit: signals and timer: Too many open files'
	failing capset=EPERM 70 'kvmexit: dropping privileges: dropping capabilities: *'
	failing close_range=ENOSYS 0 ''
	failing landlock_create_ruleset=ENOSYS 0 ''
	failing landlock_restrict_self=EPERM 0 ''
	failing write=EIO:when=1 74 'kvmexit: writing standard output: Input/output error'
}

# What programs missed cannot be read: nothing says that no exit was lost
test_misses()
{
	local option kind

	strace -o "$dir/trace" true 2>/dev/null || return 0
	for option in '' --time --detail '--time --detail'; do
		# shellcheck disable=SC2086 # words are wanted
		timeout 30 strace -o "$dir/trace" -e trace=pread64 -e inject=pread64:error=EIO \
			"$kvmexit" $option -i 0.1 0.35 >"$dir/table" 2>"$dir/err"
		check "misses unknown $option: table" \
			"$(grep -c 'lost not known' "$dir/table") $(grep -c 'lost 0' "$dir/table")" '[1-9]* 0'
		# shellcheck disable=SC2086 # words are wanted
		timeout 30 strace -o "$dir/trace" -e trace=pread64 -e inject=pread64:error=EIO \
			"$kvmexit" $option -j -i 0.1 0.35 >"$dir/out" 2>"$dir/err"
		check "misses unknown $option: exit code" "$?" 0
		check "misses unknown $option: records" \
			"$(jq -r 'select(.type == "interval") | "\(.uncertain) \(.lost) \(.lost_now)"' \
				"$dir/out" | sort -u)" \
			"exits unknown$([[ $option != *time* ]] || echo ', times unknown')$(
				[[ $option != *detail* ]] || echo ', details unknown') 0 0"
		for kind in exits ${option//--/}; do
			check "misses unknown $option: $kind told once" \
				"$(grep -c "is not known: ${kind%s}s may be .*: Input/output error" "$dir/err")" 1
		done
		check "misses unknown $option: recording" \
			"$("$kvmexit" -f "$dir/out" 2>/dev/null | grep -c 'lost not known')" '[1-9]*'
	done
}

# The kernel refuses the programs where KVM_RUN begins, to load or to attach them
test_no_run()
{
	local first last

	strace -o "$dir/trace" true 2>/dev/null || return 0
	timeout 30 strace -o "$dir/trace" -e trace=bpf "$kvmexit" --time 0.01 >/dev/null 2>&1
	first=$(grep -n 'BPF_PROG_LOAD.*prog_name="kvm_run' "$dir/trace" | cut -d: -f1 | head -n 1)
	[ -n "$first" ] || return 0 # this kernel's KVM has no such function
	# libbpf loads a program that was refused once more, for the verifier's words
	last=$((first + 1))
	timeout 30 strace -o "$dir/trace" -e trace=bpf -e "inject=bpf:error=EINVAL:when=$first..$last" \
		"$kvmexit" --verbose --time 0.01 >"$dir/out" 2>"$dir/err"
	check 'KVM_RUN: not loaded: exit code' "$?" 0
	check 'KVM_RUN: not loaded: message' "$(grep -c 'no program where KVM_RUN begins: Invalid' "$dir/err")" 1
	check 'KVM_RUN: not loaded: best probe' "$(grep -c 'in use' "$dir/err")" 1
	"$kvmexit" --verbose --time 0.01 2>&1 >/dev/null | grep 'in use' >"$dir/out"
	check 'KVM_RUN: not loaded: the same probe' "$(grep 'in use' "$dir/err")" "$(cat "$dir/out")"
}

# One program's cannot be read: the others are known
test_one_miss()
{
	strace -o "$dir/trace" true 2>/dev/null || return 0
	timeout 30 strace -o "$dir/trace" -e trace=pread64 -e inject=pread64:error=EIO:when=1 \
		"$kvmexit" --time -j -i 0.1 0.35 >"$dir/out" 2>"$dir/err"
	check "one program's misses unknown" \
		"$(jq -r 'select(.type == "interval") | .uncertain' "$dir/out" | sort | uniq -c | tr -s ' \n' ' ')" \
		' [1-9]* 1 times unknown '
}

# Terminals, pipes, FIFOs and sockets as standard output and standard error
test_unread()
{
	local line

	tests/lib/recording.py -m 2 -c 100 -r 8 -n 3 >"$dir/vcpus"
	line=$(tests/system/unread.py "$kvmexit" "$dir/vcpus" | tee /dev/stderr | tail -n 1)
	check 'unread: all passed' "$line" 'unread: [1-9]* passed, 0 failed'
}

if [ "$(id -u)" != 0 ] || ! "$kvmexit" 0.01 >/dev/null 2>&1; then
	skipped=1
	echo 'skipped: nothing can be traced here'
else
	make -s build/failing_malloc.so build/kvmexit-dynamic >/dev/null
	test_disk_full
	test_disk_cleared
	test_file_limit
	test_reader_gone
	test_unread
	test_calls
	test_early_signals
	test_no_timer
	test_misses
	test_one_miss
	test_no_run
	test_address_space
	test_malloc
	test_signals
fi
echo "faults: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
