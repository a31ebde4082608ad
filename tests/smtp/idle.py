#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an idle connection costs ifaxd, by the growth of its PSS, in the clear and with TLS; and
that all who come at once are let in. IDLE= and IDLE_TLS= say how many."""
import os
import resource
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, sys.path[0])
from box import Box, check, done_testing, say  # noqa: E402

PLAIN = int(os.environ.get("IDLE", "1000"))
TLS = int(os.environ.get("IDLE_TLS", "300"))
PLAIN_KIB, TLS_KIB = 8, 25
HOLD = """
import socket, ssl, sys
port, n = int(sys.argv[1]), int(sys.argv[2])
tls = ssl._create_unverified_context()
held = []
for _ in range(n):
    s = tls.wrap_socket(socket.create_connection(("127.0.0.1", port)))
    s.recv(200)
    s.sendall(b"EHLO idle.test\\r\\n")
    s.recv(2000)
    held.append(s)
print("held", flush=True)
sys.stdin.read()
"""


def connect(port, n):
    """All of them, greeted and with EHLO said."""
    lines = []
    for _ in range(n):
        lines.append(socket.create_connection(("127.0.0.1", port)))
    for s in lines:
        if not s.recv(200).startswith(b"220"):
            return lines, False
        s.sendall(b"EHLO idle.test\r\n")
    return lines, all(s.recv(2000).startswith(b"250") for s in lines)


def in_the_clear(box):
    warm, _ = connect(box.ports["smtp"], 50)
    for s in warm:
        s.close()
    time.sleep(0.5)
    before = box.pss()
    start = time.monotonic()
    lines, good = connect(box.ports["smtp"], PLAIN)
    took = time.monotonic() - start
    check(good, f"{PLAIN} connections are let in and greeted")
    each = (box.pss() - before) / PLAIN
    say(f"{each:.2f} KiB a connection, {PLAIN} of them in {took:.2f} s ({PLAIN / took:.0f} a second)")
    check(each <= PLAIN_KIB, f"an idle connection costs at most {PLAIN_KIB} KiB", f"{each:.2f} KiB")
    for s in lines:
        s.close()


def with_tls(box):
    def hold(n):
        holder = subprocess.Popen([sys.executable, "-c", HOLD, str(box.ports["submissions"]), str(n)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return holder, holder.stdout.readline() == "held\n"

    warm, _ = hold(20)
    warm.communicate("")
    time.sleep(0.5)
    before = box.pss()
    holder, good = hold(TLS)
    check(good, f"{TLS} encrypted connections are let in and greeted")
    each = (box.pss() - before) / TLS
    say(f"{each:.2f} KiB an encrypted connection")
    check(each <= TLS_KIB, f"an idle encrypted connection costs at most {TLS_KIB} KiB",
          f"{each:.2f} KiB")
    holder.communicate("")


def main():
    most = PLAIN + TLS + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with Box(receive=f"MaxSessions={most}\nMaxSessionsPerAddress={most}") as box:
        in_the_clear(box)
        with_tls(box)
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
