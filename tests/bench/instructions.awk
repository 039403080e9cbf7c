# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Of what host.sh printed: "CASE PROGRAM INSTRUCTIONS" of one exit
BEGIN { FS = "[ ,:}]" }
/^@events/ { exit }
/^@ / { program = $2; kind = $3; exits = $4; delete sum; next }
/run_ns/ {
	for (i = 1; i < NF; i++) {
		if ($i == "\"run_ns\"") ns = $(i + 1)
		if ($i == "\"round\"") round = $(i + 1)
	}
	at = kind " " program " " exits
	sum[round] += ns
	vcpus[at, round]++
	total[at, round] = sum[round]
	rounds[at] = round + 1
	nr[at] = vcpus[at, round]
}
END {
	for (at in rounds) {
		if (at !~ / 900$/) continue
		few = at; sub(/900$/, "100", few)
		print substr(at, 1, length(at) - 4), (best(at) - best(few)) / 800 / nr[at]
	}
}
function best(at, i, min) {
	for (i = 0; i < rounds[at]; i++)
		if (!min || total[at, i] < min) min = total[at, i]
	return min
}
