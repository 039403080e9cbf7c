# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs on a pseudo-terminal, what they write on a screen of pyte's; and checks"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

import pyte

counts = {"passed": 0, "failed": 0}
SETTINGS = termios.tcgetattr(pty.openpty()[0])  # what each new one has


def check(what, ok, got=""):
    counts["passed" if ok else "failed"] += 1
    if not ok:
        print(f"live: {what}: {got}")


def finish():
    """The last line of a test"""
    print(f"live: {counts['passed']} passed, {counts['failed']} failed")
    sys.exit(counts["failed"] != 0)


def rows(lines, what):
    """Those below the head of a table"""
    head = [i for i, line in enumerate(lines) if re.match(" *(PID|VM|KVM)", line)]
    check(f"{what}: a head", head, lines)
    return [line for line in lines[head[-1] + 1:-1] if line and line[0] != "("] if head else []


class Screen(pyte.Screen):
    """One that knows the alternate screen"""

    ALTERNATE = 1049 << 5

    def set_mode(self, *modes, **kwargs):
        if kwargs.get("private") and 1049 in modes:
            self.normal, self.alternate = list(self.display), True
        super().set_mode(*modes, **kwargs)

    def reset_mode(self, *modes, **kwargs):
        if kwargs.get("private") and 1049 in modes:
            self.alternate = False
            self.erase_in_display(2)
            self.cursor_position()
        super().reset_mode(*modes, **kwargs)


class Run:
    """A program on a terminal of so many columns and lines"""

    def __init__(self, *argv, columns=80, lines=24, term="xterm", stdin=None):
        self.screen = Screen(columns, lines)
        self.screen.alternate = False
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.status = None
        self.pid, self.fd = pty.fork()
        if not self.pid:
            for ignored in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
                signal.signal(ignored, signal.SIG_DFL)  # not as under nohup, or behind a &
            os.environ["TERM"] = term
            if term is None:
                del os.environ["TERM"]
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            if stdin:
                os.dup2(os.open(stdin, os.O_RDONLY), 0)
            os.execv(argv[0], argv)

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds):
        """What comes in that time; False: the program has ended"""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.raw += data
        self.stream.feed(data)
        return bool(data)

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip("\n")

    def wait(self, what, pattern, seconds=20):
        """Until the screen matches; what is there then"""
        until = time.monotonic() + seconds
        more = True
        while more and time.monotonic() < until and not re.search(pattern, self.text(), re.M | re.S):
            more = self.read(0.05)
        check(what, re.search(pattern, self.text(), re.M | re.S), repr(self.text()[:2000]))
        return self.text().split("\n")

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def modes(self):
        flags = termios.tcgetattr(self.fd)[3]
        return bool(flags & termios.ECHO), bool(flags & termios.ICANON)

    def end(self, what, status=0, seconds=20):
        """Waits for its end; the terminal is to be as it was"""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.read(0.1):
            pass
        if time.monotonic() >= until:
            check(f"{what}: an end", False, repr(self.text()[:2000]))
            os.kill(self.pid, signal.SIGKILL)
        after = termios.tcgetattr(self.fd)
        _, self.status = os.waitpid(self.pid, 0)
        check(f"{what}: status", self.status == status, self.status)
        check(f"{what}: the terminal's settings again", after == SETTINGS, after)
        check(f"{what}: the normal screen again", not self.screen.alternate, self.text())
        check(f"{what}: a cursor", not self.screen.cursor.hidden)
        os.close(self.fd)
        return self.text().split("\n")
