#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Collecting from Dovecot over STLS, as the units run it: text that its user does not want stays."""
import os
import sys

from guest import check, ctl, done_testing, must, start_box, wait_for


def jobs_of(code):
    lines = ctl("jobs", "list", "--all").stdout.splitlines()[1:]
    return [line for line in lines if f" {code} " in line and " print " in line]


def collect(code):
    done = ctl("collect", code, "--wait")
    return done.returncode == 0, done.stdout + done.stderr


def main():
    start_box()
    with open("/tmp/password", "w", encoding="ascii") as file:
        file.write("secret\n")
    must("ifaxctl", "users", "add", "300", "--pop3-host", "mail.example.test", "--pop3-tls",
         "starttls", "--pop3-login", "office", "--auto-receive", "no", "--receive-text", "no",
         "--password-file", "/tmp/password")
    must("sh", "-c", "printf 'Subject: hello\\n\\nhello\\n' | sendmail -f sender@example.test "
         "office@example.test")
    wait_for(lambda: os.path.isdir("/home/office/Maildir/new") and
             os.listdir("/home/office/Maildir/new"), 60)
    good, said = collect("300")
    check(good and not jobs_of("300"), "Dovecot over STLS: text is left", said)
    must("ifaxctl", "users", "edit", "300", "--receive-text", "yes")
    good, said = collect("300")
    check(good and len(jobs_of("300")) == 1, "Dovecot over STLS: it comes when it is wanted", said)
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
