# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # variables come and go
#
# Shared by amd-host, arm64-host and intel-host: option values, scratch space, initrd;
# by the first two: how a command comes into a host and its output out of it.

me=${0##*/}
here=$(dirname "$(realpath "$0")")

say() { [ -n "${quiet-}" ] || echo "$me: $*" >&2; }
die() { echo "$me: $*" >&2; exit 125; }
usage() { printf 'usage: %s %s\n' "$me" "$synopsis" >&2; exit 64; }

number() {
	[[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || { echo "$me: -$1 needs a number, not '$2'" >&2; exit 64; }
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || die "$tool is not installed"
	done
}

# $work is removed at the end, the emulator $emulator ended and the terminal as before,
# however we end.
scratch() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/$me.XXXXXX")
	emulator='' keys='' screen='' before=''
	trap 'exec 2>/dev/null; disconnect; kill $emulator $screen || true; wait; rm -rf "$work"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# -T: the terminal that COMMAND is to have is the one we have
terminal() {
	if [ ! -t 0 ] || [ ! -t 1 ] || ! { : </dev/tty; } 2>/dev/null; then
		echo "$me: -T needs a terminal as standard input and output" >&2
		exit 64
	fi
	terminal=yes
}

# The files of modules NAME... and all they depend on, in the order to load.
modules_of() {
	local kernel=$1
	shift
	awk -v names="$*" '
		{ file = substr($1, 1, length($1) - 1); name = file
		  sub(/.*\//, "", name); sub(/\.ko.*/, "", name); gsub("-", "_", name)
		  needs[name] = file; for (i = 2; i <= NF; i++) needs[name] = $i " " needs[name] }
		END {
			n = split(names, list, " ")
			for (i = 1; i <= n; i++) {
				gsub("-", "_", list[i]); m = split(needs[list[i]], files, " ")
				for (j = 1; j <= m; j++) if (!seen[files[j]]++) print files[j]
			}
		}' "$kernel/modules/modules.dep"
}

# Build initrd OUT: busybox (of the kernel's directory, where that has one), /init
# from stdin, MODULE... listed in /modules in the order to load. The files in
# $extra go into /bin, $work/script into /.
make_initrd() {
	local kernel=$1 out=$2 root applet file name
	shift 2
	root=$work/initrd
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,lib}
	file=$kernel/busybox
	[ -e "$file" ] || file=$(command -v busybox)
	cp "$file" "$root/bin/busybox"
	for applet in $(busybox --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
	done
	cat >"$root/init"
	chmod 755 "$root/init"
	for file in $(modules_of "$kernel" "$@"); do
		name=$(basename "${file%.ko*}").ko
		case $file in
		*.xz)	xz -dc "$kernel/modules/$file" ;;
		*.zst)	zstd -dcq "$kernel/modules/$file" ;;
		*)	cat "$kernel/modules/$file" ;;
		esac >"$root/lib/$name"
		echo "$name" >>"$root/modules"
	done
	for file in ${extra[@]+"${extra[@]}"}; do
		install -m 755 "$file" "$root/bin/"
	done
	[ ! -e "$work/script" ] || cp "$work/script" "$root/script"
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"${out%/*}/.${out##*/}.$$"
	mv "${out%/*}/.${out##*/}.$$" "$out"
}

# Words as any shell takes them; %q of bash has newlines in a way of its own
quote() {
	local word
	for word; do printf "'%s' " "${word//\'/\'\\\'\'}"; done
}

# The two sides talk through files in $work/job: a file over 9p is written when
# write() returns, nothing is lost at power-off, and nothing can mix in. The
# host runs /run/job/job by sh.
make_job() {
	local name
	mkdir "$work/job"
	share=$(realpath -m "${KVMEXIT_SHARE:-$work/share}")
	mkdir -p "$share"
	export KVMEXIT_SHARE=$share
	printf %s "$share" >"$work/job/share"
	: >"$work/job/output"
	{
		for name in PATH HOME TERM "${!KVMEXIT_@}"; do
			printf 'export %s=%s\n' "$name" "$(quote "${!name-}")"
		done
		printf 'mkdir -p /lib/modules; ln -sfn %s /lib/modules/%s\n' "$(quote "$kernel/modules")" \
			"$(cat "$kernel/release")"
		printf 'cd %s\n' "$(quote "$PWD")"
		printf 'run() ( exec %s%s )\n' "${terminal:+setsid -c }" "$(quote "$@")"
		if [ -n "$terminal" ]; then
			cat <<'END'
input=/dev/hvc0 output=/dev/hvc0
# It forgets its size when nobody has it open
exec 4<>$input
size() { read -r rows columns </run/job/size && stty rows "$rows" cols "$columns" <&4; }
size
while sleep 1; do size; done &
END
		else
			echo 'input=/dev/null output=/run/output'
		fi
		cat <<'END'
mkfifo /run/output
cat </run/output >>/run/job/output &
reader=$!
exec 3>/run/output
: >/run/job/started
(run) <$input >$output 2>&1 3>&- 4>&-
status=$?
exec 3>&-
# What the command left running may hold the pipe: do not wait for ever.
i=0
while [ $((i += 1)) -le 20 ] && kill -0 $reader 2>/dev/null; do
	sleep 0.1
done
echo $status >/run/job/status
END
	} >"$work/job/job"
}

# The size of our window, for the job to see; a file is there with all that is in it
tell_size() {
	resized=yes
	stty size </dev/tty >"$work/job/new-size"
	mv "$work/job/new-size" "$work/job/size"
}

# The two directions of the terminal through pipes, as QEMU drops what a terminal does
# not take at once. Keys are ours (Ctrl-C ends us) until COMMAND starts.
connect() {
	mkfifo "$work"/terminal.{in,out}
	qemu+=(-device virtio-serial-pci -device "virtconsole,chardev=terminal"
		-chardev "pipe,id=terminal,path=${work//,/,,}/terminal")
	tell_size
	trap tell_size WINCH
	before=$(stty -g </dev/tty)
	cat "$work/terminal.out" &
	screen=$!
	(
		until [ -e "$work/job/started" ]; do sleep 0.1; done
		stty raw -echo </dev/tty
		exec cat </dev/tty >"$work/terminal.in"
	) &
	keys=$!
}

# Once what was written is on the screen
disconnect() {
	[ -n "$before" ] || return 0
	kill "$keys" 2>/dev/null || true
	wait "$keys" 2>/dev/null || true
	[ -n "$emulator" ] || [ ! -e "$work/job/started" ] || wait "$screen"
	stty "$before" </dev/tty || true
	before=''
}

# Boots COMMAND (QEMU and its options) with the job's shares: does not return
run_job() {
	local qemu=("$@") began=$SECONDS tag path more tail rc resized=yes
	for tag in host:/:,readonly=on "job:$work/job:" "share:$share:"; do
		IFS=: read -r tag path more <<<"$tag"
		qemu+=(-virtfs "local,mount_tag=$tag,path=${path//,/,,},security_model=none,multidevs=remap$more")
	done
	[ -z "$terminal" ] || connect
	timeout -k 5 "$limit" "${qemu[@]}" </dev/null >"$work/qemu" 2>&1 &
	emulator=$!
	tail -c +1 -s 0.1 -f --pid="$emulator" "$work/job/output" &
	tail=$!
	while [ -n "$resized" ]; do
		rc=0 resized=''
		wait "$emulator" || rc=$?
	done
	emulator=''
	wait "$tail" || true
	disconnect

	if [ -e "$work/job/status" ]; then
		say "done after $((SECONDS - began)) s"
		exit "$(cat "$work/job/status")"
	fi
	if [ ! -e "$work/job/started" ] || [ $rc != 124 ]; then
		grep -v 'TCG doesn.t support' "$work/qemu" >&2 || true
		tail -n 60 "$work/console" >&2 || true
	fi
	[ $rc != 124 ] || { echo "$me: stopped: not done after $limit s" >&2; exit 124; }
	die "the host died (console above)"
}
