# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the programs that run a guest share: its test's output up to the line GUEST-STATUS=n, and
what its kernel complains about on the console."""
import os
import re
import selectors
import subprocess
import sys
import time

TIME_OVER, NO_STATUS, TROUBLE = 124, 125, 123

KERNEL_TROUBLE = re.compile(
    rb"(WARNING: |BUG: |Oops[: ]|KASAN|UBSAN|kernel BUG at|Kernel panic|general protection fault"
    rb"|possible recursive locking|circular locking|suspicious RCU|blocked for more than"
    rb"|rcu.* detected stalls"
    rb"|DMA-API: (?!preallocated |debugging enabled|cacheline tracking ENOMEM)"
    rb"|refcount_t: |soft lockup|scheduling while atomic"
    rb"|kmemleak: \d+ new|ODEBUG: |list_(add|del) corruption|cache .* still has objects)")


# A report of KCSAN: its title, the stack of each access, a last line.
RACE = re.compile(rb"BUG: KCSAN: ")
RACE_ENDS = re.compile(rb"Reported by Kernel Concurrency Sanitizer")
ACCESS = re.compile(rb"(read|write|read-write) (\(marked\) )?(to|from) 0x|race at unknown origin")
# Helpers that stand above who called them: the race is the caller's.
HELPER = re.compile(rb"\] +(__list_|mem(cpy|set|move|cmp|chr)|str|_?_?copy_|kref_|refcount_)")
OURS = re.compile(rb"\[fax\w*\]")


def is_our_race(report):
    """Whether our modules made one of the accesses, and not just called who did."""
    top = False
    for line in report:
        if ACCESS.search(line):
            top = True
        elif top and not HELPER.search(line):
            if OURS.search(line):
                return True
            top = False
    return False


def without_foreign_races(lines):
    """The console without reports of KCSAN on the kernel's own races, of which it has some."""
    kept, report = [], None
    for line in lines:
        if RACE.search(line):
            report = []
        if report is None:
            kept.append(line)
            continue
        report.append(line)
        if RACE_ENDS.search(line):
            kept += report if is_our_race(report) else []
            report = None
    return kept + (report or [])


def relay(proc, deadline):
    """Copies the guest's lines until it reports; returns its status, TIME_OVER or NO_STATUS."""
    sel = selectors.DefaultSelector()
    sel.register(proc.stdout, selectors.EVENT_READ)
    rest = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return TIME_OVER
        if not sel.select(left):
            continue
        data = os.read(proc.stdout.fileno(), 65536)
        if not data:
            sys.stdout.buffer.write(rest)
            return NO_STATUS
        *lines, rest = (rest + data).replace(b"\r", b"").split(b"\n")
        for line in lines:
            if line.startswith(b"GUEST-STATUS="):
                return int(line[13:])
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()


def end(proc):
    """Lets the guest end by itself for a moment: it is powering off, its disks flushed."""
    try:
        proc.wait(15)
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()


def run(command, timeout):
    """Runs the guest; its status, TIME_OVER or NO_STATUS, or 130 when interrupted."""
    proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        status = relay(proc, time.monotonic() + timeout)
        if status not in (TIME_OVER, NO_STATUS):
            end(proc)
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    finally:
        proc.kill()
        proc.wait()
    sys.stdout.flush()
    return status


def judge(who, status, log, lines, timeout):
    """Says what is wrong, if anything is; the program's exit status."""
    trouble = [line for line in lines if KERNEL_TROUBLE.search(line)]
    if status == TIME_OVER:
        print(f"{who}: no end after {timeout:.0f} s (console: {log})", file=sys.stderr)
    elif status == NO_STATUS:
        print(f"{who}: the guest ended without a status (console: {log})", file=sys.stderr)
    if trouble or status == NO_STATUS:
        for line in (trouble or lines)[-20:]:
            print("console:", line.decode(errors="replace"), file=sys.stderr)
    return TROUBLE if trouble and status == 0 else status
