#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The panel on a terminal, over the real daemon: the dialogues of the flow charts, key by key.
What a board is needed for is left to the tests in the guest."""
import contextlib
import os
import smtplib
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(sys.path[0], "..", "smtp"))
from box import Box, check, done_testing, skip  # noqa: E402

try:
    from terminal import Terminal
except ImportError:
    skip("the panel on a terminal", "python3-pyte is not installed")
    sys.exit(done_testing())

ON, OFF = "1", "0"


def wait_for(what):
    end = time.monotonic() + 20
    while not what() and time.monotonic() < end:
        time.sleep(0.1)


@contextlib.contextmanager
def worker(box):
    """What looks at mail before it is kept."""
    with subprocess.Popen([f"{box.build}/ifax-worker", "--listen", f"{box.dir}/worker"]) as process:
        yield
        process.terminate()


def panel(box, *words):
    return Terminal(f"{box.build}/ifaxctl", "panel", *words, env=box.env)


def shown(name, t, words):
    check(t.wait(words), name, f'no "{words}" in\n{t.text()}')


def rest(box):
    with panel(box) as t:
        shown("at rest the panel says so", t, "Ready")
        shown("it shows the keypad", t, "7   8   9")
        shown("it shows the function keys", t, "F4  Register a user")
        shown("it shows the one-touch keys", t, "#1  Ann")
        shown("it shows the box's name", t, "box.example.test")
        shown("it shows the boards' state", t, "no board is there")
        shown("it shows the jobs", t, "0 jobs, 0 waiting")
        t.resize(120, 40)
        shown("it follows a larger terminal", t, "F10 Leave")
        t.type("1")
        shown("... in the midst of it, too", t, "> ")
        for size in (40, 10), (20, 5), (5, 2), (80, 24):
            t.resize(*size)
            t.read(0.3)
        shown("it survives the smallest terminal", t, "> ")
        t.key("ESC")
        shown("Esc leads back to rest", t, "Ready")
        t.key("F10")
        check(t.ended() == 0, "F10 leaves the panel", t.text())


def registration(box):
    with panel(box) as t:
        t.wait("Ready")
        t.key("F4")
        shown("S1 room in the table leads to S3", t, "Log-in ID")
        wrong = t.answers(("ada", "Password at"), ("secret", "again"),
                        ("Secret", "invalid password"))
        check(not wrong and t.wait("Password at"), "S3-S7 passwords that differ are invalid", wrong)
        check("secret" not in t.text().lower(), "passwords are not shown",
              t.text())
        wrong = t.answers(("secret", "The same password again"), ("secret", "User code"))
        check(not wrong, "S5, S6 the same password twice goes on", wrong)
        wrong = t.answers(("7", "user code already taken"))
        check(not wrong, "S8-S10 a code that is taken is asked for again", wrong)
        wrong = t.answers(("100", "User name"), ("Ada Müster", "Automatic reception"),
                        (ON, "Automatic printing"), (OFF, "Days"), ("32", "1 to 31"), ("5", "Check"),
                        (ON, "Text mail"), (OFF, "Encryption"), (OFF, "Mail server"))
        check(not wrong, "S11-S17 are asked in this order", wrong)
        wrong = t.answers(("pop.example.test:995", "Mail address"),
                        ("ada@example.test", "kept mail"), ("1234", "again"),
                        ("1234", "is registered"))
        check(not wrong, "S18 the settings are stored", wrong)
        user = dict(line.split(None, 1) for line in box.must("users", "show", "100").splitlines()
                    if len(line.split()) > 1)
        want = {"name": "Ada Müster", "address": "ada@example.test", "keep-days": "5",
                "pop3-host": "pop.example.test", "pop3-port": "995", "pop3-tls": "tls",
                "pop3-login": "ada", "password": "stored", "auto-receive": "yes",
                "auto-print": "no", "receive-text": "no", "collect-after-send": "yes",
                "encrypt": "no", "panel": "password     stored"}
        check(all(user.get(k) == v for k, v in want.items()), "... as they were answered", user)
        wrong = t.answers((ON, "Log-in ID"))
        check(not wrong, "S19 another user begins with S1", wrong)
        # Without a mailbox, reception off: the shortest way.
        wrong = t.answers(("", "User code"), ("101", "User name"), ("Bob", "Automatic reception"),
                        (OFF, "Check"), (OFF, "Text"), (ON, "Encryption"), (OFF, "Mail address"),
                        ("", "kept mail"), ("", "is registered"))
        check(not wrong, "S12 OFF leads to S15", wrong)
        wrong = t.answers((ON, "user registration filled"))
        check(not wrong, "S1, S2 a full table says so", wrong)
        t.key("ENTER")
        shown("... and quits", t, "Ready")


def sending(box):
    with panel(box) as t:
        t.wait("Ready")
        t.key("F1")
        wrong = t.answers(("999", "no user 999"))
        check(not wrong and t.wait("User code"), "S41, S42 an unknown code is asked for again", wrong)
        wrong = t.answers(("7", "sender: Otto"))
        check(not wrong, "S42 the sender's name is shown", wrong)
        t.wait("one-touch")
        t.type("\0331")
        shown("S43 a one-touch key is the recipient's address", t, "> ann@far.test")
        t.key("ENTER")
        shown("S44 without a scanner sending says so", t, "scanner")


def collecting(box):
    with panel(box) as t:
        t.wait("Ready")
        t.type("2")
        wrong = t.answers(("999", "no user 999"), ("7", "no mailbox"))
        check(not wrong, "collecting says whose mailbox is missing", f"{wrong}\n{t.text()}")


def kept(box):
    """F3: what came for a user who prints it himself."""
    box.must("users", "add", "8", "--name", "Eva", "--address", "eva@example.test",
             "--auto-print", "no")
    box.must("users", "passwd", "8", "--panel", stdin="5678\n")
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as client:
        for n in range(2):
            client.sendmail("ann@far.test", ["eva@example.test"], f"Subject: {n}\r\n\r\nHello {n}.")
    wait_for(lambda: box.must("jobs", "list", "--user", "8").count(" kept ") == 2)
    with panel(box) as t:
        shown("the panel shows how much is kept", t, "2 mails kept")
        t.key("F3")
        wrong = t.answers(("8", "Password for kept mail"), ("1234", "wrong"))
        check(not wrong and "5678" not in t.text() and "1234" not in t.text(),
              "F3 a wrong password prints nothing", wrong)
        t.key("ENTER")
        t.wait("Ready")
        t.key("F3")
        wrong = t.answers(("8", "Password for kept mail"), ("5678", "2 mails are printed"))
        check(not wrong, "F3 code and password print what is kept", wrong)
        check(box.must("jobs", "list", "--user", "8").count(" kept ") == 0,
              "... and it is kept no more", box.must("jobs", "list", "--user", "8"))
        t.key("ENTER")
        t.wait("Ready")
        t.key("F3")
        wrong = t.answers(("8", "Password for kept mail"), ("5678", "no mail is kept"))
        check(not wrong, "F3 says so when nothing is", wrong)


def memory_full(box):
    """E4: mail that would be kept stays on its server, and its user hears of it when he comes."""
    mailbox = ("--pop3-host", "127.0.0.1", "--pop3-login", "x", "--auto-receive", "no")
    box.must("users", "add", "8", "--name", "Eva", "--address", "eva@example.test",
             "--auto-print", "no", *mailbox)
    box.must("users", "add", "9", "--name", "Udo", "--address", "udo@example.test", *mailbox)
    box.must("users", "passwd", "8", "--panel", stdin="5678\n")
    with panel(box) as t:
        shown("where memory is full the panel says so at rest", t, "memory full")
        t.key("F1")
        wrong = t.answers(("8", "sender: Eva"))
        check(not wrong and t.wait("your mail stays on the server"),
              "... and tells the user whose mail waits elsewhere", f"{wrong}\n{t.text()}")
        t.key("ESC")
        t.wait("Ready")
        t.key("F1")
        wrong = t.answers(("9", "sender: Udo"))
        check(not wrong and "your mail" not in t.text(), "... but none whose mail is printed",
              f"{wrong}\n{t.text()}")
        t.key("ESC")
        t.wait("Ready")
        t.key("F3")
        wrong = t.answers(("8", "Password for kept mail"), ("5678", "your mail stays on the server"))
        check(not wrong, "... and tells him when he asks for what is kept", wrong)


def messages(box):
    with panel(box, "--user", "7") as t:
        t.wait("Ready")
        with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as client:
            client.ehlo()
            client.docmd("SEND", "FROM:<ann@far.test>")
            client.docmd("RCPT", "TO:<otto@example.test>")
            client.data("Lunch at noon?\r\n")
        shown("what is sent to the user's terminal stands on the display", t, "Lunch at noon?")
        t.key("F1")
        shown("... until the panel is used", t, "User code")
        check("Lunch" not in t.text(), "... and is not in the way", t.text())
        t.key("ESC")
        shown("... and comes back at rest", t, "Lunch at noon?")
        box.daemon.terminate()
        box.daemon.wait(20)
        check(t.ended() == 1, "a panel of a user ends with the daemon", t.text())
        shown("... and says why", t, "ifaxd has stopped")


def plain(box):
    result = box.ctl("panel")
    check(result.returncode == 2 and "--user" in result.stderr,
          "without a terminal it has to be told whose panel it is", result.stderr)
    result = box.ctl("panel", "--user", "999")
    check(result.returncode == 1 and "no user 999" in result.stderr,
          "... and there must be such a user", result.stderr)


def main():
    with Box(box="UsersMax=3") as box:
        box.must("users", "add", "7", "--name", "Otto", "--address", "otto@example.test")
        box.must("recipients", "set", "ann@far.test", "--name", "Ann", "--one-touch", "1")
        for part in rest, registration, sending, collecting, plain:
            part(box)
        with worker(box):
            box.must("users", "remove", "101")
            kept(box)
        messages(box)
    with Box(collect="Reserve=1024G") as box:
        memory_full(box)
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
