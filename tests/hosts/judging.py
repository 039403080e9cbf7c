# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What all judges of the hosts' cases need: what a guest did, what was counted of it"""
import collections
import json

# What a guest's kind of exit is called; the memory reasons and interrupts come
# in numbers that are not known beforehand (src/selftest/guest.h)
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


def supported(probe, kernel, vendor, case):
    """What each kernel series must give (Debian's 5.10 has no BTF of modules)."""
    version = tuple(map(int, kernel.split(".")))
    if probe == "tracepoint" and vendor.startswith("arm64") and case in ("filters", "identity", "room"):
        return False  # they ask for vCPUs
    if case == "reasons":
        return True
    arm64 = vendor.startswith("arm64")
    return {"direct": version >= (6, 2), "read": version >= (5, 16) or arm64,
            "legacy": False, "tracepoint": True}[probe]


class host:
    """Which one it was, and by which probe"""
    vendor = ""  # amd, intel, arm64; amd-i, arm64-i: with a clock that counts instructions; arm64-nvhe
    kernel = (0, 0)
    threads_only = False


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
    return (g["pid"], g["tid"], VCPU_UNKNOWN if host.threads_only else g["vcpu"])


def expected(guest_list):
    """{(pid, tid, vcpu): {reason: count}}, a vCPU that ran several times added up."""
    want = collections.defaultdict(collections.Counter)
    for g in guest_list:
        names = REASONS[g["isa"]]
        key = key_of(g)
        for kind, name in names.items():
            if kind == "end" and g.get("nested"):
                continue  # how it ends, kernels differ
            for one in name.split():
                want[key][one] += 1 if kind == "end" else g[kind]
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
