#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Every line of JSON obeys tests/kvmexit.schema.json, and the schema refuses
# lines that break it. Usage: tests/test_schema.sh [BUILD_DIR]
set -u
cd "$(dirname "$0")/.." || exit 1

build=${1:-build}
python=/usr/bin/python3

if ! "$python" -c 'import jsonschema' 2>/dev/null; then
	echo "schema: 0 passed, 0 failed, 1 skipped (no python3-jsonschema)"
	exit 0
fi

[ -x "$build/tests/test_json" ] || make -s "$build/tests/test_json" || exit 1

# shellcheck disable=SC2016 # Python
"$python" - "$build/tests/test_json" ./kvmexit <<'PYTHON'
import copy, json, os, subprocess, sys
import jsonschema

passed = failed = skipped = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("tests/test_schema.sh: " + what, file=sys.stderr)


def lines(*command):
    run = subprocess.run(command, stdout=subprocess.PIPE)
    check(run.returncode == 0, f"{command}: exit code {run.returncode}, not 0")
    check(run.stdout.endswith(b"\n"), f"{command}: no newline at the end")
    out = []
    for line in run.stdout.decode("utf-8").splitlines():
        check(len(line.encode()) < 1023, f"a line of {len(line.encode())} bytes")
        out.append(json.loads(line, object_pairs_hook=no_twins))
    return out


def no_twins(pairs):
    check(len(dict(pairs)) == len(pairs), f"a key twice: {pairs}")
    return dict(pairs)


schema = json.load(open("tests/kvmexit.schema.json"))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
keys = [kind["required"] for kind in schema["oneOf"]]
# What a host may not tell
unsure = {"wait_ns", "poll_ns"}

records = lines(sys.argv[1], "--print")
types = [r["type"] for r in records]
check(types == ["exit"] * 4 + ["interval", "interval"] + ["exit", "interval"] +
      2 * ["exit", "vcpu", "interval"], f"types {types}")
for r in records:
    error = next(validator.iter_errors(r), None)
    check(error is None, f"{r}: {error and error.message}")
    check([k for k in r if "guest_ns" not in r and "time_ns" not in r or k not in unsure] in keys, f"other keys or another order: {list(r)}")

# What breaks the schema: (type, key, value; None: without the key)
broken = [(t, k, None) for t, need in zip(("exit", "interval"), keys) for k in need]
timed = {t: next(r for r in records if r["type"] == t and "kvm_ns" in r) for t in ("exit", "vcpu")}
for r in timed.values():
    for k in set(r) - unsure - {"time_ns"}:
        check(not validator.is_valid({x: r[x] for x in r if x != k}), f"the schema does without {k}")
    for k in unsure:
        check(validator.is_valid({x: r[x] for x in r if x != k}), f"the schema wants {k}")
    check(not validator.is_valid({**r, "kvm_ns": -1}), "the schema takes negative times")
check(timed["exit"]["count"] == 0, "no exit record of an interval without exits")
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
    ("interval", "final", 0),
    ("interval", "final", "true"),
    ("interval", "version", 1),
    ("interval", "lost", -1),
]
for kind, key, value in broken:
    r = copy.copy(next(r for r in records if r["type"] == kind))
    if value is None:
        del r[key]
    else:
        r[key] = value
    check(not validator.is_valid(r), f"the schema takes {r}")

# The tool's own list of reasons: no schema, but JSON with reasons the schema takes
if os.access(sys.argv[2], os.X_OK):
    listed = lines(sys.argv[2], "--list-reasons", "-j")
    check(len(listed) > 100, f"{len(listed)} reasons")
    example = copy.copy(records[0])
    for r in listed:
        check(list(r) == ["isa", "code", "reason", "meaning"], f"keys {list(r)}")
        example.update(isa=r["isa"], code=r["code"], reason=r["reason"])
        check(validator.is_valid(example), f"the schema refuses {r}")
else:
    skipped += 1

print(f"schema: {passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(failed > 0 or passed == 0)
PYTHON
