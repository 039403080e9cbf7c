# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2154 # counted in tests/lib/check.sh
#
# For the tests of scripts/ship, beside tests/lib/check.sh.

skip() {
	skipped=$((skipped + 1))
	echo "skipped: $1: $2"
}

report() {
	echo "$1: $passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}

# N ports that nobody listens on
free_ports() {
	python3 -c 'import socket, sys
s = [socket.create_server(("127.0.0.1", 0)) for n in range(int(sys.argv[1]))]
print(*(x.getsockname()[1] for x in s))' "$1"
}
