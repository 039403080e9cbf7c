#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""judge.py KERNEL VENDOR FILE: judges what scenario.sh printed.

A line per case: "KERNEL VENDOR PROBE CASE exact|unsupported|wrong DETAILS", then
"NAME: N passed, N failed". A refusal to work passes where the kernel has not
what the probe needs, and is wrong elsewhere. Exit status 1 if anything is wrong.
"""
import collections
import datetime
import json
import os
import re
import sys

# What a guest's kind of exit is called; the memory reasons and interrupts come
# in numbers that are not known beforehand (src/guest.h)
REASONS = {
    "svm": {"io": "IOIO", "cpuid": "CPUID", "rdmsr": "MSR", "wrmsr": "MSR",
            "icr": "MSR", "deadline": "MSR", "idle": "HLT MSR MSR", "nested": "VMRUN CPUID",
            "hypercall": "VMMCALL", "hlt": "HLT", "ud": "EXCP_UD", "end": "SHUTDOWN"},
    "vmx": {"io": "IO_INSTRUCTION", "cpuid": "CPUID", "rdmsr": "MSR_READ", "wrmsr": "MSR_WRITE",
            "icr": "MSR_WRITE", "deadline": "MSR_WRITE", "idle": "HLT MSR_WRITE MSR_WRITE",
            "hypercall": "VMCALL", "hlt": "HLT", "ud": "EXCEPTION_NMI", "end": "TRIPLE_FAULT"},
    "arm64": {"sysreg": "SYS64", "oslar": "SYS64", "hvc": "HVC64", "psci": "HVC64"},
}
UNKNOWN_NUMBER = {
    # How a guest that has had a guest ends, is KVM's secret
    "svm": {"NPF", "INTR", "VINTR", "NMI", "STGI", "EXCP_GP", "SHUTDOWN"},
    "vmx": {"EPT_VIOLATION", "EPT_MISCONFIG", "EXTERNAL_INTERRUPT", "INTERRUPT_WINDOW",
            "PREEMPTION_TIMER"},
    # A WFI exits unless an interrupt is due
    "arm64": {"DABT_LOW", "IABT_LOW", "WFX", "IRQ"},
}
MMIO = {"svm": ["NPF"], "vmx": ["EPT_MISCONFIG", "EPT_VIOLATION"], "arm64": ["DABT_LOW"]}
# What never comes to the VMM
QUICK = {"svm": "CPUID", "vmx": "CPUID", "arm64": "SYS64"}
# As the kernel prints SVM's and arm64's reasons in its own trace
KERNEL_NAMES = {"io": "IOIO", "cpuid": "CPUID", "msr": "MSR", "hypercall": "VMMCALL",
                "hlt": "HLT", "UD excp": "EXCP_UD", "shutdown": "SHUTDOWN", "npf": "NPF",
                "vmrun": "VMRUN", "stgi": "STGI", "GP excp": "EXCP_GP",
                "interrupt": "INTR", "vintr": "VINTR", "nmi": "NMI", "WFx": "WFX"}
# The classic tracepoint of arm64 does not tell the vCPU
VCPU_UNKNOWN = 4294967295
threads_only = False


def supported(probe, kernel, vendor, case):
    """What each kernel series must give (Debian's 5.10 has no BTF of modules)."""
    version = tuple(map(int, kernel.split(".")))
    if probe == "tracepoint" and vendor.startswith("arm64") and case in ("filters", "identity"):
        return False  # they ask for vCPUs
    if case == "reasons":
        return True
    arm64 = vendor.startswith("arm64")
    return {"direct": version >= (6, 2), "read": version >= (5, 16) or arm64,
            "legacy": False, "tracepoint": True}[probe]


# amd, intel, arm64; amd-i, arm64-i: with a clock that counts instructions; arm64-nvhe
VENDOR = ""
KERNEL = (0, 0)


class Wrong(Exception):
    pass


def need(condition, *what):
    if not condition:
        raise Wrong(" ".join(str(w) for w in what))


def parse(text):
    """Sections of each case: {name: [lines]}; a name seen twice is continued."""
    cases, case, section = [], None, None
    for line in text.splitlines():
        if line.startswith("@case "):
            _, name, probe = line.split()
            case = (name, probe, collections.defaultdict(list))
            cases.append(case)
        elif line == "@end":
            if case:
                case[2]["end"].append("")
            section = None
        elif line.startswith("@") and case:
            section = line[1:]
            if section.startswith("code "):
                case[2]["codes"].append(section[5:])
            else:
                case[2][section]
        elif section and case:
            case[2][section].append(line)
    return cases


def guests(sections):
    return [g for g in map(json.loads, sections["guest"]) if "run_calls" in g]


def key_of(g):
    return (g["pid"], g["tid"], VCPU_UNKNOWN if threads_only else g["vcpu"])


def expected(guest_list):
    """{(pid, tid, vcpu): {reason: count}}, a vCPU that ran several times added up."""
    want = collections.defaultdict(collections.Counter)
    for g in guest_list:
        names = REASONS[g["isa"]]
        key = key_of(g)
        for kind, name in names.items():
            for one in name.split():
                want[key][one] += not g.get("nested") if kind == "end" else g[kind]
    return want


def records(lines, reused=False):
    parsed = [json.loads(line) for line in lines]
    intervals = [r for r in parsed if r["type"] == "interval"]
    exits = [r for r in parsed if r["type"] == "exit"]
    need(intervals, "no interval record")
    need([i["seq"] for i in intervals] == list(range(len(intervals))), "seq has gaps")
    need([i["final"] for i in intervals] == [False] * (len(intervals) - 1) + [True], "final")
    for i in intervals:
        mine = [r for r in exits if r["seq"] == i["seq"]]
        need(len(mine) == i["records"], "records", i)
        need(sum(r["count"] for r in mine) == i["exits"], "exits do not add up", i)
        # A PID that was given out again within an interval is more than one VM
        vms, vcpus = len({r["pid"] for r in mine}), len({(r["pid"], r["vcpu"]) for r in mine})
        need(vms == i["vms"] or (reused and vms < i["vms"]), "vms", i)
        need(vcpus == i["vcpus"] or (reused and vcpus < i["vcpus"]), "vcpus", i)
        keys = [(r["pid"], r["tid"], r["vcpu"], r["code"], r.get("detail")) for r in mine]
        need(len(keys) == len(set(keys)) or vms < i["vms"], "a record twice in interval", i["seq"])
    return exits, intervals


def counted(exits, pids):
    """{(pid, tid, vcpu): {reason: count}} of the guests' processes."""
    got = collections.defaultdict(collections.Counter)
    for r in exits:
        if r["pid"] in pids:
            got[(r["pid"], r["tid"], r["vcpu"])][r["reason"]] += r["count"]
    return got


def compare(want, got, isa):
    need(set(want) == set(got), "threads", sorted(set(want) ^ set(got))[:4])
    exact = 0
    for key, reasons in want.items():
        for name, count in reasons.items():
            need(got[key][name] == count, key, name, got[key][name], "instead of", count)
            exact += count
        extra = set(got[key]) - {n for n, c in reasons.items() if c} - UNKNOWN_NUMBER[isa]
        need(not extra, key, "reasons nobody made:", extra)
    return exact


def check_totals(exits):
    """A vCPU's totals only grow, and end at the sum of its counts."""
    total = collections.Counter()
    for r in sorted(exits, key=lambda r: r["seq"]):
        key = (r["pid"], r["vcpu"], r["isa"], r["code"], r.get("detail"))
        total[key] += r["count"]
        need(r["total"] == total[key], "total", r)


def summed(got):
    return {(key, name): n for key, reasons in got.items() for name, n in reasons.items() if n}


def judge_counts(sections, reused=False):
    """What the cases exact, vms, one_thread, churn and reuse have in common."""
    guest_list = guests(sections)
    need(guest_list, "the guest said nothing")
    need(set(sections["codes"]) == {"0"}, "exit codes", sections["codes"])
    isa = guest_list[0]["isa"]
    exits, intervals = records(sections["kvmexit"], reused)
    pids = {g["pid"] for g in guest_list}
    got = counted(exits, pids)
    exact = compare(expected(guest_list), got, isa)
    need(intervals[-1]["lost"] == 0, "lost", intervals[-1]["lost"])
    if not reused:
        check_totals(exits)
    return exact, got, isa, guest_list


def check_ftrace(sections, got, isa):
    lines = [line.rsplit(" ", 1) for line in sections["ftrace"]]
    if ["overrun", "0"] not in lines:
        return "(ftrace lost events)"
    seen = collections.Counter()
    for what, n in lines:
        if what != "overrun":
            tid, name = what.split(" ", 1)
            seen[(int(tid), KERNEL_NAMES.get(name, name))] += int(n)
    mine = collections.Counter()
    for (_, tid, _), reasons in got.items():
        for name, n in reasons.items():
            mine[(tid, name)] += n
    tids = {tid for tid, _ in mine}
    theirs = {key: n for key, n in seen.items() if key[0] in tids}
    need(theirs == {k: n for k, n in mine.items() if n}, "ftrace says otherwise:",
         sorted(set(theirs.items()) ^ set(mine.items()))[:4])
    return f"= ftrace's {sum(theirs.values())}"


def check_hist(sections, guest_list):
    """The sums that a trigger of the tracepoint kept in the kernel (arm64)."""
    need("dropped 0" in sections["text hist"], "hist:", sections["text hist"][-3:])
    tids = {g["tid"] for g in guest_list}
    theirs, mine = collections.Counter(), collections.Counter()
    for line in sections["text hist"][:-1]:
        tid, ret, esr_ec, count = map(int, line.split())
        if tid in tids:
            theirs[(tid, esr_ec if ret == 2 else 0x40 + ret)] += count
    for r in records(sections["kvmexit"])[0]:
        if r["tid"] in tids:
            mine[(r["tid"], r["code"])] += r["count"]
    need(theirs == mine, "hist says otherwise:", sorted(set(theirs.items()) ^ set(mine.items()))[:4])


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
            counts = r["exits"] if "exits" in r else {r.get("reason"): r["count"]}
            for reason, n in counts.items():
                got[key + (reason,)] += n
            if r["type"] == "sum":
                seen = sum(n for k, n in got.items()
                           if k[:-1] == key and ("exits" in r or k[-1] == r.get("reason")))
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
    table = [row.split() for row in sections["text table"][1:] if row[0] != "("]
    need({(int(p), r): int(n) for p, _, r, n in table} == want, "the table says otherwise", table)
    counts = [int(row[3]) for row in table]
    need(counts == sorted(counts, reverse=True), "the table is not sorted", counts)
    rest = sum(counts[3:])
    need([row.split() for row in sections["text top"][1:4]] == table[:3] and sections["text top"][4] ==
         f"({len(counts) - 3} more rows with {rest} exits)", "--top 3", sections["text top"])
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
    vcpus = {(r["vm"], r["pid"], r["vcpu"], r["tid"]) for r in listed if r["type"] == "vcpu"}
    need(counted_as == vcpus, "--vms says", sorted(vcpus), "the exits", sorted(counted_as))
    need({r["comm"] for r in exits} == {"qemu-system-x86"}, "comm")
    mine, _ = records(sections["text web1"])
    need(mine and {r["vm"] for r in mine} == {"web1"}, "-n web1 gave", {r["vm"] for r in mine})
    head, *body = [line.split() for line in sections["text wide"]]
    need(head == ["PID", "TID", "VM", "VCPU", "KVM_EXIT_REASON", "COUNT"], "head", head)
    rows_of = {(r[2], int(r[0]), int(r[3]), int(r[1])) for r in body}
    need(rows_of == vcpus, "--wide has", sorted(rows_of))
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
            need("slow" not in line or KERNEL < (6, 1), "the kernel refuses", line)
            continue
        told = vms.get(line["pid"], {})
        apic = told.get("AVIC", set()) | told.get("APICv", set())
        if line["slow"] == "halt-poll":
            need(any(v.startswith("7000 ns at most") for v in told["halt polling"]), told)
        elif line["slow"] == "pause":
            need(told["exits turned off"] == {"PAUSE"}, told)
        elif line["slow"] == "dirty":
            # With a page-modification log, as Intel may have it, there are no such exits
            if VENDOR == "intel" and "EPT_VIOLATION" not in shares:
                continue
            known = KERNEL >= (6, 12)  # between 6.1 and 6.12 the kernel began to count
            need({"NPF", "EPT_VIOLATION"} & set(shares), "it costs nothing:", shares)
            need(told.get("dirty logging") == ({"of 1 memory slots"} if known else None), told)
        elif apic and sections["text inhibits"]:
            tids = {line["pid"]} | {g["tid"] for g in lines if g["pid"] == line["pid"] and "tid" in g}
            inhibits = check_inhibits(sections["text inhibits"], tids, *apic)
        done.append(line["slow"])
        need(f"(PID {line['pid']}):" in table, "not in the table")
    need(any(line.startswith(("    kvm_amd.pause_filter_count = ", "    kvm_intel.ple_gap = "))
             for line in sections["text alone"]), "without a run:", sections["text alone"])
    return f"named: {', '.join(done)}; APIC inhibited by {inhibits}; of {len(counts)} reasons " \
           f"explained: {', '.join(f'{k} {v / 10:.1f} %' for k, v in shares.items())}"


# By the guest's kinds of arm64, what is behind their exits
TRAPS = {"sysreg": ("SYS64", "sysreg s3_0_c0_c4_0 read", "ID_AA64PFR0_EL1"),
         "oslar": ("SYS64", "sysreg s2_0_c1_c0_4 write", "OSLAR_EL1"),
         "hvc": ("HVC64", "hypercall 0", ""),
         "psci": ("HVC64", "hypercall 0x84000000", "PSCI PSCI_VERSION"),
         "mmio": ("DABT_LOW", "mmio 0x30000000", "a PCI device's, if QEMU virt")}
WFX = {"wfi": "sysreg s0_3_c2_c0_3", "wfe": "sysreg s0_3_c2_c0_2"}


def by_detail(lines):
    got = collections.defaultdict(collections.Counter)
    for r in records(lines)[0]:
        got[(r["pid"], r["tid"], r["vcpu"])][(r["reason"], r["detail"], r["name"])] += r["count"]
    return got


def case_traps(sections):
    exact, _, _, guest_list = judge_counts(sections)
    got, again = by_detail(sections["kvmexit"]), by_detail(sections["kvmexit2"])
    need(got == again, "intervals do not add up", got, again)
    for g in guest_list:
        mine = collections.Counter(got[key_of(g)])
        abort = sum(n for key, n in mine.items() if key[0] == "DABT_LOW")
        for kind, key in TRAPS.items():
            if kind == "mmio" and threads_only:
                key = ("DABT_LOW", "unknown", "")
                need(mine[key] == abort, kind, mine)
            else:
                need(mine[key] == g[kind], kind, g[kind], mine)
            del mine[key]
        if not threads_only:
            need(mine[("DABT_LOW", "mmio 0x30000008", TRAPS["mmio"][2])] == 1, "the end", mine)
        for kind, detail in WFX.items():
            n = mine.pop(("WFX", detail, kind.upper()), 0)
            need(n <= g[kind] and (kind == "wfe" or n >= 0.9 * g[kind]), kind, n, mine)
        fetched = sum(n for key, n in mine.items() if key[1] == "fault 0x38000000 2M exec")
        need(fetched == g["iabt"], "iabt", mine)
        odd = [key for key in mine if key[1] in ("unknown", "other")]
        need(not odd, "not known:", odd, mine)
    kinds = len({key for threads in got.values() for key in threads})
    return f"{exact} exits of {kinds} kinds, by what was behind them"


def case_attach(sections):
    need(sections["text exits"] and int(sections["text exits"][-1]) > 0, "nothing counted")
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
    *lines, given_up = sections["text status"]
    status = dict(line.split(":\t") for line in lines)
    need(status.pop("NoNewPrivs") == "1" and status.pop("Seccomp") == "2", "status", status)
    status.pop("CapBnd")
    need(set(status.values()) == {"0" * 16}, "capabilities kept", status)
    for what in ("all capabilities", "system calls") + (
            ("writing to files",) if KERNEL >= (5, 13) else ()):
        need(what in given_up, "not given up:", what, given_up)
    return f"{exact} exits, its file reopened, with no capability, seccomp and Landlock"


def case_caps(sections):
    exact, _, _, _ = judge_counts(sections)
    status = dict(line.split(":\t") for line in sections["text status"])
    need(status.pop("NoNewPrivs") == "1" and status.pop("Seccomp") == "2", "status", status)
    status.pop("CapBnd")
    need(set(status.values()) == {"0" * 16}, "capabilities kept", status)
    for line in sections["text caps"]:
        paranoid, uid, caps, probe, code, how = line.split()
        caps = set(caps.replace("+", "").split(","))
        admin = "sys_admin" in caps
        base = admin or {"bpf", "perfmon"} <= caps
        reads = uid == "0" or "dac_read_search" in caps
        works = {"auto": base, "direct": base and admin, "read": base,
                 "tracepoint": base and reads and (admin or paranoid == "2")}[probe]
        if probe == "direct" and code == "69":
            continue  # before 6.2
        need(code == ("0" if works else "77"), "capabilities", line)
        if works:
            form = "readrawtracepoint" if not admin and probe in ("auto", "read") else None
            need(how == form if form else how.startswith(probe) or probe == "auto", line)
        else:
            need(how.startswith("CAP_"), "nothing is said to be missing:", line)
            need(base or (how.split("+")[0][4:].lower() not in caps), "not missing:", line)
    return f"{len(sections['text caps'])} combinations; {exact} exits with CAP_BPF+CAP_PERFMON"


def case_hidepid(sections):
    need(sections["codes"] == ["0", "0"], "exit codes", sections["codes"])
    for more, shown in ((",+setgid", True), ("none", False)):
        lines = sections["text " + more]
        pid = json.loads(lines[0])["pid"]
        exits, _ = records([line for line in lines if '"type"' in line])
        names = {(r["vm"], r["comm"], r["reason"], r["count"]) for r in exits
                 if r["pid"] == pid and r["reason"] == "CPUID"}
        name = "web1" if shown else f"pid-{pid}"
        need(names == {(name, name, "CPUID", 100)}, more, names)
        told = [line for line in lines if line.startswith("kvmexit: ")]
        need(len(told) == (not shown), more, "told", told)
        need(shown or "hidepid=invisible" in told[0] and "group 4321" in told[0], told)
    return "named by the group that CAP_SETGID joins; without it pid-PID, and told why"


def case_clock(sections):
    exact, _, _, _ = judge_counts(sections)
    _, intervals = records(sections["kvmexit"])
    lengths = [i["dur_ms"] for i in intervals[:-1]]
    # However late a report is: not by what the clock was set
    need(all(n < 60000 for n in lengths) and sum(lengths) > 300 * len(lengths), "lengths", lengths)
    times = [datetime.datetime.fromisoformat(i["ts"][:-1]) for i in intervals]
    jumps = [round((b - a).total_seconds() / 3600) for a, b in zip(times, times[1:])]
    jumps = [n for n in jumps if n]
    need(jumps[:2] == [1, -2], "the clock was not set", jumps)
    return f"{exact} exits; {min(lengths)} to {max(lengths)} ms an interval, clock +1 h, -2 h"


def case_missed(sections):
    exact, _, _, _ = judge_counts(sections)
    _, intervals = records(sections["kvmexit"])
    lengths = [i["dur_ms"] for i in intervals[:-1]]
    longest = max(lengths)
    need(longest >= 2000, "no interval was missed", lengths)
    big = lengths.index(longest)
    need(intervals[big]["exits"] >= 2000, "exits of the missed time", intervals[big])
    return f"{exact} exits; one interval of {longest} ms instead of {longest // 200} of 200"


def case_full(sections):
    cut = [line for line in sections["kvmexit"] if not line.endswith("}")]
    need(len(cut) <= 1, "cut lines", cut)
    sections["kvmexit"] = [line for line in sections["kvmexit"] if line not in cut]
    exact, _, _, _ = judge_counts(sections)
    _, intervals = records(sections["kvmexit"])
    longest = max(i["dur_ms"] for i in intervals)
    need(longest >= 1000, "the disk was not full", longest)
    return f"{exact} exits; one interval of {longest} ms, {len(cut)} line cut and written again"


def case_unread(sections):
    exact, got, _, _ = judge_counts(sections)
    exits, intervals = records(sections["kvmexit"])
    longest = max(i["dur_ms"] for i in intervals)
    need(longest >= 9000, "the reader did not stall", longest)
    need({r["comm"] for r in exits} == {"guest"}, "names", {r["comm"] for r in exits})
    return f"{exact} exits of {len(got)} threads in 8 slots, all named, unread for {longest} ms"


def case_modules(sections):
    exact, _, _, _ = judge_counts(sections)
    lines = sections["text modules"]
    for line in ("kvm_amd unloaded while counting", "kvm held while counting",
                 "kvm_amd loaded again", "both unloaded afterwards"):
        need(line in lines, "not:", line, lines)
    absent = [line for line in lines if line.startswith("without kvm: ")]
    need(absent and absent[0].startswith("without kvm: 69 0 kvmexit: no tracepoint kvm:kvm_exit"),
         absent)
    need("without kvm_amd: tracepoint" in lines, lines)
    second = {"guest": sections["text guest2"], "kvmexit": sections["text kvmexit2"],
              "codes": sections["codes"]}
    later, _, _, _ = judge_counts(second)
    return f"{exact} exits around a reload, {later} of a module loaded later; absent: 69"


def case_surroundings(sections):
    # Exit code and probe, or exit code and a part of the message
    new = any("direct" in line for line in sections["text plain"])
    best = "direct" if new else "read"
    want = {"plain": (0, best), "no-btf": (0, "tracepoint"),
            "no-btf-read": (69, "the kernel has no BTF"),
            "no-btf-no-tracefs": (69, "tracefs is not mounted"),
            "no-tracefs": (0, best),
            "no-tracefs-tracepoint": (69, "mount -t tracefs"),
            "read-only-sys": (0, best), "read-only-tracepoint": (0, "tracepoint"),
            "integrity": (0, best), "confidentiality": (0, "direct" if new else "tracepoint"),
            "confidentiality-read": (77, "kernel lockdown (confidentiality)")}
    for name, (code, part) in want.items():
        lines = sections["text " + name]
        need(lines and lines[0].split()[0] == str(code), name, lines)
        if code:
            need(part in lines[-1], name, lines)
        else:
            need(lines[0].split()[1] == part and int(lines[1]) > 0, name, lines)
    return f"{len(want)} surroundings: the right probe or the right message"


def case_soak(sections):
    exact, got, _, guest_list = judge_counts(sections)
    _, intervals = records(sections["kvmexit"])
    samples = [tuple(map(int, line.split())) for line in sections["text soak"]]
    files, memory = zip(*samples)
    need(len(set(files)) == 1, "open files", sorted(set(files)))
    quarter = len(memory) // 4
    before, after = max(memory[quarter:2 * quarter]), max(memory[-quarter:])
    need(after <= before * 1.05, "memory", memory)
    vms = len({g["pid"] for g in guest_list})
    return (f"{exact} exits of {len(got)} threads, {vms} VMMs, {len(intervals)} intervals, "
            f"{len(samples)} files; {files[0]} open, {after} KB at the end, {before} before")


# The guest's kind that naps, and its reason
NAPS = {"svm": ("hlt", "HLT"), "vmx": ("hlt", "HLT"), "arm64": ("mmio", "DABT_LOW")}
HALTS = {"svm": ("idle", "HLT"), "vmx": ("idle", "HLT"), "arm64": ("wfi", "WFX")}
PARTS = ["kvm_ns", "user_ns", "wait_ns", "poll_ns", "idle_ns"]


def timed(lines):
    """Records with times: [exits], [vcpus], [intervals]; each of them adds up."""
    exits, intervals = records(lines)
    vcpus = [r for r in map(json.loads, lines) if r["type"] == "vcpu"]
    for r in exits:
        need(r["time_ns"] == sum(r.get(p, 0) for p in PARTS), "the parts of", r)
        need(not r["max_ns"] or r["p50_ns"] <= r["p99_ns"] <= r["max_ns"], "quantiles", r)
    for r in vcpus:
        parts = r["guest_ns"] + sum(r.get(p, 0) for p in PARTS)
        need(abs(parts - r["wall_ns"]) * 1000 <= r["wall_ns"], "wall clock", parts, r)
        mine = [e for e in exits if (e["seq"], e["tid"], e["vcpu"]) == (r["seq"], r["tid"], r["vcpu"])]
        need(sum(e["count"] for e in mine) == r["exits"], "exits", r)
        need(r["unseen"] == 0, "unseen", r)
        for p in PARTS:
            need(sum(e.get(p, 0) for e in mine) == r.get(p, 0), p, "of", r, "is not the reasons'")
    return exits, vcpus, intervals


def totals(rows, keys, fields):
    sums = collections.defaultdict(collections.Counter)
    for r in rows:
        sums[tuple(r[k] for k in keys)].update({f: r.get(f, 0) for f in fields})
    return sums


def check_intervals(vcpus, intervals, whole):
    """Each interval that a thread was there for is all told of, and all are the whole."""
    worst = 0
    lengths = {i["seq"]: i["dur_ms"] for i in intervals}
    for tid in {r["tid"] for r in vcpus}:
        mine = [r for r in vcpus if r["tid"] == tid]
        for r in mine[1:-2]:
            # Told in whole ms; and kvmexit may have lost its CPU just then
            off = max(0, abs(r["wall_ns"] / 1e6 - lengths[r["seq"]] - 0.5) - 0.5)
            worst = max(worst, off / lengths[r["seq"]])
            need(off <= 0.001 * lengths[r["seq"]] + (2 if VENDOR.endswith("-i") else 30),
                 "wall clock of an interval", r)
    sums = totals(vcpus, ["tid"], ["guest_ns"] + PARTS)
    for key, want in totals(whole, ["tid"], ["guest_ns"] + PARTS).items():
        for name in ("wait_ns", "poll_ns"):
            need(abs(sums[key][name] - want[name]) <= 20e6 + 0.01 * want[name], name, "of", key,
                 "in intervals", sums[key][name], "in whole", want[name])
    return worst


def check_sched(lines, whole, alarmed):
    """The scheduler's own account of waiting, from before the first exit to after the last;
    threads that alarms wake up before and after have waited there too."""
    sched = {(when, int(tid)): int(wait)
             for when, tid, _, wait in (line.split()[:4] for line in lines)}
    ours = theirs = 0
    for r in whole:
        want = sched[("after", r["tid"])] - sched[("before", r["tid"])]
        early = r["wait_ns"] if r["tid"] in alarmed else want
        need(early - 20e6 - 0.01 * early <= r["wait_ns"] <= want + 20e6 + 0.01 * want,
             "wait", r["wait_ns"], "schedstat", want)
        ours, theirs = ours + r["wait_ns"], theirs + want
    return ours, theirs


def check_stamps(lines, exits):
    """By thread and reason, sum and maximum of the kernel's own stamps: how many spans,
    how much ours and theirs in us. On the clock that counts instructions the
    difference is what runs between the two stamps, the same for every span but a thread's
    first; else the host may lose its CPU there, for milliseconds. SVM before 6.5 lets in
    what interrupted the guest before it traces the exit: it may come between them."""
    exact, first, each = VENDOR.endswith("-i"), 5, 0.6
    if VENDOR.startswith("arm64"):
        first, each = 10, 2
    elif VENDOR.startswith("amd") and KERNEL < (6, 5):
        first = 100
    out, spans = {}, collections.defaultdict(list)
    for line in lines:
        tid, stamp, event, name = (line.split(" ", 3) + [""])[:4]
        if event == "exit":
            out[tid] = (float(stamp) * 1e6, KERNEL_NAMES.get(name, name))
        elif tid in out:
            began, reason = out.pop(tid)
            spans[(int(tid), reason)].append(float(stamp) * 1e6 - began)
    n, all_ours, all_theirs = 0, 0, 0
    for r in exits:
        theirs = spans[(r["tid"], r["reason"])]
        if not theirs:
            continue
        ours, longest = r["time_ns"] / 1000, max(theirs)
        need(len(theirs) == r["count"] - r["untimed"], "spans", r, "by ftrace", len(theirs))
        slack = first + each * len(theirs) if exact else 40000 + 0.05 * sum(theirs)
        need(abs(ours - sum(theirs)) <= slack, "took", sum(theirs), "us by ftrace:", r)
        service = (r["time_ns"] - r["idle_ns"]) / 1000
        if not r["idle_ns"]:
            need(abs(r["max_ns"] / 1000 - longest) <= (first if exact else 40000), "longest",
                 longest, r)
        need(r["max_ns"] / 1000 <= service + 0.001, "longest", r)
        n, all_ours, all_theirs = n + len(theirs), all_ours + ours, all_theirs + sum(theirs)
    return n, all_ours, all_theirs


def check_halts(sections, whole):
    """KVM's own accounts of halting, by VM, and of polling and halting, by thread. A halt
    ends when the thread has a CPU again: part of it is waiting."""
    slack = 1.001
    stats = collections.defaultdict(dict)
    for pid, stat, ns in (line.split() for line in sections["text stats"]):
        stats[int(pid)][stat] = int(ns)
    for (pid,), mine in totals(whole, ["pid"], PARTS).items():
        told = all("poll_ns" in r for r in whole)
        poll = stats[pid]["halt_poll_success_ns"] + stats[pid]["halt_poll_fail_ns"]
        window = stats[pid].get("halt_poll_ns", poll)
        need((poll > 0) == (window > 0), "polled:", stats[pid])
        need(not told or poll / slack <= mine["poll_ns"] + mine["wait_ns"] and
             mine["poll_ns"] <= poll * slack, "poll", mine, "KVM's", stats[pid])
        if "halt_wait_ns" in stats[pid]:
            halt = stats[pid]["halt_wait_ns"] + (0 if told else poll)
            need(halt / slack <= mine["idle_ns"] + mine["wait_ns"] and
                 mine["idle_ns"] <= halt * slack, "idle", mine, "KVM's", stats[pid])
    wakeups = {int(tid): int(ns) for tid, ns in map(str.split, sections["text wakeups"])}
    for r in whole:
        mine, ns = r["idle_ns"] + r.get("poll_ns", 0), wakeups.get(r["tid"], 0)
        need(mine <= ns * slack and ns / slack <= mine + r["wait_ns"], "kvm_vcpu_wakeup says", ns, r)
    return sum(wakeups.values())


def case_time(sections):
    exact, got, isa, guest_list = judge_counts(sections)
    pids = {g["pid"] for g in guest_list}
    exits, whole, _ = timed(sections["kvmexit"])
    exits2, vcpus, intervals = timed(sections["kvmexit2"])
    need(summed(counted(exits2, pids)) == summed(got), "intervals count otherwise")
    napping, napped = NAPS[isa]
    quick = QUICK[isa]
    halting, halted_in = HALTS[isa]
    last = REASONS[isa].get("end", "DABT_LOW")
    nested = {g["tid"] for g in guest_list if g.get("nested")}
    need(all(r["untimed"] <= (r["reason"] == last or r["tid"] in nested) for r in exits), "untimed")
    need(len(whole) == len(guest_list), "vcpu records", len(whole))
    worst = check_intervals(vcpus, intervals, whole)
    residue = max(abs(r["wall_ns"] - r["guest_ns"] - sum(r.get(p, 0) for p in PARTS))
                  for r in vcpus + whole)
    ours, theirs = check_sched(sections["text sched"], whole,
                               {g["tid"] for g in guest_list if g.get("wfi")})
    opened = totals((r for r in exits2 if r["reason"] == last), ["tid"], ["time_ns"])
    halted = check_halts(sections, whole)
    for g in guest_list:
        mine = {r["reason"]: r for r in exits if r["tid"] == g["tid"]}
        share = next(r for r in whole if r["tid"] == g["tid"])
        # It stayed out of the guest, and was there, for more than a second
        need(g["tid"] in nested or opened[(g["tid"],)]["time_ns"] > 0.5e9, "open",
             opened[(g["tid"],)])
        if g[napping]:
            user = mine[napped]["user_ns"]
            need(g[napping] * 3e6 <= user + mine[napped].get("wait_ns", 0) and
                 user <= g[napping] * 20e6, "naps of 3 ms took", user, "ns")
            need(mine[quick]["user_ns"] == 0, "user of", mine[quick])
        elif g.get(halting):
            halt = mine[halted_in]
            need(2 * (halt["idle_ns"] + halt.get("poll_ns", 0) + halt.get("wait_ns", 0)) >
                 halt["time_ns"],
                 "not halted", halt)
        elif g.get("nested"):
            need(mine["VMRUN"]["kvm_ns"] > mine["CPUID"]["kvm_ns"] / 4, "VMRUN", mine)
        else:
            need(0.3 < share["wait_ns"] / share["wall_ns"] < 0.7, "two on one CPU wait", share)
    n, mine, kernel = check_stamps(sections["text stamps"], exits)
    per = (mine - kernel) * 1000 / n
    return (f"{exact} exits, {len(vcpus)} vcpu records add up to {residue} ns, "
            f"intervals within {worst:.2%}; "
            f"wait {ours / 1e6:.1f} ms, schedstat {theirs / 1e6:.1f}; "
            f"halted {halted / 1e6:.1f} ms; {n} spans {mine / 1e3:.1f} ms, "
            f"ftrace {kernel / 1e3:.1f}, {per:+.0f} ns each")


def case_selftest(sections):
    trials = [json.loads(line) for line in sections["text selftest"]]
    for t in trials:
        how = t["probe"] + (" --time" if t["time"] else "") + (" --detail" if t["detail"] else "")
        need(t["verdict"] != "wrong", "the self-test says:", how, t["why"], "exit code", *sections["codes"])
        if t["verdict"] == "none":
            continue
        least = UNKNOWN_NUMBER[t["isa"]] | {"EXCEPTION_NMI"}
        for reason, n in t["made"].items():
            counted = t["counted"][reason]
            need(counted == n or not t["detail"] and (counted > n and reason in least), how, reason, counted, "of", n)
        need(t["exits"] >= sum(t["counted"].values()) and t["lost"] == 0, t)
        need(t["kvm_exits"] in (0, t["exits"]), how, "KVM's own count", t)
        need(t["node"] == "", "the host's name", t)
        if t["time"]:
            need(t["timed"] + t["untimed"] + t["open"] == t["exits"] and t["open"] == 2, how, t)
            need(t["parts_ns"] == t["wall_ns"] > 0, how, t)
    need(set(sections["codes"]) == {"0"}, "exit codes", sections["codes"], sections["text log"][-1:])
    tried = [t for t in trials if t["verdict"] == "exact"]
    need(tried and not tried[0]["time"], "nothing was tried", trials)
    return ", ".join(f"{t['exits']} exits" + (" with --detail" if t["detail"] else f" with --time, {t['timed']} timed, {t['wall_ns'] / 1e6:.0f} ms"
                                              if t["time"] else "") for t in tried)


# What is behind a kind's exits, as far as the reason tells the rest (src/guest.h)
PORTS = ["port 0x3f8 out 1", "port 0x3fd in 1", "port 0x1f0 out 2", "port 0x1f0 in 2",
         "port 0xcf8 out 4", "port 0xcfc in 4", "port 0x402 outs 1", "port 0x402 ins 1"]
LEAVES = ["leaf 0x1", "leaf 0x7 subleaf 0", "leaf 0x7 subleaf 1", "leaf 0xd subleaf 2",
          "leaf 0x80000000", "leaf 0x40000000"]
READ, WRITTEN = ["msr 0xfe", "msr 0x8b", "msr 0x4b564d01"], ["msr 0x79"]
MMIO_ADDRESSES = {"mmio": ["mmio 0x30000000"],
                  "mmios": ["mmio 0x30001000", "mmio 0x30002010", "mmio 0x30003ff8"]}


def behind(g):
    """{(reason, detail): count} of what a guest's vCPU did, but for memory."""
    svm, names = g["isa"] == "svm", REASONS[g["isa"]]
    read, write = (" read", " write") if svm else ("", "")
    want = collections.Counter()
    for kind, details in {"io": ["port 0x10 out 1"], "ports": PORTS, "cpuid": ["leaf 0x0"],
                          "leaves": LEAVES, "hypercall": ["hypercall 0x1000"],
                          "calls": ["hypercall 0x1001", "hypercall 0x1002"],
                          "ud": ["exception 6"]}.items():
        reason = names[{"ports": "io", "leaves": "cpuid", "calls": "hypercall"}.get(kind, kind)]
        want.update({(reason, d): g[kind] for d in details})
    want.update({(names["rdmsr"], m + read): g["msrs"] for m in READ})
    want.update({(names["wrmsr"], m + write): g["msrs"] for m in WRITTEN})
    want[(names["rdmsr"], "msr 0x3b" + read)] += g["rdmsr"]
    want[(names["wrmsr"], "msr 0x3b" + write)] += g["wrmsr"]
    if g["nested"]:
        want[(names["cpuid"], "leaf 0x0 L2")] += g["nested"]
    return +want


def details_of(exits, pids):
    got = collections.defaultdict(collections.Counter)
    for r in exits:
        if r["pid"] in pids:
            got[(r["pid"], r["tid"], r["vcpu"])][(r["reason"], r["detail"])] += r["count"]
    return got


def check_addresses(guest_list, got):
    """Stores and loads exit once each: as MMIO or, the first ones of a page, as a fault."""
    seen, told = collections.Counter(), 0
    for reasons in got.values():
        for (reason, detail), n in reasons.items():
            if reason in MMIO[guest_list[0]["isa"]]:
                need(detail.startswith(("mmio 0x3000", "fault 0x0 2M ", "fault 0x30000000 2M ")),
                     "address", reason, detail, n)
                seen[detail] += n
    for kind, addresses in MMIO_ADDRESSES.items():
        want = sum(g[kind] for g in guest_list)
        for address in addresses if want else []:
            need(want - 4 <= seen[address] <= want, address, seen[address], "of", want)
            told += want - seen[address]
    faults = sum(n for detail, n in seen.items() if detail.startswith("fault 0x3"))
    need(told <= faults <= told + 4, "faults", faults, "instead of", told)
    return sum(seen.values())


def case_detail(sections):
    """Each exit is one detail's, by every kvmexit; the plain one counts the reasons."""
    guest_list = guests(sections)
    need(set(sections["codes"]) == {"0"}, "exit codes", sections["codes"])
    pids, isa = {g["pid"] for g in guest_list}, guest_list[0]["isa"]
    exits, intervals = records(sections["kvmexit"])
    need(intervals[-1]["lost"] == 0, "lost", intervals[-1]["lost"])
    check_totals(exits)
    got = details_of(exits, pids)
    known = set(REASONS[isa].values()) - {"HLT", REASONS[isa]["end"]}
    for g in guest_list:
        want = behind(g)
        mine = {k: n for k, n in got[key_of(g)].items() if k[0] in known}
        need(mine == want, key_of(g), sorted(set(mine.items()) ^ set(want.items()))[:6])
        crs = sum(n for (_, detail), n in got[key_of(g)].items() if detail.startswith("cr 4"))
        need(crs == g["crs"] * (2 if isa == "svm" else 1), "cr 4", crs)
    memory = check_addresses(guest_list, got)
    plain = counted(records(sections["text plain"])[0], pids)
    need(summed(plain) == summed(counted(exits, pids)), "details are not the reasons' exits")
    exits2, intervals = records(sections["text timed"])
    check_totals(exits2)
    need(details_of(exits2, pids) == got, "intervals with the time say otherwise")
    user = collections.Counter()
    for r in exits2:
        user[r["detail"]] += r["user_ns"]
    need(user["port 0x3f8 out 1"] and not user["leaf 0x1"], "user", user)
    for r in records(sections["text some"])[0]:
        need((r["reason"] == "CPUID") == r["detail"].startswith("leaf"), "--detail=CPUID", r)
    return (f"{sum(sum(c.values()) for c in got.values())} exits, "
            f"{len({k for c in got.values() for k in c})} details, {memory} of memory; "
            f"{len(intervals)} intervals with the time add up")


CASES = {"caps": case_caps, "hidepid": case_hidepid, "clock": case_clock, "missed": case_missed,
         "full": case_full, "unread": case_unread, "modules": case_modules,
         "surroundings": case_surroundings, "soak": case_soak,
         "exact": case_exact, "reasons": case_reasons, "nested": case_nested,
         "fastpath": case_fastpath, "tracers": case_tracers, "vms": case_vms,
         "explain": case_explain,
         "groups": case_groups,
         "one_thread": case_simple, "churn": case_simple, "room": case_room,
         "reuse": lambda s: case_simple(s, True), "identity": case_identity,
         "traps": case_traps,
         "surplus": case_surplus, "confined": case_confined,
         "filters": case_filters, "time": case_time, "detail": case_detail,
         "selftest": case_selftest,
         "names": case_names,
         "attach": case_attach}


def main():
    global VENDOR, KERNEL
    kernel, vendor, path = sys.argv[1:]
    VENDOR, KERNEL = vendor, tuple(map(int, kernel.split(".")))
    with open(path, errors="replace") as f:
        cases = parse(f.read())
    passed = failed = 0
    global threads_only
    for name, probe, sections in cases:
        threads_only = vendor.startswith("arm64") and probe == "tracepoint"
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
