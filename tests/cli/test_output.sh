#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What is written where, and what stands in the way: files, FIFOs, closed pipes, full
# disks, metrics; and what is read back. Usage: tests/cli/test_output.sh [KVMEXIT]
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/cli/harness.sh
. tests/cli/harness.sh

# What cannot be written is an error, also of what is written last
test_full()
{
	local option

	for option in --list-reasons '--list-reasons -j' --help --usage --version; do
		# shellcheck disable=SC2086 # two words
		kvmexit $option >/dev/full 2>"$dir/err"
		check "$option >/dev/full: exit code" $? 74
		check "$option >/dev/full" "$(cat "$dir/err")" \
			'kvmexit: writing standard output: No space left on device'
	done
	$live || { skip 'reports into /dev/full'; return; }
	for option in 0.05 '-j 0.05' '-i 0.05' '-j -i 0.05 -c 5'; do
		# shellcheck disable=SC2086
		timeout 20 kvmexit $option >/dev/full 2>"$dir/err"
		check "$option >/dev/full: exit code" $? 74
		check "$option >/dev/full" "$(cat "$dir/err")" \
			'kvmexit: writing standard output: No space left on device'
	done
	kvmexit 0.05 >&- 2>"$dir/err"
	check 'closed standard output: exit code' $? 74
	check 'closed standard output' "$(cat "$dir/err")" 'kvmexit: writing standard output: *'
	run -j -o /dev/full 0.05
	check '-o /dev/full: exit code' "$code" 74
	check '-o /dev/full' "$(cat "$dir/err")" \
		'kvmexit: writing /dev/full: No space left on device'
	# With -c it waits for room as long as all reports were to take
	run -i 0.2 -c 3 -o /dev/full
	check '-c 3 -o /dev/full: exit code' "$code" 74
	check_that '-c 3 -o /dev/full: tried for as long' [ "$elapsed" -ge 600 ]
}

# A reader that has gone ends the run quietly
test_closed_pipe()
{
	local option

	for option in --list-reasons '--list-reasons -j' '-i 0.05' '-j -i 0.05' 0.05; do
		if [[ $option != --list* ]] && ! $live; then
			skip "$option into a closed pipe"
			continue
		fi
		# shellcheck disable=SC2086
		{
			sleep 0.1 # : has ended by then
			timeout 20 kvmexit $option 2>"$dir/err"
			echo $? >"$dir/code"
		} | :
		check "$option into a closed pipe: exit code" "$(cat "$dir/code")" 0
		check "$option into a closed pipe" "$(cat "$dir/err")" ''
	done
}

test_output_file()
{
	local file=$dir/report

	run -j -o "$file" 0.05
	check '-o: exit code' "$code" 0
	check '-o: standard output' "$(cat "$dir/out")" ''
	check '-o: standard error' "$(cat "$dir/err")" ''
	check '-o: records' "$(values type "$file")" '"run" "interval"'
	run -j -o - 0.05
	check '-o -: standard output' "$code $(values type "$dir/out")" '0 "run" "interval"'
	check '-o: mode' "$(stat -c %a "$file")" 640
	# Appended, without an empty line between
	run -j -o "$file" 0.05
	check '-o twice: records' "$(values type "$file")" '"run" "interval" "run" "interval"'
	# A line that somebody did not finish stays a line of its own
	printf '{"v":1,"ty' >"$file"
	run -j -o "$file" 0.05
	check 'torn line: exit code' "$code" 0
	check 'torn line: first line' "$(first_line "$file")" '{"v":1,"ty'
	check 'torn line: second line' "$(sed -n 2p "$file")" '{"v":1,"type":"run",*}'
	check 'torn line: lines' "$(count_lines "$file")" 3
}

# Whether so many tell of the file of metrics
messages()
{
	[ "$(grep -c 'metrics: ' "$dir/err")" -ge "$1" ]
}

# Replaced as a whole; together with records, and whatever is in the way is told
test_metrics_file()
{
	local file=$dir/metrics.prom

	mkdir -p "$dir/other"
	run --metrics "$file" -j -i 0.05 -c 3
	check '--metrics: exit code' "$code" 0
	check '--metrics: standard error' "$(cat "$dir/err")" ''
	check '--metrics: records too' "$(grep -c '"type":"interval"' "$dir/out")" 3
	check '--metrics: last line' "$(tail -n 1 "$file")" '# EOF'
	check '--metrics: mode' "$(stat -c %a "$file")" 644
	check '--metrics: nothing beside it' "$(ls "$file".* 2>/dev/null)" ''
	echo stale >"$file"
	start --metrics "$file" -i 60
	check '--metrics: as it was until the first report' "$(cat "$file")" stale
	kill -TERM "$tool"
	finish
	check '--metrics: replaced' "$(tail -n 1 "$file")" '# EOF'
	check '--metrics: a table too' "$(sed -n 2p "$dir/out")" 'PID *'
	run --metrics "$dir/none/metrics" 0.05
	check '--metrics: no directory' "$code $(cat "$dir/err")" \
		"73 kvmexit: opening $dir/none/metrics.lock: No such file or directory"
	run --metrics /dev/null 0.05
	check '--metrics: a device' "$code $(cat "$dir/err")" \
		"73 kvmexit: --metrics /dev/null: not a file that could be replaced"
	chown nobody "$dir/other"
	run --metrics "$dir/other/metrics" 0.05
	check "--metrics: another's directory" "$code $(cat "$dir/err")" \
		"73 kvmexit: opening $dir/other/metrics.lock: Permission denied; *may write to"
	chown root "$dir/other"
	# Gone for a while: told once, and the next report has it all
	start --metrics "$dir/other/metrics" -i 0.05 -o "$dir/records"
	mv "$dir/other" "$dir/moved"
	wait_for 'a message' grep -q metrics "$dir/err"
	mv "$dir/moved" "$dir/other"
	wait_for 'another message' grep -q 'possible again' "$dir/err"
	mv "$dir/other" "$dir/moved"
	wait_for 'a third message' messages 3
	kill -TERM "$tool"
	finish
	check '--metrics: exit code, where the last failed' "$code" 74
	check '--metrics: messages' "$(sed 's/.*metrics: //' "$dir/err" | paste -sd,)" \
		'No such file or directory,possible again,No such file or directory,No such file or directory'
	mv "$dir/moved" "$dir/other"
	rm -r "$dir/other" "$dir/records"
}

# What was recorded, with every view, by who may do nothing else
test_from()
{
	local file=$dir/records

	run -j -i 0.05 -c 3 -o "$file"
	run -f "$file" -j
	check '-f -j: exit code' "$code" 0
	check '-f -j: messages' "$(cat "$dir/err")" ''
	check '-f -j: the same records' "$(cmp "$dir/out" "$file")" ''
	run -f "$file"
	check '-f: a table for each interval' "$(grep -c '^PID ' "$dir/out")" 3
	check '-f: time lines' "$(grep -c '^20.*([0-9.]* s)  VMs 0 ' "$dir/out")" 3
	setpriv --reuid nobody --clear-groups kvmexit -f - <"$file" 2>&1 | cmp - "$dir/out"
	check '-f -: the same for nobody' "${PIPESTATUS[0]} ${PIPESTATUS[1]}" '0 0'
	run -f "$file" --metrics "$dir/metrics.prom" -o /dev/null
	check '-f --metrics' "$code $(tail -n 1 "$dir/metrics.prom")" '0 # EOF'
	run -f "$file" -j -o "$file"
	check '-f FILE -o FILE' "$code $(cat "$dir/err")" \
		"64 kvmexit: -f $file and -o $file are the same file: it cannot be read and written at once"
	run -f "$file" -n nobody
	check '-f -n: what it has no exits of' "$code $(cat "$dir/err")" \
		"69 kvmexit: reading $file: it has no exits of what -p, -n, -v, -t or -T names"
	# Without its second interval, with half a line at the end
	{ sed '/"seq":1,/d' "$file"; printf '{"v":1,"ty'; } >"$dir/torn"
	run -f "$dir/torn"
	check '-f, torn: exit code' "$code" 0
	check '-f, torn: messages' "$(cat "$dir/err")" "kvmexit: reading $dir/torn: passed over 1 line (torn*
kvmexit: reading $dir/torn: 1 interval missing, by gaps in seq"
	check '-f, torn: tables' "$(grep -c '^PID ' "$dir/out")" 2
	# Sums tell less apart
	sed '/"interval"/!d; s/"interval"/"sum"/; s/"records".*"version"/"pid":1,"vm":"x","count":5,"version"/' \
		"$file" >"$dir/sums"
	sed 's/"records":0,"exits":0/"records":1,"exits":5/; /"interval"/!d' "$file" >>"$dir/sums"
	sort -s -t: -k 4.1,4.30 -k 5n "$dir/sums" >"$dir/sorted"
	run -f "$dir/sorted" -g vcpu
	check '-f, sums: exit code' "$code" 69
	check '-f, sums: message' "$(cat "$dir/err")" \
		"kvmexit: reading $dir/sorted: its records are sums, which tell apart only: vm "
	rm "$file" "$dir/torn" "$dir/sums" "$dir/sorted"
}

# As SIGHUP could not open it again, it is not opened at all: another's directory
test_output_rights()
{
	mkdir "$dir/other"
	chown nobody "$dir/other"
	run -j -o "$dir/other/report" 0.05
	check "another's directory: exit code" "$code" 73
	check "another's directory: message" "$(cat "$dir/err")" \
		"kvmexit: opening $dir/other/report: Permission denied; *without capabilities*>>FILE"
	check "another's directory: files" "$(ls "$dir/other")" ''
	# A file that it may write there, and one that the shell has opened
	install -m 640 /dev/null "$dir/other/report"
	run -j -o "$dir/other/report" 0.05
	check "own file in another's directory: exit code" "$code" 0
	kvmexit -j 0.05 >>"$dir/other/report" 2>"$dir/err"
	check "another's directory, by the shell: exit code" $? 0
	check "another's directory: records" "$(values type "$dir/other/report")" \
		'"run" "interval" "run" "interval"'
}

# Nothing waits for a FIFO's reader but the reports; it may go and come again
test_fifo()
{
	local fifo=$dir/fifo line

	mkfifo "$fifo"
	start -j -i 0.1 -o "$fifo"
	sleep 0.5
	exec 8<"$fifo"
	for _ in 1 2 3 4; do read -r line <&8 && echo "$line"; done >"$dir/read"
	exec 8<&-
	sleep 0.5
	cat "$fifo" >>"$dir/read" &
	wait_for "reports to the second reader" more_lines "$dir/read" 5
	sleep 0.3
	kill -TERM "$tool"
	finish
	wait $!
	check 'FIFO: exit code' "$code" 0
	check 'FIFO: messages' "$(cat "$dir/err")" ''
	check_seq "$dir/read" "$(seqs "$dir/read" | wc -w)"
	# The second reader is told whose it is, when nothing of before is under way
	check 'FIFO: runs told' "$(grep -c '"type":"run"' "$dir/read")" 2
	check 'FIFO: the second report is late' \
		"$(($(values dur_ms "$dir/read" | cut -d' ' -f2) > 250))" 1
	# No reader at all: the end is not put off for long
	start -j -i 0.1 -o "$fifo"
	kill -TERM "$tool"
	finish
	check 'FIFO without a reader: exit code' "$code" 74
	check 'FIFO without a reader: message' "$(cat "$dir/err")" \
		"kvmexit: writing $fifo: its reader takes nothing; the last interval is lost"
	# While its reader makes it anew, no file takes its place
	start -j -i 0.05 -o "$fifo"
	head -c 1 "$fifo" >"$dir/read"
	rm "$fifo"
	sleep 0.5
	check 'FIFO away: file' "$(ls "$fifo" 2>/dev/null)" ''
	mkfifo "$fifo"
	head -n 1 "$fifo" >"$dir/read"
	check 'FIFO made anew: record' "$(values type "$dir/read")" '"*"'
	timeout 5 cat "$fifo" >"$dir/read" &
	kill -TERM "$tool"
	finish
	wait $!
	check 'FIFO made anew: exit code' "$code" 0
}

test_reopen()
{
	local file=$dir/log

	start -j -i 0.1 -o "$file"
	wait_for 'first report' test -s "$file"
	mv "$file" "$file.1"
	kill -HUP "$tool"
	wait_for 'report in the new file' test -s "$file"
	kill -TERM "$tool"
	finish
	check 'SIGHUP: exit code' "$code" 0
	check 'SIGHUP: messages' "$(cat "$dir/err")" ''
	check 'SIGHUP: final' "$(values final "$file")" '*true'
	# Nothing lost and nothing twice
	cat "$file.1" "$file" >"$dir/both"
	check_seq "$dir/both" "$(seqs "$dir/both" | wc -w)"
	# Each file tells whose it is
	check 'SIGHUP: first record of the new file' "$(first_line "$file")" '{"v":1,"type":"run",*}'
	check 'SIGHUP: one run' "$(values run "$dir/both" | tr ' ' '\n' | sort -u | wc -l)" 1
	# A new file that cannot be opened: told once, the old one goes on
	mkdir "$dir/gone"
	start -j -i 0.1 -o "$dir/gone/log"
	wait_for 'first report' test -s "$dir/gone/log"
	mv "$dir/gone" "$dir/kept"
	kill -HUP "$tool"
	wait_for 'message' grep -q 'reopening' "$dir/err"
	kill -TERM "$tool"
	finish
	check 'failed SIGHUP: exit code' "$code" 0
	check 'failed SIGHUP: message' "$(cat "$dir/err")" \
		"kvmexit: reopening $dir/gone/log: No such file or directory; writing on to the old file"
	check 'failed SIGHUP: final' "$(values final "$dir/kept/log")" '*true'
}

test_full
test_closed_pipe
if $live; then
	test_output_file
	test_metrics_file
	test_from
	test_output_rights
	test_fifo
	test_reopen
else
	skip 'reports into files: no kvm_exit tracepoint, not root, or UNTRACED'
fi
report output
