#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# host.sh PROGRAM...
#
# On an emulated host whose clock counts instructions: runs guests with each of
# the programs attached in turn, and prints what they say of their time in
# KVM_RUN, for run. Each guest runs twice, with 100 exits and with 900, so that
# what it costs to begin and end falls out.
#
#   @ PROGRAM CASE EXITS
#   {"run_ns":...,"round":...,...}   of each round and vCPU
#   @kernel RELEASE
#   @events, and what event says: instructions added to an event of its own
#
#   steady   one vCPU, CPUID exits
#   threads  two vCPU threads on one CPU that yield it after each exit (OUT), and
#            so take turns: misses where a CPU remembers the last thread
#   vcpus    one thread runs two vCPUs in turn, OUT exits: misses where a thread
#            has one vCPU remembered
#
# On arm64 hypercalls and stores to nowhere (HVC64, DABT_LOW), and no event; threads
# only where there is chrt, which busybox has not.
#
# shellcheck shell=dash
set -u
tmp=$(mktemp -d)
rounds=${KVMEXIT_ROUNDS:-30}
holder=
build=build kvmexit=./kvmexit quick=cpuid reason=CPUID back=io
[ "$(uname -m)" != aarch64 ] ||
	{ build=build/arm64 kvmexit=./kvmexit-arm64 quick=hvc reason=HVC64 back=mmio; }

guests() {
	local n
	for n in 100 900; do
		echo "@ $1 steady $n"
		$build/guest -r "$rounds" $quick=$n
		echo "@ $1 vcpus $n"
		$build/guest -r "$rounds" -1 -v 2 $back=$n
		[ $build = build ] || command -v chrt >/dev/null || continue
		echo "@ $1 threads $n"
		chrt -f 1 $build/guest -r "$rounds" -v 2 -y $back=$n
	done
}

# hold READY COMMAND...: in the background, going on once it has said READY
hold() {
	local ready="$1" i=0
	shift
	"$@" >"$tmp/log" 2>&1 </dev/null &
	holder=$!
	while ! grep -q "$ready" "$tmp/log"; do
		if ! kill -0 $holder 2>/dev/null || [ $((i += 1)) -gt 3000 ]; then
			echo "$*:" >&2
			cat "$tmp/log" >&2
			return 1
		fi
		sleep 0.1
	done
}

release() {
	kill "$holder" 2>/dev/null
	wait "$holder" 2>/dev/null
	[ -z "$other" ] || kill "$other"
	other=
	return 0
}

own() { hold 'in use' $kvmexit --verbose -j -o /dev/null "$@"; }

# Another VM, in $other, of one thread, $thread, that exits now and then once go_on
other=
start_other() {
	rm -f "$tmp/end"
	mkfifo "$tmp/end"
	: >"$tmp/other"
	build/guest -w -s 20000 hlt=1000000 <"$tmp/end" >"$tmp/other" &
	other=$!
	exec 3>"$tmp/end"
	until grep -q ready "$tmp/other"; do sleep 0.1; done
	thread=$(sed 's/.*"tids":\[\([0-9]*\).*/\1/' "$tmp/other")
}
go_on() { echo >&3; }

attach() {
	case $1 in
	nothing) sleep 1000 & holder=$! ;;
	direct | read | legacy | tracepoint) own --probe "$1" ;;
	time) own --time --probe direct ;;
	detail) own --detail --probe direct ;;
	detail_cpuid) own --detail=$reason --probe direct ;;
	# Filters that let no exit of the guests measured through: what they want is another VM's
	other_vm) start_other; own -p "$other" ;;
	other_tid) start_other; own -t "$thread" ;;
	other_tids) start_other; own -T "$thread,$other" ;;
	# The only slot has been taken, and is in use
	no_slot) start_other; own --max-vcpus 1 && go_on && sleep 1 ;;
	perf) hold begun sh -c 'echo begun; exec perf stat -a -e kvm:kvm_exit' && sleep 5 ;;
	perf_kvm)
		hold begun sh -c 'echo begun; exec perf kvm stat record -a -o /dev/null' && sleep 8 &&
			kill -0 $holder
		;;
	bpftrace)
		hold Attaching bpftrace -e \
			'tracepoint:kvm:kvm_exit { @[tid, args->exit_reason] = count(); }' && sleep 30
		;;
	bcc) hold REASON env PYTHONUNBUFFERED=1 kvmexit-bpfcc && sleep 5 ;;
	*) hold attached $build/bench/attach $build/bench/peers.bpf.o "$1" ;;
	esac
}

# One VM only, this one: a filter that lets everything through
wanted() {
	local n
	for n in 100 900; do
		mkfifo "$tmp/go"
		: >"$tmp/guest"
		build/guest -w -r "$rounds" cpuid=$n <"$tmp/go" >"$tmp/guest" &
		guest=$!
		exec 4>"$tmp/go"
		until grep -q ready "$tmp/guest"; do sleep 0.1; done
		own -p $guest -v 0 || return
		echo >&4
		wait $guest
		release
		exec 4>&-
		echo "@ wanted steady $n"
		grep run_ns "$tmp/guest"
		rm "$tmp/go"
	done
}

echo "@kernel $(uname -r)"
for program; do
	if [ "$program" = wanted ]; then
		wanted
	elif attach "$program"; then
		guests "$program"
		release
	fi
done
[ $build = build ] || exit 0
echo @events
build/bench/event build/bench 1 warm
