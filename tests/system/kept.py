#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mail for a user without automatic print: kept, told of on paper, printed by code and password,
and ended by the calendar."""
import sys

from guest import (check, ctl, done_testing, feed, job, job_in, last_job, make_page, must, pixels,
                   received_since, send, sim_write, start_box, tray, wait_for)

PASSWORD = "open sesame\n"


def clear_tray():
    sim_write("tray_clear", 1)


def pages(n):
    """Waits until that many pages lie in the tray; them."""
    wait_for(lambda: len(tray()) >= n)
    return tray()


def kept(*words, password=PASSWORD):
    return ctl("kept", *words, "--user", "100", "--password-file", "-", input=password)


def bring_one(seed):
    """A fax comes for the user; its job, kept, when the slip about it is out."""
    before = last_job()
    page = make_page(seed)
    feed(page)
    job_in(send("office@example.test"), "sent", "delivered")
    must("ifaxctl", "collect", "100", "--wait")
    mine = [j for j in received_since(before) if j.get("source", "").startswith("pop3/")]
    done = job_in(mine[-1]["id"], "kept")
    check(done.get("state") == "kept", "a fax that came is kept", done)
    return done["id"], page


def has_content(image):
    width, height, bits = pixels(image)
    return width >= 1728 and height > 100 and any(bits)


def told_on_paper():
    number, page = bring_one(7)
    slips = pages(1)
    check(len(slips) == 1 and has_content(slips[0]) and pixels(slips[0]) != pixels(page),
          "one slip of paper says so", len(slips))
    status = ctl("status").stdout
    check("1 kept for users" in status, "so does the status", status)
    return number, page


def by_password(number, page):
    wrong = kept("print", password="sesame\n")
    unknown = ctl("kept", "print", "--user", "999", "--password-file", "-", input=PASSWORD)
    check(wrong.returncode == 1 and wrong.stderr == unknown.stderr,
          "a wrong password and a wrong code look the same", wrong.stderr + unknown.stderr)
    check(job(number)["state"] == "kept" and len(tray()) == 1, "and print nothing", job(number))
    listed = kept("list").stdout
    check(f" {number} " in f" {listed} ", "the right one lists what is kept", listed)
    clear_tray()
    result = kept("print", str(number))
    check(result.returncode == 0, "and prints it", result.stderr)
    job_in(number, "printed")
    out = pages(1)
    check(len(out) == 1 and pixels(out[0])[2][:2000] == pixels(page)[2][:2000],
          "the page that was sent came out", len(out))


def by_calendar():
    number, _ = bring_one(8)
    pages(2)
    clear_tray()
    must("systemctl", "stop", "ifaxd")
    must("date", "-s", "+3 days")
    must("systemctl", "start", "ifaxd")
    done = job_in(number, "removed")
    check(done.get("state") == "removed", "at the end of its days a mail is removed", done)
    out = pages(1)
    check(len(out) == 1 and has_content(out[0]), "when the notice of it is out", len(out))
    saved = ctl("jobs", "save", str(number), "/tmp/removed.eml")
    check(saved.returncode != 0, "and its document is gone", saved.stdout)


def main():
    start_box()
    must("ifaxctl", "users", "edit", "100", "--auto-print", "no", "--keep-days", "2", "--at-end",
         "notice")
    must("ifaxctl", "users", "passwd", "100", "--panel", input=PASSWORD)
    by_password(*told_on_paper())
    by_calendar()
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
