# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=dash disable=SC2154 # $tmp is scenario.sh's
#
# Cases of scenario.sh that change the host under kvmexit: its clock, modules,
# privileges. Sourced by it; they need the tools of a whole system.

# with UID CAPABILITIES COMMAND...: with just these, "+bpf,+perfmon"; "": none
with() {
	local uid="$1" caps="-all${2:+,}$2"
	shift 2
	if [ "$uid" = 0 ]; then
		setpriv --bounding-set="$caps" "$@"
	else
		setpriv --reuid "$uid" --clear-groups --bounding-set="$caps" --inh-caps="$caps" \
			--ambient-caps="$caps" "$@"
	fi
}

# What works with which capabilities; and that the least that does counts exactly
case_caps() {
	local uid caps probe code how pid i=0
	# Until 5.10 BPF's memory counts
	# shellcheck disable=SC3045 # busybox, dash and bash have it
	ulimit -l unlimited
	# For nobody too, who may not be let into the directory of the original
	chmod 755 "$tmp"
	cp "$(command -v kvmexit)" "$tmp/kvmexit.bin"
	echo "@text caps"
	for paranoid in 3 2; do
		echo $paranoid >/proc/sys/kernel/perf_event_paranoid
		for uid in 0 65534; do
			for caps in +bpf,+perfmon,+sys_admin +sys_admin +bpf,+perfmon \
				+bpf,+perfmon,+dac_read_search +bpf +perfmon ''; do
				for probe in auto direct read tracepoint; do
					with $uid "$caps" "$tmp/kvmexit.bin" --verbose --probe $probe -j 0.01 \
						>"$tmp/out" 2>"$tmp/log"
					code=$?
					how=$(sed -n 's/.*probe \(.*\): in use/\1/p' "$tmp/log" | tr -d ' ()')
					[ $code != 77 ] || how=$(tail -n 1 "$tmp/log" | grep -o 'give kvmexit [^:]*' |
						grep -o 'CAP_[A-Z_]*' | paste -sd+)
					echo "$paranoid $uid ${caps:-none} $probe $code ${how:--}"
				done
			done
		done
	done
	echo 3 >/proc/sys/kernel/perf_event_paranoid
	# shellcheck disable=SC2016 # for the inner shell
	with 65534 +bpf,+perfmon sh -c 'echo $$ && exec "$0" --verbose -j 2>&3' \
		"$tmp/kvmexit.bin" 3>"$tmp/kvmexit.log" >"$tmp/out" &
	until grep -q 'privileges dropped' "$tmp/kvmexit.log" || [ $((i += 1)) -gt 600 ]; do sleep 0.1; done
	pid=$(head -n 1 "$tmp/out")
	echo "@text status"
	grep -E '^(Cap|NoNew|Seccomp:)' "/proc/$pid/status"
	# shellcheck disable=SC2086 # words are wanted
	guest -v 2 -H $many >"$tmp/guest"
	kill "$pid"
	wait $!
	echo "@code $?"
	sed 1d "$tmp/out" >"$tmp/kvmexit"
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
}

# As the shipped unit on a host whose /proc hides processes, and without CAP_SETGID.
# The VM is another user's.
case_hidepid() {
	local more
	# As the unit has it
	# shellcheck disable=SC3045 # busybox, dash and bash have it
	ulimit -l unlimited
	chmod 755 "$tmp"
	chmod 666 /dev/kvm
	rm -f "$tmp/web1" # the case names has one that does not run
	cp "$program" "$tmp/web1"
	mount -o remount,hidepid=2,gid=4321 /proc
	for more in ,+setgid ''; do
		start_as "setpriv --regid=4 --clear-groups
			--bounding-set=-all,+bpf,+perfmon,+sys_admin$more" kvmexit -j --probe "$1" || break
		setpriv --reuid=65534 --clear-groups "$tmp/web1" -s 2000 "$quick=100" "$nap=200" >"$tmp/guest"
		stop kvmexit
		emit "text ${more:-none}" "$tmp/guest"
		cat "$tmp/kvmexit"
		grep hidepid "$tmp/kvmexit.log"
	done
	mount -o remount,hidepid=0 /proc
	[ -s "$tmp/kvmexit" ] || unsupported kvmexit
}

# The wall clock is set forward and back by an hour: intervals stay what they are
case_clock() {
	start kvmexit -j -i 0.5 --probe "$1" || { unsupported kvmexit; return; }
	guest -v 1 io=50 cpuid=60 hlt=70 >"$tmp/guest"
	sleep 1.2
	date -s "@$(($(date +%s) + 3600))" >/dev/null
	guest -v 1 io=50 cpuid=60 hlt=70 >>"$tmp/guest"
	sleep 1.2
	date -s "@$(($(date +%s) - 7200))" >/dev/null
	guest -v 1 io=50 cpuid=60 hlt=70 >>"$tmp/guest"
	sleep 1.2
	date -s "@$(($(date +%s) + 3600))" >/dev/null
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
}

# kvmexit does not run for a while, as on a suspended or overloaded host
case_missed() {
	start kvmexit -j -i 0.2 --probe "$1" || { unsupported kvmexit; return; }
	guest -v 2 cpuid=50 hlt=50 >"$tmp/guest"
	sleep 1
	kill -STOP "$pid_kvmexit"
	guest -v 2 cpuid=500 hlt=500 >>"$tmp/guest"
	sleep 2
	kill -CONT "$pid_kvmexit"
	guest -v 2 cpuid=50 hlt=50 >>"$tmp/guest"
	sleep 1
	stop kvmexit
	emit guest "$tmp/guest"
	emit kvmexit "$tmp/kvmexit"
}

# told NAME TEXT: waits until kvmexit has said that
told() {
	local i=0
	until grep -q "$2" "$tmp/$1.log" || [ $((i += 1)) -gt 300 ]; do sleep 0.1; done
}

# The disk is full while guests run, and has room again
case_full() {
	local output="$tmp/full/kvmexit"
	mkdir "$tmp/full"
	mount -t tmpfs -o size=16k tmpfs "$tmp/full"
	if start kvmexit -j -i 0.02 --probe "$1"; then
		guest -v 2 cpuid=50 hlt=50 >"$tmp/guest"
		told kvmexit 'No space left'
		guest -v 2 cpuid=500 hlt=500 >>"$tmp/guest"
		sleep 1
		mount -o remount,size=4m "$tmp/full"
		told kvmexit 'possible again'
		guest -v 2 cpuid=50 hlt=50 >>"$tmp/guest"
		stop kvmexit
		emit guest "$tmp/guest"
		emit kvmexit "$output"
	else
		unsupported kvmexit
	fi
	umount "$tmp/full"
	rmdir "$tmp/full"
}

# How often kvmexit has gone to sleep: it looks at the slots before, every 0.2 s at most
# shellcheck disable=SC2154 # start() sets it
looks() { sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$pid_kvmexit/status"; }

# Nobody reads while VMs come and go, more of their threads than there is room for
case_unread() {
	local i=0 reader before output="$tmp/fifo"
	mkfifo "$output"
	if start kvmexit -j -i 0.2 --max-vcpus 8 --probe "$1"; then
		: >"$tmp/guest"
		while [ $((i += 1)) -le 4 ]; do
			guest -v 6 -n thread%d -s 50000 io=20 cpuid=30 hlt=10 >>"$tmp/guest"
			before=$(looks)
			until [ $(($(looks) - before)) -ge 15 ]; do sleep 0.2; done
		done
		cat "$output" >"$tmp/kvmexit" &
		reader=$!
		sleep 1
		stop kvmexit
		wait $reader
		emit guest "$tmp/guest"
		emit kvmexit "$tmp/kvmexit"
	else
		unsupported kvmexit
	fi
	rm "$output"
}

# The same with standard output on a terminal, which has room for less than a report
case_unread_pty() {
	local i=0 before parent output=-
	if start_as "tests/hosts/on_pty.py $tmp/kvmexit $tmp/read" kvmexit -j -i 0.2 --max-vcpus 8 --probe "$1"; then
		parent=$pid_kvmexit
		read -r pid_kvmexit _ <"/proc/$parent/task/$parent/children"
		: >"$tmp/guest"
		while [ $((i += 1)) -le 14 ]; do
			guest -v 6 -n thread%d -s 50000 io=20 cpuid=30 hlt=10 >>"$tmp/guest"
			before=$(looks)
			until [ $(($(looks) - before)) -ge 15 ]; do sleep 0.2; done
		done
		pid_kvmexit=$parent
		: >"$tmp/read"
		sleep 1
		stop kvmexit
		emit guest "$tmp/guest"
		emit kvmexit "$tmp/kvmexit"
	else
		unsupported kvmexit
	fi
}

# The modules kvm and kvm_amd: absent, loaded later, unloaded and loaded again
case_modules() {
	echo "@text modules"
	start kvmexit -j --probe "$1" || { unsupported kvmexit; return; }
	guest -v 1 cpuid=20 hlt=10 >"$tmp/guest"
	sleep 0.3
	rmmod kvm_amd && echo "kvm_amd unloaded while counting"
	rmmod kvm 2>/dev/null || echo "kvm held while counting"
	modprobe kvm_amd && echo "kvm_amd loaded again"
	guest -v 1 cpuid=20 hlt=10 >>"$tmp/guest"
	stop kvmexit
	emit kvmexit "$tmp/kvmexit"
	emit guest "$tmp/guest"
	echo "@text modules"
	sleep 1
	rmmod kvm_amd && rmmod kvm && echo "both unloaded afterwards"
	kvmexit -j 0.1 >"$tmp/out" 2>"$tmp/log"
	echo "without kvm: $? $(wc -c <"$tmp/out") $(cat "$tmp/log")"
	modprobe kvm
	# Where only a vendor module shows the reason, what needs none is chosen
	start kvmexit2 -j
	echo "without kvm_amd: $(sed -n 's/.*probe \(.*\): in use/\1/p' "$tmp/kvmexit2.log")"
	modprobe kvm_amd
	guest -v 1 cpuid=20 hlt=10 >"$tmp/guest2"
	stop kvmexit2
	emit "text kvmexit2" "$tmp/kvmexit2"
	emit "text guest2" "$tmp/guest2"
}

# tell NAME COMMAND...: what kvmexit says where something is not to be had
tell() {
	echo "@text $1"
	shift
	"$@" --verbose -j 0.3 >"$tmp/out" 2>"$tmp/log"
	echo "$? $(sed -n 's/.*probe \(.*\): in use/\1/p' "$tmp/log" | tr -d ' ')"
	sed -n 's/.*"type":"interval".*"exits":\([0-9]*\),.*/\1/p' "$tmp/out"
	grep '^kvmexit:' "$tmp/log" | tail -n 1
}

# No BTF, no tracefs, /sys read-only, lockdown: the right probe or message. The
# last case of a host: lockdown cannot be taken back.
case_surroundings() {
	local guest
	guest -v 1 -s 1000 "$nap=1000000" >/dev/null &
	guest=$!
	mkdir -p "$tmp/empty"
	tell plain kvmexit
	mount --bind "$tmp/empty" /sys/kernel/btf
	tell no-btf kvmexit
	tell no-btf-read kvmexit --probe read
	tell no-btf-detail kvmexit --detail
	umount /sys/kernel/tracing
	umount /sys/kernel/debug/tracing 2>/dev/null
	umount /sys/kernel/debug
	tell no-btf-no-tracefs kvmexit
	umount /sys/kernel/btf
	tell no-tracefs kvmexit
	tell no-tracefs-tracepoint kvmexit --probe tracepoint
	mount -t tracefs -o ro tracefs /sys/kernel/tracing
	mount -o remount,ro,bind /sys
	tell read-only-sys kvmexit
	tell read-only-tracepoint kvmexit --probe tracepoint
	mount -o remount,rw,bind /sys
	mount -t securityfs security /sys/kernel/security
	echo integrity >/sys/kernel/security/lockdown
	tell integrity kvmexit
	echo confidentiality >/sys/kernel/security/lockdown
	tell confidentiality kvmexit
	tell confidentiality-read kvmexit --probe read
	kill $guest
	wait $guest 2>/dev/null
}

# VMs start and end for $KVMEXIT_SOAK seconds, the file is renamed every second
case_soak() {
	local n=0 end guests files
	start kvmexit -j -i 0.1 --probe "$1" || { unsupported kvmexit; return; }
	(
		end=$(($(cut -d. -f1 /proc/uptime) + ${KVMEXIT_SOAK:-60}))
		while [ "$(cut -d. -f1 /proc/uptime)" -lt $end ]; do
			guest -m 2 -v 2 cpuid=20 hlt=20 io=10
		done >"$tmp/guest"
		: >"$tmp/done"
	) &
	guests=$!
	echo "@text soak"
	until [ -e "$tmp/done" ]; do
		n=$((n + 1))
		mv "$tmp/kvmexit" "$tmp/kvmexit.$(printf %05d $n)" && kill -HUP "$pid_kvmexit"
		files=$(find "/proc/$pid_kvmexit/fd" -type l | wc -l)
		echo "$files $(awk '/^VmRSS/ { print $2 }' "/proc/$pid_kvmexit/status")"
		sleep 1
	done
	wait $guests
	sleep 0.5
	stop kvmexit
	emit guest "$tmp/guest"
	echo "@kvmexit"
	cat "$tmp"/kvmexit.0* "$tmp/kvmexit"
}

# cost PID: what a process has: KB of data, and ns it ran so far
cost() { echo "$(awk '/^VmData/ { print $2 }' "/proc/$1/status") $(cut -d' ' -f1 "/proc/$1/schedstat")"; }

# The intervals of the records that come, and of all rows: the sum of their counts, how many
# there are, and the sum of "other". In $tmp/so_far how many intervals and rows
# there were after each.
add_up() {
	awk -v so_far="$tmp/so_far" '/"type":"interval"/ {
			print
			print ++intervals, rows + 0 >>so_far
			close(so_far)
			next
		}
		match($0, /"count":[0-9]+/) {
			n = substr($0, RSTART + 8, RLENGTH - 8)
			sum += n
			rows++
			if (/"detail":"other"/)
				other += n
		}
		END { printf "sum %d %d %d\n", sum, rows, other }' "$1"
}

# A guest that makes new details for ever, by threads that come and go, until there were
# 60000 rows, and $KVMEXIT_SOAK seconds: what each report costs
case_enemy() {
	local enemy adding end output="$tmp/fifo"
	mkfifo "$output"
	echo "0 0" >"$tmp/so_far"
	add_up "$output" >"$tmp/added" &
	adding=$!
	if start kvmexit -j -i 1 --detail -g vm,reason,detail --probe "$1"; then
		end=$(($(cut -d. -f1 /proc/uptime) + ${KVMEXIT_SOAK:-0}))
		build/enemy 100000000 >"$tmp/guest" &
		enemy=$!
		echo "@text costs"
		while sleep 1 && echo "$(tail -n 1 "$tmp/so_far") $(cost "$pid_kvmexit")" | tee "$tmp/costs" &&
			kill -0 $enemy && { [ "$(cut -d. -f1 /proc/uptime)" -lt $end ] ||
			[ "$(cut -d' ' -f2 "$tmp/costs")" -lt 60000 ]; }; do :; done
		kill -TERM $enemy
		wait $enemy
		stop kvmexit
		wait $adding
		emit "text enemy" "$tmp/guest"
		emit "text added" "$tmp/added"
	else
		kill $adding
		unsupported kvmexit
	fi
	rm "$output"
}

# Such guests come and go where kvmexit cannot see who lives: what each of them costs
case_apart() {
	local end pid n=0 size=0
	start_as "unshare --pid --fork --mount-proc" kvmexit -j -i 1 --detail -g vm,reason,detail \
		--metrics "$tmp/metrics" --probe "$1" || { unsupported kvmexit; return; }
	read -r pid _ <"/proc/$pid_kvmexit/task/$pid_kvmexit/children"
	end=$(($(cut -d. -f1 /proc/uptime) + ${KVMEXIT_SOAK:-30}))
	echo "@text costs"
	while [ "$(cut -d. -f1 /proc/uptime)" -lt $end ]; do
		n=$((n + 1))
		build/enemy 200 1 >>"$tmp/guest"
		# There is no file before the first report
		[ ! -e "$tmp/metrics" ] || size=$(wc -c <"$tmp/metrics")
		echo "$n $(cost "$pid") $size"
	done
	stop kvmexit
	emit "text enemy" "$tmp/guest"
	echo "@text added"
	add_up "$tmp/kvmexit"
	rm -f "$tmp/guest" "$tmp/metrics"
}
