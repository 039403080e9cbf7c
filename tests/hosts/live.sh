#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# On an emulated host, for live.py: VMs at work, and kvmexit on the terminal there is.
# What is to begin or to end is told by files in $KVMEXIT_SHARE, results go there too.
# With $KVMEXIT_DEB kvmexit is that package's, which is installed, tested and purged.
set -u
cd "$(dirname "$0")/../.." || exit
share=$KVMEXIT_SHARE
trigger=/sys/kernel/tracing/events/kvm/kvm_exit/trigger

until_there() {
	until [ -e "$share/$1" ]; do sleep 0.1; done
}

# vm NAME OPTION... KIND... &
vm() {
	name=$1
	shift
	ln -s "$PWD/build/guest" "/tmp/$name"
	exec "/tmp/$name" -k "$@"
}

vms() {
	until_there begin
	on=1000000000
	vm web1 -v 2 -H -s 500 ports=$on msrs=$on cpuid=$on hlt=$on &
	web=$!
	vm idle1 -s 50000 idle=$on &
	idle=$!
	until_there known
	vm known -v 2 -H cpuid=1000 io=500 hlt=300 rdmsr=200 wrmsr=100 hypercall=50 >"$share/guest" &
	known=$!
	until_there end
	kill $web $idle $known
	wait $web $idle $known
	cp "${trigger%/trigger}/hist" "$share/hist"
	touch "$share/ended"
}

# What debian/tests/control has to be run
run_tests() {
	sh -c "$(sed -n 's/^Test-Command: //p' debian/tests/control)" && debian/tests/self-test
}

# What of the package is there
left() {
	while read -r path; do
		[ -d "$path" ] || [ ! -e "$path" ] || echo "$path"
	done <"$share/files"
	find /etc/systemd /var/lib/systemd /var/log -name '*kvmexit*'
}

program=./kvmexit
if [ -n "${KVMEXIT_DEB:-}" ]; then
	program=kvmexit
	rm -f /var/lib/man-db/auto-update # which takes minutes here
	dpkg -i "$KVMEXIT_DEB"
	dpkg -L kvmexit >"$share/files"
fi
echo 'hist:keys=common_pid,exit_reason:size=2048' >$trigger
vms 2>"$share/log" &
stty -a >"$share/settings"
"$program" -i 1 --time
echo $? >"$share/status"
stty -a >"$share/settings-after"
if [ -n "${KVMEXIT_DEB:-}" ]; then
	run_tests >"$share/tests" 2>&1
	echo "exit status $?" >>"$share/tests"
	left >"$share/installed"
	dpkg --purge kvmexit
	left >"$share/left"
fi
exit 7
