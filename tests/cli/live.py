#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""live.py KVMEXIT RECORDING COUNT_LIVE

The live view as a terminal shows it: kvmexit on a pseudo-terminal, its output on a
screen of pyte's. Prints what is wrong, then "live: N passed, N failed". RECORDING has
one of two VMs with 200 vCPUs in all, of tests/lib/recording.py; COUNT_LIVE is 1 where exits
of this host can be counted.
"""
import os
import pty
import re
import signal
import sys
import termios
import time

import pyte

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from terminal import Run, Screen, check, finish, rows

KVMEXIT, RECORDING, COUNT_LIVE = sys.argv[1], sys.argv[2], sys.argv[3] == "1"

def start(*args, **kwargs):
    return Run(KVMEXIT, *args, **kwargs)


def replay(*args, **kwargs):
    """An interval of the recording, for as long as is wanted"""
    return start("-f", RECORDING, "-i", "60", *args, **kwargs)


def test_frame():
    run = replay()
    lines = run.wait("a frame", "^h help")
    check("alternate screen, no echo, no lines",
          run.screen.alternate and run.modes() == (False, False), run.modes())
    check("time line", re.match(r"\d\d:\d\d:\d\d \(10\.000 s\)  VMs 2  vCPUs 200  exits \d+ \(\d+/s\)  lost 0$",
                                lines[0]), lines[0])
    check("head", lines[1] == "     PID      TID VM               VCPU KVM_EXIT_REASON         COUNT  PER_SEC",
          lines[1])
    table = rows(lines, "frame")
    check("as many rows as fit", len(table) == 20, len(table))
    check("the rest in one line", re.fullmatch(r"\(\d+ more rows with \d+ exits\)", lines[22]), lines[22])
    numbers = [int(row.split()[-2]) for row in table]
    check("most first", numbers == sorted(numbers, reverse=True), numbers)
    check("right-aligned", len({len(row) for row in table}) == 1, table)
    frame = lines[:23]
    run.press("q")
    left = run.end("q")
    check("q: the frame stays", left == frame, left)


def test_keys():
    run = replay()
    run.wait("default grouping", "g,r: vm,vcpu,thread,reason")
    for key, want in [("g", "reason"), ("g", "vm,reason"), ("r", "vm"), ("g", "vm,vcpu"),
                      ("g", "vm,vcpu,thread"), ("g", "vm"), ("r", "vm,reason")]:
        run.press(key)
        lines = run.wait(f"{key}: {want}", f"g,r: {want}  s")
        check(f"{want}: columns", ("KVM_EXIT_REASON" in lines[1]) == ("reason" in want) and
              (" VCPU" in lines[1]) == ("vcpu" in want) and ("PID" in lines[1]) == ("vm" in want), lines[1])
        if want == "vm":
            check("vm: both", [row.split()[0] for row in rows(lines, want)] == ["4100", "4000"], lines)
    run.press("s")
    lines = run.wait("s: by VM", "s: VM")
    pids = [row.split()[0] for row in rows(lines, "by VM")]
    check("s: by VM", pids == sorted(pids) and len(set(pids)) == 2, pids)
    run.press("s")
    run.wait("s: by count again", "s: COUNT")
    run.press("/")
    run.wait("/: asks", "^Only rows with: _")
    run.press("hlx\x7ft")
    run.wait("/: typed", "^Only rows with: hlt_")
    run.press("\r")
    lines = run.wait("/: filtered", "/: hlt$")
    reasons = {row.split()[2] for row in rows(lines, "filtered")}
    check("/: filtered", reasons == {"HLT"}, lines)
    run.press("/")
    run.wait("/: asks again", "^Only rows with: _")
    run.press("x\x1b")
    run.wait("/, escape: as before", "/: hlt$")
    run.press("/nobody\r")
    run.wait("/: nothing has it", '^No row has "nobody" in it')
    run.press("/\r")
    run.wait("/: all again", "/: all$")
    for key in "\x1b[A", "\x1bOP", "x", "t", "\xff":
        run.press(key)
    run.press("h")
    lines = run.wait("h: help", "^Keys of the live view")
    check("h: no t without --time", not any(line.startswith("  t ") for line in lines), lines)
    run.press(" ")
    run.wait("h: back", "^ *PID")
    run.press("\x03")
    run.end("Ctrl-C")


def test_report_now():
    run = replay()
    first = run.wait("the first", "^h help")[0]
    run.press(" ")
    lines = run.wait("space: the next one", r"\A(?!" + re.escape(first) + ").*^h help")
    run.press("\n")
    last = run.wait("enter: the one after it", r"\A(?!" + re.escape(lines[0]) + ").*^h help")
    run.press("  ")
    run.press("g")
    check("after the last one it stays", run.wait("g", "g,r: reason  s")[0] == last[0])
    os.kill(run.pid, signal.SIGTERM)
    run.end("SIGTERM")


def test_windows():
    run = replay()
    run.wait("80 columns", "^h help")
    run.resize(20, 10)
    lines = run.wait("20 columns: cut", "^h help.*…$")
    check("20 columns: widths", len(lines) == 10 and all(len(line) <= 20 for line in lines), lines)
    check("20 columns: COUNT", lines[1].endswith(" COUNT") and len(rows(lines, "20 columns")) == 6, lines)
    run.resize(200, 50)
    lines = run.wait("50 lines", r"\A([^\n]*\n){49}h help")
    check("50 lines", len(lines) == 50 and len(rows(lines, "50 lines")) == 46, len(lines))
    run.resize(80, 3)
    lines = run.wait("3 lines", r"\A\d\d:\d\d:\d\d.*\n *PID.*")
    check("3 lines: a row", len(lines) == 3 and "EXTERNAL_INTERRUPT" in lines[2], lines)
    run.resize(1, 1)
    run.wait("one character", r"\A…\Z")
    run.resize(80, 24)
    run.wait("24 lines again", "^h help")
    run.press("q")
    run.end("q after sizes")


def test_names(names):
    run = start("-f", names, "-i", "60", columns=60)
    lines = run.wait("names", "^h help")
    table = rows(lines, "names")
    # pyte has a cell of no character behind each wide one
    check("names: no row is two lines", len(table) == 3 and len({len(row) for row in table}) <= 3, lines)
    ends = [row.split()[-1] for row in table]
    check("names: numbers in their columns", ends == ["300", "20", "1"], ends)
    check("names: cut", any("…" in row for row in table), table)
    run.press("q")
    left = run.end("names: q")
    check("names: in place", any("仮想" in line for line in left), left)


def test_details(details):
    run = start("-f", details, "-i", "60", columns=100)
    lines = run.wait("details: not asked for", "g,r,d: vm,vcpu,thread,reason  s")
    check("details: not asked for", " DETAIL" not in lines[1], lines[1])
    run.press("d")
    lines = run.wait("d: details", "g,r,d: vm,vcpu,thread,reason,detail  s")
    check("d: details", " DETAIL" in lines[1] and any("msr 0x6e0" in line for line in lines), lines)
    run.press("/0x6E0\n")
    lines = run.wait("details: filtered", "/: 0x6E0$")
    table = [row for row in rows(lines, "details") if "exit" not in row]
    check("details: filtered", table and all("msr 0x6e0" in row for row in table), table)
    run.press("r")
    lines = run.wait("r: neither", "g,r,d: vm,vcpu,thread  s")
    check("r: neither", "KVM_EXIT_REASON" not in lines[1] and " DETAIL" not in lines[1], lines[1])
    run.press("h")
    run.wait("d: in the help", "^  d  ")
    run.press("hq")
    run.end("details: q")


def test_suspend():
    run = replay()
    run.wait("before Ctrl-Z", "^h help")
    # Without a shell that could start it again there is no stopping
    run.press("\x1a")
    time.sleep(0.2)
    run.press("g")
    run.wait("Ctrl-Z of an orphan", "g,r: reason  s")
    check("the screen again", run.screen.alternate and run.modes() == (False, False))
    os.kill(run.pid, signal.SIGSTOP)
    os.waitpid(run.pid, os.WUNTRACED)
    modes = termios.tcgetattr(run.fd)
    modes[3] |= termios.ECHO | termios.ICANON
    termios.tcsetattr(run.fd, termios.TCSANOW, modes)
    os.kill(run.pid, signal.SIGCONT)
    run.press("g\n")
    run.wait("SIGCONT", "g,r: vm,reason  s")
    # Keys that were there before may be seen to first
    until = time.monotonic() + 20
    while run.modes() != (False, False) and time.monotonic() < until:
        run.read(0.05)
    check("SIGCONT: keys again", run.modes() == (False, False))
    run.press("q")
    run.end("q after SIGCONT")


def test_job():
    """As a shell does it: a job of its own, which Ctrl-Z stops"""
    run = Run.__new__(Run)
    run.screen = Screen(80, 24)
    run.screen.alternate = False
    run.stream, run.raw, run.status = pyte.ByteStream(run.screen), b"", None
    run.pid, run.fd = pty.fork()
    if not run.pid:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.environ["TERM"] = "xterm"
        job = os.fork()
        if not job:
            os.setpgid(0, 0)
            os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.execv(KVMEXIT, ["kvmexit", "-f", RECORDING, "-i", "60"])
        _, status = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpid())
        echo = termios.tcgetattr(0)[3] & termios.ECHO
        print("stopped" if os.WIFSTOPPED(status) and echo else "not stopped", flush=True)
        os.tcsetpgrp(0, job)
        os.kill(job, signal.SIGCONT)
        _, status = os.waitpid(job, 0)
        os._exit(os.waitstatus_to_exitcode(status))
    run.wait("job", "^h help")
    run.press("\x1a")
    until = time.monotonic() + 20
    while b"stopped" not in run.raw and time.monotonic() < until:
        run.read(0.1)
    run.wait("job: Ctrl-Z, then fg", "^h help")
    check("job: it was stopped, the terminal as before", b"\r\nstopped\r\n" in run.raw or
          b"1049lstopped\r\n" in run.raw, run.raw[-300:])
    run.press("q")
    run.end("job: q")


def test_ways_out():
    for name in "SIGHUP", "SIGINT", "SIGTERM":
        run = replay()
        run.wait(name, "^h help")
        os.kill(run.pid, getattr(signal, name))
        left = run.end(name)
        check(f"{name}: the frame stays", len(rows(left + [""], name)) == 20, left)
    for name in "SIGQUIT", "SIGSEGV", "SIGABRT", "SIGUSR1", "SIGALRM":
        run = replay()
        run.wait(name, "^h help")
        os.kill(run.pid, getattr(signal, name))
        if name == "SIGSEGV":  # not by a fault: the next one ends it
            time.sleep(0.3)
            run.read(0.1)
            os.kill(run.pid, signal.SIGSEGV)
        run.end(name, status=os.waitstatus_to_exitcode(0) or run_status(getattr(signal, name)))


def run_status(number):
    """As waitpid() tells of who ended by a signal, with or without a core"""
    class Status(int):
        def __eq__(self, other):
            return other & 0x7f == int(self)
        __hash__ = int.__hash__
        def __ne__(self, other):
            return not self == other
    return Status(number)


def test_no_place():
    for term in "dumb", "":
        run = start("-f", RECORDING, "-i", "60", term=term)
        run.wait(f"TERM={term}: refused", "-f with -i is shown in place, which needs a terminal")
        run.end(f"TERM={term}", status=64 << 8)
        check(f"TERM={term}: no sequences", b"\033" not in run.raw, run.raw)
    run = replay(stdin="/dev/null")
    lines = run.wait("no keys", "more rows with")
    check("no keys: no line of them", len(lines) == 24 and lines[23].startswith("("), lines)
    os.kill(run.pid, signal.SIGINT)
    run.end("no keys")


def test_host():
    """Exits of this host, of which there may be none"""
    run = start("-i", "60", "--verbose")
    run.wait("no report so far", "^Counting; the first report comes.*^h help")
    run.press(" ")
    lines = run.wait("a report", r"^\d\d:\d\d:\d\d.*^h help")
    first = [line for line in lines[:23] if line]
    os.kill(run.pid, signal.SIGTERM)
    left = run.end("a host")
    check("a host: what was read stays, not the rest", left[:len(first)] == first, left)
    run = start("-i", "60")
    run.wait("nothing so far", "^Counting; the first report comes.*^h help")
    run.press("\x03")
    left = run.end("Ctrl-C before the first report")
    check("Ctrl-C before the first report: there is one", any("PER_SEC" in line for line in left), left)
    run = start("-i", "0.1", "-c", "3", "--time")
    left = run.end("-c 3")
    check("-c 3: the last one stays", any("GUEST%" in line for line in left), left)
    run = start("-i", "60", "--time")
    run.wait("--time", "^Counting")
    run.press(" ")
    run.wait("--time: two tables", "GUEST%.*TIME%.*s: most time")
    run.press("h")
    run.wait("--time: t", "^  t  ")
    run.press("ht")
    run.wait("t: counts only", "PER_SEC.*s: COUNT")
    run.press("t")
    run.wait("t: times again", "GUEST%.*TIME%")
    run.press("s")
    run.wait("s: the next column", "s: COUNT")
    run.press("s")
    run.press("s")
    run.wait("s: and the one after", "s: KVM_MS")
    run.press("r")
    run.wait("r: of all time", r"\A[^\n]*\n[^\n]*GUEST%.*s: most time")
    run.press("q")
    run.end("--time: q")
    run = start("-i", "60", "--no-clear", "-c", "1")
    time.sleep(0.5)
    os.kill(run.pid, signal.SIGINT)
    left = run.end("--no-clear")
    check("--no-clear: no sequences", b"\033" not in run.raw, run.raw)
    run = start("-i", "0.1", "-c", "1", term="dumb")
    run.end("TERM=dumb, -i")
    check("TERM=dumb, -i: no sequences", b"\033" not in run.raw and b"PID" in run.raw, run.raw)


test_frame()
test_keys()
test_report_now()
test_windows()
test_names(sys.argv[4])
test_details("tests/golden/details.ndjson")
test_suspend()
test_job()
test_ways_out()
test_no_place()
if COUNT_LIVE:
    test_host()
finish()
