#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The rules of src/README.md. A file includes only files of its own
# folder and of the folders on its folder's line there; folders stand in an order, so that
# none includes one below itself; includes of files form no circle. libbpf, jansson, terminals
# and messages are used only where the table's rules say. And no exit reason is a bare number.
set -u
cd "$(dirname "$(realpath "$0")")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

# shellcheck disable=SC2016 # no command
table() { sed -n '/^```$/,/^```$/p' src/README.md | grep -v '^```'; }

# The lines "FOLDER FOLDER..." between the ``` of src/README.md
declare -A may
above=
while read -r folder rest; do
	check "src/README.md: $folder is a folder" "$([ -d "src/$folder" ] && echo yes)" yes
	for other in $rest; do
		check "src/README.md: $folder includes $other, which stands above it" \
			"$([[ " $above " == *" $other "* ]] && echo yes)" yes
	done
	may[$folder]="$folder bpf $rest"
	above+=" $folder"
done < <(table)
check 'folders in the table' "${#may[@]}" "$(find src -mindepth 1 -type d ! -name bpf | wc -l)"

# "FILE INCLUDED", of files below src/
includes() { grep -HoE '^#include "[a-z]+/[^"]+"' src/*/*.[ch] | sed -E 's|^src/([^:]+):#include "(.*)"$|\1 \2|'; }
while read -r file included; do
	[ "${file%%/*}" != bpf ] || continue
	check "src/$file may include $included" \
		"$([[ " ${may[${file%%/*}]-} " == *" ${included%%/*} "* ]] && echo yes)" yes
done < <(includes)
check 'includes found' "$(($(includes | wc -l) > 200))" 1
check 'only kvm_state.h of src/bpf is included elsewhere' \
	"$(includes | grep -v '^bpf/' | grep ' bpf/' | grep -cv 'bpf/kvm_state\.h$')" 0
check 'includes form no circle' "$(includes | tsort 2>&1 >/dev/null)" ''

# outside NAME PATTERN ALLOWED: no file of src/ but those that match ALLOWED has PATTERN
outside() { check "$1" "$(grep -lE "$2" src/*/*.[ch] | grep -vE "$3" | xargs)" ''; }
outside 'libbpf is used in probe/ and kvm_state only, its version in options.c' \
	'#include <bpf/' '^src/(bpf/|probe/|explain/kvm_state\.c|app/options\.c)'
outside 'jansson is used for records only' '#include <jansson' '^src/(lib/ndjson\.[ch]|recording/)'
outside 'messages are printed where the context is known' \
	'complain(__[a-z]+)?\(' '^src/(app/|lib/|probe/probe\.c|selftest/selftest\.c)'
check 'rows/ and render/ know no terminal and no clock' \
	"$(grep -lE '\b(stdout|stderr|clock_gettime|now_ns|realtime_ns|isatty)\b' src/{rows,render}/*.[ch] | xargs)" ''
check 'no exit reason is a bare number' \
	"$(grep -nE 'ISA_(VMX|SVM|ARM64)\]? *[,=] *(0x)?[0-9]' src/*/*.[ch] kvmexit.c kvmexit.bpf.c | grep -v ^src/snapshot/times)" ''
echo "layers: $passed passed, $failed failed"
[ "$failed" = 0 ]
