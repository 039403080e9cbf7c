#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""on_pty.py FILE FLAG COMMAND...

Runs the command with a pseudo-terminal as its standard output. Nobody reads that until
the file FLAG is there; then all goes into FILE. Ends with the command's status.
"""
import os
import pty
import subprocess
import sys
import time

read, write = pty.openpty()
run = subprocess.Popen(sys.argv[3:], stdout=write)
os.close(write)
while not os.path.exists(sys.argv[2]) and run.poll() is None:
    time.sleep(0.1)
with open(sys.argv[1], "wb") as out:
    try:
        while data := os.read(read, 1 << 16):
            out.write(data.replace(b"\r", b""))
    except OSError:
        pass  # the other end is closed
sys.exit(run.wait())
