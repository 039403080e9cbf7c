#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""records.py [-u] [-w WRITERS] FILE...

Holds kvmexit's JSON lines, in FILE after FILE as if they were one, to the schema
and to what the manual promises: whole lines, intervals in one piece that add up,
no gap in seq, a final interval. With -w, so many kvmexits wrote to the file; with
-u (unfinished) the run ended where its reader took no more. Prints what is wrong, or
nothing; with nothing in the files, that is wrong.
"""
import argparse
import collections
import json
import os
import sys

import jsonschema

SCHEMA = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "kvmexit.schema.json")


def blocks(lines, tell, unfinished):
    """The intervals: lists of records, each ended by its interval record"""
    with open(SCHEMA, encoding="utf-8") as file:
        validator = jsonschema.Draft7Validator(json.load(file))
    block = []
    for where, line in lines:
        if not line.endswith(b"\n"):
            tell(where, "not ended by a newline: %r" % line[-60:])
        try:
            record = json.loads(line)
        except ValueError as error:
            tell(where, "torn: %s: %r" % (error, line[:60]))
            continue
        limit = 16384 if "reasons" in record and record["type"] == "sum" else 1024
        if len(line) >= limit:
            tell(where, "%d bytes, less than %d expected" % (len(line), limit))
        for error in validator.iter_errors(record):
            tell(where, "not of the schema: %s" % error.message[:200])
            break
        else:
            block.append(record)
            if record["type"] == "interval":
                yield where, block
                block = []
    if block and not unfinished:
        tell("the end", "%d records without their interval record" % len(block))


def check(where, block, tell):
    last = block[-1]
    for key in "seq", "ts", "node", "run":
        got = {record[key] for record in block}
        if len(got) > 1:
            tell(where, "interval mixed: %s is %s" % (key, sorted(got)))
    counted = [r for r in block if r["type"] in ("exit", "sum", "rest")]
    exits = last["hidden"] + sum(
        sum(r["reasons"].values()) if "reasons" in r else r["count"] for r in counted)
    for key, got in ("records", len(counted)), ("exits", exits):
        if last[key] != got:
            tell(where, "interval %d: %s is %d, got %d" % (last["seq"], key, last[key], got))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-u", action="store_true")
    parser.add_argument("-w", type=int, default=1)
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    wrong = []

    def tell(where, text):
        wrong.append("%s: %s" % (where, text))

    lines = []
    for name in options.files:
        with open(name, "rb") as file:
            lines += (("%s:%d" % (name, n), line) for n, line in enumerate(file, 1))
    seen = collections.Counter()
    finals = []
    for where, block in blocks(lines, tell, options.u):
        check(where, block, tell)
        seq = block[-1]["seq"]
        if options.w == 1 and seq != len(seen):
            tell(where, "seq %d, expected %d" % (seq, len(seen)))
        seen[seq] += 1
        if block[-1]["final"]:
            finals.append(seq)
    expected = 0 if options.u else options.w
    if len(finals) != expected or not seen:
        tell("the end", "%d final intervals, expected %d" % (len(finals), expected))
    for seq in range(max(seen, default=0) + 1):
        expected = sum(seq <= final for final in finals)
        if options.w > 1 and seen[seq] != expected:
            tell("seq %d" % seq, "%d times, expected %d" % (seen[seq], expected))
    print("\n".join(wrong[:5]), end="\n" if wrong else "")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
