#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unread.py KVMEXIT RECORDING

Standard output and standard error that nobody reads: a pseudo-terminal, a pipe, a FIFO, a
socket. After SIGTERM kvmexit is to end within its limit, and what did not fit is an error
or is counted. Wants root and the tracepoint kvm:kvm_exit. Prints what is wrong, then
"unread: N passed, N failed".
"""
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

KVMEXIT, RECORDING = sys.argv[1:3]
LIMIT = 7.5  # s; kvmexit waits 2 s for its output and 2 s for its terminal, and the machine may be busy
NOBODY = 65534
counts = {"passed": 0, "failed": 0}


def check(what, ok, got=""):
    counts["passed" if ok else "failed"] += 1
    if not ok:
        print(f"unread: {what}: {got}")


def make(kind):
    """The end to read, the end to write to"""
    if kind == "pty":
        read, write = pty.openpty()
    elif kind == "pipe":
        read, write = os.pipe()
    elif kind == "socket":
        read, write = (end.detach() for end in socket.socketpair())
    else:
        with tempfile.TemporaryDirectory() as top:
            os.mkfifo(top + "/fifo")
            read = os.open(top + "/fifo", os.O_RDONLY | os.O_NONBLOCK)
            write = os.open(top + "/fifo", os.O_WRONLY)
    return read, write


def unread(fd):
    """How many bytes (4095 are the most that a terminal tells)"""
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]


def wait_full(what, fd):
    """Until there is something to read, and no more comes for two seconds"""
    until = time.monotonic() + 40
    last, since = 0, time.monotonic()
    while not last or time.monotonic() - since < 2:
        now = unread(fd)
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() > until:
            check(f"{what}: becomes full", False, now)
            return
        time.sleep(0.05)


def end(what, run, status):
    """SIGTERM, and the messages"""
    before = time.monotonic()
    run.send_signal(signal.SIGTERM)
    try:
        run.wait(LIMIT)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
        check(f"{what}: an end", False, f"none {LIMIT} s after SIGTERM")
        return
    check(f"{what}: status", run.returncode == status,
          f"{run.returncode} after {time.monotonic() - before:.1f} s")


def drain(fd):
    os.set_blocking(fd, False)
    data = b""
    while select.select([fd], [], [], 0.3)[0]:
        try:
            more = os.read(fd, 1 << 16)
        except OSError:
            break
        if not more:
            break
        data += more
    return data


def confined(owner):
    """The owner's standard output, and no right to open it: it cannot be opened anew"""
    def prepare():
        os.fchown(1, owner, owner)
        os.fchmod(1, 0o600)
    return prepare


def test_output(kind, *args, prefix=(), what="", owner=None):
    what = f"{kind} {' '.join(args)}{what}"
    read, write = make(kind)
    flags = fcntl.fcntl(write, fcntl.F_GETFL)
    run = subprocess.Popen([*prefix, KVMEXIT, *args], stdin=subprocess.DEVNULL, stdout=write,
                           stderr=subprocess.PIPE, env=dict(os.environ, TERM="xterm"),
                           preexec_fn=confined(owner) if owner else None)
    wait_full(what, read)
    check(f"{what}: flags of the shared file", fcntl.fcntl(write, fcntl.F_GETFL) == flags)
    end(what, run, 74)
    message = run.stderr.read().decode()
    check(f"{what}: message", "its reader takes nothing" in message, message)
    os.close(write)
    os.close(read)


def test_messages(kind):
    """SIGHUPs for a file that cannot be opened again: a message each"""
    what = f"messages to a {kind}"
    read, write = make(kind)
    with tempfile.TemporaryDirectory() as top:
        where = top + "/there"
        os.mkdir(where)
        run = subprocess.Popen([KVMEXIT, "-j", "-i", "0.05", "-o", where + "/log"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=write)
        until = time.monotonic() + 20
        while time.monotonic() < until and not (os.path.exists(where + "/log")
                                                and os.path.getsize(where + "/log")):
            time.sleep(0.02)
        os.rename(where, top + "/gone")
        log = top + "/gone/log"
        for _ in range(1500 if kind != "socket" else 4000):
            run.send_signal(signal.SIGHUP)
            time.sleep(0.001)
        size = os.path.getsize(log)
        time.sleep(1)
        check(f"{what}: reports go on", os.path.getsize(log) > size, size)
        taken = drain(read)
        os.set_blocking(read, True)
        run.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        end(what, run, 0)
        taken = (taken + drain(read)).decode()
    lines = taken.splitlines()
    told = [line for line in lines if "left out" in line]
    check(f"{what}: tells how many were left out", len(told) >= 1, lines[-3:])
    check(f"{what}: goes on", any("reopening" in line for line in lines[lines.index(told[0]):]) if told
          else False, lines[-3:])
    check(f"{what}: whole lines", all(line.startswith("kvmexit: ") for line in lines if line)
          or kind == "pty", [line for line in lines if not line.startswith("kvmexit: ")][:3])
    os.close(write)
    os.close(read)


FAST = "-i", "0.002"
for each in "pty", "pipe", "fifo", "socket":
    test_output(each, "-j", *FAST)
    test_output(each, *FAST, "--no-clear")
test_output("pty", *FAST)
test_output("pty", "-f", RECORDING, *FAST)
# Another user's, which kvmexit may not open
for each in "pty", "pipe":
    test_output(each, "-j", *FAST, prefix=("setpriv", "--bounding-set=-dac_override,-dac_read_search",
                                           "--inh-caps=-dac_override,-dac_read_search"),
                what=" of another user", owner=NOBODY)
for each in "pty", "pipe", "socket":
    test_messages(each)
print(f"unread: {counts['passed']} passed, {counts['failed']} failed")
sys.exit(counts["failed"] != 0)
