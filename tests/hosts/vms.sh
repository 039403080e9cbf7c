# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=dash disable=SC2154 # $tmp and others are scenario.sh's
#
# Cases of scenario.sh with many VMs and threads, at once and one after the other:
# whose exits they are, by what names. Sourced by it.

# Two processes of two VMs each; whose threads, that have no name and are not just
# in the guest, KVM alone can tell
case_vms() {
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	guest -p 2 -m 2 -v 2 -k io=50 cpuid=60 hlt=70 <"$tmp/go" >"$tmp/guest" &
	exec 8>"$tmp/go"
	until [ "$(grep -c '"run_calls"' "$tmp/guest")" = 8 ]; do sleep 0.1; done
	kvmexit --vms -j >"$tmp/vms"
	exec 8>&-
	wait $!
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

# Three slow guests: one under a CPU quota, one whose VMM handles HLT and naps, one that uses
# an emulated device. The kernel's own figures of the quota are read beside it.
case_causes() {
	local group=/sys/fs/cgroup/kvmexit-slow pids='' code
	grep -q ' cgroup2 ' /proc/mounts || mount -t cgroup2 none /sys/fs/cgroup
	echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p "$group" && echo "20000 100000" >"$group/cpu.max"
	guest -k cpuid=1000000000 <"$tmp/go" >/dev/null &
	pids="$pids $!"
	echo $! >"$group/cgroup.procs"
	guest -k -s 3000 hlt=1000000000 <"$tmp/go" >/dev/null &
	pids="$pids $!"
	guest -k mmio=1000000000 <"$tmp/go" >/dev/null &
	pids="$pids $!"
	exec 8>"$tmp/go"
	sleep $((2 * pace))
	cat "$group/cpu.stat" >"$tmp/stat"
	kvmexit --explain --time --detail --probe "$1" 10 >"$tmp/causes" 2>"$tmp/causes.log"
	code=$?
	cat "$group/cpu.stat" >>"$tmp/stat"
	exec 8>&-
	# shellcheck disable=SC2086 # words are wanted
	end $pids
	rmdir "$group"
	# shellcheck disable=SC2086 # words are wanted
	echo $pids >"$tmp/pids"
	[ $code = 0 ] || { unsupported causes; return; }
	emit "text pids" "$tmp/pids"
	emit "text stat" "$tmp/stat"
	emit "text causes" "$tmp/causes"
}

# Two real QEMU guests, one with thread names; by name, and listed without BPF
# shellcheck disable=SC2086 # words are wanted
case_names() {
	local vm vms='' i=0
	for vm in guest=web1,debug-threads=on db,,2; do
		$vmm -enable-kvm -cpu host -nodefaults -display none -m 64 -name "$vm" \
			>"$tmp/qemu.log" 2>&1 &
		vms="$vms $!"
	done
	for vm in $vms; do
		until ls -d "$debug/$vm"-* >/dev/null 2>&1 || [ $((i += 1)) -gt 600 ]; do sleep 0.1; done
	done
	sleep $((2 * pace))
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
