#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The receiver against clients of others: Python's smtplib, and swaks where it is installed."""
import shutil
import smtplib
import ssl
import subprocess
import sys
import time

sys.path.insert(0, sys.path[0])
from box import Box, check, done_testing, skip  # noqa: E402

TEXT = "From: Bob <bob@far.test>\r\nSubject: a page\r\n\r\n.one dot\r\n..two dots\r\nend\r\n"


def code_of(function, *args, **kwargs):
    """The code by which the server refuses, 250 where it does not."""
    try:
        function(*args, **kwargs)
    except smtplib.SMTPRecipientsRefused as e:
        return max(code for code, _ in e.recipients.values())
    except smtplib.SMTPResponseException as e:
        return e.smtp_code
    return 250


def documents(box, needle):
    """Documents of jobs that hold the words."""
    found = []
    for line in box.must("jobs", "list", "--all").splitlines()[1:]:
        path = f"{box.dir}/saved-{time.monotonic_ns()}"
        if box.ctl("jobs", "save", line.split()[0], path).returncode:
            continue
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        if needle in text:
            found.append(text)
    return found


def by_smtplib(box, tls):
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"], "client.test") as s:
        s.ehlo()
        check(all(s.has_extn(x) for x in ("pipelining", "size", "8bitmime", "dsn", "starttls",
                                          "enhancedstatuscodes", "chunking", "smtputf8")),
              "smtplib: EHLO offers what it is to", s.esmtp_features)
        check(not s.has_extn("auth"), "smtplib: no AUTH in the clear")
        s.sendmail("bob@far.test", ["ada@example.test"], TEXT)
        check(code_of(s.sendmail, "b@far.test", ["nobody@example.test"], TEXT) == 550,
              "smtplib: an unknown user is refused")
        check(s.verify("ada")[0] == 250 and b"Ada Muster" in s.verify("ada")[1],
              "smtplib: VRFY tells a permitted client the full name")
        check(s.expn("staff")[1].count(b"@") == 2, "smtplib: EXPN names each mailbox", s.expn("staff"))
        s.starttls(context=tls)
        s.ehlo()
        check(s.has_extn("auth") and not s.has_extn("starttls"), "smtplib: AUTH over TLS")
        s.sendmail("bob@far.test", ["info@example.test"], TEXT.replace("a page", "over TLS"))
    got = documents(box, "Subject: a page")
    check(len(got) == 1 and got[0].endswith(TEXT) and got[0].startswith("Return-Path: <bob@far.test>\r\n"
                                                                         "Received: from client.test "),
          "smtplib: the mail is there once, octet for octet, below its trace", got)
    got = documents(box, "Subject: over TLS")
    check(len(got) == 1 and "with ESMTPS id" in got[0], "smtplib: STARTTLS stands in Received", got)


def by_submission(box, tls):
    with smtplib.SMTP("127.0.0.1", box.ports["submission"]) as s:
        check(code_of(s.sendmail, "ada@example.test", ["v@far.test"], TEXT) == 530,
              "submission: nothing before AUTH")
    for mechanism in ("PLAIN", "LOGIN"):
        with smtplib.SMTP("127.0.0.1", box.ports["submission"]) as s:
            s.starttls(context=tls)
            s.ehlo()
            s.user, s.password = "ada@example.test", "correct horse"
            code = s.auth(mechanism, getattr(s, f"auth_{mechanism.lower()}"))[0]
            check(code == 235, f"submission: AUTH {mechanism}")
            check(code_of(s.sendmail, "otto@example.test", ["v@far.test"], TEXT) == 553,
                  f"submission: not another's address ({mechanism})")
            s.sendmail("ada@example.test", ["v@far.test"], TEXT)
    with smtplib.SMTP_SSL("127.0.0.1", box.ports["submissions"], context=tls) as s:
        check(code_of(s.login, "100", "wrong") == 535, "submissions: a wrong password")
        s.login("100", "correct horse")
        s.sendmail("ada@example.test", ["w@far.test", "200@example.test"], TEXT)
    jobs = [line.split()[0] for line in box.must("jobs", "list", "--all").splitlines()[1:]]
    shown = [text for text in (box.must("jobs", "show", j) for j in jobs) if "w@far.test" in text]
    check(len(shown) == 1 and "200@example.test" in shown[0], "submissions: it waits to go on",
          shown)


def by_swaks(box):
    if not shutil.which("swaks"):
        skip("swaks", "it is not installed")
        return

    def swaks(*words):
        return subprocess.run(["swaks", "--server", "127.0.0.1", "--from", "bob@far.test", *words],
                              capture_output=True, text=True, timeout=60, check=False)

    one = swaks("--port", str(box.ports["smtp"]), "--to", "ada@example.test,200@example.test",
                "--pipeline", "--header", "Subject: by swaks")
    check(one.returncode == 0 and len(documents(box, "Subject: by swaks")) >= 1,
          "swaks: two recipients, pipelined", one.stdout + one.stderr)
    bad = swaks("--port", str(box.ports["smtp"]), "--to", "nobody@example.test")
    check(bad.returncode == 24 and "550 5.1.1" in bad.stdout, "swaks: an unknown user",
          bad.stdout)
    auth = swaks("--port", str(box.ports["submission"]), "--from", "ada@example.test", "--to",
                 "x@far.test", "--tls", "--auth", "PLAIN", "--auth-user", "100",
                 "--auth-password", "correct horse")
    check(auth.returncode == 0, "swaks: STARTTLS, AUTH PLAIN, a mail elsewhere",
          auth.stdout + auth.stderr)
    lmtp = swaks("--port", str(box.ports["smtp"]), "--protocol", "SMTP", "--to",
                 "ada@example.test", "--quit-after", "RCPT")
    check(lmtp.returncode == 0, "swaks: HELO, and QUIT in the midst", lmtp.stdout)


def on_the_panel(box):
    """SEND, as the telnet of those days would have."""
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as s:
        s.ehlo()
        s.docmd("SEND FROM:<bob@far.test>")
        check(s.docmd("RCPT TO:<ada@example.test>")[0] == 450, "SEND: 450 where nobody is active")
        s.docmd("RSET")
        panel = subprocess.Popen([f"{box.build}/ifaxctl", "panel", "--user", "100"], text=True,
                                 env=box.env, stdout=subprocess.PIPE)
        panel.stdout.readline()
        s.docmd("SEND FROM:<bob@far.test>")
        check(s.docmd("RCPT TO:<ada@example.test>")[0] == 250, "SEND: 250 with a panel")
        check(s.data("lunch?\r\n")[0] == 250, "SEND: the message is sent")
        shown = panel.stdout.readline() + panel.stdout.readline() + panel.stdout.readline()
        check("bob@far.test" in shown and "lunch?" in shown, "ifaxctl panel shows it", shown)
        panel.terminate()
        panel.wait()
        s.docmd("SEND FROM:<bob@far.test>")
        deadline = time.monotonic() + 5
        while (code := s.docmd("RCPT TO:<ada@example.test>")[0]) == 250 and time.monotonic() < deadline:
            time.sleep(0.1)
        check(code == 450, "the panel that went is no terminal any more")


def main():
    with Box() as box:
        tls = ssl.create_default_context(cafile=box.certificate)
        box.must("users", "add", "100", "--name", "Ada Muster", "--address", "ada@example.test")
        box.must("users", "add", "200", "--name", "Otto Muster", "--address", "otto@example.test")
        box.must("users", "passwd", "100", stdin="correct horse\n")
        box.must("aliases", "add", "info", "ada@example.test")
        box.must("aliases", "add", "staff", "--title", "The Staff", "100", "200")
        tls.check_hostname = False
        by_smtplib(box, tls)
        by_submission(box, tls)
        by_swaks(box)
        on_the_panel(box)
        status = box.must("status")
        check("SMTP: 0 connections" in status and " 0 mails" not in status,
              "ifaxctl status counts what came", status)
    return done_testing()


if __name__ == "__main__":
    sys.exit(main())
