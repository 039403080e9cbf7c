# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is behind exits: the cases detail and traps, and selftest"""
import collections
import json

from judging import (REASONS, UNKNOWN_NUMBER, MMIO, host, need, guests, key_of, records,
                     counted, check_totals, summed, judge_counts)


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
            if kind == "mmio" and host.threads_only:
                key = ("DABT_LOW", "unknown", "")
                need(mine[key] == abort, kind, mine)
            else:
                need(mine[key] == g[kind], kind, g[kind], mine)
            del mine[key]
        if not host.threads_only:
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
            if host.threads_only and t["detail"] and reason == "mmio":
                need(counted == 0, how, "told an address:", counted)
                continue
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


# What is behind a kind's exits, as far as the reason tells the rest (src/selftest/guest.h)
PORTS = ["port 0x3f8 out 1", "port 0x3fd in 1", "port 0x1f0 out 2", "port 0x1f0 in 2",
         "port 0xcf8 out 4", "port 0xcfc in 4", "port 0x402 outs 1", "port 0x402 ins 1"]
LEAVES = ["leaf 0x1", "leaf 0x7 subleaf 0", "leaf 0x7 subleaf 1", "leaf 0xd subleaf 2",
          "leaf 0x80000000", "leaf 0x40000000"]
READ, WRITTEN = ["msr 0xfe", "msr 0x8b", "msr 0x4b564d01"], ["msr 0x79"]
MMIO_ADDRESSES = {"mmio": ["mmio 0x30000000"],
                  "mmios": ["mmio 0x30001000", "mmio 0x30002010", "mmio 0x30003ff8"],
                  "apics": ["mmio 0xfee00030", "mmio 0xfee00080"]}


def behind(g, calls_of):
    """
    {(reason, detail): count} of what a guest's vCPU did, but for memory. @calls_of: whose
    hypercalls they are, but for KVM's own
    """
    svm, names = g["isa"] == "svm", REASONS[g["isa"]]
    read, write = (" read", " write") if svm else ("", "")
    want = collections.Counter()
    for kind, details in {"io": ["port 0x10 out 1"], "ports": PORTS, "cpuid": ["leaf 0x0"],
                          "leaves": LEAVES, "hypercall": ["hypercall 0x1000" + calls_of],
                          "calls": [f"hypercall {n}{calls_of}" for n in ("0x1001", "0x1002")],
                          "ud": ["exception 6"]}.items():
        reason = names[{"ports": "io", "leaves": "cpuid", "calls": "hypercall"}.get(kind, kind)]
        want.update({(reason, d): g[kind] for d in details})
    want.update({(names["rdmsr"], m + read): g["msrs"] for m in READ})
    want.update({(names["wrmsr"], m + write): g["msrs"] for m in WRITTEN})
    want[(names["rdmsr"], "msr 0x3b" + read)] += g["rdmsr"]
    want[(names["wrmsr"], "msr 0x3b" + write)] += g["wrmsr"]
    want[(names["cpuid"], "leaf 0x2")] += 2 * g["drs"]
    want[("RDPMC", "pmc 0x1")] += g["pmcs"]
    if not svm:  # QEMU does not intercept it
        want[("XSETBV", "xcr 0")] += g["xcrs"]
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
    """Stores and loads exit once each: as MMIO or, the first ones of a page on VMX, as a fault."""
    first = 0 if guest_list[0]["isa"] == "svm" and host.kernel > (5, 10) else 4
    seen, told = collections.Counter(), 0
    for reasons in got.values():
        for (reason, detail), n in reasons.items():
            if reason in MMIO[guest_list[0]["isa"]]:
                need(detail.startswith(("mmio 0x3000", "mmio 0xfee000", "fault 0x0 2M ",
                                        "fault 0x30000000 2M ", "fault 0xfee00000 2M ")),
                     "address", reason, detail, n)
                seen[detail] += n
    for kind, addresses in MMIO_ADDRESSES.items():
        want = sum(g[kind] for g in guest_list)
        for address in addresses if want else []:
            need(want - first <= seen[address] <= want, address, seen[address], "of", want)
            told += want - seen[address]
    faults = sum(n for detail, n in seen.items() if detail.startswith(("fault 0x3", "fault 0xf")))
    # VMX's fault is told before the address of what is no memory, which is the better answer
    # (where KVM tries to read its APIC twice, there is none the first time, by ftrace too)
    apics = sum(g["apics"] for g in guest_list)
    most = told + (first if guest_list[0]["isa"] == "svm" else apics)
    need(told <= faults <= most, "faults", faults, "instead of", told)
    return sum(seen.values())


def check_drs(g, got):
    """An interrupt before the guest goes on with its debug registers makes another exit."""
    for how in ("read", "write"):
        reason = how.upper() + "_DR7" if g["isa"] == "svm" else "DR_ACCESS"
        n = got[(reason, "dr 7 " + how)]
        need(g["drs"] <= n <= 2 * g["drs"], "dr 7", how, n, "of", g["drs"])


def case_detail(sections):
    """Each exit is one detail's, by every kvmexit; the plain one counts the reasons."""
    guest_list = guests(sections)
    need(set(sections["codes"]) == {"0"}, "exit codes", sections["codes"])
    pids, isa = {g["pid"] for g in guest_list}, guest_list[0]["isa"]
    exits, intervals = records(sections["kvmexit"])
    need(intervals[-1]["lost"] == 0, "lost", intervals[-1]["lost"])
    check_totals(exits)
    got = details_of(exits, pids)
    usual = set(REASONS[isa].values()) - {"HLT", REASONS[isa]["end"]}
    lines = map(json.loads, sections["guest"])
    settings = {line["pid"]: " " + line["slow"] for line in lines if line.get("set")}
    # Debian's 6.1 and older come without KVM_XEN
    need(len(settings) == (2 if host.kernel > (6, 1) else 1), "not taken", settings)
    for g in guest_list:
        want = behind(g, settings.get(g["pid"], ""))
        known = usual | {reason for reason, _ in want}
        mine = {k: n for k, n in got[key_of(g)].items() if k[0] in known}
        need(mine == want, key_of(g), sorted(set(mine.items()) ^ set(want.items()))[:6])
        check_drs(g, got[key_of(g)])
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
