#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""recording.py [-m VMS] [-c VCPUS] [-r REASONS] [-n INTERVALS] [-o]

A recording of a host as `kvmexit -j -i 10` writes it, the same each time: VMS VMs of
VCPUS vCPUs, each with REASONS exit reasons an interval, some of them rare. The first
VMs have names that need escaping somewhere, unless -o (ordinary) is given.
"""
import argparse
import datetime
import json
import random
import sys

NODE, RUN = "compute-17", "5eed5eed"
BEGIN = datetime.datetime(2026, 1, 1, 0, 0, 10)
NAMES = ["tab\there", "esc\x1b[31m", 'quo"ted', "back\\slash", "new\nline", "db,,1", "\u00fcml\u00e4ut"]
# The usual ones first
REASONS = """EXTERNAL_INTERRUPT:1 MSR_WRITE:32 HLT:12 EPT_MISCONFIG:49 IO_INSTRUCTION:30
    PREEMPTION_TIMER:52 EPT_VIOLATION:48 CPUID:10 PAUSE_INSTRUCTION:40 MSR_READ:31
    CR_ACCESS:28 INTERRUPT_WINDOW:7 EXCEPTION_NMI:0 APIC_WRITE:56 VMCALL:18
    EOI_INDUCED:45 APIC_ACCESS:44 DR_ACCESS:29 WBINVD:54 XSETBV:55""".split()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", type=int, default=9)
    parser.add_argument("-c", type=int, default=2)
    parser.add_argument("-r", type=int, default=5)
    parser.add_argument("-n", type=int, default=6)
    parser.add_argument("-o", action="store_true")
    return parser.parse_args()


def write(record):
    json.dump(record, sys.stdout, ensure_ascii=False, separators=(",", ":"))
    sys.stdout.write("\n")


def vcpus(options):
    """(keys of a vCPU's records, its rates by reason)"""
    for vm in range(options.m):
        name = "instance-%08x" % (0x2a00 + vm)
        if not options.o and vm < len(NAMES):
            name = NAMES[vm]
        pid = 4000 + 100 * vm
        for vcpu in range(options.c):
            keys = {"pid": pid, "comm": "qemu-system-x86", "vm": name, "vcpu": vcpu, "tid": pid + 5 + vcpu}
            rates = [random.lognormvariate(7 - reason / 2, 2) for reason in range(options.r)]
            yield keys, rates


def stamp(seq):
    return (BEGIN + datetime.timedelta(seconds=10 * seq)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def beginning(all_vcpus):
    """The records that say once whose the others are"""
    head = {"ts": stamp(0), "seq": 0}
    tail = {"node": NODE, "run": RUN}
    write({"v": 1, "type": "run", **head, "start": stamp(-1),
           "boot_id": "7fb5ec0a-0d45-4bb0-a9a5-6c1c9ab0a3f2", "kernel": "6.12.48", "probe": "direct",
           "version": "0.1.0", "options": "-j -i 10", "isa": "vmx", **tail})
    for pid, comm, name in dict.fromkeys((k["pid"], k["comm"], k["vm"]) for k, _ in all_vcpus):
        write({"v": 1, "type": "vm", **head, "pid": pid, "start": 100 * pid, "comm": comm, "vm": name,
               "uuid": "c0ffee00-0000-4000-8000-%012x" % pid, "vmm": "qemu", **tail})


def interval(seq, options, all_vcpus, totals):
    head = {"ts": stamp(seq), "seq": seq, "dur_ms": 10000}
    tail = {"node": NODE, "run": RUN}
    records = exits = 0
    for number, (keys, rates) in enumerate(all_vcpus):
        for rate, reason in zip(rates, REASONS):
            count = 1 + int(rate * random.uniform(0.5, 1.5))
            name, code = reason.split(":")
            total = totals[number, code] = totals.get((number, code), 0) + count
            records, exits = records + 1, exits + count
            write({"v": 1, "type": "exit", **head, **keys, "isa": "vmx", "reason": name,
                   "code": int(code), "count": count, "total": total, **tail})
    write({"v": 1, "type": "interval", **head, "vms": options.m, "vcpus": len(all_vcpus),
           "records": records, "exits": exits, "lost": 0, "final": seq + 1 == options.n,
           "version": "0.1.0", "failed_entries": 0, "bus_locks": 0, "enclave_exits": 0,
           "dur_ns": 10**10, "probe": "direct", "lost_now": 0, "lost_why": "", "hidden": 0, "uncertain": "", **tail})


def main():
    options = arguments()
    random.seed(options.m)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    all_vcpus = list(vcpus(options))
    beginning(all_vcpus)
    totals = {}
    for seq in range(options.n):
        interval(seq, options, all_vcpus, totals)


if __name__ == "__main__":
    main()
