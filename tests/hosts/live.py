#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""live.py [PACKAGE]

The live view of an emulated AMD host's own exits, by the terminal that scripts/amd-host
gives it: keys are pressed while VMs work, and what was on the screen is compared with
what the guests and the kernel's hist trigger say. With PACKAGE, a kvmexit_*.deb, it is
that one's, which is installed, tested and purged there. Prints what is wrong, then "live: N
passed, N failed".
"""
import collections
import json
import os
import re
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from terminal import Run, check, finish, rows

PACKAGE = os.path.realpath(sys.argv[1]) if sys.argv[1:] else ""
HOST = ["scripts/amd-host", "-c", "2", "-t", "300"]
VIEW = "^h help .*"


def frames(raw):
    """Every report that was shown, as lines: how it was drawn first"""
    found = {}
    for text in raw.decode(errors="replace").split("\033[H"):
        text = text.split("\033[J")[0].split("\033[?")[0]
        lines = [re.sub(r"\033\[[0-9;]*[A-Za-z]", "", line).rstrip("\r")
                 for line in re.sub(r"\033\[\d+;1H", "\n", text).split("\n")]
        if re.match(r"\d\d:\d\d:\d\d ", lines[0]):
            found.setdefault(lines[0], []).append(lines)
    return found


def number(pattern, line):
    return int(re.search(pattern, line).group(1))


class Host(Run):
    """On its terminal: live.sh"""

    def __init__(self, share):
        self.share = share
        os.environ.update(KVMEXIT_SHARE=share, KVMEXIT_DEB=PACKAGE)
        super().__init__(*HOST, "-T", "--", "tests/hosts/live.sh", columns=90, lines=40)

    def tell(self, name):
        open(os.path.join(self.share, name), "w", encoding="ascii").close()

    def told(self, name):
        try:
            with open(os.path.join(self.share, name), encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def await_file(self, what, name, pattern=""):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if os.path.exists(os.path.join(self.share, name)) and re.search(pattern, self.told(name)):
                return
            self.read(0.1)
        check(what, False, self.told("log"))

    def press_for(self, key, pattern):
        self.press(key)
        return self.wait(f"{key}: {pattern}", pattern)


def check_shares(lines):
    """The parts of a VM's time are all of it"""
    shares = [line for line in lines if re.match(r" *\d+ \w+ +\d+( +[\d.]+){6}$", line)]
    check("GUEST% to IDLE% of two VMs", len(shares) == 2, lines)
    for line in shares:
        parts = [float(word) for word in line.split()[3:]]
        check("GUEST% to IDLE% are 100", abs(sum(parts) - 100) <= 0.31, line)


def press_keys(run):
    """While web1 and idle1 go on"""
    run.wait("nothing so far", r"^No VM had an exit|^Counting")
    run.tell("begin")
    lines = run.wait("two VMs, with times", r"VMs 2 .*GUEST%.* web1 .*TIME%.*" + VIEW + "s: most time")
    check("the time line", re.match(r"\d\d:\d\d:\d\d \(\d\.\d{3} s\)  VMs 2  vCPUs 3  exits \d+ "
                                    r"\(\d+/s\)  lost 0$", lines[0]), lines[0])
    check_shares(lines)
    idle = {line.split()[1]: float(line.split()[-1]) for line in lines if re.match(r" *\d+ \w+1 +\d", line)}
    # Of a halt that is open when it is read, the kind is a guess: web1's VMM has yet to have it
    check("idle1 is idle, web1 is not", idle["idle1"] > 20 and idle["web1"] < 5, lines)
    run.press_for("t", r"\A[^\n]*\n[^\n]*PER_SEC.*" + VIEW + "s: COUNT")
    numbers = [int(row.split()[-2]) for row in rows(run.text().split("\n"), "counts")]
    check("most exits first", len(numbers) > 3 and numbers == sorted(numbers, reverse=True), run.text())
    lines = run.press_for("g", "g,r: vm,vcpu,reason  s")
    check("a row for each vCPU", {tuple(row.split()[1:3]) for row in rows(lines, "vCPUs")} >=
          {("web1", "0"), ("web1", "1"), ("idle1", "0")}, lines)
    lines = run.press_for("s", VIEW + "s: VM")
    names = [row.split()[1] for row in rows(lines, "by VM")]
    check("by VM", names == sorted(names, reverse=True), names)
    run.press_for("s", VIEW + "s: COUNT")
    run.press_for("/", "^Only rows with: _")
    lines = run.press_for("idle1\r", "/: idle1$")
    check("only idle1", {row.split()[1] for row in rows(lines, "filtered")} == {"idle1"}, lines)
    before = lines[0]
    run.press(" ")
    lines = run.wait("space: a report before the second is over", r"\A(?!" + re.escape(before) + ")")
    run.press_for("h", "^Keys of the live view")
    run.press_for("h", "^ *PID")


def begin_known(run):
    """VM and reason of one that does things in known numbers"""
    run.press_for("/", "^Only rows with: _")
    run.press_for("known\r", '^No row has "known" in it')
    for keys in "vm,vcpu,thread,reason", "reason", "vm,reason":
        run.press_for("g", f"g,r: {keys}  s")
    run.tell("known")
    run.await_file("known", "guest", r"(\{.*\}\s+){2}")


def compare_known(run):
    """Its rows with what it says itself"""
    shown, said = collections.Counter(), collections.Counter()
    for drawn in frames(run.raw).values():
        found = [re.match(r" *\d+ known +([A-Z]\w+) +(\d+) ", line) for lines in drawn for line in lines]
        shown.update({match[1]: int(match[2]) for match in found if match})
    for line in run.told("guest").splitlines():
        for kind, reason in [("cpuid", "CPUID"), ("io", "IOIO"), ("hlt", "HLT"), ("rdmsr", "MSR"),
                             ("wrmsr", "MSR"), ("hypercall", "VMMCALL")]:
            said[reason] += json.loads(line)[kind]
    check("known: as it says itself", said and {reason: shown[reason] for reason in said} == said, (shown, said))
    print(f"live: known: {dict(said)} by itself and on the screen")


def compare_all(run):
    """Nobody exits any more: all that was shown is all there was"""
    run.tell("end")
    run.await_file("the end", "ended")
    run.press("/\r ")
    run.wait("the last exits", r"\A\S+ \S+ s\)  VMs 0  vCPUs 0  exits 0 .*^No VM had an exit")
    shown = sum(number(r" exits (\d+) ", line) for line in frames(run.raw))
    hist = run.told("hist")
    kernel = sum(map(int, re.findall(r"hitcount: *(\d+)", hist)))
    check("hist dropped nothing", re.search(r"Dropped: 0\b", hist), hist[-300:])
    check("as many exits as the kernel's hist", kernel and shown == kernel, (shown, kernel))
    lost = {number(r"lost (\d+)$", line) for line in frames(run.raw)}
    check("nothing lost", lost == {0}, lost)
    print(f"live: {shown} exits on {len(frames(run.raw))} screens, {kernel} by hist")


def test_live():
    with tempfile.TemporaryDirectory() as share:
        run = Host(share)
        run.wait("the view", VIEW, 120)
        press_keys(run)
        begin_known(run)
        compare_all(run)
        compare_known(run)
        run.press("q")
        left = run.end("q: the command's status", status=7 << 8, seconds=120)
        last = list(frames(run.raw).values())[-1][-1]
        frame = [line for line in last if line][:-1]
        check("q: the frame stays", any(left[i:i + len(frame)] == frame for i in range(len(left))), (left, frame))
        check("q: status", run.told("status") == "0\n", run.told("status"))
        check("q: the host's terminal as before", run.told("settings-after") == run.told("settings") != "",
              run.told("settings-after"))
        if PACKAGE:
            check_package(run)
        check("its size", "rows 40; columns 90" in run.told("settings"), run.told("settings"))


def check_package(run):
    """Its own tests, and that nothing is left of it"""
    check("the package's tests", re.search(r"^EXACT: .*^exit status 0\n\Z", run.told("tests"), re.M | re.S),
          run.told("tests")[-2000:])
    check("it was there", "/usr/sbin/kvmexit\n" in run.told("installed"), run.told("installed"))
    check("nothing is left", os.path.exists(os.path.join(run.share, "left")) and not run.told("left"),
          run.told("left"))


def test_ways_out():
    run = Run(*HOST, "-T", "--", "true", stdin="/dev/null")
    run.wait("no terminal", "^amd-host: -T needs a terminal as standard input and output")
    run.end("no terminal", status=64 << 8)
    run = Run(*HOST, "-T", "--", "sleep", "100")
    run.wait("booting", "booting")
    run.press("\x03")
    run.end("Ctrl-C while it boots", status=130 << 8)
    run = Run(*HOST, "-T", "--", "cat")
    run.wait("booting", "booting")
    until = time.monotonic() + 60
    while run.modes() != (False, False) and time.monotonic() < until:
        run.read(0.1)
    run.press("some\r")
    run.wait("cat", "^some\nsome")
    os.kill(run.pid, signal.SIGTERM)
    run.end("SIGTERM", status=143 << 8)


os.chdir(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
test_live()
if not PACKAGE:
    test_ways_out()
finish()
