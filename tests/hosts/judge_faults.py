# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The cases of faults.sh: kvmexit while its host changes under it"""
import datetime
import json

from judging import (QUICK, host, need, records, judge_counts)


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
        # On arm64 KVM is built in: no BTF of modules has to be looked up
        arm64 = host.vendor.startswith("arm64")
        works = {"auto": base, "direct": base and (admin or arm64), "read": base,
                 "tracepoint": base and reads and (admin or paranoid == "2")}[probe]
        if probe == "direct" and code == "69":
            continue  # before 6.2
        need(code == ("0" if works else "77"), "capabilities", line)
        if works:
            form = "readrawtracepoint" if not admin and probe in ("auto", "read") and not arm64 else None
            need(how == form if form else how.startswith(probe) or probe == "auto", line)
        else:
            need(how.startswith("CAP_"), "nothing is said to be missing:", line)
            need(base or (how.split("+")[0][4:].lower() not in caps), "not missing:", line)
    return f"{len(sections['text caps'])} combinations; {exact} exits with CAP_BPF+CAP_PERFMON"


def case_hidepid(sections):
    need(sections["codes"] == ["0", "0"], "exit codes", sections["codes"])
    for more, shown in ((",+setgid", True), ("none", False)):
        lines = sections["text " + more]
        guest = json.loads(lines[0])
        pid, quick = guest["pid"], QUICK[guest["isa"]]
        exits, _ = records([line for line in lines if '"type"' in line])
        names = {(r["vm"], r["comm"], r["reason"], r["count"]) for r in exits
                 if r["pid"] == pid and r["reason"] == quick}
        name = "web1" if shown else f"pid-{pid}"
        need(names == {(name, name, quick, 100)}, more, names)
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
    need(longest >= 6000, "the reader did not stall", longest)
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
            "no-btf-detail": (69, "--detail: the kernel has no BTF"),
            "no-btf-no-tracefs": (69, "tracefs is not mounted"),
            "no-tracefs": (0, best),
            "no-tracefs-tracepoint": (69, "mount -t tracefs"),
            "read-only-sys": (0, best), "read-only-tracepoint": (0, "tracepoint"),
            "integrity": (0, best), "confidentiality": (0, "direct" if new else "tracepoint"),
            "confidentiality-read": (77, "kernel lockdown (confidentiality)")}
    if host.kernel < (5, 11):  # a program has to read who runs, and may not then
        want["confidentiality"] = (77, "kernel lockdown (confidentiality)")
    for name, (code, part) in want.items():
        lines = sections["text " + name]
        need(lines and lines[0].split()[0] == str(code), name, lines)
        if code:
            need(part in lines[-1], name, lines)
        else:
            # arm64's tracepoint adds what it does not know
            need(lines[0].split()[1].split("(")[0] == part and int(lines[1]) > 0, name, lines)
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


def check_sums(sections):
    """All rows add up to the intervals' exits; how many exits, rows and exits without room"""
    need(sections["codes"] == ["0"], "exit codes", sections["codes"])
    lines = sections["text added"]
    intervals = [json.loads(line) for line in lines[:-1]]
    total, rows, other = map(int, lines[-1].split()[1:])
    need(total == sum(i["exits"] for i in intervals) > 0, "rows do not add up", lines[-1], intervals[-1])
    need(rows == sum(i["records"] for i in intervals), "rows", lines[-1])
    need(sum(i["lost"] for i in intervals[-1:]) == 0, "lost", intervals[-1])
    return total, rows, other


def case_enemy(sections):
    exits, rows, other = check_sums(sections)
    costs = [tuple(map(int, line.split())) for line in sections["text costs"]]
    quarters = [[c for c in costs if low <= 4 * c[1] / (costs[-1][1] + 1) < low + 1] for low in range(4)]
    # By then all is full that has a bound
    middle, end = quarters[2:]
    need(len(middle) > 1 and len(end) > 1, "few samples", costs)
    before, after = (max(c[2] for c in some) for some in (middle, end))
    need(after <= before * 1.05, "memory grows", costs)
    early, late = ((some[-1][3] - some[0][3]) / max(some[-1][0] - some[0][0], 1) / 1e6 for some in (middle, end))
    need(late <= early * 1.5, "reports take longer", early, late, costs)
    need(rows > 3 * 16384, "few rows", rows)
    threads = json.loads(sections["text enemy"][0])["threads"]
    return (f"{exits} exits of {threads} threads, {rows} rows, {other} exits without room; {before} KB, then {after}; "
            f"{early:.0f} ms of CPU time a report, then {late:.0f}")


def case_apart(sections):
    exits, rows, _ = check_sums(sections)
    vms, memory, ran, metrics = zip(*(map(int, line.split()) for line in sections["text costs"]))
    half = len(vms) // 2
    need(half >= 5, "few VMs", len(vms))
    grown = (memory[-1] - memory[half]) / (vms[-1] - vms[half])
    written = (metrics[-1] - metrics[half]) / (vms[-1] - vms[half]) / 1024
    need(grown <= 256, "a VM costs", grown, "KB", memory)
    need(written <= 64, "a VM's metrics are", written, "KB", metrics)
    return f"{exits} exits of {vms[-1]} VMs, {rows} rows; a VM costs {grown:.0f} KB, its metrics {written:.1f} KB"
