#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in the guest: boot, udev, D-Bus, and a mail from Postfix to Dovecot and out by POP3."""
import os
import poplib
import smtplib
import ssl
import subprocess
import sys
import time

NAME = "mail.example.test"
BODY = "one line\n.leading dot\nlast line"
results = []


def test(name):
    def run(function):
        try:
            trouble = function()
        except Exception as error:  # pylint: disable=broad-except
            trouble = repr(error)
        results.append(not trouble)
        for line in str(trouble or "").splitlines():
            print("#", line)
        print(f"{'not ' if trouble else ''}ok {len(results)} - {name}", flush=True)
    return run


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def collect(pop):
    """The bodies that have come for the user, waiting for the first; they are deleted."""
    pop.user("office")
    pop.pass_("secret")
    bodies = [b"\n".join(pop.retr(n + 1)[1]).decode().partition("\n\n")[2]
              for n in range(pop.stat()[0])]
    for n in range(len(bodies)):
        pop.dele(n + 1)
    pop.quit()
    return bodies


def wait_for_mail(connect):
    for _ in range(60):
        bodies = collect(connect())
        if bodies:
            return bodies
        time.sleep(0.5)
    return []


print("1..8")


@test("the guest's units all start")
def _():
    for _ in range(120):
        state = subprocess.run(["systemctl", "is-system-running"], capture_output=True,
                               text=True, check=False).stdout.strip()
        if state not in ("initializing", "starting"):
            break
        time.sleep(0.5)
    return output("systemctl", "list-units", "--failed", "--no-legend", "--plain")


@test("udev has named the output disk")
def _():
    return "" if os.path.exists("/dev/disk/by-id/virtio-output") else "no such link"


@test("udev sees a module's device come")
def _():
    output("modprobe", "loop", "max_loop=1")
    output("udevadm", "settle")
    return "" if "SUBSYSTEM=block" in output("udevadm", "info", "/dev/loop0") else "unknown to udev"


@test("D-Bus answers")
def _():
    return "" if "org.freedesktop.systemd1" in output("busctl", "list") else "no systemd there"


@test("Postfix takes a mail and delivers it, Dovecot gives it out")
def _():
    with smtplib.SMTP("127.0.0.1", 25) as smtp:
        smtp.sendmail("sender@example.test", ["office@example.test"],
                      f"Subject: test\n\n{BODY}\n")
    bodies = wait_for_mail(lambda: poplib.POP3("127.0.0.1", 110))
    return "" if bodies == [BODY] else f"got {bodies}"


@test("an unknown recipient is refused")
def _():
    with smtplib.SMTP("127.0.0.1", 25) as smtp:
        smtp.ehlo()
        smtp.mail("sender@example.test")
        code, text = smtp.rcpt("nobody-here@example.test")
    return "" if code == 550 else f"{code} {text}"


@test("SMTP and POP3 by TLS, with a certificate that the guest trusts")
def _():
    context = ssl.create_default_context()
    with smtplib.SMTP(NAME, 25) as smtp:
        smtp.starttls(context=context)
        smtp.sendmail("sender@example.test", ["office@example.test"], f"Subject: 2\n\n{BODY}\n")

    def start_tls():
        pop = poplib.POP3(NAME, 110)
        pop.stls(context)
        return pop
    bodies = wait_for_mail(start_tls)
    collect(poplib.POP3_SSL(NAME, 995, context=context))
    return "" if bodies == [BODY] else f"got {bodies}"


@test("a wrong POP3 password is refused")
def _():
    pop = poplib.POP3("127.0.0.1", 110)
    pop.user("office")
    try:
        pop.pass_("wrong")
    except poplib.error_proto as error:
        return "" if b"-ERR" in error.args[0] else repr(error)
    return "it was let in"


sys.exit(0 if all(results) else 1)
