#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""metrics.py sums FILE | history FILE | file FILE | answer URL

sums: a recording's exits by VM and reason, added up, a line for each: {labels} value.
history: the sums as they grow, a sample an interval, as OpenMetrics with time stamps.
file: the lines of sums, as a file of metrics has them.
answer: the lines of sums, as a server with the Prometheus API answers.
"""
import datetime
import json
import re
import sys
import urllib.parse
import urllib.request

LABELS = "pid", "vm", "isa", "reason"


def shown(text):
    """A name as kvmexit shows it, as far as tests/recording.py has such names"""
    return re.sub("[\x00-\x1f\x7f]", "\ufffd", text)


def read(name):
    with open(name, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    return [{**record, "vm": shown(record.get("vm", ""))} for record in records]


def sums(records):
    total = {}
    for record in records:
        for reason, count in counts(record):
            key = str(record["pid"]), record["vm"], record["isa"], reason
            total[key] = total.get(key, 0) + count
    return total


def counts(record):
    """(reason, count) of an exit record, or of a sum record, compact or not"""
    if record["type"] not in ("exit", "sum"):
        return ()
    return record["reasons"].items() if "reasons" in record else [(record["reason"], record["count"])]


def answer(url):
    query = urllib.parse.urlencode({"query": "kvmexit_exits_total"})
    with urllib.request.urlopen(url + "/api/v1/query?" + query, timeout=10) as reply:
        result = json.load(reply)["data"]["result"]
    return {tuple(sample["metric"].get(label, "") for label in LABELS): int(sample["value"][1])
            for sample in result}


def parse(name):
    """Just enough for a file that promtool takes"""
    found = {}
    with open(name, encoding="utf-8", newline="\n") as file:
        for labels, value in re.findall(r"(?m)^kvmexit_exits_total\{(.*)\} (\d+)$", file.read()):
            key = dict(re.findall(r'(\w+)="((?:[^\\"]|\\.)*)"', labels))
            unescape = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
            found[tuple(re.sub(r"\\.", lambda m: unescape[m[0]], key[label]) for label in LABELS)] = int(value)
    return found


def escape(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def sample(key, value):
    labels = ",".join('%s="%s"' % (label, escape(text)) for label, text in zip(LABELS, key))
    return "kvmexit_exits_total{%s} %d" % (labels, value)


def history(records):
    """Series after series, each in the order of time, as promtool wants it"""
    total, series = {}, {}
    for record in records:
        for reason, count in counts(record):
            key = str(record["pid"]), record["vm"], record["isa"], reason
            total[key] = total.get(key, 0) + count
        if record["type"] == "interval":
            when = datetime.datetime.fromisoformat(record["ts"].replace("Z", "+00:00"))
            for key, value in total.items():
                series.setdefault(key, []).append("%s %d" % (sample(key, value), when.timestamp()))
    yield "# TYPE kvmexit_exits counter"
    for samples in series.values():
        yield from samples
    yield "# EOF"


def main():
    mode, source = sys.argv[1:]
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    if mode == "history":
        lines = history(read(source))
    else:
        found = {"answer": answer, "file": parse}.get(mode, lambda name: sums(read(name)))(source)
        lines = sorted("%s %d" % (json.dumps(key), value) for key, value in found.items())
    print("\n".join(lines))


if __name__ == "__main__":
    main()
