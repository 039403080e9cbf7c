#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Files that get in each other's way: one file given twice, two writers of one --metrics FILE,
# what a killed run or somebody else left beside it. Needs no VM: a recording is read.
# Usage: tests/cli/test_files.sh [KVMEXIT]
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/cli/harness.sh
. tests/cli/harness.sh
recording=$(realpath tests/golden/exits.ndjson)
metrics=$dir/files/metrics.prom
mkdir "$dir/files"
mkfifo "$dir/endless"

# A writer of --metrics FILE that waits for the end of its recording: returns once it has begun
begin_writer()
{
	exec 8<>"$dir/endless"
	kvmexit -f - --metrics "$1" <"$dir/endless" >/dev/null 2>"$dir/err" 8>&- &
	tool=$!
	wait_for "the lock on $1" test -e "$1.lock"
}

# end_writer SIGNAL
end_writer()
{
	exec 8>&-
	[ -z "$1" ] || kill "-$1" "$tool"
	wait "$tool" 2>/dev/null
	code=$?
	tool=''
}

# What is in the directory of the metrics
names()
{
	find "$dir/files" -mindepth 1 -printf '%f\n' | sort | paste -sd' '
}

test_second_writer()
{
	begin_writer "$metrics"
	run -f "$recording" --metrics "$metrics" -o "$dir/report"
	check 'second writer' "$code $(cat "$dir/err")" \
		"73 kvmexit: --metrics $metrics: another kvmexit writes this file (it has locked $metrics.lock)"
	check 'second writer: no report' "$(ls "$dir/report" 2>/dev/null)" ''
	run -f "$recording" --metrics "$dir/files/other.prom"
	check 'a writer of another file beside it: exit code' "$code" 0
	rm "$dir/files/other.prom"
	end_writer ''
	check 'first writer: files that it leaves' "$(names)" ''
	run -f "$recording" --metrics "$metrics"
	check 'the next writer: exit code' "$code" 0
	check 'the next writer: files' "$(names)" metrics.prom
}

# A killed run leaves no lock that matters, and no file that stays
test_killed()
{
	local stale=$metrics.new-0123456789abcdef

	begin_writer "$metrics"
	end_writer KILL
	echo half >"$stale"
	echo mine >"$metrics.new-0123"
	run -f "$recording" --metrics "$metrics"
	check 'after SIGKILL: exit code' "$code" 0
	check 'after SIGKILL: metrics' "$(tail -n 1 "$metrics")" '# EOF'
	check 'after SIGKILL: files' "$(names)" 'metrics.prom metrics.prom.new-0123'
	rm "$metrics.new-0123"
	# Another's file is left alone
	[ "$(id -u)" = 0 ] || { skip "another's file of such a name"; return; }
	install -o nobody /dev/null "$stale"
	run -f "$recording" --metrics "$metrics"
	check "another's file: stays" "$code $(names)" "0 metrics.prom ${stale##*/}"
	rm "$stale"
}

# A file that cannot be written leaves the old one, and nothing beside it
test_no_room()
{
	echo old >"$metrics"
	(ulimit -f 0; kvmexit -f "$recording" --metrics "$metrics" >/dev/null 2>&1)
	check 'no room: exit code' $? 74
	check 'no room: the old file' "$(cat "$metrics")" old
	check 'no room: files' "$(names)" metrics.prom
}

# What others put beside the file is not published, not followed and not waited for
test_planted()
{
	local name

	for name in "$metrics.new" "$metrics.new-planted"; do
		install -m 666 /dev/null "$name"
	done
	[ "$(id -u)" != 0 ] || chown nobody "$metrics.new"
	run -f "$recording" --metrics "$metrics"
	check 'planted: owner and mode' "$code $(stat -c '%u %a' "$metrics")" "0 $(id -u) 644"
	check 'planted: files' "$(names)" \
		'metrics.prom metrics.prom.new metrics.prom.new-planted'
	rm "$metrics".new*
	echo kept >"$dir/kept"
	ln -s "$dir/kept" "$metrics.lock"
	run -f "$recording" --metrics "$metrics"
	check 'a link as the lock' "$code $(cat "$dir/err")" \
		"73 kvmexit: opening $metrics.lock: Too many levels of symbolic links"
	check 'a link as the lock: its target' "$(cat "$dir/kept")" kept
	rm "$metrics.lock"
	mkfifo "$metrics.lock"
	run -f "$recording" --metrics "$metrics"
	check 'a FIFO as the lock' "$code $(names)" '0 metrics.prom'
}

replace_often()
{
	local _

	for _ in {1..100}; do
		kvmexit -f "$recording" --metrics "$metrics" >/dev/null 2>&1
	done
}

# Whoever reads while two try to write sees one whole file
test_readers()
{
	local lines reads=0 torn=0

	kvmexit -f "$recording" --metrics "$metrics" >/dev/null
	replace_often &
	replace_often &
	while [ -n "$(jobs -r)" ]; do
		for _ in {1..50}; do
			mapfile -t lines <"$metrics"
			reads=$((reads + 1))
			[ "${lines[-1]:-}" = '# EOF' ] || torn=$((torn + 1))
		done 2>/dev/null
	done
	wait
	check "readers: torn of $reads" "$torn" 0
	check 'readers: files' "$(names)" metrics.prom
}

# What is in each file; a link that leads nowhere has nothing
sums()
{
	find -L "$dir/files" -type f -exec md5sum {} + | sort
}

# refused MESSAGE OPTION...: status 64, and all files are as they were
refused()
{
	local message=$1 before

	shift
	before=$(sums)
	(cd "$dir/files" && timeout 20 kvmexit "$@" >"$dir/out" 2>"$dir/err" </dev/null)
	check "$*" "$? $(cat "$dir/err")" "64 kvmexit: $message"
	check "$*: files" "$(sums)" "$before"
}

# One file is given twice, by whatever name: nothing is written to any of them
test_one_file()
{
	local both='it cannot be read and written at once' stale=m.new-0123456789abcdef
	local ways='it cannot be appended to and replaced at once'

	cp "$recording" "$dir/files/r"
	ln "$dir/files/r" "$dir/files/hard"
	ln -s r "$dir/files/soft"
	ln -s m "$dir/files/dangling"
	touch "$dir/files/"{m.lock,"$stale"}
	refused "-f r and -o r are the same file: $both" -f r -o r
	refused "-f r and --metrics r are the same file: $both" -f r --metrics r
	refused "-f r and --metrics $dir/files/r are the same file: $both" -f r --metrics "$dir/files/r"
	refused "-f hard and -o ./r are the same file: $both" -f hard -o ./r
	refused "-f soft and --metrics r are the same file: $both" -f soft --metrics r
	refused "--devices r and --metrics r are the same file: $both" \
		-f "$recording" -p 1 --devices r -o other --metrics r
	refused "-o r and --metrics hard are the same file: $ways" -j -o r --metrics hard 1
	refused "-o m and --metrics ./m are the same file: $ways" -f r -o m --metrics ./m
	refused "-o dangling and --metrics m are the same file: $ways" -f r -o dangling --metrics m
	refused "-o ../files/m and --metrics m are the same file: $ways" \
		-f r -o ../files/m --metrics m
	refused "-f m.lock: --metrics m needs a file of this name for itself" -f m.lock --metrics m
	refused "-o m.lock: --metrics m needs a file of this name for itself" \
		-f r -o m.lock --metrics m
	refused "-f $stale: --metrics m needs a file of this name for itself" -f "$stale" --metrics m
	rm "$dir/files/"*
}

# The same with what the shell has opened
# shellcheck disable=SC2094 # this is what is tested
test_standard_files()
{
	local both='it cannot be read and written at once' before

	cp "$recording" "$dir/files/r"
	before=$(md5sum <"$dir/files/r")
	kvmexit -f - -o "$dir/files/r" <"$dir/files/r" 2>"$dir/err"
	check '-f - <r -o r' "$? $(cat "$dir/err")" \
		"64 kvmexit: standard input and -o $dir/files/r are the same file: $both"
	kvmexit -f "$dir/files/r" >>"$dir/files/r" 2>"$dir/err"
	check '-f r >>r' "$? $(cat "$dir/err")" \
		"64 kvmexit: -f $dir/files/r and standard output are the same file: $both"
	kvmexit -f "$recording" --metrics "$dir/files/r" >>"$dir/files/r" 2>"$dir/err"
	check '--metrics r >>r' "$? $(cat "$dir/err")" "64 kvmexit: standard output and --metrics *"
	kvmexit -f "$recording" --metrics "$metrics" >"$metrics.lock" 2>"$dir/err"
	check '--metrics m >m.lock' "$? $(cat "$dir/err")" \
		"64 kvmexit: standard output: --metrics $metrics needs a file of this name for itself"
	check 'the files' "$(md5sum <"$dir/files/r")" "$before"
	rm "$dir/files/"*
	# These are no files, and appending to one by several names loses nothing
	kvmexit -f - -o /dev/null </dev/null >/dev/null 2>&1
	check '-f - and -o on a device' $? 69
	kvmexit -f "$recording" >"$dir/files/all" 2>&1
	check 'standard output and error in one file' $? 0
	rm "$dir/files/all"
}

# In a directory that everybody may write to, -o neither follows nor writes to what another
# user has put there, whether or not the kernel sees to this (fs.protected_*)
test_planted_output()
{
	local open=$dir/open message name

	message="$open/%s: Permission denied; another user has put it into a directory that everybody may write to"
	[ "$(id -u)" = 0 ] || { skip "another user's files"; return; }
	install -d -m 1777 "$open"
	echo kept >"$dir/kept"
	ln -s "$dir/kept" "$open/link"
	install -m 666 /dev/null "$open/file"
	mkfifo -m 666 "$open/fifo"
	chown -h nobody "$open"/*
	for name in link file fifo; do
		run -f "$recording" -j -o "$open/$name"
		# shellcheck disable=SC2059 # the message is the format
		check "planted $name" "$code $(cat "$dir/err")" \
			"73 kvmexit: opening $(printf "$message" $name)"
	done
	check 'planted link: its target' "$(cat "$dir/kept")" kept
	check 'planted file' "$(cat "$open/file")" ''
	# One's own, new ones, and another's where not everybody may write
	chown -h root "$open/link" "$open/file"
	for name in link file new; do
		run -f "$recording" -j -o "$open/$name"
		check "own $name" "$code $(tail -n 1 "$open/$name" | cut -c 1-6)" '0 {"v":1'
	done
	chown nobody "$open/file"
	chmod 755 "$open"
	run -f "$recording" -j -o "$open/file"
	check "another's, where not everybody may write" "$code" 0
}

test_one_file
test_standard_files
test_planted_output
test_second_writer
test_killed
test_no_room
test_planted
test_readers
report files
