#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Makes known exits on an emulated host while kvmexit counts them, and prints what
# everybody says about them, for judge.py. $KVMEXIT_PROBES and $KVMEXIT_CASES
# tell what is to be done.
#
#   @case NAME PROBE
#   @guest | @kvmexit | @kvmexit2 | @ftrace | @debugfs | @text NAME | @code N
#   lines ...
#   @end
#
# Runs under busybox too. kvmexit and guest are found in $PATH.
# shellcheck shell=dash
set -u
tmp=$(mktemp -d)
trace=/sys/kernel/tracing/instances/kvmexit-test
debug=/sys/kernel/debug/kvm

program=$(command -v guest)

# What a guest does in case exact. Of the kinds in the other cases arm64 has others.
case $(uname -m) in
aarch64)
	hist=hist:keys=common_pid,ret,esr_ec:size=2048
	quick=sysreg nap=mmio # the latter comes to the VMM, and naps with -s
	many="mmio=300 sysreg=400 hvc=350 iabt=40 wfi=60"
	naps="mmio=200 sysreg=200 hvc=150 iabt=40" busy="sysreg=3000 mmio=3000" halts="wfi=200 hvc=50"
	nests='' polls=- asked=wfx pace=5 vmm="qemu-system-aarch64 -M virt"
	slow1="-S halt-poll -S dirty mmio=400 sysreg=20 wfi=200" slow2="-S gic sysreg=800 wfi=60"
	slow3="-S pmu sysreg=400 hvc=200"
	# shellcheck disable=SC2046 # words are wanted
	guest() { command guest $(echo "$@" | sed 's/ io=/ mmio=/; s/ cpuid=/ sysreg=/; s/ hlt=/ hvc=/'); }
	;;
*)	hist=
	quick=cpuid nap=hlt
	many="io=300 cpuid=400 rdmsr=150 wrmsr=250 hypercall=100 mmio=60 hlt=350 ud=40"
	naps="io=100 cpuid=200 wrmsr=150 mmio=40 hlt=200" busy="cpuid=3000 io=3000"
	halts='' nests='' polls="2000000 0" asked=pause pace=1 vmm=qemu-system-x86_64
	slow1="-S halt-poll -S dirty -S pause io=400 cpuid=20 hlt=400" slow3=
	slow2="-S pit -S blockirq icr=800 cpuid=20"
	! grep -q AuthenticAMD /proc/cpuinfo || halts="idle=100 cpuid=50 io=100" nests="nested=60 cpuid=100 io=100" ;;
esac

emit() { echo "@$1"; cat "$2"; }

# The kernel's own record of the exits, apart from everybody else's tracing
trace_on() {
	mkdir -p "$trace" || return
	echo 16384 >"$trace/buffer_size_kb"
	echo >"$trace/trace"
	# 5.10 was built without
	[ -e "$trace/events/kvm/kvm_exit/hist" ] || hist=
	[ -z "$hist" ] || echo "$hist" >"$trace/events/kvm/kvm_exit/trigger"
	echo 1 >"$trace/events/kvm/kvm_exit/enable"
}

# The trace as "TID STAMP entry", "TID STAMP exit REASON" and "TID STAMP wakeup NS". By
# fields, as the regular expressions of sed take minutes here.
events() {
	awk '{
		tid = $1
		sub(/.*-/, "", tid)
		at = substr($4, 1, length($4) - 1)
	}
	$5 == "kvm_entry:" { print tid, at, "entry" }
	$5 == "kvm_vcpu_wakeup:" { print tid, at, "wakeup", $8 }
	$5 == "kvm_exit:" {
		name = substr($6, 1, length($6) - 1)
		for (i = 6; i < 12; i++)
			if ($i == "reason")
				name = $(i + 1) ($(i + 2) == "excp" ? " excp" : "")
		if ($6 == "TRAP:") {
			name = $0
			sub(/.*\(/, "", name)
			sub(/\).*/, "", name)
		}
		print tid, at, "exit", name
	}' "$trace/trace"
}

# As "TID REASON COUNT" lines, and how many events the buffer could not keep; on
# arm64 also the kernel's sums, as "TID RET CLASS COUNT"
trace_off() {
	echo 0 >"$trace/events/kvm/kvm_exit/enable"
	if [ -n "$hist" ]; then
		sed -n 's/[^0-9]*\([0-9]*\), ret: *\([0-9]*\), esr_ec: *\([0-9]*\) } hitcount: */\1 \2 \3 /p
			s/^ *Dropped: */dropped /p' "$trace/events/kvm/kvm_exit/hist" >"$tmp/hist"
		echo "!$hist" >"$trace/events/kvm/kvm_exit/trigger"
	fi
	events >"$tmp/events"
	awk '$3 == "exit" { n[$1 " " $4 ($5 == "" ? "" : " " $5)]++ }
		END { for (key in n) print key, n[key] }' "$tmp/events" >"$tmp/ftrace"
	awk '/^overrun:|^dropped/ { n += $NF } END { print "overrun", n + 0 }' \
		"$trace"/per_cpu/cpu*/stats >>"$tmp/ftrace"
	rmdir "$trace"
}

# start NAME OPTION...: kvmexit in the background, counting when this returns. It
# writes to $output, or else to a file of that name.
start() {
	start_as "" "$@"
}

# The same by a command before kvmexit
start_as() {
	local as="$1" name="$2" i=0
	shift 2
	rm -f "$tmp/$name"
	# shellcheck disable=SC2086 # words are wanted
	$as kvmexit --verbose "$@" -o "${output:-$tmp/$name}" 2>"$tmp/$name.log" &
	eval "pid_$name=\$!"
	while ! grep -q 'in use' "$tmp/$name.log"; do
		if ! kill -0 $! 2>/dev/null || [ $((i += 1)) -gt 600 ]; then
			return 1
		fi
		sleep 0.1
	done
}

stop() {
	local pid child
	eval "pid=\$pid_$1"
	# One that was started by unshare is its child: unshare itself takes no signal
	read -r child _ <"/proc/$pid/task/$pid/children"
	kill -TERM "${child:-$pid}" && wait "$pid"
	echo "@code $?"
}

unsupported() {
	echo "@unsupported"
	sed -n "s/.*cannot be used here: \(.*\);.*/\1/p" "$tmp/$1.log"
	grep -v "cannot be used here" "$tmp/$1.log"
}

# Whether a probe does not tell vCPUs, for cases that ask for them
threads_only() {
	[ "$1:$(uname -m)" = tracepoint:aarch64 ] || return
	echo "@unsupported"
	echo "it has no vCPU ids"
}

# One VM with two vCPU threads that move between the CPUs; also a second kvmexit
# that reports every 10 ms
case_exact() {
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	start kvmexit2 -j -i 0.01 --probe "$1" || { unsupported kvmexit2; return; }
	trace_on
	# shellcheck disable=SC2086 # words are wanted
	guest -v 2 -H $many >"$tmp/guest"
	trace_off
	stop kvmexit2
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit kvmexit2 "$tmp/kvmexit2"
	emit ftrace "$tmp/ftrace"
	[ -z "$hist" ] || emit "text hist" "$tmp/hist"
}

# What this kernel calls the reasons (arm64), and what kvmexit does
case_reasons() {
	echo "@text format"
	grep '^print fmt' /sys/kernel/tracing/events/kvm/kvm_exit/format
	echo "@text reasons"
	kvmexit --list-reasons -j
}

# A guest that has a guest (AMD): L2's exits are counted under their own reason
case_nested() {
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	trace_on
	guest -v 2 nested=60 cpuid=25 io=40 >"$tmp/guest"
	trace_off
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit ftrace "$tmp/ftrace"
}

# What KVM handles on its fast path: IPIs and the timer by MSR
case_fastpath() {
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	trace_on
	guest -v 2 icr=300 deadline=200 wrmsr=70 cpuid=50 io=60 >"$tmp/guest"
	trace_off
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit ftrace "$tmp/ftrace"
}

# perf on the same tracepoint keeps all its events, and so does a second kvmexit
# by the classic tracepoint, where a program could withhold them
# shellcheck disable=SC2086 # words are wanted
case_tracers() {
	command -v perf >/dev/null || { echo "@text perf"; echo "perf is not installed"; return; }
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	start kvmexit2 -j --probe tracepoint || { unsupported kvmexit2; return; }
	perf stat -x , -e kvm:kvm_exit -a -o "$tmp/perf" -- \
		"$program" -v 2 $many >"$tmp/guest" 2>&1
	stop kvmexit2
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit kvmexit2 "$tmp/kvmexit2"
	emit "text perf" "$tmp/perf"
}

# Two processes of two VMs each; whose threads, that have no name and are not just
# in the guest, KVM alone can tell
case_vms() {
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	mkfifo "$tmp/go"
	guest -p 2 -m 2 -v 2 -k io=50 cpuid=60 hlt=70 <"$tmp/go" >"$tmp/guest" &
	exec 8>"$tmp/go"
	until [ "$(grep -c '"run_calls"' "$tmp/guest")" = 8 ]; do sleep 0.1; done
	kvmexit --vms -j >"$tmp/vms"
	exec 8>&-
	wait $!
	rm "$tmp/go"
	stop kvmexit
	emit "text vms" "$tmp/vms"
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
}

# The same VMs in one report after the other: every form tells the same
case_groups() {
	local form
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	start sums -j -g vm,reason -i 0.2 --node rack1 --probe "$1"
	start compact -j --compact -i 0.2 --probe "$1"
	start vcpus -j --compact -g vcpu --top 3 --probe "$1"
	start some -j -r 'cpuid,hl*' --probe "$1"
	start others -j -g reason -r '!CPUID' --probe "$1"
	start table -g vm,reason --probe "$1"
	start top -g vm,reason --top 3 --probe "$1"
	guest -p 3 -m 2 -v 2 io=50 cpuid=60 hlt=70 wrmsr=30 >"$tmp/guest"
	for form in kvmexit sums compact vcpus some others table top; do
		stop $form
	done
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	for form in sums compact vcpus some others table top; do
		emit "text $form" "$tmp/$form"
	done
}

# One thread runs two vCPUs in turn, whose ids are not 0 and 1
case_one_thread() {
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	guest -1 -v 2 -V 5 io=100 cpuid=120 hlt=140 >"$tmp/guest"
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
}

# Threads that come and go, more of them in all than there is room for
case_churn() {
	local i=0
	start kvmexit -j -i 0.2 --max-vcpus 8 --probe "$1" || { unsupported kvmexit; return; }
	: >"$tmp/guest"
	while [ $((i += 1)) -le 4 ]; do
		guest -v 6 io=20 cpuid=30 hlt=10 >>"$tmp/guest"
		sleep 3
	done
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
}

# Hundreds of short-lived threads, and TIDs given out again at once
case_reuse() {
	start kvmexit -j -i 0.1 --probe "$1" || { unsupported kvmexit; return; }
	guest -r 150 -v 2 cpuid=5 hlt=3 >"$tmp/guest"
	for i in 1 2 3 4 5 6; do
		echo 20000 >/proc/sys/kernel/ns_last_pid
		guest -v 2 cpuid=7 hlt=4 >>"$tmp/guest"
	done
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
}

# under PID COMMAND...: runs under this PID, its threads under those that follow
under() {
	echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid
	shift
	"$@"
}

# A PID, or TID, given out again is another VM: in names and totals; and to the
# filters, even where kvmexit cannot see the end of the first in time
# shellcheck disable=SC2154,SC2016 # pid_f is set by start; $run is for eval
case_identity() {
	local option what ready pid=21001
	threads_only "$1" && return
	local run='"$tmp/first" -w -k $quick=100 <"$tmp/go" >>"$tmp/guest" &'
	cp "$program" "$tmp/first"
	cp "$program" "$tmp/second"
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	under $pid "$tmp/first" -v 2 -s 2000 "$quick=100" "$nap=300" >"$tmp/guest"
	under $pid "$tmp/second" -v 2 -s 2000 "$quick=100" "$nap=300" >>"$tmp/guest"
	# One that has ended before anybody asked for its name
	kill -STOP "$pid_kvmexit"
	"$program" -n 'CPU %d/KVM' "$quick=100" >>"$tmp/guest"
	kill -CONT "$pid_kvmexit"
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	mkfifo "$tmp/go"
	for option in p n t T; do
		: >"$tmp/guest"
		under $pid eval "$run"
		exec 8>"$tmp/go"
		# No process may take the TID meanwhile
		until read -r ready <"$tmp/guest"; do :; done
		ready=${ready##*[}
		case $option in p) what=$pid ;; n) what=first ;; *) what=${ready%%]*} ;; esac
		start f -j -$option "$what" --probe "$1"
		echo >&8
		until grep -q '"run_calls"' "$tmp/guest"; do sleep 0.1; done
		kill -STOP "$pid_f"
		exec 8>&-
		wait $pid
		under $pid "$tmp/second" "$quick=100" >>"$tmp/guest"
		kill -CONT "$pid_f"
		wait "$pid_f"
		echo "@code $?"
		emit "text $option" "$tmp/guest"
		cat "$tmp/f"
		tail -n 1 "$tmp/f.log"
	done
}

# More vCPU threads than --max-vcpus at once: what is not counted is lost
case_surplus() {
	start kvmexit -j --max-vcpus 3 --probe "$1" || { unsupported kvmexit; return; }
	trace_on
	guest -v 7 io=40 cpuid=50 hlt=30 >"$tmp/guest"
	trace_off
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit ftrace "$tmp/ftrace"
}

# More keys than slots, but never at once: one thread that runs 40 vCPUs one after
# the other, vCPUs that move between threads, and threads in sequence as kvmexit
# sees them from a PID namespace of its own
case_room() {
	local i=0
	threads_only "$1" && return
	start kvmexit -j -i 0.5 --max-vcpus 16 --probe "$1" || { unsupported kvmexit; return; }
	guest -q -v 40 -s 10000 "$quick=6" "$nap=6" >"$tmp/guest"
	guest -M 700 -v 4 -s 10000 "$quick=300" "$nap=300" >>"$tmp/guest"
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	start_as "unshare --pid --fork --mount-proc" private -j --max-vcpus 6 --probe "$1"
	: >"$tmp/guest"
	while [ $((i += 1)) -le 30 ]; do
		guest -s 20000 "$quick=9" "$nap=5" >>"$tmp/guest"
	done
	stop private
	emit "text private-guest" "$tmp/guest"
	emit "text private" "$tmp/private"
}

# Each view and each filter, one kvmexit for each, on one guest's exits; and
# KVM's own count of that VM's exits
case_filters() {
	local pid tid0 tid1 name
	threads_only "$1" && return
	mkfifo "$tmp/go"
	guest -w -k -v 3 cpuid=100 hlt=50 io=25 <"$tmp/go" >"$tmp/guest" &
	exec 8>"$tmp/go"
	while [ "$(grep -c '"ready"' "$tmp/guest")" -lt 1 ]; do sleep 0.1; done
	pid=$(sed -n 's/.*"ready":true.*"pid":\([0-9]*\).*/\1/p' "$tmp/guest")
	# shellcheck disable=SC2046 # words are wanted
	set -- "$1" $(for t in /proc/"$pid"/task/*; do echo "${t##*/}"; done | grep -vx "$pid" | sort -n)
	tid0=$2 tid1=$3
	echo "@text ids"
	echo "$pid $tid0 $tid1"
	start p -p "$pid" --probe "$1" || { unsupported p; echo >&8; exec 8>&-; wait; return; }
	start a -p "$pid" -a --probe "$1"
	start v -p "$pid" -v 1 --probe "$1"
	start t -t "$tid0" --probe "$1"
	start T -T "$tid0,$tid1" --probe "$1"
	start all --probe "$1"
	start jp -j -p "$pid" --probe "$1"
	start jv -j -p "$pid" -v 2 --probe "$1"
	start jt -j -t "$tid1" --probe "$1"
	start other -j -p "$pid" -t "$tid0" --probe "$1"
	echo >&8
	while [ "$(grep -c '"run_calls"' "$tmp/guest")" -lt 3 ]; do sleep 0.1; done
	for name in p a v t T all jp jv jt other; do
		stop $name
		emit "text $name" "$tmp/$name"
	done
	echo "@text debugfs"
	cat "$debug/$pid"-*/exits
	exec 8>&-
	wait
	emit guest "$tmp/guest"
}

end() {
	kill "$@"
	for pid; do wait "$pid"; done
}

# Guests that a setting slows down, which --explain is to name: dirty logging, halt
# polling; and an APIC that the hardware cannot virtualize, where the kernel's own trace
# tells why. AMD's emulated hosts have no AVIC, but KVM can be made to believe it.
# shellcheck disable=SC2086 # words are wanted
case_explain() {
	local i=0 slow n=0
	if [ -e /sys/module/kvm_amd/parameters/force_avic ]; then
		rmmod kvm_amd && modprobe kvm_amd avic=1 force_avic=1
	fi
	start kvmexit -j --explain --probe "$1" 600 || { unsupported kvmexit; return; }
	start table --explain --probe "$1" 600
	trace_on
	[ ! -e "$trace/events/kvm/kvm_apicv_inhibit_changed" ] ||
		echo 1 >"$trace/events/kvm/kvm_apicv_inhibit_changed/enable"
	mkfifo "$tmp/go"
	for slow in "$slow1" "$slow2" "$slow3"; do
		[ -n "$slow" ] || continue
		n=$((n + 1))
		guest -k $slow <"$tmp/go" >"$tmp/guest$n" &
	done
	exec 8>"$tmp/go"
	until [ "$(cat "$tmp"/guest[1-3] | grep -c '"run_calls"')" = "$n" ] ||
		[ $((i += 1)) -gt 900 ]; do
		sleep 0.1
	done
	stop kvmexit
	stop table
	exec 8>&-
	wait
	sed -n 's/^ *.*-\([0-9]*\) .*kvm_apicv_inhibit_changed: .*inhibits=0x\([0-9a-f]*\) *\(.*\)/\1 \2 \3/p' \
		"$trace/trace" >"$tmp/inhibits"
	[ ! -e "$trace/events/kvm/kvm_apicv_inhibit_changed" ] ||
		echo 0 >"$trace/events/kvm/kvm_apicv_inhibit_changed/enable"
	trace_off
	cat "$tmp"/guest[1-3] >"$tmp/guest"
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit "text table" "$tmp/table"
	emit "text inhibits" "$tmp/inhibits"
	kvmexit --explain $asked >"$tmp/alone"
	emit "text alone" "$tmp/alone"
}

# Two real QEMU guests, one with thread names; by name, and listed without BPF
# shellcheck disable=SC2086 # words are wanted
case_names() {
	local vm vms=
	for vm in guest=web1,debug-threads=on db,,2; do
		$vmm -enable-kvm -cpu host -nodefaults -display none -m 64 -name "$vm" \
			>"$tmp/qemu.log" 2>&1 &
		vms="$vms $!"
	done
	sleep $((3 * pace))
	if ! start kvmexit -j --probe "$1"; then
		unsupported kvmexit
		end $vms
		return
	fi
	sleep $((2 * pace))
	kvmexit --vms -j >"$tmp/vms"
	emit "text vms" "$tmp/vms"
	kvmexit -n web1 -j --probe "$1" 1 >"$tmp/web1"
	emit "text web1" "$tmp/web1"
	kvmexit -w --probe "$1" 5 >"$tmp/wide"
	emit "text wide" "$tmp/wide"
	# They end while kvmexit runs, and are still named in their last records
	end $vms
	stop kvmexit
	emit kvmexit "$tmp/kvmexit"
}

# time_part POLL CPUS KIND...: a guest for case time. POLL: halt_poll_ns meanwhile, or -
time_part() {
	local poll="$1" cpus="$2" parameter=/sys/module/kvm/parameters/halt_poll_ns old=- pid stat
	shift 2
	if [ "$poll" != - ]; then
		old=$(cat $parameter)
		echo "$poll" >$parameter
	fi
	: >"$tmp/part"
	# An old busybox knows masks only
	taskset "$cpus" guest -w -k -W -v 2 "$@" <"$tmp/go" >"$tmp/part" &
	exec 8>"$tmp/go"
	while ! grep -q '"ready"' "$tmp/part"; do sleep 0.1; done
	pid=$(sed -n 's/.*"ready":true.*"pid":\([0-9]*\).*/\1/p' "$tmp/part")
	[ "$poll" = - ] || echo "$pid halt_poll_ns $poll" >>"$tmp/stats"
	echo >&8
	while [ "$(grep -c '"run_calls"' "$tmp/part")" -lt 2 ]; do sleep 0.1; done
	for stat in "$debug/$pid"-*/halt_*_ns; do
		[ ! -e "$stat" ] || echo "$pid ${stat##*/} $(cat "$stat")" >>"$tmp/stats"
	done
	# What they do from now on is nothing
	sleep 1.2
	exec 8>&-
	wait "$!"
	[ "$old" = - ] || echo "$old" >$parameter
	cat "$tmp/part" >>"$tmp/guest"
}

# Where the time goes, against the scheduler's own account, KVM's of halting and the
# kernel's own stamps of exits and entries: a guest that naps in its VMM, one whose two
# threads have one CPU, one that has a guest (AMD), and one that waits in KVM, where that
# may poll and where not (AMD; on arm64 as it is)
# shellcheck disable=SC2086 # words are wanted
case_time() {
	local poll
	start kvmexit -j --time --probe "$1" || { unsupported kvmexit; return; }
	start kvmexit2 -j --time -i 0.5 --probe "$1" || { unsupported kvmexit2; return; }
	mkfifo "$tmp/go"
	: >"$tmp/guest"
	: >"$tmp/stats"
	trace_on
	echo mono >"$trace/trace_clock"
	echo 1 >"$trace/events/kvm/kvm_entry/enable"
	echo 1 >"$trace/events/kvm/kvm_vcpu_wakeup/enable"
	time_part - 3 -s 3000 $naps
	time_part - 1 $busy
	[ -z "$nests" ] || time_part - 0,1 $nests
	# With two CPUs, each as fast as it comes, a timer may fire once more than it was set
	[ "$(uname -m):$(nproc)" = x86_64:2 ] || for poll in ${halts:+$polls}; do
		time_part "$poll" 3 -s 500 $halts
	done
	stop kvmexit2
	stop kvmexit
	echo 0 >"$trace/events/kvm/kvm_entry/enable"
	echo 0 >"$trace/events/kvm/kvm_vcpu_wakeup/enable"
	trace_off
	grep -v wakeup "$tmp/events" >"$tmp/stamps"
	awk '$3 == "wakeup" { ns[$1] += $4 } END { for (tid in ns) print tid, ns[tid] }' \
		"$tmp/events" >"$tmp/wakeups"
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit kvmexit2 "$tmp/kvmexit2"
	emit ftrace "$tmp/ftrace"
	emit "text stamps" "$tmp/stamps"
	emit "text stats" "$tmp/stats"
	emit "text wakeups" "$tmp/wakeups"
}

# kvmexit's own account of itself, counts and times
case_selftest() {
	kvmexit --self-test -j --probe "$1" >"$tmp/selftest" 2>"$tmp/kvmexit.log"
	local code=$?
	if grep -q "cannot be used here" "$tmp/kvmexit.log"; then
		unsupported kvmexit
		return
	fi
	echo "@code $code"
	emit "text selftest" "$tmp/selftest"
	emit "text log" "$tmp/kvmexit.log"
}

# What is behind exits, of each kind in turn, so that an older one's would be found out;
# on AMD a guest's guest's as well
case_detail() {
	local form kinds="io=30 cpuid=40 rdmsr=20 wrmsr=25 hypercall=35 mmio=45 hlt=15 ud=10"
	start kvmexit -j --detail --probe "$1" || { unsupported kvmexit; return; }
	start timed -j --detail --time -i 0.3 --probe "$1"
	start some -j --detail=CPUID --probe "$1"
	start plain -j --probe "$1"
	# shellcheck disable=SC2086 # words are wanted
	guest -v 2 $kinds ports=22 msrs=33 leaves=26 calls=28 mmios=24 crs=18 drs=17 pmcs=19 xcrs=21 >"$tmp/guest"
	for form in hyperv xen; do
		guest -S $form hypercall=12 cpuid=13 calls=14 >>"$tmp/guest"
	done
	guest -v 2 apics=23 cpuid=11 >>"$tmp/guest"
	! grep -q '"svm"' "$tmp/guest" || guest nested=60 cpuid=25 io=40 >>"$tmp/guest"
	for form in kvmexit timed some plain; do
		stop $form
	done
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	for form in timed some plain; do
		emit "text $form" "$tmp/$form"
	done
}

# Attached and detached many times while a guest runs: nothing stays behind
case_attach() {
	local i=0 guest
	: >"$tmp/all"
	"$program" -v 1 -s 1000 "$nap=1000000" >/dev/null & # a function would be another process
	guest=$!
	while [ $((i += 1)) -le "${KVMEXIT_ATTACH:-40}" ]; do
		kvmexit -j --probe "$1" 0.02 >"$tmp/once" 2>"$tmp/once.log" || {
			cp "$tmp/once.log" "$tmp/kvmexit.log"; unsupported kvmexit; end $guest; return; }
		cat "$tmp/once" >>"$tmp/all"
	done
	end $guest
	echo "@text exits"
	sed -n 's/.*"type":"interval".*"exits":\([0-9]*\),.*/\1/p' "$tmp/all"
	sleep 1
	# Programs, as the kernel lists their code: KVM may be built in
	start kvmexit -j --probe "$1"
	i=$(grep -c ' bpf_prog_[0-9a-f]*_kvm_exit' /proc/kallsyms)
	stop kvmexit
	sleep 1
	echo "@text programs"
	echo "$i"
	grep -c ' bpf_prog_[0-9a-f]*_kvm_exit' /proc/kallsyms
	[ "$(uname -m)" != aarch64 ] || return
	echo "@text modules"
	vendor=$(lsmod | sed -n 's/^\(kvm_amd\|kvm_intel\) .*/\1/p')
	rmmod "$vendor" && rmmod kvm && echo unloaded
	echo "@text nokvm"
	kvmexit 1 2>&1
	echo "$?"
	modprobe "$vendor"
}

# What is behind traps of arm64; also by a second kvmexit that reports every 50 ms
case_traps() {
	start kvmexit -j --detail --probe "$1" || { unsupported kvmexit; return; }
	start kvmexit2 -j --detail -i 0.05 --probe "$1" || { unsupported kvmexit2; return; }
	guest -v 2 -H mmio=150 sysreg=200 oslar=120 hvc=130 psci=90 iabt=40 wfi=50 wfe=60 >"$tmp/guest"
	stop kvmexit2
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit kvmexit2 "$tmp/kvmexit2"
}

# What is given up once it counts; and it counts and reopens its file all the same
case_confined() {
	local i=0
	start kvmexit -j -i 0.2 --probe "$1" || { unsupported kvmexit; return; }
	until grep -q 'given up' "$tmp/kvmexit.log" || [ $((i += 1)) -gt 600 ]; do sleep 0.1; done
	echo "@text status"
	grep -E '^(Cap|NoNew|Seccomp:)' "/proc/$pid_kvmexit/status"
	sed -n 's/.*given up: /given up: /p' "$tmp/kvmexit.log"
	guest -v 2 io=100 cpuid=150 hlt=120 >"$tmp/guest"
	mv "$tmp/kvmexit" "$tmp/kvmexit.1"
	kill -HUP "$pid_kvmexit"
	guest -v 2 io=100 cpuid=150 hlt=120 >>"$tmp/guest"
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit.1"
	cat "$tmp/kvmexit"
}

# shellcheck source=tests/hosts/faults.sh
[ ! -e tests/hosts/faults.sh ] || . tests/hosts/faults.sh

for probe in $KVMEXIT_PROBES; do
	for name in $KVMEXIT_CASES; do
		echo "@case $name $probe"
		"case_$name" "$probe"
		echo "@end"
	done
done
rm -rf "$tmp"
