#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Every line of JSON obeys tests/kvmexit.schema.json, and the schema refuses
# lines that break it. Usage: tests/system/test_schema.sh [BUILD_DIR]
set -u
cd "$(dirname "$0")/../.." || exit 1

build=${1:-build}
python=/usr/bin/python3

if ! "$python" -c 'import jsonschema' 2>/dev/null; then
	echo "schema: 0 passed, 0 failed, 1 skipped (no python3-jsonschema)"
	exit 0
fi

for test in json explain trial; do
	[ -x "$build/tests/test_$test" ] || make -s "$build/tests/test_$test" || exit 1
done

# shellcheck disable=SC2016 # Python
"$python" - "$build/tests/test_json" ./kvmexit "$build/tests/test_explain" \
	"$build/tests/test_trial" <<'PYTHON'
import copy, json, os, subprocess, sys
import jsonschema

passed = failed = skipped = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("tests/system/test_schema.sh: " + what, file=sys.stderr)


def lines(*command, empty=False):
    run = subprocess.run(command, stdout=subprocess.PIPE)
    check(run.returncode == 0, f"{command}: exit code {run.returncode}, not 0")
    check(run.stdout.endswith(b"\n") or empty, f"{command}: no newline at the end")
    out = []
    for line in run.stdout.decode("utf-8").splitlines():
        out.append(json.loads(line, object_pairs_hook=no_twins))
        limit = 16383 if "reasons" in out[-1] and out[-1].get("type") == "sum" else 1023
        check(len(line.encode()) < limit, f"a line of {len(line.encode())} bytes")
    return out


def no_twins(pairs):
    check(len(dict(pairs)) == len(pairs), f"a key twice: {pairs}")
    return dict(pairs)


def read_schema(name):
    schema = json.load(open("tests/" + name))
    jsonschema.Draft7Validator.check_schema(schema)
    return schema, jsonschema.Draft7Validator(schema)


schema, validator = read_schema("kvmexit.schema.json")
old_schema, old_validator = read_schema("kvmexit-0.1.0.schema.json")


def kind_of(record):
    """The one kind of record in the schema that it is, or None"""
    kinds = [k for k in schema["oneOf"]
             if jsonschema.Draft7Validator({**k, "definitions": schema["definitions"]}).is_valid(record)]
    return kinds[0] if len(kinds) == 1 else None


def check_record(r):
    kind = kind_of(r)
    error = next(validator.iter_errors(r), None)
    check(kind, f"{r}: {error and error.message}")
    order = [k for k in kind["properties"] if k in r] if kind else None
    check(list(r) == order, f"other keys or another order: {list(r)}, not {order}")


records = lines(sys.argv[1], "--print") + lines(sys.argv[4], "--print")
for r in records:
    check_record(r)
types = {r["type"] for r in records}
check(types == {"run", "selftest", "vm", "exit", "sum", "rest", "vcpu", "interval"}, f"types {types}")

explained = lines(sys.argv[3], "--print")
for r in explained:
    check_record(r)
check({r["topic"] for r in explained} ==
      {"what", "causes", "cost", "setting", "vm", "advice", "note"}, "topics of explain")
records += explained

# Readers of 0.1.0's records go on working: they look at two types, whose keys begin as ever
old_keys = {k["properties"]["type"]["const"]: k["required"] for k in old_schema["oneOf"]}
for r in records:
    # With --time an exit record may have a count of 0, which they did not know
    if r["type"] in old_keys and r.get("count") != 0:
        want = old_keys[r["type"]]
        check(old_validator.is_valid(r), f"0.1.0's schema refuses {r}")
        check(list(r)[:len(want)] == want, f"0.1.0's keys are not the first of {list(r)}")

# What breaks the schema: (type, key, value; None: without the key)
broken = [(k["properties"]["type"]["const"], key, None)
          for k in schema["oneOf"] if "ts" in k["required"] and "time_ns" not in k["required"]
          for key in k["required"]]
broken += [
    ("exit", "v", 2),
    ("exit", "type", "exits"),
    ("exit", "ts", "2026-01-01T00:00:20Z"),
    ("exit", "ts", "2026-01-01T00:00:20.004+00:00"),
    ("exit", "seq", -1),
    ("exit", "seq", 1.5),
    ("exit", "pid", 0),
    ("exit", "pid", "1"),
    ("exit", "comm", "x" * 16),
    ("exit", "vm", "x" * 65),
    ("exit", "vcpu", -1),
    ("exit", "isa", "unknown"),
    ("exit", "reason", "hlt"),
    ("exit", "reason", "X" * 49),
    ("exit", "code", 1 << 32),
    ("exit", "count", 0),
    ("exit", "count", 1 << 53),
    ("exit", "total", 1 << 53),
    ("exit", "run", "0123ABCD"),
    ("exit", "node", 1),
    ("interval", "final", 0),
    ("interval", "final", "true"),
    ("interval", "version", 1),
    ("interval", "lost", -1),
    ("interval", "hidden", -1),
    ("interval", "lost_why", 0),
    ("interval", "uncertain", 0),
    ("run", "start", 0),
    ("vm", "uuid", "550E8400-E29B-11D4-A716-446655440000"),
    ("vm", "vmm", "bhyve"),
    ("sum", "total", -1),
    ("sum", "reasons", {"HLT": 0}),
    ("sum", "reasons", {"hlt": 1}),
    ("rest", "rows", 0),
    ("selftest", "verdict", "right"),
    ("selftest", "probe", "best"),
    ("selftest", "time", 0),
    ("selftest", "made", {"Hlt": 1}),
    ("selftest", "counted", {"HLT": -1}),
    ("selftest", "cpu", "x" * 49),
    ("explain", "reason", "hlt"),
    ("explain", "of", "time"),
    ("explain", "share", 1001),
    ("explain", "pid", -1),
    ("explain", "topic", "why"),
    ("explain", "name", "x" * 96),
]
for kind, key, value in broken:
    r = copy.copy(next(r for r in records if r["type"] == kind))
    if value is None:
        del r[key]
    else:
        r[key] = value
    check(not validator.is_valid(r), f"the schema takes {r}")

# Times: all of them or none, but for what a host may not tell
unsure = {"wait_ns", "poll_ns"}
for kind in "exit", "sum", "rest", "vcpu":
    r = next(r for r in records if r["type"] == kind and unsure <= set(r))
    for key in [k for k in r if k in ("untimed", "unseen") or k.endswith("_ns") and k != "time_ns"]:
        without = {k: v for k, v in r.items() if k != key}
        check(validator.is_valid(without) == (key in unsure),
              f"the schema on {kind} without {key}")
        check(not validator.is_valid({**r, key: -1}), f"the schema takes a negative {key}")
check(any(r["type"] == "exit" and r["count"] == 0 for r in records), "no record without exits")

# Details: with their names, and without what is not known of them
for kind in "exit", "sum":
    of_kind = [r for r in records if r["type"] == kind and "detail" in r]
    for r in (next(r for r in of_kind if "time_ns" not in r), next(r for r in of_kind if "time_ns" in r)):
        check(validator.is_valid(r), f"the schema refuses {r}")
        check(not validator.is_valid({k: v for k, v in r.items() if k != "name"}), f"{kind} without name")
        check(not validator.is_valid({k: v for k, v in r.items() if k != "detail"}), f"{kind} without detail")
        check(not validator.is_valid({**r, "detail": "MSR 1"}), f"{kind} with an odd detail")
        if "time_ns" in r:
            check(not validator.is_valid({**r, "max_ns": 1, "p50_ns": 1, "p99_ns": 1}), f"{kind} with max_ns")

# Of a sum, keys that go together
both = next(r for r in records
            if r["type"] == "sum" and "pid" in r and "reason" in r and "time_ns" not in r)
for key in "pid", "vm", "isa", "reason", "code", "count":
    r = {k: v for k, v in both.items() if k != key}
    check(not validator.is_valid(r), f"the schema takes {r}")

# The manual has a table of each type: all keys, in their order
manual = {}
for line in open("man/kvmexit.8"):
    if line.startswith(".S"):
        section = manual.setdefault(line[4:].strip(), [])
    elif "\t" in line and not line.startswith("\\fB"):
        section += line.split("\t")[0].split(", ")
common = manual["In all of these"]
of_stream = [k for k in schema["oneOf"] if "ts" in k["required"]]
for name in sorted({k["properties"]["type"]["const"] for k in of_stream}):
    got = common[:-2] + manual[name] + common[-2:]
    keys = {}
    for k in of_stream:
        if k["properties"]["type"]["const"] == name:
            keys.update(k["properties"])
    check(set(got) == set(keys) and len(got) == len(keys),
          f"man/kvmexit.8 has the {name} record as {got}, not {list(keys)}")
    for k in of_stream:
        if k["properties"]["type"]["const"] == name:
            want = list(k["properties"])
            check([key for key in got if key in want] == want, f"man/kvmexit.8 has {name} in another order")

# What else the tool prints as JSON
if os.access(sys.argv[2], os.X_OK):
    listed = lines(sys.argv[2], "--list-reasons", "-j")
    check(len(listed) > 100, f"{len(listed)} reasons")
    for r in listed:
        check_record(r)
    named = [r for r in lines(sys.argv[2], "--list-reasons", "-j", "!HLT") if "detail" in r]
    check(len(named) > 200, f"{len(named)} named details")
    for r in named:
        check_record(r)
    explained = lines(sys.argv[2], "--explain", "-j")
    check(len(explained) > 1000, f"{len(explained)} explanations")
    for r in explained:
        check_record(r)
    # Whatever this host is: a record for each way to count, or one
    tested = subprocess.run([sys.argv[2], "--self-test", "-j", "--node", "rack1"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    check(tested.returncode in (0, 69, 77), f"--self-test: exit code {tested.returncode}")
    found = [json.loads(line) for line in tested.stdout.decode().splitlines()]
    check(found and all(r["node"] == "rack1" for r in found), f"--self-test -j: {found}")
    for r in found:
        check_record(r)
    # All processes may be looked at by root only
    if os.geteuid() == 0:
        for r in lines(sys.argv[2], "--vms", "-j", empty=True):
            check_record(r)
    else:
        skipped += 1
else:
    skipped += 1

print(f"schema: {passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(failed > 0 or passed == 0)
PYTHON
