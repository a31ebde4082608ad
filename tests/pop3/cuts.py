#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line to Dovecot is lost after so many octets of either side, again and again: no mail is lost
and none comes twice. CUTS= says how many of either side (25); SAMPLE=all takes every octet."""
import os
import random
import socket
import sys
import threading
import time

from servers import Collecting, Dovecot, greeted
from box import check, done_testing, say

CUTS = int(os.environ.get("CUTS", "25"))
EACH = 3


class Cutter:
    """Passes on what both sides say, until one has said so much."""

    def __init__(self, port):
        self.port_behind = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.limits = [None, None]      # octets of the client's, of the server's
        self.said = [0, 0]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", self.port_behind))
            self.said = [0, 0]
            ends = [threading.Thread(target=self.move, args=(a, b, side), daemon=True)
                    for a, b, side in ((near, far, 0), (far, near, 1))]
            for t in ends:
                t.start()
            for t in ends:
                t.join()
            near.close()
            far.close()

    def move(self, source, sink, side):
        try:
            while data := source.recv(4096):
                limit = self.limits[side]
                room = len(data) if limit is None else limit - self.said[side]
                sink.sendall(data[:room])
                self.said[side] += min(room, len(data))
                if room < len(data):
                    break
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def make(name):
    return (f"Message-Id: <{name}@far.test>\nSubject: {name}\n\n.dots\n" + "x" * 60 + "\n" +
            "..\n" * 3 + "the end of it\n").encode()


def documents(box):
    """Message-Id to how often it is there; those that are not whole."""
    found, torn = {}, []
    for number in range(1, box.last_job() + 1):
        path = f"{box.dir}/saved"
        if os.path.exists(path):
            os.unlink(path)
        if box.ctl("jobs", "save", str(number), path).returncode:
            continue        # a collection has no document
        with open(path, "rb") as file:
            text = file.read().replace(b"\r\n", b"\n")
        name = text.partition(b"Message-Id: <")[2].partition(b"@")[0].decode()
        found[name] = found.get(name, 0) + 1
        if not text.endswith(make(name)):
            torn.append(name)
    return found, torn


def sample(octets):
    if os.environ.get("SAMPLE") == "all":
        return range(octets + 1)
    return sorted(random.sample(range(octets + 1), min(CUTS, octets + 1)))


def main():
    random.seed(seed := int(os.environ.get("SEED", time.time_ns() % 100000)))
    with Dovecot() as server, Collecting(collect="ConnectionsPerHost=1") as box:
        cutter = Cutter(server.port)
        box.add_user("100", cutter.port)
        names, kept = [], 0

        def fill():
            fresh = [f"{len(names) + i}" for i in range(EACH)]
            names.extend(fresh)
            server.fill("100", [make(n) for n in fresh])

        def collect():
            return box.ctl("collect", "100", "--wait").returncode == 0

        fill()
        check(collect() and greeted(server.port), "the mailbox is collected without a cut", box.log())
        spoken = list(cutter.said)
        say(f"seed {seed}; a round is {spoken[0]} octets of ours and {spoken[1]} of the server's")
        good = True
        for side in (0, 1):
            for limit in sample(spoken[side]):
                fill()
                cutter.limits[side] = limit
                collect()
                cutter.limits[side] = None
                good &= collect() and not server.left("100")
                kept += 1
        check(good, f"after {kept} cuts the mailbox is emptied by the next round",
              box.log()[-2000:])
        found, torn = documents(box)
    lost = [n for n in names if n not in found]
    twice = [n for n, times in found.items() if times > 1]
    check(not lost, f"none of {len(names)} mails is lost", lost[:20])
    check(not twice, "none came twice", twice[:20])
    check(not torn, "each is whole", torn[:20])
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
