#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""judge.py KERNEL VENDOR FILE: judges what scenario.sh printed.

A line per case: "KERNEL VENDOR PROBE CASE exact|unsupported|wrong DETAILS", then
"NAME: N passed, N failed". A refusal to work passes where the kernel has not
what the probe needs, and is wrong elsewhere. Exit status 1 if anything is wrong.
"""
import collections
import json
import os
import re
import sys

from judging import (MMIO, QUICK, VCPU_UNKNOWN, supported, host, Wrong, need, parse, guests, key_of, expected,
                     records, counted, compare, check_totals, summed, judge_counts,
                     check_ftrace, check_hist)
from judge_details import case_detail, case_selftest, case_traps
from judge_faults import (case_apart, case_caps, case_clock, case_enemy, case_full, case_hidepid, case_missed, case_modules,
                          case_soak, case_surroundings, case_unread)
from judge_times import case_begin, case_kicked, case_off, case_time


def case_exact(sections):
    exact, got, isa, guest_list = judge_counts(sections)
    for g in guest_list:
        key = key_of(g)
        need(sum(got[key][n] for n in MMIO[isa]) >= g["mmio"], "mmio", got[key])
        if isa == "arm64":
            need(g["iabt"] <= got[key]["IABT_LOW"] <= g["iabt"] + 3, "iabt", got[key])
            need(g["wfi"] * 0.9 <= got[key]["WFX"] <= g["wfi"], "wfi", got[key])
    exits2, intervals = records(sections["kvmexit2"])
    check_totals(exits2)
    need(len(intervals) > 5, "only", len(intervals), "intervals of 10 ms")
    other = counted(exits2, {g["pid"] for g in guest_list})
    need(summed(other) == summed(got), "intervals do not add up to the whole")
    witness = check_ftrace(sections, got, isa)
    if "text hist" in sections:
        check_hist(sections, guest_list)
        witness += " and hist's"
    return f"{exact} exits {witness}, {len(intervals)} intervals add up"


def case_reasons(sections):
    """The kernel's own names of its codes, from the tracepoint's print format."""
    (text,) = sections["text format"]
    rets, classes = text.split("REC->esr_ec, __print_symbolic")
    pairs = [(int(code, 0) + offset, name)
             for part, offset in ((rets, 0x40), (classes, 0))
             for code, name in re.findall(r'\{\s*\(*(\w+?)(?:UL)?\)*\s*,\s*"(\w+)"', part)
             if name != "TRAP"]
    need(len(pairs) > 30, "found only", pairs)
    listed = [json.loads(line) for line in sections["text reasons"]]
    mine = {r["code"]: r["reason"] for r in listed if r["isa"] == "arm64"}
    other = [(code, name, mine.get(code)) for code, name in pairs
             if mine.get(code) not in (name.upper(), "EL1_" + name)]
    need(not other, "the kernel says otherwise:", other)
    return f"{len(pairs)} of {len(mine)} reasons as this kernel names them"


def case_fastpath(sections):
    exact, got, isa, guest_list = judge_counts(sections)
    written = sum(g["icr"] + g["deadline"] for g in guest_list)
    return f"{exact} exits, {written} of the fast path {check_ftrace(sections, got, isa)}"


def case_tracers(sections):
    exact, got, _, guest_list = judge_counts(sections)
    other = counted(records(sections["kvmexit2"])[0], {g["pid"] for g in guest_list})
    if guest_list[0]["isa"] == "arm64":  # whose tracepoint tells threads only
        got, other = ({key[:2]: n for key, n in g.items()} for g in (got, other))
    need(summed(other) == summed(got), "the second kvmexit counted otherwise")
    counts = [line.split(",") for line in sections["text perf"] if "kvm:kvm_exit" in line]
    need(counts, "perf:", sections["text perf"][:2])
    mine = sum(summed(got).values())
    need(int(counts[0][0]) == mine, "perf counted", counts[0][0], "instead of", mine)
    return f"{exact} exits; perf and a second kvmexit saw all {mine}"


def case_nested(sections):
    guest_list = guests(sections)
    exits, intervals = records(sections["kvmexit"])
    got = counted(exits, {g["pid"] for g in guest_list})
    need(len(guest_list) == 2 and len(got) == 2, "threads", got)
    for g in guest_list:
        mine = got[(g["pid"], g["tid"], g["vcpu"])]
        need(mine["VMRUN"] == g["nested"], "VMRUN", mine)
        need(mine["CPUID"] == g["cpuid"] + g["nested"], "CPUID of L1 and L2", mine)
        need(mine["IOIO"] == g["io"], "IOIO", mine)
    need(intervals[-1]["lost"] == 0, "lost", intervals[-1]["lost"])
    witness = check_ftrace(sections, got, "svm")
    return f"{sum(summed(got).values())} exits of L1 and L2 {witness}"


def case_simple(sections, reused=False):
    exact, got, _, _ = judge_counts(sections, reused)
    return f"{exact} exits of {len(got)} threads"


def tally(lines, *keys):
    """Of sum and exit records {keys: count}; their intervals and rests; totals are sums."""
    got, intervals, rests = collections.Counter(), [], []
    for r in map(json.loads, lines):
        key = tuple(r.get(k) for k in keys)
        if r["type"] in ("exit", "sum"):
            counts = r["reasons"] if "reasons" in r else {r.get("reason"): r["count"]}
            for reason, n in counts.items():
                got[key + (reason,)] += n
            if r["type"] == "sum":
                seen = sum(n for k, n in got.items()
                           if k[:-1] == key and ("reasons" in r or k[-1] == r.get("reason")))
                need(r["total"] == seen, "total", r, "after", seen)
        elif r["type"] == "rest":
            rests.append(r)
        elif r["type"] == "interval":
            intervals.append(r)
    told = sum(got.values()) + sum(r["count"] for r in rests)
    need(told + sum(i["hidden"] for i in intervals) == sum(i["exits"] for i in intervals),
         "exits do not add up", told, intervals)
    return got, intervals, rests


def case_groups(sections):
    exact, got, isa, guest_list = judge_counts(sections)
    need(len({g["pid"] for g in guest_list}) == 3, "processes", guest_list)
    want, per_vcpu, per_reason = (collections.Counter() for _ in range(3))
    for (pid, _, vcpu), reasons in got.items():
        for name, n in reasons.items():
            want[(pid, name)] += n
            per_vcpu[(pid, vcpu, name)] += n
            per_reason[(name,)] += n
    sums, intervals, _ = tally(sections["text sums"], "pid")
    need(sums == want, "-g vm,reason counted otherwise", sorted(set(sums.items()) ^ set(want.items()))[:4])
    need(len(intervals) > 2, "only", len(intervals), "intervals")
    need({i["node"] for i in intervals} == {"rack1"}, "--node", intervals[0])
    compact, _, _ = tally(sections["text compact"], "pid")
    need(compact == want, "--compact counted otherwise")
    # Of 6 vCPUs the 3 most active
    vcpus, intervals, rests = tally(sections["text vcpus"], "pid", "vcpu")
    need(len({k[:2] for k in vcpus}) == 3 and [r["rows"] for r in rests] == [3], "--top 3", rests)
    need(all(per_vcpu[k] == n for k, n in vcpus.items()), "-g vcpu counted otherwise")
    whole = collections.Counter()
    for (pid, vcpu, _), n in per_vcpu.items():
        whole[(pid, vcpu)] += n
    lowest = min(whole[k[:2]] for k in vcpus)
    need(sorted(whole.values())[-3] == lowest, "--top 3 are not the most active")
    some, (last,), _ = tally(sections["text some"], "pid")
    need(some == {k: n for k, n in want.items() if k[1] in ("CPUID", "HLT")}, "-r counted", some)
    need(last["hidden"] == sum(want.values()) - sum(some.values()), "hidden", last)
    others, (last,), _ = tally(sections["text others"])
    need(others == {k: n for k, n in per_reason.items() if k != ("CPUID",)}, "-r ! counted", others)
    need(last["hidden"] == per_reason[("CPUID",)], "hidden", last)
    # The VM's name is left out: which it has depends on whether it was looked at while it ran
    table, top = ([(int(pid), reason, int(n)) for pid, _, reason, n in
                   (row.split() for row in sections[f"text {name}"][1:] if row[0] != "(")]
                  for name in ("table", "top"))
    need({row[:2]: row[2] for row in table} == want, "the table says otherwise", table)
    counts = [n for _, _, n in table]
    need(counts == sorted(counts, reverse=True), "the table is not sorted", counts)
    need(top == table[:3] and sections["text top"][4] ==
         f"({len(counts) - 3} more rows with {sum(counts[3:])} exits)", "--top 3",
         sections["text top"], "of", table)
    need(all(sections[f"text {name}"][-1].startswith(f"({sum(counts)} exits of 3 VMs, ")
             and sections[f"text {name}"][-1].endswith("/s; none lost)")
             for name in ("table", "top")), "the last line", sections["text table"][-1])
    return f"{exact} exits of 3 VMs: 7 forms of report tell the same"


def by_vcpu(threads):
    sums = collections.defaultdict(collections.Counter)
    for (pid, _, vcpu), reasons in threads.items():
        sums[(pid, vcpu)].update(reasons)
    return sums


def case_room(sections):
    guest_list = guests(sections)
    isa = guest_list[0]["isa"]
    need(set(sections["codes"]) == {"0"}, "exit codes", sections["codes"])
    exits, intervals = records(sections["kvmexit"])
    got = counted(exits, {g["pid"] for g in guest_list})
    exact = compare(by_vcpu(expected(guest_list)), by_vcpu(got), isa)
    need(intervals[-1]["lost"] == 0, "lost", intervals[-1]["lost"])
    need(len(got) >= 40 + 8, "only", len(got), "threads with a vCPU")
    check_totals(exits)
    # The PIDs are the host's, whichever namespace kvmexit is in
    private, intervals = records(sections["text private"])
    guest_list = guests({"guest": sections["text private-guest"]})
    theirs = counted(private, {g["pid"] for g in guest_list})
    exact += compare(expected(guest_list), theirs, isa)
    need(intervals[-1]["lost"] == 0, "private: lost", intervals[-1]["lost"])
    return f"{exact} exits of {len(got)} + {len(theirs)} threads in 16 and 6 slots"


def case_surplus(sections):
    guest_list = guests(sections)
    exits, intervals = records(sections["kvmexit"])
    got = counted(exits, {g["pid"] for g in guest_list})
    want = expected(guest_list)
    need(len(got) == 3, len(got), "threads counted instead of 3")
    compare({k: want[k] for k in got}, got, guest_list[0]["isa"])
    lost = intervals[-1]["lost"]
    lines = [line.rsplit(" ", 1) for line in sections["ftrace"]]
    need(["overrun", "0"] in lines, "ftrace lost events")
    tids = {g["tid"] for g in guest_list} - {tid for _, tid, _ in got}
    theirs = sum(int(n) for what, n in lines
                 if what != "overrun" and int(what.split()[0]) in tids)
    need(lost == theirs, "lost", lost, "instead of", theirs)
    return f"4 threads without a slot: lost {lost} = ftrace's"


def case_identity(sections):
    exact, _, isa, guest_list = judge_counts(sections, True)
    quick = QUICK[isa]
    need(len({g["pid"] for g in guest_list[:-1]}) == 1, "PIDs of the guests", guest_list)
    exits, intervals = records(sections["kvmexit"], True)
    pid = guest_list[0]["pid"]
    for vm in ("first", "second"):
        mine = [(r["vcpu"], r["count"], r["total"]) for r in exits
                if r["pid"] == pid and r["vm"] == vm and r["reason"] == quick]
        need(sorted(mine) == [(0, 100, 100), (1, 100, 100)], vm, mine)
    need(intervals[-1]["vms"] == 3, "vms", intervals[-1])
    late = guest_list[-1]["pid"]
    names = {(r["vm"], r["comm"]) for r in exits if r["pid"] == late}
    need(names == {(f"pid-{late}", f"pid-{late}")}, "ended early:", names)
    ends = {"p": f"process {pid} has ended", "n": f"VM first, process {pid}, has ended",
            "t": "thread {} has ended", "T": "thread {} has ended"}
    for option, end in ends.items():
        lines = sections["text " + option]
        said = [json.loads(line) for line in lines[:-1]]
        first, second = [(g["pid"], g["tid"]) for g in said if "run_calls" in g]
        need(first == second and first[0] == pid, f"-{option}: the guests were", first, second)
        need(lines[-1] == "kvmexit: " + end.format(first[1]), f"-{option} said", lines[-1])
        exits, _ = records([line for line in lines if '"type"' in line])
        mine = [r["count"] for r in exits if r["reason"] == quick]
        need(mine == [100], f"-{option} counted", mine)
    return f"{exact} exits; two VMs of one PID; -p, -n, -t, -T end with the first"


def case_vms(sections):
    listed = [json.loads(line) for line in sections["text vms"]]
    threads = {(r["pid"], r["vcpu"], r["tid"]) for r in listed if r["type"] == "vcpu"}
    ran = {(g["pid"], g["vcpu"], g["tid"]) for g in guests(sections)}
    if guests(sections)[0]["isa"] == "arm64":  # whose KVM tells no threads
        threads, ran = {t[:2] for t in threads}, {t[:2] for t in ran}
    need(threads == ran, "--vms says", sorted(threads), "it was", sorted(ran))
    return case_simple(sections)


def rows(lines, columns):
    table = [line.split() for line in lines if line[0] != "("]
    need(table, "no table")
    need(all(len(r) == columns for r in table), "columns", table[:2])
    return table[0], table[1:]


def case_filters(sections):
    guest_list = guests(sections)
    need(len(guest_list) == 3, "guests", len(guest_list))
    need(set(sections["codes"]) == {"0"}, "exit codes", sections["codes"])
    pid, tid0, tid1 = map(int, sections["text ids"][0].split())
    isa = guest_list[0]["isa"]
    want = expected(guest_list)
    known = {name for name, n in want[next(iter(want))].items() if n}

    def pick(test):
        sums = collections.Counter()
        for key, reasons in want.items():
            if test(key):
                sums.update({n: c for n, c in reasons.items() if c})
        return sums

    def table(name, header, split):
        head, body = rows(sections["text " + name], len(header))
        need(head == header, name, "header", head)
        result = collections.defaultdict(dict)
        for row in body:
            key = tuple(map(int, row[:split]))
            need(row[split] not in result[key], name, "a row twice", row)
            result[key][row[split]] = int(row[split + 1])
        order = [(tuple(map(int, r[:split])), -int(r[-1])) for r in body]
        need(order == sorted(order), name, "order", body)
        return {k: {n: c for n, c in v.items() if n in known} for k, v in result.items()}

    end = ["KVM_EXIT_REASON", "COUNT"]
    need(table("p", end, 0) == {(): pick(lambda k: True)}, "-p")
    need(table("a", ["TID"] + end, 1) ==
         {(k[1],): pick(lambda x, k=k: x == k) for k in want}, "-p -a")
    need(table("v", end, 0) == {(): pick(lambda k: k[2] == 1)}, "-p -v 1")
    need(table("t", end, 0) == {(): pick(lambda k: k[1] == tid0)}, "-t")
    need(table("T", ["TIDS"] + end, 1) ==
         {(t,): pick(lambda k, t=t: k[1] == t) for t in (tid0, tid1)}, "-T")
    everybody = table("all", ["PID", "TID"] + end, 2)
    need({k: v for k, v in everybody.items() if k[0] == pid} ==
         {k[:2]: pick(lambda x, k=k: x == k) for k in want}, "all threads")
    for name, test in (("jp", lambda k: True), ("jv", lambda k: k[2] == 2),
                       ("jt", lambda k: k[1] == tid1), ("other", lambda k: k[1] == tid0)):
        exits, _ = records(sections["text " + name])
        need({r["pid"] for r in exits} == {pid}, name, "other processes")
        got = counted(exits, {pid})
        compare({k: v for k, v in want.items() if test(k)}, got, isa)
    exits, _ = records(sections["text jp"])
    total = sum(r["count"] for r in exits)
    kvm = sum(int(n) for n in sections["text debugfs"])
    need(total == kvm, "KVM's own count is", kvm, "not", total)
    return f"10 views and filters; {total} exits, KVM's own count {kvm}"


def case_names(sections):
    listed = [json.loads(line) for line in sections["text vms"]]
    vms = {r["vm"]: r for r in listed if r["type"] == "vm"}
    need(set(vms) == {"web1", "db,2"}, "--vms lists", sorted(vms))
    need({r["vmm"] for r in listed} == {"qemu"}, "vmm", listed)
    need(all(r["vcpus"] == 1 for r in vms.values()), "vcpus", listed)
    exits, intervals = records(sections["kvmexit"])
    need(intervals[-1]["lost"] == 0, "lost", intervals[-1]["lost"])
    counted_as = {(r["vm"], r["pid"], r["vcpu"], r["tid"]) for r in exits}
    vcpus = {(r["vm"], r["pid"], VCPU_UNKNOWN if host.threads_only else r["vcpu"], r["tid"])
             for r in listed if r["type"] == "vcpu"}
    # KVM on arm64 does not tell the thread of one that runs and has no name, as web1's has
    named = {t for t in vcpus if t[3]}
    need("web1" in {t[0] for t in named} and (named == vcpus or host.vendor.startswith("arm64")),
         "--vms knows no thread", vcpus)
    need(counted_as >= named and len(counted_as) == len(vcpus), "--vms says", sorted(vcpus), "the exits", sorted(counted_as))
    need({r["comm"] for r in exits} <= {"qemu-system-x86", "qemu-system-aar"}, "comm")
    mine, _ = records(sections["text web1"])
    need(mine and {r["vm"] for r in mine} == {"web1"}, "-n web1 gave", {r["vm"] for r in mine})
    head, *body = [line.split() for line in sections["text wide"] if line[0] != "("]
    need(head == ["PID", "TID", "VM", "VCPU", "KVM_EXIT_REASON", "COUNT"], "head", head)
    rows_of = {(r[2], int(r[0]), VCPU_UNKNOWN if r[3] == "-" else int(r[3]), int(r[1])) for r in body}
    need(rows_of == counted_as, "--wide has", sorted(rows_of))
    return f"two QEMU guests named in {len(exits)} records, --vms, -n and --wide"


def explained(lines):
    """{pid: {label: {values}}} of VMs, {reason: share}; each reason told in full."""
    vms, shares, topics = {}, {}, {}
    for r in map(json.loads, lines):
        if r["type"] != "explain":
            continue
        need(r["topic"] != "note", r["value"])
        shares[r["reason"]] = r["share"]
        topics.setdefault(r["reason"], set()).add(r["topic"])
        if r["topic"] == "vm":
            vms.setdefault(r["pid"], {}).setdefault(r["name"], set()).add(r["value"])
    for reason, told in topics.items():
        need({"what", "causes", "cost"} <= told, reason, "has only", told)
    return vms, shares


def check_inhibits(lines, tids, told):
    """What kvmexit says inhibits APICv or AVIC is what the kernel's trace says last."""
    last = [line.split() for line in lines if int(line.split()[0]) in tids][-1]
    names = told.removeprefix("inhibited by ").split(", ")
    need(len(names) == bin(int(last[1], 16)).count("1"), names, "but the kernel:", last)
    # Only later kernels name them
    need(len(last) < 3 or set(last[2].split("|")) == set(names), names, "but the kernel:", last)
    need(not any(n.startswith("bit ") for n in names), "without a name:", names)
    return "+".join(names)


def check_arm64(vms, lines):
    """What the guests have of what is asked of an Arm host; each told of one of them at least"""
    slow, seen = {}, set()
    for line in lines:
        slow.setdefault(line["pid"], set()).add(line.get("slow"))
    for pid, mine in slow.items():
        want = {"interrupt controller": "GICv3" if "gic" in mine else "none", "GICv4": "not used",
                "PMU": "on" if "pmu" in mine else "off", "eager page split": "off",
                "host extensions (VHE)": "not used" if "nvhe" in host.vendor else "used"}
        for label, values in vms.get(pid, {}).items():
            need(values == {want.get(label, *values)}, label, "of", mine, values)
            # Without GICv4 it is always trapped, and WFX would not be explained otherwise
            need(label != "exits of WFI and WFE" or next(iter(values)).startswith(("WFI", "both")), values)
            seen.add((label, *values))
    want = {("interrupt controller", "GICv3"), ("interrupt controller", "none"), ("PMU", "on"),
            ("PMU", "off"), ("GICv4", "not used")}
    if host.kernel >= (6, 5):
        want.add(("eager page split", "off"))
    need(want <= seen, "not told:", want - seen)
    need(any(label == "exits of WFI and WFE" for label, *_ in seen), "no WFI:", seen)


def case_explain(sections):
    lines = [json.loads(line) for line in sections["guest"]]
    exits, intervals = records(sections["kvmexit"])
    vms, shares = explained(sections["kvmexit"])
    total = sum(i["exits"] for i in intervals)
    counts = collections.Counter()
    for r in exits:
        counts[r["reason"]] += r["count"]
    for reason, count in counts.items():
        share = count * 1000 / total
        need((reason in shares) == (share >= 30) or 29.9 < share < 30.1, reason, share)
        need(reason not in shares or abs(shares[reason] - share) <= 1, reason, share, shares)
    done, inhibits = [], "no"
    table = "\n".join(sections["text table"])
    for line in lines:
        if not line.get("set"):
            need("slow" not in line or host.kernel < (6, 1), "the kernel refuses", line)
            continue
        told = vms.get(line["pid"], {})
        apic = told.get("AVIC", set()) | told.get("APICv", set())
        if line["slow"] == "halt-poll":
            need(any(v.startswith("7000 ns at most") for v in told["halt polling"]), told)
        elif line["slow"] == "pause":
            need(told["exits turned off"] == {"PAUSE"}, told)
        elif line["slow"] == "dirty":
            # With a page-modification log, as Intel may have it, there are no such exits
            if host.vendor == "intel" and "EPT_VIOLATION" not in shares:
                continue
            known = host.kernel >= (6, 12)  # between 6.1 and 6.12 the kernel began to count
            need({"NPF", "EPT_VIOLATION", "DABT_LOW"} & set(shares), "it costs nothing:", shares)
            need(told.get("dirty logging") == ({"of 1 memory slots"} if known else None), told)
        elif apic and sections["text inhibits"]:
            # By its vCPUs: as it ends, its devices take back what they set
            tids = {g["tid"] for g in lines if g["pid"] == line["pid"] and "tid" in g}
            inhibits = check_inhibits(sections["text inhibits"], tids, *apic)
        done.append(line["slow"])
        need(f"(PID {line['pid']}):" in table, "not in the table")
    if guests(sections)[0]["isa"] == "arm64":
        check_arm64(vms, lines)
    need(any(line.startswith(("    kvm_amd.pause_filter_count = ", "    kvm_intel.ple_gap = ",
                              "    kvm.halt_poll_ns = ")) for line in sections["text alone"]),
         "without a run:", sections["text alone"])
    apic = "" if inhibits == "no" else f"APIC inhibited by {inhibits}; "
    return f"named: {', '.join(done)}; {apic}of {len(counts)} reasons " \
           f"explained: {', '.join(f'{k} {v / 10:.1f} %' for k, v in shares.items())}"


def case_causes(sections):
    """The first screen has the cause and the remedy of each slow guest."""
    screen = " ".join(" ".join(sections["text causes"][:24]).split())
    throttled, naps, device = sections["text pids"][0].split()
    found = re.search(rf"\(PID {throttled}\) waited for a CPU [\d.]+ % of the time: its CPU quota, 20000 of "
                      r"100000 us, held it up for ([\d.]+) s, (\d+) times\. Remedy: raise cpu\.max", screen)
    need(found, "the quota is not told:", screen)
    need(re.search(rf"HLT \([^)]*\), most of \S+ \(PID {naps}\): [\d.]+ % of it in the VMM\. "
                   r"Remedy: an interrupt controller in the kernel", screen), "HLT:", screen)
    need(re.search(rf"NPF \([^)]*\), most of \S+ \(PID {device}\): [\d.]+ % mmio 0x\w+\. "
                   r"Remedy: virtio in its place", screen), "MMIO:", screen)
    need("huge pages behind" not in " ".join(sections["text causes"]), "advice on memory for a device")
    # During the run, and so less than the kernel's figures around it
    stat = [int(line.split()[1]) for line in sections["text stat"] if line.startswith("nr_throttled")]
    need(0 < int(found[2]) <= stat[1] - stat[0] < stat[1], "throttled", found[2], "but the kernel:", stat)
    return f"quota ({found[2]} times in the run, {stat[1] - stat[0]} around it), HLT in the VMM, MMIO: " \
           "causes and remedies in 24 lines"


def case_attach(sections):
    need(sum(map(int, sections["text exits"])) > 0, "nothing counted")
    programs = list(map(int, sections["text programs"]))
    need(programs[0] > 0 and programs[1] == 0, "programs while counting, and then", programs)
    if "text modules" not in sections:
        return "nothing left behind: no program stays"
    need(sections["text modules"] == ["unloaded"], "modules stay in use", sections["text modules"])
    need(len(sections["text nokvm"]) == 2 and sections["text nokvm"][1] == "69" and
         "KVM is not loaded" in sections["text nokvm"][0], "without KVM:", sections["text nokvm"])
    return "nothing left behind: kvm can be unloaded; then 69, KVM is not loaded"


def case_confined(sections):
    exact, _, _, _ = judge_counts(sections)
    *lines, dropped = sections["text status"]
    status = dict(line.split(":\t") for line in lines)
    need(status.pop("NoNewPrivs") == "1" and status.pop("Seccomp") == "2", "status", status)
    status.pop("CapBnd")
    need(set(status.values()) == {"0" * 16}, "capabilities kept", status)
    for what in ("no capabilities", "only the system calls") + (
            ("output's directory only",) if host.kernel >= (5, 13) else ()):
        need(what in dropped, "not dropped:", what, dropped)
    return f"{exact} exits, its file reopened, with no capability, seccomp and Landlock"


CASES = {"caps": case_caps, "hidepid": case_hidepid, "clock": case_clock, "missed": case_missed,
         "full": case_full, "unread": case_unread, "unread_pty": case_unread, "modules": case_modules,
         "surroundings": case_surroundings, "soak": case_soak, "enemy": case_enemy, "apart": case_apart,
         "exact": case_exact, "reasons": case_reasons, "nested": case_nested,
         "fastpath": case_fastpath, "tracers": case_tracers, "vms": case_vms,
         "explain": case_explain, "causes": case_causes,
         "groups": case_groups,
         "one_thread": case_simple, "churn": case_simple, "room": case_room,
         "reuse": lambda s: case_simple(s, True), "identity": case_identity,
         "traps": case_traps,
         "surplus": case_surplus, "confined": case_confined,
         "filters": case_filters, "time": case_time, "begin": case_begin,
         "kicked": case_kicked, "off": case_off, "detail": case_detail,
         "selftest": case_selftest,
         "names": case_names,
         "attach": case_attach}


def main():
    kernel, vendor, path = sys.argv[1:]
    host.vendor, host.kernel = vendor, tuple(map(int, kernel.split(".")))
    with open(path, errors="replace") as f:
        cases = parse(f.read())
    passed = failed = 0
    for name, probe, sections in cases:
        # The case caps counts as kvmexit chooses
        host.threads_only = vendor.startswith("arm64") and probe == "tracepoint" and name != "caps"
        try:
            if "unsupported" in sections:
                verdict, details = "unsupported", " ".join(sections["unsupported"])
                need(not supported(probe, kernel, vendor, name), "refused:", details)
            else:
                need(supported(probe, kernel, vendor, name), "worked, and must not")
                need(sections["end"], "the case did not end")
                verdict, details = "exact", CASES[name](sections)
            passed += 1
        except (Wrong, KeyError, ValueError, IndexError) as e:
            verdict, details = "wrong", str(e) if isinstance(e, Wrong) else repr(e)
            failed += 1
        print(f"{kernel:6} {vendor:6} {probe:10} {name:10} {verdict:11}  {details}")
    asked = {(name, probe) for probe in os.environ.get("KVMEXIT_PROBES", "").split()
             for name in os.environ.get("KVMEXIT_CASES", "").split()}
    for name, probe in sorted(asked - {(name, probe) for name, probe, _ in cases}):
        print(f"{kernel:6} {vendor:6} {probe:10} {name:10} wrong        the host did not get there")
        failed += 1
    if not cases and not asked:
        print(f"{kernel:6} {vendor:6} the host printed nothing")
        failed += 1
    print(f"{vendor}-{kernel}: {passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
