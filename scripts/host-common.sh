# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # variables come and go
#
# Shared by amd-host and intel-host: option values, scratch space, initrd.

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

# $work is removed at the end, and the emulator $emulator ended, however we end.
scratch() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/$me.XXXXXX")
	emulator=
	trap 'exec 2>/dev/null; [ -z "$emulator" ] || kill "$emulator"; wait; rm -rf "$work"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
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

# Build initrd OUT: busybox, /init from stdin, MODULE... listed in /modules in
# the order to load. The files in $extra go into /bin, $work/script into /.
make_initrd() {
	local kernel=$1 out=$2 root applet file name
	shift 2
	root=$work/initrd
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,lib}
	cp "$(command -v busybox)" "$root/bin/busybox"
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
