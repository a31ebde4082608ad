#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of ifaxd at random instants under load: every mail that was answered with 250 is there
afterwards, whole and once. ROUNDS= says how often."""
import os
import random
import smtplib
import sys
import threading
import time

sys.path.insert(0, sys.path[0])
from box import Box, check, done_testing, say  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "4"))
CLIENTS = 6
EACH = 30
TAIL = "the end of it\r\n"


def send(port, names, acknowledged):
    """Until the server is gone; what it took stands in acknowledged."""
    try:
        with smtplib.SMTP("127.0.0.1", port, "client.test", timeout=20) as s:
            for name in names:
                s.sendmail("bob@far.test", ["100@example.test"],
                           f"Message-Id: <{name}@far.test>\r\n\r\n" + "x" * 70 + "\r\n" * 200 + TAIL)
                acknowledged.append(name)
    except (OSError, smtplib.SMTPException):
        pass


def documents(box):
    """Message-Id to how often it is there; those that are not whole."""
    found, torn = {}, []
    for line in box.must("jobs", "list", "--all").splitlines()[1:]:
        path = f"{box.dir}/saved"
        if os.path.exists(path):
            os.unlink(path)
        box.must("jobs", "save", line.split()[0], path)
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        name = text.partition("Message-Id: <")[2].partition("@")[0]
        found[name] = found.get(name, 0) + 1
        if not text.endswith(TAIL):
            torn.append(name)
    return found, torn


def attack(box, number, acknowledged):
    threads = [threading.Thread(target=send, args=(
        box.ports["smtp"], [f"{number}-{k}-{i}" for i in range(EACH)], acknowledged))
        for k in range(CLIENTS)]
    for t in threads:
        t.start()
    enough = len(acknowledged) + random.randint(1, CLIENTS * EACH * 3 // 4)
    end = time.monotonic() + 20
    while len(acknowledged) < enough and time.monotonic() < end:
        time.sleep(0.0002)
    box.daemon.kill()
    box.daemon.wait()
    for t in threads:
        t.join()
    box.start()


def main():
    seed = int(os.environ.get("SEED", time.time_ns() % 100000))
    random.seed(seed)
    acknowledged = []
    with Box(receive="MaxSessionsPerAddress=100") as box:
        box.must("users", "add", "100")
        for number in range(ROUNDS):
            attack(box, number, acknowledged)
        found, torn = documents(box)
    say(f"seed {seed}: {len(acknowledged)} acknowledged, {len(found)} stored")
    lost = [n for n in acknowledged if n not in found]
    twice = [n for n, times in found.items() if times > 1]
    check(ROUNDS <= len(acknowledged) < ROUNDS * CLIENTS * EACH, "it was killed under the load",
          len(acknowledged))
    check(not lost, "every mail that was acknowledged is there", lost)
    check(not twice, "each is there once", twice)
    check(not torn, "each is whole", torn)
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
