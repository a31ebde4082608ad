#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of the daemon at random instants of the main job: ROUNDS of them, 10 if not said.

Afterwards the document was sent once and printed once, or its job says what is known: that pages
must be put in the feeder again, that a mail may have been taken twice, that a page may be a second
copy (which stands on that page too).
"""
import os
import random
import sys
import time

from guest import (check, ctl, done_testing, empty_mailbox, feed, job, jobs, last_job, mailbox,
                   make_page, must, pixels, read_mail, run, say, send, sim_write, start_box, tray,
                   wait_for)

ROUNDS = int(os.environ.get("ROUNDS", "10"))
FINAL = ("sent", "printed", "failed", "canceled", "duplicate", "collected")


def daemon_pid():
    text = run("systemctl", "show", "-p", "MainPID", "--value", "ifaxd").stdout.strip()
    return int(text or 0)


def daemon_up():
    return wait_for(lambda: "coder" in ctl("status").stdout, 60)


def attempt(what):
    """Runs a request of the main job; the daemon may be killed under it."""
    try:
        return what()
    except (RuntimeError, IndexError, ValueError):
        return None


def settle(after):
    """Lets the box come to rest; what is left to be done by a person is done."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        busy = [j for j in jobs() if j["id"] > after and j.get("state") not in FINAL]
        queued = [j for j in busy if j.get("state") == "queued"]
        if not busy:
            return True
        for j in queued:
            ctl("jobs", "retry", str(j["id"]))
        time.sleep(0.5)
    say(f"not at rest: {busy}")
    return False


class Killer:
    """kill -9 at the daemon once a given time has passed."""

    def __init__(self, delay):
        self.due = time.monotonic() + delay
        self.done = False

    def tick(self):
        if self.done or time.monotonic() < self.due:
            return
        pid = daemon_pid()
        if pid:
            os.kill(pid, 9)
            self.done = True


def one_round(number, delay):
    """The main job with a kill after `delay` seconds; the page and the jobs of the round."""
    page = make_page(1000 + number, height=1200)
    after = last_job()
    sim_write("tray_clear", 1)
    sim_write("feeder_clear", 1)
    empty_mailbox()
    feed(page)
    killer = Killer(delay)
    asked = False
    attempt(lambda: send("office@example.test"))
    while not killer.done:
        killer.tick()
        if mailbox() and not asked:
            attempt(lambda: must("ifaxctl", "collect", "100"))
            asked = True
        time.sleep(0.02)
    check(daemon_up(), f"round {number}: killed after {delay:.2f} s, it is back")
    settle(after)
    if any(j.get("kind") == "send" and j.get("state") == "sent" and j["id"] > after
           for j in jobs()):
        wait_for(lambda: mailbox() or any(j.get("kind") == "print" and j["id"] > after
                                          for j in jobs()), 20)
        attempt(lambda: must("ifaxctl", "collect", "100"))
        settle(after)
    return page, [j for j in jobs() if j["id"] > after]


def judge(number, page, mine):
    sends = [j for j in mine if j.get("kind") == "send"]
    prints = [j for j in mine if j.get("kind") == "print"]
    sheets = tray()
    good = [s for s in sheets if pixels(s) == pixels(page)]
    texts = " ".join(j.get("detail", "") for j in mine)
    say(f"    jobs {[(j['id'], j.get('kind'), j.get('state'), j.get('detail')) for j in mine]}, "
        f"{len(sheets)} sheets, {len(good)} clean")
    check(all(j.get("state") in FINAL for j in mine), f"round {number}: every job is final", mine)
    sent = [j for j in sends if j.get("state") == "sent"]
    if not sent:
        check(not sheets and (not sends or "feeder" in texts),
              f"round {number}: nothing was sent, and the job says to scan again", mine)
        return
    printed = [j for j in prints if j.get("state") == "printed"]
    check(len(sent) == 1 and len(printed) == 1, f"round {number}: sent once and printed once",
          mine)
    again = [j for j in prints if j.get("state") == "duplicate"]
    check(len(prints) == len(printed) + len(again),
          f"round {number}: any second copy of the mail was recognised", mine)
    marked = len(sheets) - len(good)
    check(len(good) <= 1 and len(good) + marked >= 1 and
          (marked == 0 or "second copy" in texts),
          f"round {number}: {len(good)} clean page, {marked} marked or cut short, and it is said",
          texts)


def main():
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    say(f"SEED={seed}")
    random.seed(seed)
    start_box()
    # Slow enough that a page is under way for a good part of the time.
    sim_write("rows_per_second", 1000)
    say("how long the main job takes undisturbed")
    start = time.monotonic()
    one = send_undisturbed()
    whole = time.monotonic() - start
    check(one, f"undisturbed it works ({whole:.1f} s)")
    for number in range(1, ROUNDS + 1):
        page, mine = one_round(number, random.uniform(0, whole * 1.2))
        judge(number, page, mine)
    return done_testing()


def send_undisturbed():
    feed(make_page(999, height=1200))
    number = send("office@example.test")
    wait_for(lambda: job(number).get("state") == "sent", 60)
    wait_for(mailbox, 20)
    must("ifaxctl", "collect", "100")
    return wait_for(lambda: tray(), 60) and settle(number - 1)


if __name__ == "__main__":
    sys.exit(main())
