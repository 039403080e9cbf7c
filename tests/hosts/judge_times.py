# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The case time: parts that add up, and three witnesses of them"""
import collections
import json

from judging import (REASONS, QUICK, KERNEL_NAMES, host, need, records, counted, summed,
                     judge_counts)


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
        need(parts == r["wall_ns"], "wall clock", parts, r)
        mine = [e for e in exits if (e["seq"], e["tid"], e["vcpu"]) == (r["seq"], r["tid"], r["vcpu"])]
        need(sum(e["count"] for e in mine) == r["exits"], "exits", r)
        need(r["unseen"] == 0, "unseen", r)
        for p in PARTS:
            need(sum(e.get(p, 0) for e in mine) == r.get(p, 0), p, "of", r, "is not the reasons'",
                 mine)
    return exits, vcpus, intervals


def totals(rows, keys, fields):
    sums = collections.defaultdict(collections.Counter)
    for r in rows:
        sums[tuple(r[k] for k in keys)].update({f: r.get(f, 0) for f in fields})
    return sums


def lost_ms(ms):
    """
    What is allowed where the clock counts instructions; else the emulated host may lose its
    CPU between two stamps of one event, or waits while a report guesses, for a long time.
    """
    return ms if host.vendor.endswith("-i") else 500


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
            need(off <= 0.001 * lengths[r["seq"]] + lost_ms(2), "wall clock of an interval", r)
    sums = totals(vcpus, ["tid"], ["guest_ns"] + PARTS)
    for key, want in totals(whole, ["tid"], ["guest_ns"] + PARTS).items():
        for name in ("wait_ns", "poll_ns"):
            need(abs(sums[key][name] - want[name]) <= lost_ms(20) * 1e6 + 0.01 * want[name],
                 name, "of", key, "in intervals", sums[key][name], "in whole", want[name])
    return worst


def check_sched(guest_list, whole):
    """The scheduler's own account of waiting, as each thread read it: ours begins after its
    first reading, with the first exit, and ends before its last one. If another CPU wakes a
    thread here, the scheduler counts from then, but the guest runs until the interrupt comes:
    ours is less by that, which is long where the host loses its CPU."""
    threads = {g["tid"]: g for g in guest_list}
    least = most = 0
    for r in whole:
        low, high = threads[r["tid"]]["waited_ns"]
        need(low * 0.999 - lost_ms(1) * 1e6 <= r["wait_ns"] <= high * 1.001 + 1e6,
             "wait", r["wait_ns"], "schedstat", low, "to", high)
        least, most = least + low, most + high
    need(most < 1.5 * least, "schedstat's readings are too far apart:", least, most)
    return sum(r["wait_ns"] for r in whole), least, most


def check_stamps(lines, exits):
    """By thread and reason, sum and maximum of the kernel's own stamps: how many spans,
    how much ours and theirs in us. On the clock that counts instructions the
    difference is what runs between the two stamps, the same for every span but a thread's
    first; else the host may lose its CPU there, for milliseconds. SVM before 6.5 and arm64
    let interrupts in before they trace the exit: one may come between them."""
    exact, first, each = host.vendor.endswith("-i"), 5, 0.6
    if host.vendor.startswith("arm64"):
        first, each = 100, 2
    elif host.vendor.startswith("amd") and host.kernel < (6, 5):
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
        slack = first + each * len(theirs) if exact else lost_ms(0) * 1e3 + 0.05 * sum(theirs)
        # One that was open at the end is ours as far as it came, and no span of theirs
        need(r["untimed"] or abs(ours - sum(theirs)) <= slack, "took", sum(theirs), "us by ftrace:", r)
        service = (r["time_ns"] - r["idle_ns"]) / 1000
        if not r["idle_ns"]:
            need(abs(r["max_ns"] / 1000 - longest) <= (first if exact else lost_ms(0) * 1e3), "longest",
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


def case_kicked(sections):
    """A halt is idle, whatever interrupts it, and however its thread ends"""
    wakeups = {int(tid): int(ns) for tid, ns in map(str.split, sections["text wakeups"])}
    _, whole, _ = timed(sections["kvmexit"])
    _, parts, _ = timed(sections["kvmexit2"])
    report = []
    # The clock that counts instructions does not lose time to other programs of the machine
    exact = host.vendor.endswith("-i")
    for guest in map(json.loads, sections["text kicked"]):
        tid = guest["tid"]
        halted = wakeups[tid]
        for name, rows in ("one report", whole), ("intervals", parts):
            mine = totals((r for r in rows if r["tid"] == tid), ["tid"], PARTS + ["wall_ns"])[(tid,)]
            idle = mine["idle_ns"] + mine["wait_ns"] + mine["poll_ns"]
            need(abs(idle - halted) < 0.02 * halted + 1e6, name, tid, "idle", idle,
                 "kvm_vcpu_wakeup says", halted, mine)
            need(mine["user_ns"] < guest["in_user_ns"] + (1e6 if exact else 0.02 * halted), name, tid, "user", mine,
                 "by its own clock", guest)
            need(mine["wall_ns"] > halted, name, tid, "wall clock", mine, halted)
        report.append(f"{mine['idle_ns'] / 1e6:.0f} of {halted / 1e6:.0f} ms idle, "
                      f"user {mine['user_ns'] / 1e6:.1f}")
    need(len(report) == 3, "guests", report)
    return "; ".join(report)


def case_off(sections):
    """A vCPU that is switched off is idle, while it is and afterwards"""
    report = []
    guest = json.loads(sections["text off"][0])
    for name in "kvmexit", "kvmexit2":
        mine = [r for r in timed(sections[name])[0] if (r["tid"], r["reason"]) == (guest["tid"], "HVC64")]
        sums = totals(mine, ["tid"], PARTS)[(guest["tid"],)]
        need(sums["idle_ns"] > 1.5e9, name, "idle", sums)
        need(sums["kvm_ns"] < 20e6, name, "kvm", sums)
        report.append(sums["idle_ns"] / 1e6)
    need(abs(report[0] - report[1]) < 20, "one report and intervals:", report)
    return f"{report[0]:.0f} ms idle, in intervals {report[1]:.0f}"


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
    waited, least, most = check_sched(guest_list, whole)
    opened = totals((r for r in exits2 if r["reason"] == last), ["tid"], ["time_ns"])
    halted = check_halts(sections, whole)
    for g in guest_list:
        mine = {r["reason"]: r for r in exits if r["tid"] == g["tid"]}
        share = next(r for r in whole if r["tid"] == g["tid"])
        # It stayed out of the guest, and was there, for more than a second
        need(g["tid"] in nested or opened[(g["tid"],)]["time_ns"] > 0.5e9, "open",
             opened[(g["tid"],)])
        if g["nap"] and g[napping]:
            user = mine[napped]["user_ns"]
            need(g[napping] * 3e6 <= user + mine[napped].get("wait_ns", 0) and
                 user <= g[napping] * lost_ms(20) * 1e6, "naps of 3 ms took", user, "ns")
            need(mine[quick]["user_ns"] == 0, "user of", mine[quick])
        elif g.get(halting):
            halt = mine[halted_in]
            need(2 * (halt["idle_ns"] + halt.get("poll_ns", 0) + halt.get("wait_ns", 0)) >
                 halt["time_ns"],
                 "not halted", halt)
        elif g.get("nested"):
            need(mine["VMRUN"]["p50_ns"] > mine["CPUID"]["p50_ns"] / 4, "VMRUN", mine["VMRUN"],
                 mine["CPUID"])
        else:
            need(0.3 < share["wait_ns"] / share["wall_ns"] < 0.7, "two on one CPU wait", share)
    n, mine, kernel = check_stamps(sections["text stamps"], exits)
    per = (mine - kernel) * 1000 / n
    return (f"{exact} exits, {len(vcpus)} vcpu records add up to {residue} ns, "
            f"intervals within {worst:.2%}; "
            f"wait {waited / 1e6:.1f} ms, schedstat {least / 1e6:.1f} to {most / 1e6:.1f}; "
            f"halted {halted / 1e6:.1f} ms; {n} spans {mine / 1e3:.1f} ms, "
            f"ftrace {kernel / 1e3:.1f}, {per:+.0f} ns each")


def case_begin(sections):
    """No thread was seen for longer than the interval lasted, and one all the time."""
    told = []
    for how in ("kvmexit", "kvmexit--explain"):
        _, vcpus, intervals = timed(sections["text " + how])
        length = intervals[0]["dur_ms"]
        most = max(r["wall_ns"] for r in vcpus) / 1e6
        need(most < length + 1, how, "wall clock", most, "ms of", length)
        need(most > length - lost_ms(5), how, "wall clock", most, "ms of only", length)
        told.append(f"{most:.3f} ms of {length}")
    return "seen for " + ", with --explain ".join(told)
