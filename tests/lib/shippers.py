#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""shippers.py fluent-bit|vector FILE

What can be said of a shipper's configuration without the shipper: it is YAML,
all that it refers to is there, its options are of those the shipper's reference
names for the plugins that scripts/ship uses. Prints what is wrong.
"""
import sys

import yaml

FLUENT_BIT = {
    "tail": "tag path parser db read_from_head",
    "exec": "tag command parser oneshot threaded",
    "stdout": "match format json_date_key",
}
VECTOR = {
    "file": "include",
    "exec": "mode command include_stderr decoding framing",
    "remap": "inputs drop_on_error source",
    "console": "inputs encoding",
}


def options(where, given, known):
    for key in sorted(set(given) - set(known.split())):
        yield "%s: unknown option %s" % (where, key)


def fluent_bit(config):
    parsers = {parser["name"] for parser in config["parsers"]}
    tags = set()
    for kind in "inputs", "outputs":
        for plugin in config["pipeline"][kind]:
            name = plugin["name"]
            if name not in FLUENT_BIT:
                yield "unknown plugin %s" % name
                continue
            yield from options(name, plugin, "name " + FLUENT_BIT[name])
            # fluent-bit --dry-run does not find this one
            if plugin.get("parser", next(iter(parsers))) not in parsers:
                yield "%s: no parser %s" % (name, plugin["parser"])
            if "match" in plugin and plugin["match"] not in tags:
                yield "%s: nothing has the tag %s" % (name, plugin["match"])
            tags.add(plugin.get("tag"))


def vector(config):
    known = set(config["sources"]) | set(config["transforms"])
    for kind in "sources", "transforms", "sinks":
        for name, part in config[kind].items():
            if part["type"] not in VECTOR:
                yield "%s: unknown type %s" % (name, part["type"])
                continue
            yield from options(name, part, "type " + VECTOR[part["type"]])
            for missing in set(part.get("inputs", [])) - known:
                yield "%s: no input %s" % (name, missing)
    for test in config["tests"]:
        used = {i["insert_at"] for i in test["inputs"]}
        used |= {o["extract_from"] for o in test["outputs"]}
        for missing in used - known:
            yield "tests: nothing named %s" % missing


def main():
    check = {"fluent-bit": fluent_bit, "vector": vector}[sys.argv[1]]
    with open(sys.argv[2], encoding="utf-8") as file:
        wrong = list(check(yaml.safe_load(file)))
    print("\n".join(wrong), end="\n" if wrong else "")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
