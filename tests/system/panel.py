#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The panel with a board and real mail servers: a user registers, sends what lies in the feeder, and
what is in his mailbox is printed; S41 to S49 of the flow charts on a terminal."""
import sys

from guest import (check, configure_box, ctl, deliver, done_testing, empty_mailbox, feed, jobs,
                   mailbox, make_page, must, pixels, read_mail, run, sim_write, tray, wait_for)

try:
    from terminal import Terminal
except ImportError:
    print("1..0 # SKIP python3-pyte is not installed")
    sys.exit(0)

ON, OFF = "1", "0"
PAGE = make_page(1)


def start():
    configure_box()
    must("modprobe", "faxsim")
    wait_for(lambda: run("systemctl", "is-active", "ifaxd").stdout.strip() == "active")
    wait_for(lambda: "coder" in ctl("status").stdout)
    must("ifaxctl", "recipients", "set", "sender@example.test", "--name", "Sender", "--one-touch",
         "2")


def shown(name, t, words, seconds=30):
    check(t.wait(words, seconds), name, f'no "{words}" in\n{t.text()}')


def register(t, check_on_sending, code):
    t.wait("Ready", 60)
    t.key("F4")
    t.wait("Log-in ID")
    return t.answers(("office", "Password at"), ("secret", "again"), ("secret", "User code"),
                     (code, "User name"), ("Ada Muster", "Automatic reception"), (OFF, "Check"),
                     (check_on_sending, "Text"), (ON, "Encryption"), (OFF, "Mail server"),
                     ("mail.example.test", "Mail address"), ("office@example.test", "kept mail"),
                     ("1234", "again"), ("1234", "is registered"), (OFF, "Ready"))


def send(t, code):
    feed(PAGE)
    t.wait("original in the feeder", 30)
    t.key("F1")
    wrong = t.answers((code, "sender: Ada Muster"))
    check(not wrong, "S41, S42 the user code is known", wrong)
    t.type("\0332")
    shown("S43 the one-touch key is the recipient's", t, "> sender@example.test")
    t.key("ENTER")
    shown("S44 the scanner starts, and the display follows the job", t, "job ")


def sent_without_a_check(t):
    send(t, "101")
    shown("S47, S48 OFF: sent, and that is all", t, ": sent", 240)
    shown("... any key leads back", t, "any key: back")
    mails = wait_for(lambda: mailbox("sender"), 60)
    check(len(mails) == 1 and "Ada Muster" in str(read_mail(mails[0])["From"]),
          "the recipient has it, by the user's name", mails)
    check(not [j for j in jobs() if j.get("kind") == "collect"], "no mailbox was asked for", jobs())
    t.key("ENTER")


def sent_with_a_check(t):
    """The answer lies in the sender's mailbox before he sends."""
    empty_mailbox("sender")
    with open(mail_with_page(), encoding="ascii") as file:
        deliver(file.read())
    sim_write("tray_clear", 1)
    send(t, "100")
    shown("S48 ON, S49: after it the mailbox is looked at", t, ": collected", 240)
    printed = wait_for(tray, 240)
    check(printed and pixels(printed[0]) == pixels(PAGE), "... and what was in it is printed",
          [pixels(p)[:2] for p in printed])
    check(not mailbox(), "... and no more on the server", mailbox())
    t.key("ENTER")


def mail_with_page():
    """The document that the box itself sent just now, as mail of another."""
    path = "/tmp/answer.eml"
    sent = [j["id"] for j in jobs() if j.get("kind") == "send"]
    must("ifaxctl", "jobs", "save", str(sent[-1]), path)
    with open(path, encoding="ascii", newline="") as file:
        text = file.read()
    with open(path, "w", encoding="ascii", newline="") as file:
        file.write(text.replace("Message-Id: <", "Message-Id: <answer.").replace(
            "Message-ID: <", "Message-ID: <answer."))
    return path


def collect_now(t):
    t.key("F2")
    wrong = t.answers(("101", "job "))
    check(not wrong and t.wait(": collected", 60), "collect now is followed to its end",
          f"{wrong}\n{t.text()}")
    t.key("ENTER")


def main():
    start()
    with Terminal("ifaxctl", "panel", rows=30) as t:
        shown("the board stands in the status line", t, "feeder empty", 60)
        wrong = register(t, OFF, "101")
        check(not wrong, "S1-S19 a user registers", wrong)
        wrong = register(t, ON, "100")
        check(not wrong, "... and one who wants his mail looked at when he sends", wrong)
        sent_without_a_check(t)
        collect_now(t)
        sent_with_a_check(t)
        t.key("F10")
        check(t.ended() == 0, "the panel is left", t.text())
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
