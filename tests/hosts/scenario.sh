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
mkfifo "$tmp/go" # where guests that wait (-w, -k) are told to go on
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

# One thread runs two vCPUs in turn, whose ids are not 0 and 1
case_one_thread() {
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	guest -1 -v 2 -V 5 io=100 cpuid=120 hlt=140 >"$tmp/guest"
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
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

# Each view and each filter, one kvmexit for each, on one guest's exits; and
# KVM's own count of that VM's exits
case_filters() {
	local pid tid0 tid1 name
	threads_only "$1" && return
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

# A vCPU that is switched off, and on again after 2 s; in one report and in intervals
case_off() {
	start kvmexit -j --time --probe "$1" || { unsupported kvmexit; return; }
	start kvmexit2 -j --time -i 0.5 --probe "$1"
	timeout 30 off 2000 >"$tmp/guest"
	stop kvmexit2
	stop kvmexit
	emit "text off" "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit kvmexit2 "$tmp/kvmexit2"
}

# Halts that signals interrupt, and one that the end of the process ends, against KVM's own
# account of them; in one report and in intervals
case_kicked() {
	start kvmexit -j --time --probe "$1" || { unsupported kvmexit; return; }
	start kvmexit2 -j --time -i 0.5 --probe "$1"
	trace_on
	echo 1 >"$trace/events/kvm/kvm_vcpu_wakeup/enable"
	timeout 30 kicked 700 1 1200 nmi >"$tmp/guest"
	timeout 30 kicked 300 3 600 kill >>"$tmp/guest"
	timeout 30 kicked 0 0 1500 kill >>"$tmp/guest"
	stop kvmexit2
	stop kvmexit
	echo 0 >"$trace/events/kvm/kvm_vcpu_wakeup/enable"
	trace_off
	awk '$3 == "wakeup" { ns[$1] += $4 } END { for (tid in ns) print tid, ns[tid] }' \
		"$tmp/events" >"$tmp/wakeups"
	emit "text kicked" "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
	emit kvmexit2 "$tmp/kvmexit2"
	emit "text wakeups" "$tmp/wakeups"
}

# kvmexit begins while a guest runs: the first interval is as long as it says, also with
# --explain, which reads every open file
case_begin() {
	local n=0 files="" many pid explain
	echo >"$tmp/file"
	while [ $((n += 1)) -le 500 ]; do files="$files $tmp/file"; done
	# shellcheck disable=SC2086 # words are wanted
	(ulimit -n 8192 && exec tail -f $files $files $files $files $files $files >/dev/null 2>&1) &
	many=$!
	command guest -v 2 $quick=99999999 >/dev/null &
	pid=$!
	sleep 1
	for explain in "" --explain; do
		# shellcheck disable=SC2086 # or no word
		kvmexit -j --time $explain --probe "$1" 1.5 >"$tmp/kvmexit$explain" \
			2>"$tmp/kvmexit.log" || { unsupported kvmexit; break; }
		emit "text kvmexit$explain" "$tmp/kvmexit$explain"
	done
	kill $pid $many
	wait $pid $many 2>/dev/null
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

# Which privileges are dropped once it counts; and it counts and reopens its file all the same
# shellcheck disable=SC2154 # pid_kvmexit is set by start
case_confined() {
	local i=0
	start kvmexit -j -i 0.2 --probe "$1" || { unsupported kvmexit; return; }
	until grep -q 'privileges dropped' "$tmp/kvmexit.log" || [ $((i += 1)) -gt 600 ]; do sleep 0.1; done
	echo "@text status"
	grep -E '^(Cap|NoNew|Seccomp:)' "/proc/$pid_kvmexit/status"
	sed -n 's/.*privileges dropped: /dropped: /p' "$tmp/kvmexit.log"
	guest -v 2 io=100 cpuid=150 hlt=120 >"$tmp/guest"
	mv "$tmp/kvmexit" "$tmp/kvmexit.1"
	kill -HUP "$pid_kvmexit"
	guest -v 2 io=100 cpuid=150 hlt=120 >>"$tmp/guest"
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit.1"
	cat "$tmp/kvmexit"
}

# The Intel host has this file only
# shellcheck source=tests/hosts/vms.sh
[ ! -e tests/hosts/vms.sh ] || . tests/hosts/vms.sh
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
