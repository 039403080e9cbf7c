#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# test_ship.sh: kvmexit's records on their way to who wants them: scripts/ship,
# the jq lines of the documentation, bash completion. The records come from an
# emulated host with named VMs, where this runs again as "test_ship.sh --host";
# rsyslogd follows from here while they are written, and sends them to another. Last
# line: "ship: N passed, N failed, N skipped". With KVMEXIT_SHIP=DIR, DIR keeps what was
# made.
set -uo pipefail
cd "$(dirname "$(realpath "$0")")/../.." || exit
ship=scripts/ship
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/ship.sh
. tests/lib/ship.sh

# records OPTION... FILE...: nothing, or what is wrong with them
records() { tests/lib/records.py "$@" 2>&1; }

# substitute FILE DIR: a configuration whose paths are below DIR, its server here
substitute() {
	sed -e "s|/var/log/kvmexit|$2/log|g" \
		-e "s|/run/lock/|$2/|g" -e "s|/usr/local/sbin/kvmexit|$PWD/kvmexit|g" \
		-e "s|logs.example.net|127.0.0.1|; s|6514|${port:-}|" "$1"
}

# ---- on the emulated host ----

counting() { grep -q 'in use' "$1"; }

# start NAME COMMAND...: in the background, counting when this returns; its PID
# is in $pid. COMMAND gets --verbose.
start() {
	local log=$scratch/$1.log
	shift
	: >"$log"
	"$@" --verbose 2>"$log" &
	pid=$!
	await 30 counting "$log" || { echo "failed: not counting: $*"; cat "$log"; exit 1; }
}

# NAME PID STATUS: ends it, and checks how it ended
stop() {
	local status=0
	kill -TERM "$2" 2>/dev/null
	wait "$2" || status=$?
	check "$1: exit status" $status "$3"
}

start_guests() {
	local name
	for name in web1 db,,1; do
		qemu-system-x86_64 -enable-kvm -cpu host -name "guest=$name,debug-threads=on" \
			-smp 2 -m 16 -nodefaults -display none >"$scratch/qemu.$name" 2>&1 &
		guests+=($!)
	done
	build/guest -v 2 -s 2000 io=100000 cpuid=100000 hlt=100000 >"$scratch/guest" 2>&1 &
	guests+=($!)
}

# systemctl as the postrotate script uses it: kvmexit.service is PID
stub_systemctl() {
	mkdir -p "$scratch/bin"
	cat >"$scratch/bin/systemctl" <<-END
		#!/bin/sh
		case "\$*" in
		"--quiet is-active kvmexit.service") ;;
		"reload kvmexit.service") kill -HUP $1 ;;
		*) echo "systemctl \$*: not expected" >&2; exit 1 ;;
		esac
	END
	chmod 755 "$scratch/bin/systemctl"
}

# Written, rotated, written on; the intervals are short, so that some end while the
# file is renamed
rotate_log() {
	stub_systemctl "$1"
	substitute $ship/logrotate-kvmexit "$scratch" >"$scratch/logrotate.conf"
	check "logrotate: messages" \
		"$(PATH=$scratch/bin:$PATH logrotate --force --state "$scratch/state" \
			"$scratch/logrotate.conf" 2>&1)" ""
}

# The command of the crontab line, twice at once
run_cron() {
	local command first status=0
	command=$(substitute $ship/cron.d-kvmexit "$scratch" | sed -n 's/^[*0-9].* root //p' |
		sed 's/ 10 / 3 /; s/-i 0-59/-i 0-0/')
	check "cron: one command" "$(grep -c . <<<"$command")" 1
	check "cron: nothing that cron would take for a newline" "${command//[^%]/}" ""
	# shellcheck disable=SC2016 # as it is in the file
	check "cron: a delay before it, not the same each time" "$command" 'sleep $(shuf *); flock *'
	PATH=$PWD:$PATH sh -c "$command" >"$scratch/cron1" 2>&1 &
	first=$!
	await 10 test -e "$scratch/kvmexit.lock"
	sleep 0.5
	PATH=$PWD:$PATH sh -c "$command" >"$scratch/cron2" 2>&1 || status=$?
	check "cron: a second run at once ends with" $status 75
	status=0
	wait "$first" || status=$?
	check "cron: the first ends with" $status 0
	check "cron: nothing to mail" "$(cat "$scratch"/cron[12])" ""
}

# A reader that takes three lines and goes
run_gone() {
	local got
	./kvmexit -j -i 0.05 2>"$scratch/gone.log" | head -n 3 >"$scratch/gone"
	got="${PIPESTATUS[*]} $(wc -l <"$scratch/gone") $(cat "$scratch/gone.log")"
	check "reader goes away: status of kvmexit, head; lines; messages" "$got" "0 0 3 "
}

# A FIFO that has no reader yet: SIGTERM ends the wait for one
run_unread() {
	local status=0
	mkfifo "$scratch/pipe3"
	timeout -k 30 1 ./kvmexit -j -o "$scratch/pipe3" || status=$?
	check "no reader yet: timeout's status" $status 124
}

# A systemd of its own, as in a container; $systemd is its PID. It sees no process
# of this host, so the VMs have no names here.
start_systemd() {
	local dir=/etc/systemd/system unit
	cp kvmexit /usr/local/sbin/
	printf '[Unit]\nDescription=Nothing but what is asked for\n' >$dir/nothing.target
	for unit in kvmexit.service kvmexit-snapshot.service; do
		sed 's/--interval 10/--interval 0.1/; s/--compact 10/--compact 1/; s/RestartSec=.*/RestartSec=0.2/' \
			$ship/$unit >$dir/$unit
		# Not all that starts at boot, nor a journal
		mkdir $dir/$unit.d
		printf '%s\n' '[Unit]' DefaultDependencies=no '[Service]' StandardOutput=null \
			StandardError=null >$dir/$unit.d/test.conf
	done
	install -D -m 644 $ship/logrotate-hourly.conf $dir/logrotate.timer.d/kvmexit.conf
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	unshare --fork --kill-child --pid --mount --cgroup --uts --mount-proc sh -c '
		mount -t tmpfs run /run
		exec env container=test /lib/systemd/systemd --unit=nothing.target' >/dev/null 2>&1 &
	unshare=$!
	await 20 pgrep -P $unshare >/dev/null && systemd=$(pgrep -P $unshare) &&
		await 60 systemctl_inside show -P Version >"$scratch/systemctl" 2>&1
}

systemctl_inside() {
	nsenter -t "$systemd" --pid --mount --root --wd=/ systemctl --no-pager "$@" 2>&1
}

unloaded() { rmmod kvm_amd kvm 2>/dev/null || [ ! -e /sys/module/kvm ]; }
restarted() { [ "$(systemctl_inside show -P NRestarts kvmexit)" -ge "$1" ]; }
# is_now PROPERTY VALUE
is_now() { [ "$(systemctl_inside show -P "$1" kvmexit)" = "$2" ]; }

# At boot kvmexit.service may be there before KVM is: that must not be the end
run_without_kvm() {
	kill "${guests[@]}" 2>/dev/null
	check "without guests KVM goes" "$(await 20 unloaded && echo yes)" yes
	check "kvmexit.service starts before KVM" "$(systemctl_inside start kvmexit)" ""
	check "kvmexit.service waits for KVM" "$(await 20 is_now SubState auto-restart && echo yes)" yes
	check "kvmexit.service: more starts than systemd's limit, 5 in 10 s" \
		"$(await 30 restarted 8 && echo yes)" yes
	check "kvmexit.service ends with 69 without KVM" \
		"$(await 20 is_now ExecMainStatus 69 && echo yes)" yes
	modprobe kvm_amd
	check "kvmexit.service runs once KVM is there" "$(await 20 is_now SubState running && echo yes)" yes
	check "kvmexit.service stops again" "$(systemctl_inside stop kvmexit)" ""
}

test_unit_metrics() {
	check "kvmexit.service: promtool check metrics" "$(promtool check metrics <"$1" 2>&1)" ""
	check "kvmexit.service: modes for node_exporter" "$(stat -c %a "${1%/*}" "$1" | xargs)" "755 644"
	check "kvmexit.service: metrics: whose" "$(grep ^kvmexit_build_info "$1")" \
		'kvmexit_build_info{*node="?*"} 1'
	check "kvmexit.service: metrics of exits" \
		"$(grep -c '^kvmexit_exits_total{pid="[0-9]*",vm=.*,isa="svm",reason=' "$1")" '[1-9]*'
}

# kvmexit.service and its snapshot under their own restrictions, but for shorter times
run_units() {
	local unshare systemd log=/var/log/kvmexit pid got
	if ! start_systemd; then
		check "systemd runs" "$(tail -n 1 "$scratch/systemctl")" "its version"
		kill -KILL "$unshare"
		return
	fi
	check "kvmexit.service starts" "$(systemctl_inside start kvmexit)" ""
	await 20 test -s $log/kvmexit.ndjson
	pid=$(pgrep -P "$systemd" -x kvmexit)
	got=$(awk '/^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):/ { print $2 }' "/proc/$pid/status" | xargs)
	# CAP_SETGID 6, CAP_SYS_ADMIN 21, CAP_PERFMON 38, CAP_BPF 39 are all that could
	# be had, none is
	check "kvmexit.service: capabilities, no_new_privs, seccomp" "$got" \
		"0000000000000000 0000000000000000 000000c000200040 1 2"
	mv $log/kvmexit.ndjson $log/kvmexit.ndjson.1
	check "kvmexit.service reloads" "$(systemctl_inside reload kvmexit)" ""
	await 20 test -s $log/kvmexit.ndjson
	test_unit_metrics "/proc/$systemd/root/run/kvmexit/kvmexit.prom"
	check "kvmexit-snapshot.service runs" "$(systemctl_inside start kvmexit-snapshot)" ""
	check "kvmexit.service stops" "$(systemctl_inside stop kvmexit)" ""
	check "kvmexit.service: its metrics go with it" \
		"$(ls "/proc/$systemd/root/run/kvmexit" 2>/dev/null)" ""
	got=$(systemctl_inside show -P Result -P ExecMainStatus kvmexit | xargs)
	check "kvmexit.service: result, exit status" "$got" "success 0"
	check "kvmexit.service: mode and group of directory, file" \
		"$(stat -c '%a %G' $log $log/kvmexit.ndjson | xargs)" "750 adm 640 adm"
	check "logrotate-hourly.conf: when logrotate.timer elapses" \
		"$(systemctl_inside show -P TimersCalendar logrotate.timer)" "{ OnCalendar=[*]-[*]-[*] [*]:00:00 ;*}"
	cp -r $log "$scratch/units"
	run_without_kvm
	kill -KILL "$unshare"
	wait "$unshare" 2>/dev/null
}

# Leaves what it made in $KVMEXIT_SHARE/host, to be looked at where there is time
host() {
	local stream rotated first second stalled stuck
	scratch=$(mktemp -d)
	mkdir "$scratch/log"
	guests=()
	start stream ./kvmexit -j -i 0.2 -o "$KVMEXIT_SHARE/log/kvmexit.ndjson" \
		--metrics "$KVMEXIT_SHARE/kvmexit.prom"
	stream=$pid
	start_guests
	start rotated ./kvmexit -j -i 0.02 -o "$scratch/log/kvmexit.ndjson"
	rotated=$pid
	# Two writers of one file, an interval being more than a page now and then
	start first ./kvmexit -j -i 0.05 -o "$scratch/two"
	first=$pid
	start second ./kvmexit -j -i 0.06 -o "$scratch/two"
	second=$pid
	# A pipe that nobody reads for a while: it fills, and what is counted
	# meanwhile must be in the interval after
	mkfifo "$scratch/pipe"
	{ await 120 test -e "$scratch/read"; cat; } <"$scratch/pipe" >"$scratch/stalled" &
	start stalled ./kvmexit -j -i 0.01 -o "$scratch/pipe"
	stalled=$pid
	# Another whose reader takes nothing at all: the end of the run must come
	mkfifo "$scratch/pipe2"
	{ await 120 test -e "$scratch/over"; cat; } <"$scratch/pipe2" >"$scratch/stuck" &
	start stuck ./kvmexit -j -i 0.01 -o "$scratch/pipe2"
	stuck=$pid
	run_unread
	rotate_log "$rotated"
	run_gone
	run_cron
	: >"$scratch/read"
	stop "stuck reader" "$stuck" 74
	: >"$scratch/over"
	stop "rotated file" "$rotated" 0
	stop "two writers, the first" "$first" 0
	stop "two writers, the second" "$second" 0
	stop "stalled reader" "$stalled" 0
	stop "stream" "$stream" 0
	# The last one is enough for the rest, and leaves it the processor
	kill "${guests[@]::2}"
	run_units
	kill "${guests[@]}" 2>/dev/null
	wait
	rm "$scratch"/pipe*
	cp -r "$scratch" "$KVMEXIT_SHARE/host"
	report host
}

if [ "${1:-}" = --host ]; then
	host
	exit
fi

# ---- here ----

# rsyslog_start NAME: the one that sends, or the server
rsyslog_start() {
	rsyslogd -n -f "$work/rsyslog-$1.conf" -i "$work/rsyslog-$1.pid" >>"$work/rsyslog-$1.out" 2>&1 &
	rsyslog[$1]=$!
}

rsyslog_stop() {
	kill "${rsyslog[$1]}" && wait "${rsyslog[$1]}"
	unset "rsyslog[$1]"
}

rsyslog_configure() {
	mkdir "$work/$1"
	{
		printf 'global(workDirectory="%s")\n' "$work/$1"
		substitute "$ship/rsyslog-$1.conf" "$work"
	} >"$work/rsyslog-$1.conf"
	check "rsyslogd takes rsyslog-$1.conf" \
		"$(rsyslogd -N1 -f "$work/rsyslog-$1.conf" 2>&1 | grep -iE 'error|warn')" ""
}

forwarded() {
	[ "$(cat "$work"/log-fleet/* 2>/dev/null | wc -l)" -ge "$1" ]
}

# The emulated host writes, rsyslogd follows, and starts again on the way; another
# is the server
test_rsyslog() {
	local host port status=0 line stream=$work/log/kvmexit.ndjson
	port=$(free_ports 1)
	rsyslog_configure kvmexit
	rsyslog_configure server
	KVMEXIT_SHARE=$work scripts/amd-host -q -c 2 -t 300 -- tests/system/test_ship.sh --host \
		>"$work/host.out" 2>&1 &
	host=$!
	rsyslog_start server
	rsyslog_start kvmexit
	if await 120 forwarded 50; then
		rsyslog_stop kvmexit
		sleep 2
		rsyslog_start kvmexit
	fi
	wait "$host" || status=$?
	line=$(grep -E '^host: [0-9]+ passed' "$work/host.out")
	grep -vE '^host: [0-9]+ passed' "$work/host.out"
	if [[ $line =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		[ "${BASH_REMATCH[2]}" != 0 ] || check "emulated host: exit status" "$status" 0
	else
		check "emulated host: its last line (exit status $status)" "$line" "host: N passed ..."
	fi
	check "stream: records" "$(records "$stream")" ""
	check "stream: the VMs" "$(jq -r 'select(.type == "exit").vm' "$stream" | sort -u | xargs)" \
		"db,1 guest web1"
	check "stream: promtool check metrics" \
		"$(promtool check metrics <"$work/kvmexit.prom" 2>&1)" ""
	check "stream: the metrics are the sums of the records" "$(diff \
		<(tests/lib/metrics.py sums "$stream") <(tests/lib/metrics.py file "$work/kvmexit.prom") 2>&1)" ""
	await 10 forwarded "$(wc -l <"$stream")"
	rsyslog_stop kvmexit
	rsyslog_stop server
	check "rsyslog: $(wc -l <"$stream") records are on the server as they were, in order" \
		"$(cmp "$stream" "$work/log-fleet/amd-host.ndjson" 2>&1)" ""
}

# rotate NAME MEGABYTES HOURS: whether the shipped configuration rotates a file of that
# size, which was rotated so long ago
rotate() {
	local file=$work/$1
	rm -f "$file" "$file".* "$work/rotate.state"
	truncate -s "$2M" "$file"
	printf 'logrotate state -- version 2\n"%s" %s\n' "$file" \
		"$(date -d "-$3 hours" +%Y-%-m-%-d-%-H:%-M:%-S)" >"$work/rotate.state"
	chmod 600 "$work/rotate.state"
	logrotate --state "$work/rotate.state" "$work/logrotate.conf" 2>&1
	[ ! -e "$file.1" ] || echo rotated
}

test_logrotate() {
	local systemctl='systemctl() { return 1; }'
	sed "s/^\tpostrotate/&\n\t\t$systemctl/; s|/usr/lib/rsyslog/rsyslog-rotate|:|" \
		$ship/logrotate-kvmexit >"$work/logrotate.in"
	substitute "$work/logrotate.in" "$work" >"$work/logrotate.conf"
	check "logrotate: after an hour" "$(rotate log/x.ndjson 1 2)" rotated
	check "logrotate: within it" "$(rotate log/x.ndjson 1 0)" ""
	check "logrotate: within it, of more than 100 MB" "$(rotate log/x.ndjson 101 0)" rotated
	check "logrotate: the server's after an hour" "$(rotate log-fleet/x.ndjson 1 2)" rotated
	check "logrotate: the server's within it, of more than 1 GB" \
		"$(rotate log-fleet/x.ndjson 1025 0)" rotated
}

test_host() {
	local log=$work/host/log/kvmexit.ndjson name
	check "rotated file: records of the old and the new" "$(records "$log.1" "$log")" ""
	check "rotated file: records in both" \
		"$(for name in "$log.1" "$log"; do [ -s "$name" ] && echo yes; done | xargs)" "yes yes"
	check "rotated file: mode" "$(stat -c %a "$log")" 640
	check "two writers: records" "$(records -w 2 "$work/host/two")" ""
	check "stalled reader: records" "$(records "$work/host/stalled")" ""
	# It did stall, or this shows nothing
	check "stalled reader: there is an interval of more than a second" "$(jq -n '
		any(inputs | select(.type == "interval"); .dur_ms > 1000)' "$work/host/stalled")" true
	check "stuck reader: records" "$(records -u "$work/host/stuck")" ""
	check "stuck reader: message" "$(sed -n 's/^kvmexit: writing .*: //p' "$work/host/stuck.log")" \
		"its reader takes nothing; the last interval is lost"
	log=$work/host/units/kvmexit.ndjson
	check "kvmexit.service: records" "$(records "$log.1" "$log")" ""
	check "kvmexit.service: it sees exits" "$(jq -n \
		'any(inputs; .type == "sum")' "$log.1")" true
	check "kvmexit-snapshot.service: records" "$(records "${log%/*}/snapshot.ndjson")" ""
	check "cron: records" "$(records "$work/host/log/snapshot.ndjson")" ""
	for name in rotated first second stalled; do
		check "$name: messages" "$(grep -vE 'probe .*: |privileges dropped' "$work/host/$name.log")" ""
	done
}

test_units() {
	local unit line score
	mkdir "$work/units"
	for unit in "$ship"/*.service "$ship"/*.timer; do
		substitute "$unit" "$work" >"$work/units/${unit##*/}"
	done
	check "systemd-analyze verify" "$(systemd-analyze verify --man=no "$work"/units/* 2>&1)" ""
	for unit in "$work"/units/*.service; do
		line=$(systemd-analyze security --offline=true --no-pager "$unit" 2>&1 | tail -n 1)
		score=$(sed -nE 's/.*: ([0-9.]+) .*/\1/p' <<<"$line")
		echo "${unit##*/}: exposure ${score:-unknown} of 10 (0 is best)"
		check "${unit##*/}: exposure at most 3" \
			"$(awk -v score="${score:-11}" 'BEGIN { print score <= 3 ? "yes" : score }')" yes
	done
}

# fluent-bit and vector are not in Debian: without them, what YAML can tell
test_shipper() {
	local name=$1 out status=0
	shift
	check "$name.yaml: structure" "$(tests/lib/shippers.py "$name" "$ship/$name.yaml" 2>&1)" ""
	if ! command -v "$name" >/dev/null; then
		skip "$name itself takes $name.yaml" "$name is not on the PATH, and not in Debian"
		return
	fi
	out=$("$name" "$@" 2>&1) || status=$?
	[ $status = 0 ] || echo "$out"
	check "$name takes $name.yaml: exit status" "$status" 0
}

# The lines of FILE's ```sh blocks (of a manual: the .B lines) that call jq
# shellcheck disable=SC2016 # these are Markdown's
jq_lines() {
	if [[ $1 == *.8 ]]; then
		sed -n 's/^\.B //p' "$1" | sed 's/\\-/-/g' | grep '| jq '
	else
		sed -n '/^```sh$/,/^```$/p' "$1" | grep -E '^[^#]*jq '
	fi
}

# Each must print something. One with "jq -e" is an alarm: it tells by its status,
# and must be silent on good records and ring on bad ones.
test_jq() {
	local file line command out status n=0
	sed 's/"lost":0/"lost":7/' "$work/log/kvmexit.ndjson" >"$work/lost.ndjson"
	for file in README.md "$ship/README.md" man/kvmexit.8; do
		while read -r line; do
			n=$((n + 1))
			command=$(sed -E 's/^(sudo )?kvmexit [^|]*\|/cat RECORDS |/
				s/[a-z0-9/_-]*\.ndjson/RECORDS/g' <<<"$line")
			status=0
			if [[ $command == *'jq -e'* ]]; then
				(cd "$work" && bash -o pipefail -c "${command//RECORDS/$work/log/kvmexit.ndjson}") \
					>"$work/jq.out" 2>&1 || status=$?
				check "$file: $line: exit status where all is well" "$status" 4
				command=${command//RECORDS/$work/lost.ndjson} status=0
			fi
			command=${command//RECORDS/$work/log/kvmexit.ndjson}
			# No pipefail: "| head" may leave early
			out=$(cd "$work" && bash -c "$command" 2>"$work/jq.err") || status=$?
			check "$file: $line: exit status" "$status" 0
			check "$file: $line: messages" "$(cat "$work/jq.err")" ""
			[[ $line == *'>'* ]] || check "$file: $line: prints something" "${out:+yes}" yes
		done < <(jq_lines "$file")
	done
	echo "$n lines with jq in README.md, $ship/README.md and man/kvmexit.8"
	check "jq lines found: at least 4" "$([ $n -ge 4 ] && echo yes || echo $n)" yes
}

# complete WORD...: what Tab would offer for the last one
complete_line() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_kvmexit
	echo "${COMPREPLY[*]}"
}

test_completion() {
	local all name
	# shellcheck source=scripts/kvmexit.bash-completion
	. scripts/kvmexit.bash-completion
	all=$(./kvmexit --help | grep -oE '^ +(-[a-zA-Z?], )?(--[a-z-]+)?(, --[a-z-]+)?' | grep -oE -- '-[-a-zA-Z]+' |
		sort -u | xargs)
	check "completion: the options of --help" \
		"$(complete_line kvmexit - | tr ' ' '\n' | sort -u | xargs)" "$all"
	check "completion: --pro" "$(complete_line kvmexit --pro)" --probe
	check "completion: --probe r" "$(complete_line kvmexit --probe r)" read
	check "completion: --probe=r" "$(complete_line kvmexit --probe = r)" read
	check "completion: -o READ" "$(complete_line kvmexit -o READ)" README.md
	check "completion: -r HL" "$(complete_line ./kvmexit -r HL)" HLT
	check "completion: -r HLT,CPU" "$(complete_line ./kvmexit -r HLT,CPU)" HLT,CPUID
	mkdir "$work/names"
	# A VM's name is data, whatever it says
	# shellcheck disable=SC2016 # for that script
	for name in web1 'web;x' db 'we b\"\\1' "w\$(touch\${IFS}$work/touched)"; do
		printf '{"type":"vm","comm":"x","vm":"%s","uuid":""}\n{"type":"vcpu","vm":"%s"}\n' \
			"$name" "$name" >>"$work/names/list"
	done
	printf '#!/bin/sh\n[ "$*" = "--vms -j" ] && cat %s\n' "$work/names/list" >"$work/names/kvmexit"
	chmod +x "$work/names/kvmexit"
	check "completion: -n web" "$(complete_line "$work/names/kvmexit" -n web)" 'web1 web\\;x'
	check "completion: -n w" "$(complete_line "$work/names/kvmexit" -n w | wc -w)" 5
	check "completion: -n we" "$(complete_line "$work/names/kvmexit" -n 'we ')" 'we\\ b\\"\\\\1'
	check "completion: no name was run" "$(ls "$work/touched" 2>/dev/null)" ""
	check "completion: -i 1" "$(complete_line kvmexit -i 1)" ""
	check "completion: it is registered" "$(complete -p kvmexit)" "complete -F _kvmexit kvmexit"
	make -s install DESTDIR="$work/root" PREFIX=/usr >/dev/null
	check "completion: installed" "$(cmp scripts/kvmexit.bash-completion \
		"$work/root/usr/share/bash-completion/completions/kvmexit" 2>&1)" ""
}

if ! scripts/install-deps build ship host || ! make -s all build/guest; then
	check "what the test needs is there" no yes
	report ship
	exit
fi
if [ -n "${KVMEXIT_SHIP:-}" ]; then
	work=$(realpath "$KVMEXIT_SHIP")
	mkdir -p "$work"
else
	work=$(mktemp -d)
fi
declare -A rsyslog=()
trap 'kill "${rsyslog[@]}" 2>/dev/null; [ -n "${KVMEXIT_SHIP:-}" ] || rm -rf "$work"' EXIT
mkdir -p "$work/log"
test_rsyslog
test_host
test_logrotate
test_units
test_shipper fluent-bit --dry-run -c "$ship/fluent-bit.yaml"
test_shipper vector validate --no-environment "$ship/vector.yaml"
test_jq
test_completion
report ship
