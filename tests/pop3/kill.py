#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of ifaxd at random instants while it collects from Dovecot: every mail is here in the end,
whole and once. ROUNDS= says how often (6); where mpop is installed, it is killed as often
and what it doubles is said (it is no test of ours)."""
import os
import random
import shutil
import subprocess
import sys
import time

from cuts import documents, make
from servers import PASSWORD, Collecting, Dovecot
from box import check, done_testing, say

ROUNDS = int(os.environ.get("ROUNDS", "6"))
EACH = 40


def fill(server, login, names):
    fresh = [f"{len(names) + i}" for i in range(EACH)]
    names.extend(fresh)
    server.fill(login, [make(n) for n in fresh])


def emptied(server, login, collect):
    for _ in range(3):
        collect()
        if not server.left(login):
            return True
        time.sleep(1)       # what was killed may still be dying, and holds the mailbox
    return False


def mails_of(box):
    return box.log().count(": a mail of ")


def wait_somewhere(box, before, whole):
    """By the clock, or by how many mails have come."""
    end = time.monotonic() + random.uniform(0, 1.2 * whole)
    many = before + random.choice((EACH * 10, random.randint(1, EACH)))
    while time.monotonic() < end and mails_of(box) < many:
        pass


def attack_ifax(server, rounds):
    """Names; how often each is here; the torn; how many kills met a collection under way."""
    names, met = [], 0
    with Collecting() as box:
        box.add_user("100", server.port)
        fill(server, "100", names)
        start = time.monotonic()
        box.must("collect", "100", "--wait")
        whole = time.monotonic() - start
        for _ in range(rounds):
            fill(server, "100", names)
            before = mails_of(box)
            box.must("collect", "100")
            wait_somewhere(box, before, whole)
            box.daemon.kill()
            box.daemon.wait()
            met += mails_of(box) > before and len(server.left("100")) > 0
            box.start()
        good = emptied(server, "100", lambda: box.ctl("collect", "100", "--wait"))
        found, torn = documents(box)
        return names, found, torn, met, good


def attack_mpop(server, rounds):
    """The same against mpop, which has its own list of what it knows."""
    names, login = [], "mpop"
    folder = f"{server.dir}/by-mpop"
    for name in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{name}")
    conf = f"{server.dir}/mpoprc"
    with open(conf, "w", encoding="ascii") as file:
        file.write(f"account a\nhost 127.0.0.1\nport {server.port}\nuser {login}\n"
                   f"password {PASSWORD}\ntls off\nauth user\ndelivery maildir {folder}\n"
                   f"uidls_file {server.dir}/uidls\nkeep off\n")
    os.chmod(conf, 0o600)
    words = ["mpop", "-C", conf, "-q", "a"]
    whole = 0.2
    for _ in range(rounds):
        fill(server, login, names)
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
            time.sleep(random.uniform(0, whole))
            one.kill()
    emptied(server, login, lambda: subprocess.run(words, capture_output=True, check=False))
    found = {}
    for name in os.listdir(f"{folder}/new"):
        with open(f"{folder}/new/{name}", encoding="ascii") as file:
            mail = file.read().partition("Message-Id: <")[2].partition("@")[0]
        found[mail] = found.get(mail, 0) + 1
    return names, found


def main():
    random.seed(seed := int(os.environ.get("SEED", time.time_ns() % 100000)))
    with Dovecot() as server:
        names, found, torn, met, good = attack_ifax(server, ROUNDS)
        lost = [n for n in names if n not in found]
        twice = [n for n, times in found.items() if times > 1]
        say(f"seed {seed}: ifaxd killed {ROUNDS} times, {met} of them between its first mail and the "
            f"server's last; of {len(names)} mails {len(lost)} lost, {len(twice)} doubled")
        check(met, "it was killed while it collected")
        check(good, "the mailbox is emptied in the end", server.left("100"))
        check(not lost, "no mail is lost", lost[:20])
        check(not twice, "none came twice", twice[:20])
        check(not torn, "each is whole", torn[:20])
        if shutil.which("mpop"):
            names, found = attack_mpop(server, ROUNDS)
            lost = [n for n in names if n not in found]
            say(f"mpop killed as often: of {len(names)} mails {len(lost)} lost, "
                f"{sum(found.values()) - len(found)} copies too many")
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
