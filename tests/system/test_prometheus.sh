#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# test_prometheus.sh: a known recording as metrics, through node_exporter's textfile
# collector into Prometheus and from there into VictoriaMetrics, asked back: every
# sum is the recording's. The programs are Debian's, with scripts/ship's
# configuration but for ports and pace, on 127.0.0.1. And the rules' own tests.
# Last line: "prometheus: N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$(realpath "$0")")/../.." || exit
ship=scripts/ship
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/ship.sh
. tests/lib/ship.sh

test_rules() {
	local rules=$ship/kvmexit.rules.yaml tests=tests/system/kvmexit.rules.test.yaml change
	check "promtool check rules" "$(promtool check rules $rules 2>&1)" "*SUCCESS: 6 rules found*"
	check "promtool test rules" "$(promtool test rules $tests 2>&1)" "*SUCCESS*"
	# VictoriaMetrics' own programs in place of Prometheus
	check "vmalert takes the rules" "$(vmalert -dryRun -rule=$rules 2>&1 | grep -v info)" ""
	check "vmagent takes the targets" "$(vmagent -dryRun -promscrape.config=$ship/prometheus.yaml \
		-promscrape.config.strictParse=false 2>&1 | grep -v info)" ""
	# That these tests can fail: a mistake at a time
	sed "s|../../$rules|rules.yaml|" $tests >"$work/test.yaml"
	while read -r change; do
		sed "$change" $rules >"$work/rules.yaml"
		check "a mistake, $change, is found" \
			"$(cmp -s "$work/rules.yaml" $rules && echo none made
				promtool test rules "$work/test.yaml" 2>&1)" "*FAILED*"
	done <<-'END'
		s/without (isa, /without (isa, pid, /
		s/offset 1h/offset 1m/
		s/ unless kvmexit_lost_total offset 15m//
		s/increase(kvmexit_lost_total/increase(kvmexit_loss_total/
		s/> 120/> 240/
		s/up == 1/up/
		s/for: 5m/for: 0m/
		s/rate5m > 1000/rate5m > 0/
		s/rate5m offset 1d/rate5m/
	END
}

get() { curl -sfS --max-time 10 "http://127.0.0.1:$1" 2>&1; }

# start NAME COMMAND...: in the background
start() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	servers+=($!)
}

start_servers() {
	read -r node prometheus victoria < <(free_ports 3)
	mkdir "$work/text"
	start node_exporter prometheus-node-exporter --web.listen-address="127.0.0.1:$node" \
		--collector.disable-defaults --collector.textfile --collector.textfile.directory="$work/text"
	start victoria victoria-metrics -httpListenAddr="127.0.0.1:$victoria" \
		-storageDataPath="$work/victoria" -search.latencyOffset=1s -memory.allowedBytes=128MB
	sed -e "s/localhost:9100/127.0.0.1:$node/; s/localhost:8428/127.0.0.1:$victoria/" \
		-e 's/: \(15s\|1m\|5s\)$/: 1s/' $ship/prometheus.yaml >"$work/prometheus.yaml"
	cp $ship/kvmexit.rules.yaml "$work/"
	check "promtool check config" "$(promtool check config "$work/prometheus.yaml" 2>&1)" \
		"*SUCCESS: $work/prometheus.yaml is valid*"
	start prometheus prometheus --config.file="$work/prometheus.yaml" \
		--web.listen-address="127.0.0.1:$prometheus" --storage.tsdb.path="$work/tsdb" \
		--log.level=warn
	check "node_exporter, Prometheus, VictoriaMetrics run" "$(await 30 get "$node/" >/dev/null &&
		await 30 get "$prometheus/-/ready" >/dev/null && await 30 get "$victoria/health")" OK
}

# The answer of the server on PORT is the expected one
answered() { tests/lib/metrics.py answer "http://127.0.0.1:$1" 2>&1 | cmp -s - "$work/sums"; }

# compare NAME PORT
compare() {
	await 20 answered "$2"
	check "$1: every sum is the recording's" \
		"$(diff "$work/sums" <(tests/lib/metrics.py answer "http://127.0.0.1:$2" 2>&1) | head -n 5)" ""
}

# The recording's first intervals, then all: the counters grow
test_sums() {
	local answer exits intervals
	tests/lib/recording.py >"$work/all.ndjson"
	for intervals in 1 3 6; do
		grep -E "\"seq\":[0-$((intervals - 1))]," "$work/all.ndjson" >"$work/recording.ndjson"
		tests/lib/metrics.py sums "$work/recording.ndjson" >"$work/sums"
		check "kvmexit -f makes the metrics" "$(./kvmexit -f "$work/recording.ndjson" -o /dev/null \
			--metrics "$work/text/kvmexit.prom" 2>&1)" ""
		check "promtool check metrics" "$(promtool check metrics <"$work/text/kvmexit.prom" 2>&1)" ""
		compare "Prometheus, $intervals intervals" "$prometheus"
		compare "VictoriaMetrics, $intervals intervals" "$victoria"
	done
	check "compact records: every sum is the recording's" "$(./kvmexit -f "$work/all.ndjson" \
		-j --compact | tests/lib/metrics.py sums /dev/stdin | diff "$work/sums" - 2>&1)" ""
	exits=$(jq -n '[inputs | .count // 0] | add' "$work/all.ndjson")
	answer=$(get "$prometheus/api/v1/query?query=sum(kvmexit_exits_total)" |
		jq -r '.data.result[0].value[1]')
	echo "sum(kvmexit_exits_total): $answer; the recording has $exits exits in $(
		wc -l <"$work/sums") sums"
	check "sum(kvmexit_exits_total) is the recording's" "$answer" "$exits"
}

# VMs whose names a reader could trip over, as kvmexit itself writes them
test_names() {
	make -s build/tests/test_metrics && build/tests/test_metrics --print >"$work/text/new"
	check "hostile names: promtool check metrics" "$(promtool check metrics <"$work/text/new" 2>&1)" ""
	mv "$work/text/new" "$work/text/kvmexit.prom"
	check "hostile names: node_exporter has them all" "$(get "$node/metrics" |
		grep -c '^kvmexit_exits_total{')" "$(grep -c '^kvmexit_exits_total{' "$work/text/kvmexit.prom")"
	check "hostile names: node_exporter's type" "$(get "$node/metrics" |
		grep '^# TYPE kvmexit_exits_total')" "# TYPE kvmexit_exits_total counter"
	check "hostile names: without error" "$(get "$node/metrics" |
		grep '^node_textfile_scrape_error')" "node_textfile_scrape_error 0"
}

# The type that Prometheus knows, and how its rules fare
scraped() {
	get "$prometheus/api/v1/metadata?metric=kvmexit_exits_total" |
		jq -r '.data.kvmexit_exits_total[0].type'
	get "$prometheus/api/v1/rules" | jq -r '[.data.groups[].rules[] | .health] | unique | .[]'
}

fares_well() { [ "$(scraped | xargs)" = "counter ok" ]; }

test_scrape() {
	check "node_exporter reads the file" "$(get "$node/metrics" | grep '^node_textfile_scrape_error')" \
		"node_textfile_scrape_error 0"
	await 20 fares_well
	check "Prometheus: the type; the rules are evaluated without error" "$(scraped | xargs)" "counter ok"
}

if ! scripts/install-deps build ship || ! make -s all; then
	check "what the test needs is there" no yes
	report prometheus
	exit
fi
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
test_rules
start_servers
test_names
test_sums
test_scrape
report prometheus
